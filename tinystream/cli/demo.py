"""`tinystream demo`: replay, publish to a real broker, print what a subscriber receives."""

from __future__ import annotations

import os
import time

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.app.sinks import Mqtt
from tinystream.cli.shared import AppPath, EngineChoice, EngineOption, Recordings, cli, count, progress_bar, send, tell
from tinystream.errors import TinystreamError
from tinystream.io.broker import HOST, EmbeddedBroker
from tinystream.io.sink import open_sinks
from tinystream.run.demo import Subscriber
from tinystream.run.replay import Reading, blocks_of, make_engine, recordings_of, replay
from tinystream.run.trace import Event


@cli.command()
def demo(app: AppPath, recordings: Recordings, engine: EngineOption = EngineChoice.auto) -> None:
    """Replay, publish to a real MQTT broker, print what arrives.

    The broker lives in this process; what is printed is what a subscriber received from it.
    """
    plan, topics = plan_file(app), [sink for sink in load(app).sinks if isinstance(sink, Mqtt)]
    if not topics:
        what = f"{plan.name} has no sink of kind 'mqtt', so nothing would be published"
        raise TinystreamError(what, '[[sink]], kind = "mqtt", topic = "home/{app}/{label}"')
    runs, paths = make_engine(plan, engine.value), recordings_of(plan, recordings)
    inputs = [Reading().read(plan, path) for path in paths]
    blocks = sum(blocks_of(plan, recording.samples).beats for recording in inputs)
    tell(f"{plan.name}: {plan.says}  ({len(plan.steps)} steps, {runs.name} engine)")
    with EmbeddedBroker() as broker, Subscriber(HOST, broker.port) as subscriber:
        began, sent = time.perf_counter(), 0
        address = f"{HOST}:{broker.port}"
        # the broker knows no passwords and no TLS: what the field needs must not keep anybody from a look
        here = [Mqtt(topic=sink.topic, qos=sink.qos) for sink in topics]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TINYSTREAM_")}
        with open_sinks(here, environ, address) as sinks, progress_bar("replay", blocks, always=True) as advance:
            for path, recording in zip(paths, inputs):

                def step(n: int, events: list[Event]) -> None:
                    for event in events:
                        send(sinks, event)
                    advance(n)

                sent += len(replay(plan, runs, recording.samples, path.name, progress=step).events)
        took = time.perf_counter() - began
        expected = sent * len(here)
        received = subscriber.wait(expected)
    heard_s = sum(recording.seconds for recording in inputs)
    found = f"{count(sent, 'alert')} in {heard_s:.1f} s of {count(len(paths), 'recording')}, {heard_s / took:.0f}x real time"
    tell(f"{found}; received from the broker at {address}:" if sent else f"{found}: nothing to publish")
    for topic, message in received:
        where = f"{message['label']} at {message['time_s']:.2f} s of {message['recording']}"
        print(f"{topic}  {where}, score {message['score']:.2f}, sequence {message['sequence']}")
    if len(received) != expected:
        what = f"the subscriber received {len(received)} of {count(expected, 'message')}"
        raise TinystreamError(what, "this should not happen on one machine")
