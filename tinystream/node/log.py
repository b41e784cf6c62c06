"""What a node says while it runs: one JSON object a line on standard error, or lines for people."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

LONGEST = 2_000
"""Characters of a message; what strangers say is among them."""


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {"time": iso(record.created), "level": record.levelname.lower()}
        told |= {"from": record.name.removeprefix("tinystream."), "what": record.getMessage()[:LONGEST], **getattr(record, "facts", {})}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)[-LONGEST:]
        return json.dumps(told, ensure_ascii=True, default=str)  # ASCII: a foreign control character is an escape here


class Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = f"{iso(record.created)} {record.levelname.lower()}: {record.getMessage()[:LONGEST]}"
        text += "".join(f" {name}={value}" for name, value in getattr(record, "facts", {}).items())
        text = "".join(c if c.isprintable() else " " for c in text)
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def log_to(stream: TextIO | None = None, form: Literal["json", "text"] = "json") -> logging.Handler:
    """From now on everything of ours from "info" upwards; gives the handler, so that it can be taken away again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else Words())
    logger = logging.getLogger("tinystream")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return handler


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
