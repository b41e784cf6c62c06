"""A message to a node, and what it answers."""

from __future__ import annotations

import queue

from tinystream.app.sinks import Mqtt
from tinystream.errors import SinkError
from tinystream.node.changing import mark_of
from tinystream.node.payload import read
from tinystream.node.session import Session
from tinystream.node.topics import Message, Topics

CONNECT_S = 10.0


def ask(broker: Mqtt, topics: Topics, message: bytes, wait_s: float) -> bytes | None:
    """Settings, retained; the answer to this very message, or None where none came.  SinkError where the broker does not take it."""
    answers: queue.Queue[bytes] = queue.Queue(100)
    taken: queue.Queue[bool] = queue.Queue()

    def hear(heard: Message) -> None:
        told = read(heard.payload)
        if told and told.get("answers") == mark_of(message) and not answers.full():
            answers.put(heard.payload)

    session = Session(broker)
    session.subscribe(topics.settings, hear)
    with session:
        if not session.wait(CONNECT_S):
            raise SinkError(session.state, "--broker host:port")
        while not answers.empty():  # an answer that lies there from before
            answers.get()
        session.publish(Message(topics.settings_set, message, retain=True), taken.put)
        try:
            if not taken.get(timeout=CONNECT_S):
                raise SinkError(f"the broker does not take settings: {session.refusal or session.state}", "may this user publish there?")
            return answers.get(timeout=wait_s) if wait_s else None
        except queue.Empty:
            return None
