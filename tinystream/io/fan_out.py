"""Every event to every sink; one that fails does not keep it from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinystream.app.sinks import SinkDefinition
from tinystream.errors import SinkError
from tinystream.io.choose import choose_sink
from tinystream.io.sink import Event, Managed, Sink


class FanOut(Managed):
    """Several sinks as one.  Errors wait until close(), so that every sink is given every event; each error names all it lost."""

    def __init__(self, sinks: Sequence[Sink]):
        self.sinks = list(sinks)
        self.failed: dict[int, SinkError] = {}
        self.delivered = 0

    def open(self) -> None:
        for i, sink in enumerate(self.sinks):
            try:
                sink.open()
            except SinkError:
                for opened in self.sinks[:i]:
                    opened.close()
                raise

    def send(self, event: Event) -> None:
        for i, sink in enumerate(self.sinks):
            try:
                sink.send(event)
            except SinkError as error:
                self.failed[i] = error

    def flush(self) -> list[Event]:
        return [event for sink in self.sinks for event in sink.flush()]

    def close(self) -> None:
        for i, sink in enumerate(self.sinks):
            try:
                sink.close()
            except SinkError as error:  # the last word of this sink: it names all that is missing
                self.failed[i] = error
        self.delivered = sum(sink.delivered for sink in self.sinks)
        if self.failed:
            raise next(iter(self.failed.values()))


def open_sinks(definitions: Sequence[SinkDefinition], environ: Mapping[str, str], broker: str | None = None) -> FanOut:
    """The sinks of an app, not yet open."""
    return FanOut([choose_sink(definition, environ, broker) for definition in definitions])
