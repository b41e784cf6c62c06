"""Who hears of an event: the kinds of [[sink]]."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from tinystream.plan.stage import Definition


class Mqtt(Definition):
    """Publish each event to an MQTT broker; `{label}` in the topic is the event's label."""

    kind: ClassVar[str] = "mqtt"
    topic: str = Field(min_length=1, description="topic of an event", examples=["home/kitchen/{label}"])
    host: str = Field(default="127.0.0.1", description="the broker")
    port: int = Field(default=1883, ge=1, le=65535, description="the broker's port; 8883 is usual with TLS")
    username: str | None = Field(default=None, description="user at the broker")
    password: str | None = Field(default=None, repr=False, description='name of its variable, as in "${MQTT_PASSWORD}"')
    tls: bool = Field(default=False, description="encrypt the connection")
    ca_file: str | None = Field(default=None, description="certificates to trust, a PEM file; the system's where nothing is said")
    client_cert: str | None = Field(default=None, description="certificate of this client, a PEM file")
    client_key: str | None = Field(default=None, description="its private key, a PEM file")
    client_id: str | None = Field(default=None, description="name of this client at the broker")
    keepalive_s: int = Field(default=60, ge=1, le=65535, description="silence after which the broker asks")
    qos: Literal[0, 1, 2] = Field(default=1, description="quality of service")
    version: Literal["3.1.1", "5"] = Field(default="3.1.1", description="of the protocol")

    def __init__(self, *topic: str, **options: Any) -> None:
        super().__init__(**dict(zip(("topic",), topic, strict=True)) if topic else {}, **options)


class JsonLines(Definition):
    """Print each event as a line of JSON."""

    kind: ClassVar[str] = "stdout"


class File(Definition):
    """Append each event to a file, as a line of JSON."""

    kind: ClassVar[str] = "file"
    path: str = Field(min_length=1, description="the file")
