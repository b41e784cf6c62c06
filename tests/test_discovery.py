"""Is what Home Assistant is told what its documentation asks for, and where it says that things are?"""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinystream import App, Imu, Microphone, Node, Settings
from tinystream.detectors import Limits, Smoothed
from tinystream.errors import AppErrors
from tinystream.node.discovery import OFF_S, discovery, gone, key, step
from tinystream.node.topics import Topics, node_name

TEXT = {"type": "string", "minLength": 1}
ID = {"type": "string", "pattern": r"^[a-zA-Z0-9_-]+$"}
COMPONENT = {
    "type": "object",
    "required": ["p", "uniq_id", "name"],
    "properties": {
        "p": {"enum": ["binary_sensor", "sensor", "number"]},
        "name": TEXT,
        "uniq_id": ID,
        "stat_t": TEXT,
        "cmd_t": TEXT,
        "val_tpl": TEXT,
        "cmd_tpl": TEXT,
        "unit_of_meas": TEXT,
        "dev_cla": {"enum": ["sound", "vibration", "motion", "problem", "timestamp"]},
        "stat_cla": {"enum": ["measurement", "total_increasing"]},
        "ent_cat": {"enum": ["diagnostic", "config"]},
        "off_dly": {"type": "integer", "minimum": 1},
        "exp_aft": {"type": "integer", "minimum": 1},
        "min": {"type": "number"},
        "max": {"type": "number"},
        "step": {"type": "number", "minimum": 0.001},
        "ret": {"type": "boolean"},
    },
    "additionalProperties": False,
    "allOf": [
        {"if": {"properties": {"p": {"const": "number"}}}, "then": {"required": ["cmd_t"]}, "else": {"required": ["stat_t"]}},
        {"if": {"required": ["off_dly"]}, "then": {"properties": {"p": {"const": "binary_sensor"}}}},
    ],
}
SCHEMA = {
    "type": "object",
    "required": ["dev", "o", "cmps"],
    "properties": {
        "dev": {
            "type": "object",
            "required": ["ids", "name"],
            "properties": {"ids": {"type": "array", "items": ID, "minItems": 1}} | dict.fromkeys(["name", "mf", "mdl", "sw", "sa"], TEXT),
            "additionalProperties": False,
        },
        "o": {"type": "object", "required": ["name"], "properties": {"name": TEXT, "sw": TEXT}, "additionalProperties": False},
        "cmps": {"type": "object", "minProperties": 1, "propertyNames": ID, "additionalProperties": COMPONENT},
        "avty_t": TEXT,
        "qos": {"enum": [0, 1, 2]},
    },
    "additionalProperties": False,
}
"""Home Assistant's device discovery as its documentation describes it, as far as a node uses it; nothing else may be in it."""

SOUND = App(
    name="wake_word",
    source=Microphone(rate_hz=100, block_ms=20),
    detect=Smoothed(threshold=0.1, classes=["computer", "küche/licht"]),
    settings=Settings(threshold=[0.05, 0.5]),
)
MACHINE = App(
    name="fan_monitor",
    source=Imu(rate_hz=100, axes=["x"], range_g=4, block_ms=10),
    detect=Limits(threshold=1.5, report_clear=True),
    node=Node(name="hall", area="Hall 3", sleeping=True, heartbeat_s=600),
)


def told(app: App, node: str = "kitchen"):
    definition = app.node or Node()
    topics = Topics.of(definition, node, app.name)
    return discovery(app, app.plan(), node, definition, topics), topics


@pytest.mark.parametrize("app", [SOUND, MACHINE, MACHINE.model_copy(update={"settings": Settings(threshold=[1, 900])})])
def test_the_message_is_one_of_home_assistants_documentation(app):
    message, _ = told(app)
    payload = json.loads(message.payload)
    jsonschema.validate(payload, SCHEMA)
    assert message.retain and re.fullmatch(r"homeassistant/device/[A-Za-z0-9_-]+/config", message.topic)
    ids = [component["uniq_id"] for component in payload["cmps"].values()]
    assert len(set(ids)) == len(ids)
    assert len(message.payload) < 8000


def test_every_label_is_a_sensor_at_the_topic_that_the_node_speaks_at():
    message, topics = told(SOUND)
    found = json.loads(message.payload)["cmps"]
    labels = {c["name"]: c for c in found.values() if c["p"] == "binary_sensor"}
    assert set(labels) == {"computer", "küche/licht"}
    assert labels["computer"]["stat_t"] == "tinystream/kitchen/wake_word/label/computer" == topics.label("computer")
    assert labels["küche/licht"]["stat_t"] == "tinystream/kitchen/wake_word/label/küche%2Flicht"
    assert all(c["off_dly"] == OFF_S and c["dev_cla"] == "sound" for c in labels.values())


def test_what_clears_by_itself_has_no_delay_and_no_sensor_of_its_own():
    found = json.loads(told(MACHINE)[0].payload)["cmps"]
    (label,) = [c for c in found.values() if c["p"] == "binary_sensor"]
    assert label["name"] == "anomaly" and "off_dly" not in label and label["dev_cla"] == "vibration"


def test_a_node_that_sleeps_expires_and_one_that_is_on_has_a_will():
    sleeping, awake = (json.loads(told(app)[0].payload) for app in (MACHINE, SOUND))
    assert "avty_t" not in sleeping and awake["avty_t"] == "tinystream/kitchen/wake_word/availability"
    assert {c["exp_aft"] for c in sleeping["cmps"].values() if c["p"] == "sensor"} == {1800}
    assert not any("exp_aft" in c for c in awake["cmps"].values())
    assert sleeping["dev"]["sa"] == "Hall 3"


def test_a_threshold_is_a_number_within_its_limits_unless_it_must_be_signed():
    number = json.loads(told(SOUND)[0].payload)["cmps"]["threshold"]
    assert (number["min"], number["max"], number["step"]) == (0.05, 0.5, 0.001)
    assert json.loads(number["cmd_tpl"].replace("{{ value }}", "0.3")) == {"threshold": 0.3}
    assert number["cmd_t"] == "tinystream/kitchen/wake_word/settings/set" and number["ret"]
    signed = SOUND.model_copy(update={"settings": Settings(threshold=[0.05, 0.5], key_file="owner.pem")})
    assert "threshold" not in json.loads(told(signed)[0].payload)["cmps"]
    assert step(900) == 1 and step(5) == 0.01


def test_a_device_is_taken_away_at_the_topic_where_it_was_told():
    assert gone("homeassistant", "kitchen", "wake_word").topic == told(SOUND)[0].topic
    assert gone("homeassistant", "kitchen", "wake_word").payload == b"" and gone("homeassistant", "a", "b").retain


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=6, unique=True))
def test_object_ids_are_what_is_allowed_and_stay_apart(names):
    ids = [key(name) for name in names]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", one) for one in ids) and len(set(ids)) == len(ids)


@pytest.mark.parametrize("topic", ["", "$SYS/x", "/x", "x/", "a/+/b", "a/#", "{label}", "x\0y", "x" * 600])
def test_a_topic_that_is_none_is_refused(topic):
    with pytest.raises((AppErrors, ValueError), match="is no beginning of topics"):
        Node(topic=topic)


def test_a_nodes_name_is_one_level_and_the_computers_where_none_is_said():
    assert Topics.of(Node(topic="plant/{node}"), "a/b+c", "x").base == "plant/a%2Fb%2Bc"
    assert node_name(Node(name="hall")) == "hall" and node_name(Node())
