"""The working sinks of an app's definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType

from tinystream.app.secrets import resolve_secrets
from tinystream.app.sinks import File, Mqtt, Stdout
from tinystream.errors import SinkError
from tinystream.io.delivery import Event, Managed, Sink
from tinystream.io.jsonl import Lines, Stream
from tinystream.io.mqtt import MqttSink, resolve
from tinystream.plan.stage import Definition


def open_sinks(definitions: Sequence[Definition], environ: Mapping[str, str], broker: str | None = None) -> Sinks:
    """All sinks of an app as one; `with` opens them.  environ and broker: see sink_of()."""
    return Sinks([sink_of(definition, environ, broker) for definition in definitions])


def sink_of(definition: Definition, environ: Mapping[str, str], broker: str | None = None) -> Sink:
    """Not yet open.  ${NAME} is replaced from environ; an MQTT definition also by broker, see resolve()."""
    match definition:
        case Mqtt():
            return MqttSink(resolve(definition, environ, broker))
        case File():
            file = resolve_secrets(definition, environ)
            return Lines(file.path, file.append)
        case Stdout():
            return Stream()
    raise AssertionError(f"{type(definition).__name__} has a definition and no implementation")


class Sinks(Managed):
    """Every event to every sink: one that fails does not keep the others from it."""

    def __init__(self, sinks: Sequence[Sink]):
        self.sinks = sinks
        self._failed: dict[int, SinkError] = {}  # by the sink's place

    @property
    def delivered(self) -> int:
        """Alerts that each sink has acknowledged."""
        return min((sink.delivered for sink in self.sinks), default=0)

    def open(self) -> None:
        self._failed = {}
        with ExitStack() as opened:
            for sink in self.sinks:
                sink.open()
                opened.callback(sink.close)
            opened.pop_all()  # all are open: they stay so

    def send(self, event: Event) -> None:
        failed = {}
        for i, sink in enumerate(self.sinks):
            try:
                sink.send(event)
            except SinkError as e:
                failed[i] = e
        self._failed |= failed
        if failed:
            raise _together(list(failed.values()))

    def flush(self) -> list[Event]:
        return [event for sink in self.sinks for event in sink.flush()]

    def close(self) -> None:
        """Closes every sink; SinkError holds what all of them did not deliver, as they last told."""
        failed = self._failed
        for i, sink in enumerate(self.sinks):
            try:
                sink.close()
            except SinkError as e:
                failed[i] = e
        self._failed = {}
        if failed:
            raise _together([failed[i] for i in sorted(failed)])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, SinkError):  # from send(): close() tells it again, with what else was not delivered
            self.close()
        super().__exit__(kind, error, trace)


def _together(errors: Sequence[SinkError]) -> SinkError:
    if len(errors) == 1:
        return errors[0]
    what = "\n".join([f"{len(errors)} sinks failed", *(f"   {e.what}" for e in errors)])
    lost = tuple(event for e in errors for event in e.undelivered)
    return SinkError(what, errors[0].help, sum(e.delivered for e in errors), lost)
