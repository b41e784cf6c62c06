"""What leaves a node of an alert: who, what, when and by which settings.  Never a sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from tinystream.node.clock import Moment
from tinystream.run.trace import Event

Payload = Literal["json", "cbor"]


def alert(event: Event, node: str, moment: Moment, settings: str) -> dict[str, Any]:
    """An alert as it is kept until a broker has it; sequence and id are the outbox's."""
    return dict(
        node=node,
        app=event.app,
        definition=event.definition,
        label=event.label,
        score=event.score,
        sample=event.sample,
        time_s=event.time_s,
        wall_time=moment.iso,
        wall_uncertainty_s=round(moment.uncertainty_s, 3),
        settings=settings,
    )


def numbered(kept: Mapping[str, Any], identity: str, sequence: int) -> dict[str, Any]:
    """An alert as it is sent: `id` is the same however often that happens, and no other alert has it."""
    return {"id": f"{identity}-{sequence}", "sequence": sequence, **kept}


def written(told: Mapping[str, Any], payload: Payload = "json") -> bytes:
    """JSON in UTF-8, or CBOR (RFC 8949) with the same keys."""
    if payload == "json":
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    import cbor2  # only nodes that are asked for it

    return cbor2.dumps(dict(told))


def read(raw: bytes, most: int = 65_536) -> dict[str, Any] | None:
    """What a node sent, JSON or CBOR; None for anything else."""
    if not 0 < len(raw) <= most:
        return None
    try:
        if raw[:1] in (b"{", b" ", b"\n"):
            found = json.loads(raw)
        else:
            import cbor2

            found = cbor2.loads(raw)
    except Exception:  # whatever a stranger's bytes make of a parser
        return None
    return found if isinstance(found, dict) else None
