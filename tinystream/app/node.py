"""What a node around an app does, as a person writes it: [node], [settings] and [capture].

None of it changes what the app computes from samples, so none of it is in the definition's hash.  Settings that are changed while it
runs have a hash of their own, which every alert carries.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tinystream.plan.stage import Definition

Range = tuple[float, float]


class Node(Definition):
    """How an app is run around the clock by `tinystream node`, and how it shows itself on the broker of its mqtt sink."""

    name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", description="name of the node; the computer's where nothing is said",
        examples=["kitchen"],
    )  # fmt: skip
    area: str | None = Field(default=None, min_length=1, max_length=64, description="where it stands, for people", examples=["Kitchen"])
    topic: str = Field(
        default="tinystream/{node}/{app}", description="what its own topics begin with: status, settings and what it tells of itself"
    )
    heartbeat_s: float = Field(default=60, ge=1, le=86_400, description="from one status message to the next")
    sleeping: bool = Field(default=False, description="it is often off: it has no last will, and what it told expires instead")
    discovery: str = Field(default="homeassistant", description='prefix of Home Assistant\'s discovery; "" for none')
    payload: Literal["json", "cbor"] = Field(default="json", description="how alerts are written")
    sparkplug_group: str | None = Field(
        default=None, min_length=1, max_length=64, description="be an edge node of this group in Sparkplug B, too; not for one that sleeps"
    )
    outbox_alerts: int = Field(default=100_000, ge=1, le=10_000_000, description="alerts that are kept at most while no broker takes them")
    outbox_keeps: Literal["newest", "oldest"] = Field(default="newest", description="what is kept once there are more")
    alerts_per_s: float = Field(default=20, gt=0, le=10_000, description="alerts that are sent at most, when many have waited")

    @model_validator(mode="after")
    def _sparkplug_is_always_there(self) -> Self:
        if self.sleeping and self.sparkplug_group:
            raise PydanticCustomError(
                "app", "sparkplug_group is not for a node that sleeps: its death would be told each time", {"help": "leave one of them out"}
            )
        return self

    @field_validator("topic")
    @classmethod
    def _topic_is_one(cls, topic: str) -> str:
        bare = topic.replace("{node}", "n").replace("{app}", "a")
        if not bare or set(bare) & set("+#{}\0") or bare[0] in "$/" or bare.endswith("/") or len(topic.encode()) > 512:
            raise PydanticCustomError(
                "app", "topic = {topic} is no beginning of topics", {"topic": repr(topic), "help": 'topic = "tinystream/{node}/{app}"'}
            )
        return topic


class Settings(Definition):
    """What may be changed while it runs, and within which limits; what is not named here may not.

    Each is for every label; a message may set it for one label.
    """

    threshold: Range | None = Field(default=None, description="least and greatest threshold", examples=[[0.6, 0.95]])
    quiet_s: Range | None = Field(default=None, description="least and greatest time from one alert to the next", examples=[[0, 60]])
    enable: bool = Field(default=False, description="whether labels may be switched off and on")
    key_file: str | None = Field(
        default=None, min_length=1, description="public key (Ed25519, PEM): settings that are not signed with it are refused"
    )

    @field_validator("threshold", "quiet_s")
    @classmethod
    def _in_order(cls, limits: Range | None) -> Range | None:
        if limits is not None and limits[0] > limits[1]:
            raise PydanticCustomError(
                "app", "the least comes first: {limits}", {"limits": list(limits), "help": f"[{limits[1]:g}, {limits[0]:g}]"}
            )
        return limits


class Capture(Definition):
    """What is kept of the time around an alert, on the node alone, so that a false alarm becomes a test."""

    before_s: float = Field(default=3, ge=0, le=600, description="how much from before the alert")
    after_s: float = Field(default=1, ge=0, le=600, description="how much from behind it")
    of: Literal["samples", "features"] = Field(default="samples", description="what is kept")
    quota_mb: float = Field(default=100, gt=0, le=1_000_000, description="the oldest goes once there is more")
    labels: tuple[str, ...] | None = Field(default=None, description="of which labels; of all where nothing is said")
