"""Edge Impulse's acquisition format, as JSON or CBOR: sensors with names and units, one interval, a signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.content import Content
from tinystream.io.labels import edge_impulse_label
from tinystream.io.wanted import How, Wanted
from tinystream.io.words import first_line

EXAMPLE = '{"protected": …, "payload": {"interval_ms": 10, "sensors": [{"name": "accX", "units": "m/s2"}], "values": [[0.1]]}}'
DAMAGED = "export or record it again"
SIGNED = "HS256"
UNSIGNED = ("none", "", None)
HEAD = 4096  # bytes in which an acquisition's first keys are found


def is_acquisition(path: Path) -> bool:
    """Does this JSON file begin as an acquisition does?  Others are truth, labels, manifests."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    return b'"payload"' in head or (b'"protected"' in head and b'"signature"' in head)


def read_acquisition(path: Path, wanted: Wanted, how: How) -> Content:
    """Samples in the units of their sensors, the rate of `interval_ms`.

    Where a key is given the HMAC-SHA256 over the file, with zeros for the signature, must be right.
    """
    data = path.read_bytes()
    acquisition = _mapping(path, "the file", _decoded(path, data))
    payload = _mapping(path, "'payload'", acquisition.get("payload"))
    notes = _checked(path, data, acquisition, how.key_env)
    names, units = _sensors(path, payload.get("sensors"))
    rate_hz = _rate(path, payload.get("interval_ms"))
    picked = chosen(path, names, wanted, how, units)
    x = _values(path, payload.get("values"), len(names), how.fills)[:, picked.columns]
    if any(unit == "wav" for unit in picked.units) and not how.unit:
        x = _audio(path, x, picked.units)
    return Content(x, picked.units, rate_hz, "its interval_ms means", notes=(*picked.notes, *notes), label=edge_impulse_label(path))


def rate_of(path: Path) -> Fraction:
    """Of an acquisition, without its samples."""
    payload = _mapping(path, "'payload'", _mapping(path, "the file", _decoded(path, path.read_bytes())).get("payload"))
    return _rate(path, payload.get("interval_ms"))


def _decoded(path: Path, data: bytes) -> Any:
    if path.suffix.lower() == ".json":
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as e:
            raise RecordingError(f"{path} is no JSON: {first_line(e)}", DAMAGED) from None
    import cbor2  # only this format needs it

    try:
        return cbor2.loads(data)
    except (cbor2.CBORError, ValueError, TypeError, EOFError, RecursionError, MemoryError, ArithmeticError, LookupError) as e:
        raise RecordingError(f"{path} is no CBOR: {first_line(e)}", DAMAGED) from None


def _mapping(path: Path, what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordingError(f"{path} is no acquisition: {what} is {_kind(value)}, not a table of names", EXAMPLE)
    return value


def _kind(value: Any) -> str:
    return "absent" if value is None else f"of type {type(value).__name__}"


def _sensors(path: Path, sensors: Any) -> tuple[list[str], list[str]]:
    if not isinstance(sensors, Sequence) or isinstance(sensors, str | bytes) or not sensors:
        raise RecordingError(f"{path}: 'sensors' is {_kind(sensors)}, not a list of at least one", EXAMPLE)
    names, units = [], []
    for i, sensor in enumerate(sensors):
        sensor = _mapping(path, f"sensor {i}", sensor)
        name, unit = sensor.get("name"), sensor.get("units", "")
        if not isinstance(name, str) or not isinstance(unit, str | None):
            raise RecordingError(f"{path}: sensor {i} has a name or units that are no text", EXAMPLE)
        names.append(name)
        units.append(unit or "")
    return names, units


def _rate(path: Path, interval_ms: Any) -> Fraction:
    if not _is_number(interval_ms) or not 1e-6 <= interval_ms <= 1e9:
        raise RecordingError(f"{path}: 'interval_ms' is {_shown(interval_ms)}, not a time between two samples", EXAMPLE)
    rate_hz = 1000 / Fraction(interval_ms)
    return rate_hz.limit_denominator(1000 if rate_hz > 1 else 10**6)


def _values(path: Path, values: Any, sensors: int, fill: bool) -> np.ndarray:
    """Rows of one number a sensor, or of one sensor plain numbers, as float64; bool, text and what is not finite are refused.

    fill: null and NaN are NaN.
    """
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise RecordingError(f"{path}: 'values' is {_kind(values)}, not a list of samples", EXAMPLE)
    x = np.empty((len(values), sensors))
    for i, row in enumerate(values):
        cells = row if isinstance(row, Sequence) and not isinstance(row, str | bytes) else (row,)
        if len(cells) != sensors:
            raise RecordingError(f"{path}: sample {i} has {len(cells)} values for {sensors} sensors", DAMAGED)
        for j, cell in enumerate(cells):
            if fill and (cell is None or cell != cell):
                cell = math.nan
            elif not _is_number(cell) or not -1e300 < cell < 1e300:
                image = isinstance(cell, str) and cell.startswith("Ref-BINARY")
                what = "refers to an image" if image else f"is {_shown(cell)}, not a finite number"
                raise RecordingError(f"{path}: sample {i}, value {j} {what}", "export images as files of their own" if image else DAMAGED)
            x[i, j] = cell
    return x


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if not _is_number(value):
        return _kind(value)
    return f"{value:g}" if abs(value) < 1e300 or isinstance(value, float) else "a number of many digits"


def _audio(path: Path, x: np.ndarray, units: Sequence[str]) -> np.ndarray:
    """Of unit "wav": 16-bit samples, as integers."""
    if any(unit != "wav" for unit in units):
        raise RecordingError(f"{path}: audio and other sensors are of one sample", "--channel takes one of them")
    if not (x == np.floor(x)).all() or np.abs(x).max(initial=0) > 32768:
        raise RecordingError(f"{path}: its audio is no 16-bit integers", "--unit FS, if full scale is 1")
    return np.clip(x, -32768, 32767).astype(np.int16)


def _checked(path: Path, data: bytes, acquisition: Mapping[str, Any], key_env: str | None) -> tuple[str, ...]:
    """A note on what the signature is worth; RecordingError where a key says that it is wrong."""
    protected = acquisition.get("protected")
    alg = protected.get("alg") if isinstance(protected, Mapping) else None
    signature = acquisition.get("signature")
    if key_env is None:
        how = "unsigned" if alg in UNSIGNED else "signed, not checked: --hmac-key-env NAME checks it"
        return (how,)
    key = os.environ.get(key_env)
    if not key:
        raise RecordingError(f"--hmac-key-env {key_env}: the environment has no such variable", f"export {key_env}=…")
    if alg in UNSIGNED:
        raise RecordingError(f"{path} is unsigned, and a key is given", "without --hmac-key-env it is read as it is")
    if alg != SIGNED or not isinstance(signature, str) or len(signature) != 64:
        raise RecordingError(f"{path} is signed in a way that is unknown here: {alg!s:.40}", f"alg {SIGNED}, 64 hexadecimal digits")
    if not any(_right(signed, signature, key) for signed in _signed(path, data, acquisition, signature)):
        raise RecordingError(
            f"{path}: its signature is wrong: another key, or changed since", "do not trust it, or give the key of the device"
        )
    return ("signature right",)


def _signed(path: Path, data: bytes, acquisition: Mapping[str, Any], signature: str) -> list[bytes]:
    """What may have been signed: the file as it is, or the same JSON without spaces, as its makers write it."""
    zeros = "0" * len(signature)
    forms = [data.replace(signature.encode(errors="replace"), zeros.encode(), 1)]
    if path.suffix.lower() == ".json":
        again = {**acquisition, "signature": zeros}
        forms.append(json.dumps(again, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))
    return forms


def _right(signed: bytes, signature: str, key: str) -> bool:
    right = hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.lower().encode(errors="replace"))
