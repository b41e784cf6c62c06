"""What every sink keeps: an alert that was sent is acknowledged, or it is named in an error."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from tinystream.errors import SinkError

SHOWN = 20  # alerts that a message names; the error itself carries all

Event = dict[str, Any]


class Sink(Protocol):
    """Use: `with sink: sink.send(event)`.  Leaving the block waits for what is on its way."""

    delivered: int  # alerts acknowledged so far

    def open(self) -> None:
        """Ready to send; SinkError where that is impossible."""

    def send(self, event: Event) -> None:
        """Returns once the event is queued, not when it has arrived; SinkError once the sink has given up."""

    def flush(self) -> list[Event]:
        """Wait, at most the sink's timeout; gives the events that are still not acknowledged."""

    def close(self) -> None:
        """Flush and let go; SinkError names what was not delivered."""


class Managed(ABC):
    """A Sink as a context manager."""

    @abstractmethod
    def open(self) -> None:
        pass

    @abstractmethod
    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.close()
        except SinkError as undelivered:
            if error is None:
                raise
            if not isinstance(error, SinkError):  # the first error goes on, and does not hide the alerts
                error.add_note(str(undelivered))


def encode(event: Event) -> str:
    """One line of strict JSON (no NaN); numpy's numbers become plain ones."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(x: Any) -> Any:
    if isinstance(x, np.generic | np.ndarray):
        return x.tolist()
    return str(x)  # a path


def undelivered(where: str, why: str, help: str, delivered: int, events: Sequence[Event]) -> SinkError:
    """The error that loses nothing: how many arrived, which did not."""
    lines = [f"\n   not delivered: {_name(event)}" for event in events[:SHOWN]]
    if len(events) > SHOWN:
        lines.append(f"\n   and {len(events) - SHOWN} more, up to {_name(events[-1])}")
    total = delivered + len(events)
    counts = f"{len(events)} of {total} alert{'s' * (total != 1)} not delivered to {where}, {delivered} delivered" if total else where
    return SinkError(f"{counts}: {why}{''.join(lines)}", help, delivered, tuple(events))


def _name(event: Event) -> str:
    """Such as: #4 'yes' at 12.340 s of yes_no.wav."""
    parts = [f"#{event['sequence']}" if "sequence" in event else "", f"'{event.get('label', '?')}'"]
    if "time_s" in event:
        parts.append(f"at {float(event['time_s']):.3f} s")
    if event.get("recording"):
        parts.append(f"of {event['recording']}")
    return " ".join(filter(None, parts))
