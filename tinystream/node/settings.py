"""What may be changed while an app runs: thresholds, the quiet time, and whether a label alerts.

A message is the whole of what differs from the definition, as JSON, so it can lie retained on a broker and be applied any number of times:

    {"threshold": 0.85, "quiet_s": 3, "enable": {"no": false}}        a number for all labels, or {"label": number}
    {} or an empty message                                            back to the definition

Where the definition names a key, a message is an envelope: {"signed": BASE64 of the JSON, "signature": BASE64 of its Ed25519 signature},
and the JSON holds "counter", a whole number that grows with every message, and "definition", the app's hash.  So an old message cannot be
played again, nor one for another app.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from tinystream.app.definition import App
from tinystream.app.mistakes import hint
from tinystream.app.node import Range, Settings
from tinystream.errors import AppError, TinystreamError
from tinystream.plan.plan import Plan
from tinystream.plan.stage import Detector

MOST_BYTES = 16_384
THRESHOLDS = ("threshold", "probability_cutoff")
"""What detectors call it."""


class SettingsError(TinystreamError):
    """A message that is refused: what is wrong, and what instead."""


@dataclass(frozen=True)
class Changes:
    """What differs from the definition, by label.

    counter: of a signed message; 0 where none is asked for.
    """

    threshold: Mapping[str, float] = field(default_factory=dict)
    quiet_s: float | None = None
    enable: Mapping[str, bool] = field(default_factory=dict)
    counter: int = 0

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"threshold": dict(self.threshold)} if self.threshold else {}
        told |= {} if self.quiet_s is None else {"quiet_s": self.quiet_s}
        return told | ({"enable": dict(self.enable)} if self.enable else {})


def read_changes(message: bytes, limits: Settings | None, plan: Plan, folder: Path = Path(), counter: int = 0) -> Changes:
    """What a message asks for, if the definition lets it.  SettingsError says why not.

    folder:  where the definition lies, and the key from there.
    counter: of the last signed message.
    """
    if len(message) > MOST_BYTES:
        raise SettingsError(f"a message of {len(message)} bytes, the limit is {MOST_BYTES}", "only what differs from the definition")
    limits = limits or Settings()
    if limits.key_file:
        asked, counter = opened(message, folder / limits.key_file, plan, counter)
    else:
        asked, counter = as_object(message) if message.strip() else {}, 0
    allowed = [key for key in ("threshold", "quiet_s", "enable") if getattr(limits, key)]
    for key in asked:
        if key not in ("threshold", "quiet_s", "enable"):
            raise SettingsError(f"unknown setting {shown(key)}", hint(key, ["threshold", "quiet_s", "enable"], "settings"))
        if key not in allowed:
            may = f"[settings] lets {' and '.join(allowed)} be changed" if allowed else "the definition has no [settings]"
            raise SettingsError(f"{key} may not be changed: {may}", f"{key} = … in [settings] of the definition")
    scores = tuple(name for names in names_of(plan) for name in names)
    threshold = {n: number("threshold", v, limits.threshold) for n, v in by_label(asked.get("threshold", {}), scores, "threshold").items()}
    quiet = number("quiet_s", asked["quiet_s"], limits.quiet_s) if "quiet_s" in asked else None
    enable = by_label(asked.get("enable", {}), plan.labels, "enable")
    for label, value in enable.items():
        if not isinstance(value, bool):
            raise SettingsError(f"enable of '{label}' wants true or false, not {shown(value)}", '{"enable": {"…": false}}')
    return Changes(threshold, quiet, enable, counter)


def as_object(message: bytes) -> dict[str, Any]:
    try:
        found = json.loads(message, parse_constant=lambda word: float("nan"))
    except (ValueError, RecursionError):
        raise SettingsError("the message is not JSON", '{"threshold": 0.8}') from None
    if not isinstance(found, dict):
        raise SettingsError(f"the message is {shown(found)}, no object", '{"threshold": 0.8}')
    return found


def by_label(value: Any, labels: tuple[str, ...], key: str) -> dict[str, Any]:
    """One value for every label, or a value for some of them."""
    if not isinstance(value, dict):
        return dict.fromkeys(labels, value)
    for label in value:
        if label not in labels:
            raise SettingsError(f"{key}: there is no label {shown(label)}", hint(label, labels, "labels"))
    return value


def number(key: str, value: Any, limits: Range | None) -> float:
    assert limits is not None, "what may be changed has limits"
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise SettingsError(f"{key} wants a number, not {shown(value)}", f"{low:g} <= {key} <= {high:g}")
    if not low <= value <= high:
        raise SettingsError(f"{key} = {value:g} is outside of what the definition lets be set", f"{low:g} <= {key} <= {high:g}")
    return float(value)


def shown(value: Any) -> str:
    """Foreign words, shortened."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:37]}…"


# --- signatures -----------------------------------------------------------------------------------------------


def opened(message: bytes, key_file: Path, plan: Plan, counter: int) -> tuple[dict[str, Any], int]:
    """What is inside a signed envelope, and its counter."""
    from cryptography.exceptions import InvalidSignature

    key, envelope = public_key(key_file), as_object(message) if message.strip() else {}
    signed, signature = (part(envelope, name) for name in ("signed", "signature"))
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        raise SettingsError("the signature does not fit", f"sign with the private key of {key_file.name}") from None
    asked = as_object(signed)
    new, definition = asked.pop("counter", None), asked.pop("definition", None)
    if definition != plan.digest:
        raise SettingsError(f"signed for another definition, {shown(definition)}", f'"definition": "{plan.digest}"')
    if isinstance(new, bool) or not isinstance(new, int) or not counter < new < 2**63:
        raise SettingsError(f"its counter is {shown(new)}, the last one was {counter}", f'"counter": {counter + 1}, or more')
    return asked, new


def part(envelope: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(envelope[name], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise SettingsError("settings must be signed here", '{"signed": BASE64, "signature": BASE64}') from None


def public_key(path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        help = "openssl pkey -in private.pem -pubout -out public.pem"
        raise SettingsError(f"the public key {path} cannot be read: {error}", help) from None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{path} is no Ed25519 key", "openssl genpkey -algorithm ed25519 -out private.pem")
    return key


def sign(changes: Mapping[str, Any], private_key: Path, definition: str, counter: int) -> bytes:
    """An envelope for settings, by the private key (PEM) of the node's public one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        help = "an Ed25519 key in PEM, without a pass phrase"
        raise SettingsError(f"the private key {private_key} cannot be read: {error}", help) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{private_key} is no Ed25519 key", "openssl genpkey -algorithm ed25519 -out private.pem")
    signed = json.dumps({**changes, "counter": counter, "definition": definition}, separators=(",", ":")).encode()
    told = {"signed": base64.b64encode(signed).decode(), "signature": base64.b64encode(key.sign(signed)).decode()}
    return json.dumps(told).encode()


# --- what they come to ----------------------------------------------------------------------------------------


def changed(detector: Detector, classes: tuple[str, ...], names: tuple[str, ...], changes: Changes) -> Detector:
    """A detector with what is asked for.  names: of its scores.  SettingsError where it has no such option."""
    update: dict[str, Any] = {}
    mine = {name: value for name, value in changes.threshold.items() if name in names}
    if mine:
        option = next((name for name in THRESHOLDS if getattr(detector, name, None) is not None), None)
        if option is None:
            raise SettingsError(f"detector '{detector.kind}' of {', '.join(sorted(mine))} has no threshold", "a threshold for other labels")
        update[option] = thresholds(getattr(detector, option), mine, detector, option, names)
    if changes.quiet_s is not None:
        if "quiet_s" not in type(detector).model_fields:
            raise SettingsError(f"detector '{detector.kind}' has no quiet_s", "leave it out")
        update["quiet_s"] = changes.quiet_s
    bound = detector.bind(classes) if classes else detector
    return bound.model_copy(update=update)


def thresholds(now: Any, asked: Mapping[str, float], detector: Detector, option: str, names: tuple[str, ...]) -> Any:
    """A number where every label has the same, else one for each that may alert."""
    may = getattr(detector, "labels", None) or (tuple(now) if isinstance(now, dict) else names)
    each = {label: asked.get(label, now[label] if isinstance(now, dict) else now) for label in may}
    if len(set(each.values())) == 1 and not isinstance(now, dict):
        return next(iter(each.values()))
    if option != "threshold":
        raise SettingsError(f"detector '{detector.kind}' has one threshold for all labels", "a number")
    return each


def effective(app: App, plan: Plan, changes: Changes) -> dict[str, Any]:
    """What holds now, for people and for the hash: of each label its threshold, whether it alerts, and the quiet time of its detector."""
    told: dict[str, Any] = {}
    for detector, detection, names, labels in zip(app.detectors, plan.detections, names_of(plan), labels_of(plan), strict=True):
        now = changed(detector, detection.classes, names, changes)
        option = next((getattr(now, name) for name in THRESHOLDS if getattr(now, name, None) is not None), None)
        for label in labels:
            limit = option.get(label) if isinstance(option, dict) else option
            told[label] = {"threshold": limit, "quiet_s": getattr(now, "quiet_s", None), "enable": changes.enable.get(label, True)}
    return told


def labels_of(plan: Plan) -> list[tuple[str, ...]]:
    """The labels of each detector."""
    ends = [*(d.first for d in plan.detections[1:]), len(plan.labels)]
    return [plan.labels[d.first : end] for d, end in zip(plan.detections, ends)]


def names_of(plan: Plan) -> list[tuple[str, ...]]:
    """What the scores of each detector are called: its first labels; others may tell that something is over."""
    return [labels[: plan.steps[d.step].x[0].size] for d, labels in zip(plan.detections, labels_of(plan))]


def hash_of(settings: Mapping[str, Any]) -> str:
    """Eight digits that stand for what holds now; alerts carry them."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:8]


def refusal(error: TinystreamError | AppError) -> dict[str, str]:
    """What a node reports back of a message that it refused."""
    return {"refused": error.what, "help": error.help or ""}
