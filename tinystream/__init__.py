"""Declare an always-on sensing app once; replay it at your desk; ship the same integers to a microcontroller."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# what an app in Python writes; found when it is asked for, so that importing a part does not import the whole
_WORDS = {
    "App": "app.definition",
    "Budget": "app.definition",
    "Camera": "app.sources",
    "Capture": "app.node",
    "Channel": "app.sources",
    "Duty": "app.definition",
    "File": "app.sinks",
    "Imu": "app.sources",
    "Microphone": "app.sources",
    "Model": "app.definition",
    "Mqtt": "app.sinks",
    "Node": "app.node",
    "Sensor": "app.sources",
    "Settings": "app.node",
    "Stdout": "app.sinks",
}

__all__ = [
    "App", "Budget", "Camera", "Capture", "Channel", "Duty", "File", "Imu", "Microphone", "Model", "Mqtt", "Node", "Sensor", "Settings",
    "Stdout", "__version__",
]  # fmt: skip

if TYPE_CHECKING:
    from tinystream.app.definition import App, Budget, Duty, Model
    from tinystream.app.node import Capture, Node, Settings
    from tinystream.app.sinks import File, Mqtt, Stdout
    from tinystream.app.sources import Camera, Channel, Imu, Microphone, Sensor


def __getattr__(name: str) -> Any:
    if name not in _WORDS:
        raise AttributeError(f"module 'tinystream' has no attribute {name!r}")
    return getattr(import_module(f"tinystream.{_WORDS[name]}"), name)
