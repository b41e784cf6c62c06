"""Where alerts go, as a person writes it: `[[sink]]` tables of an app."""

from __future__ import annotations

from string import Formatter
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinystream.app.secrets import REFERENCE
from tinystream.errors import AppError
from tinystream.plan.stage import Definition


class SinkDefinition(Definition):
    """Base of all sinks; its first option may be given by position: Mqtt("home/{label}") is Mqtt(topic="home/{label}")."""

    kind: ClassVar[str]

    def __init__(self, *first: Any, **options: Any):
        super().__init__(**dict(zip(list(type(self).model_fields)[: len(first)], first, strict=True)), **options)


class Mqtt(SinkDefinition):
    """Each alert is published as JSON, and kept until the broker acknowledges it.

    A broker's address and its secrets are better left to `--broker` and the environment (TINYSTREAM_BROKER,
    TINYSTREAM_USERNAME, TINYSTREAM_PASSWORD or TINYSTREAM_PASSWORD_FILE), so that one app fits desk, test and field.
    """

    kind = "mqtt"

    topic: str = Field(description="where to publish; {label} and {app} are replaced")
    host: str = Field(default="127.0.0.1", min_length=1, description="name or address of the broker")
    port: int = Field(default=1883, ge=1, le=65535, description="its port; 8883 is the custom with TLS")
    username: str | None = Field(default=None, description="who we are to the broker")
    password: str | None = Field(default=None, repr=False, description='its password, as "${NAME}" of an environment variable')
    tls: bool = Field(default=False, description="encrypt, and check the broker's certificate")
    ca_file: str | None = Field(default=None, description="PEM of the authority that signed the broker; the system's where none is given")
    client_cert: str | None = Field(default=None, description="PEM certificate that we show to the broker")
    client_key: str | None = Field(default=None, description="PEM key of client_cert")
    client_id: str | None = Field(default=None, min_length=1, description="our name in the broker's log; random where none is given")
    keepalive_s: int = Field(default=60, ge=1, le=65535, description="a silent connection is tested this often")
    qos: Literal[1, 2] = Field(default=1, description="1: at least once; 2: exactly once; 0 would lose alerts")
    version: Literal["3.1.1", "5"] = Field(default="3.1.1", description="of the MQTT protocol")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_topic(self.topic)
        if self.password is not None and self.username is None:
            raise AppError(("password",), "a password without a user name", 'username = "node7"')
        for name in ("ca_file", "client_cert", "client_key"):
            if getattr(self, name) is not None and not self.tls:
                raise AppError((name,), f"{name} has no use without TLS", "tls = true")
        if (self.client_cert is None) != (self.client_key is None):
            missing = "client_key" if self.client_key is None else "client_cert"
            raise AppError(
                ("client_cert" if missing == "client_key" else "client_key",), f"needs {missing} too", f'{missing} = "node7.pem"'
            )
        return self


class Stdout(SinkDefinition):
    """Each alert is a line of JSON on standard output."""

    kind = "stdout"


class File(SinkDefinition):
    """Each alert is a line of JSON in a file."""

    kind = "file"

    path: str = Field(min_length=1, description="the file; its folder must exist")
    append: bool = Field(default=True, description="add to a file that is there; false: it must not be there")


def check_topic(topic: str) -> None:
    """AppError where alerts could not be published to this topic template; ${NAME} of the environment may be anything."""
    example = 'topic = "home/kitchen/{label}"'
    topic = REFERENCE.sub("x", topic)  # what ${NAME} stands for is checked once it is known
    try:
        names = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(topic) if name is not None]
    except ValueError as e:
        raise AppError(("topic",), f"'{topic}': {str(e).lower()}", example) from None
    for name, spec, conversion in names:
        if name not in ("label", "app") or spec or conversion:
            raise AppError(("topic",), f"unknown placeholder '{{{name}}}' in '{topic}'; there are {{label}} and {{app}}", example)
    wildcard = next((c for c in topic if c in "+#"), None)
    if wildcard:
        raise AppError(("topic",), f"'{topic}' has the wildcard '{wildcard}': alerts go to one topic", example)
    if not topic or "\0" in topic or topic.startswith("$"):
        raise AppError(("topic",), f"'{topic}' cannot be published to: a topic has a character, and does not begin with '$'", example)
    if len(topic.encode()) > 1024:
        raise AppError(("topic",), f"has {len(topic.encode())} bytes, limit 1024", example)
