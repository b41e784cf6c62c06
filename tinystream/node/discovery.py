"""What Home Assistant is told, so that a node shows up there by itself: one device, and what it has.

    <prefix>/device/<object id>/config        retained; an empty message there takes the device away again

A label is a binary_sensor that is on from an alert until it clears, or for a while; beside it are the last score and when it was, and, for
who looks after nodes, level, queue, overruns and load.  Where thresholds may be changed there is a number to do so.  A node that is always
on has an availability topic; one that sleeps has none, and what it told expires.

Source: Home Assistant, MQTT integration, "Device discovery payload", "Single component", abbreviations as there; release 2024.11 and later.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tinystream import __version__
from tinystream.app.definition import App
from tinystream.app.node import Node, Settings
from tinystream.detectors.limits import ends_of
from tinystream.node.topics import Message, Topics
from tinystream.plan.plan import Plan

BIRTH = "status"
"""Home Assistant says "online" at <prefix>/status when it has started; then everything is told again."""
CLASSES = {"microphone": "sound", "imu": "vibration", "camera": "motion", "sensor": "problem"}
"""device_class of a label, by the app's source."""
OFF_S = 30
"""A label is off again after so long, where its detector does not say when it is over."""
MISSED = 3
"""Heartbeats after which what a sleeping node told is no longer known."""
LAST = {
    "last_score": ("Last score", "value_json.last_alert.score", {}),
    "last_label": ("Last alert", "value_json.last_alert.label", {}),
    "last_time": ("Last alert at", "value_json.last_alert.wall_time", {"dev_cla": "timestamp"}),
}
DIAGNOSTICS = {
    "level": ("Level", "value_json.level_dbfs", {"unit_of_meas": "dB", "stat_cla": "measurement"}),
    "queue": ("Alerts waiting", "value_json.queue", {"stat_cla": "measurement"}),
    "overruns": ("Overruns", "value_json.overruns", {"stat_cla": "total_increasing"}),
    "load": ("CPU share", "value_json.cpu_percent", {"unit_of_meas": "%", "stat_cla": "measurement"}),
}


def discovery(app: App, plan: Plan, node: str, definition: Node, topics: Topics) -> Message:
    """The message that makes the device, or keeps it up to date."""
    name = f"{node} {app.name}"
    device = {"ids": [f"tinystream_{key(node)}_{key(app.name)}"], "name": name, "mf": "tinystream", "mdl": app.name, "sw": plan.digest[:16]}
    payload: dict[str, Any] = {
        "dev": device,
        "o": {"name": "tinystream", "sw": __version__},
        "cmps": components(app, plan, node, definition, topics),
        "qos": 1,
    }
    if definition.area:
        payload["dev"]["sa"] = definition.area
    if not definition.sleeping:
        payload |= {"avty_t": topics.availability}
    return Message(config_topic(definition.discovery, node, app.name), json.dumps(payload, separators=(",", ":")).encode(), retain=True)


def gone(prefix: str, node: str, app: str) -> Message:
    """The message that takes the device away."""
    return Message(config_topic(prefix, node, app), b"", retain=True)


def config_topic(prefix: str, node: str, app: str) -> str:
    return f"{prefix}/device/tinystream_{key(node)}_{key(app)}/config"


def components(app: App, plan: Plan, node: str, definition: Node, topics: Topics) -> dict[str, Any]:
    """Every entity of the device, by a key of its own."""
    mine = f"tinystream_{key(node)}_{key(app.name)}"
    expire = {"exp_aft": round(MISSED * definition.heartbeat_s)} if definition.sleeping else {}
    ends = ends_of(plan.labels)
    found: dict[str, Any] = {}
    for label in plan.labels:
        if label in ends:
            continue
        off = {} if label in ends.values() else {"off_dly": OFF_S}
        found[f"label_{key(label)}"] = {
            "p": "binary_sensor", "name": label, "uniq_id": f"{mine}_{key(label)}", "stat_t": topics.label(label),
            "dev_cla": CLASSES.get(plan.source, "problem"), **off,
        }  # fmt: skip
    for name, (title, value, more) in (LAST | DIAGNOSTICS).items():
        kind = {"ent_cat": "diagnostic"} if name in DIAGNOSTICS else {}
        found[name] = {
            "p": "sensor", "name": title, "uniq_id": f"{mine}_{name}", "stat_t": topics.status,
            "val_tpl": f"{{{{ {value} | default(none) }}}}", **more, **expire, **kind,
        }  # fmt: skip
    return found | knobs(app.settings, mine, topics)


def knobs(settings: Settings | None, mine: str, topics: Topics) -> dict[str, Any]:
    """A number for the threshold of all labels, where that may be changed by who has no key."""
    if settings is None or settings.threshold is None or settings.key_file:
        return {}
    low, high = settings.threshold
    return {
        "threshold": {
            "p": "number", "name": "Threshold", "uniq_id": f"{mine}_threshold", "stat_t": topics.settings, "cmd_t": topics.settings_set,
            "val_tpl": "{{ value_json.threshold | default(none) }}", "cmd_tpl": '{"threshold": {{ value }}}', "min": low, "max": high,
            "step": step(high - low), "ret": True, "ent_cat": "config",
        }
    }  # fmt: skip


def step(span: float) -> float:
    """About a hundredth of a range, as a power of ten."""
    return float(f"1e{len(str(int(span))) - 3 if span >= 1 else -3}")


def key(name: str) -> str:
    """A name as an object id: letters, digits, _ and -; what else there is becomes its code between two _, so that names stay apart.

    >>> key("kitchen-2"), key("fan_monitor"), key("küche/1")
    ('kitchen-2', 'fan__monitor', 'k_fc_che_2f_1')
    """
    return re.sub(r"[^A-Za-z0-9-]", lambda found: "__" if found[0] == "_" else f"_{ord(found[0]):x}_", name)
