"""The working sink of a sink's definition."""

from __future__ import annotations

from collections.abc import Mapping

from tinystream.app.secrets import resolve_secrets
from tinystream.app.sinks import File, Mqtt, SinkDefinition, Stdout
from tinystream.io.jsonl import Lines, Stream
from tinystream.io.mqtt import MqttSink, resolve
from tinystream.io.sink import Sink


def choose_sink(definition: SinkDefinition, environ: Mapping[str, str], broker: str | None = None) -> Sink:
    """Not yet open.  environ and broker override an MQTT definition, see resolve()."""
    if isinstance(definition, Mqtt):
        definition = resolve(definition, environ, broker)  # what overrides a ${NAME} makes it needless
    definition = resolve_secrets(definition, environ)
    match definition:
        case Mqtt():
            return MqttSink(definition)
        case File():
            return Lines(definition.path, definition.append)
        case Stdout():
            return Stream()
    raise AssertionError(f"a sink '{definition.kind}' has a definition and no implementation")
