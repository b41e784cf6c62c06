"""`tinystream sources`: what samples can be taken from."""

from __future__ import annotations

import json
from typing import Any

from rich.markup import escape
from rich.table import Table

from tinystream.cli.shared import Json, cli, count, output, tell
from tinystream.errors import RecordingError
from tinystream.io.live.microphone import microphones
from tinystream.io.live.serial_port import ports


@cli.command()
def sources(as_json: Json = False) -> None:
    """List microphones and serial ports, as --input takes them."""
    found: dict[str, list[dict[str, Any]]] = {"microphones": [], "serial_ports": [p._asdict() for p in ports()]}
    try:
        found["microphones"] = [m._asdict() for m in microphones()]
    except RecordingError as error:
        tell(f"note: {error.what}: {error.help}")
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    table = Table("--input", "what it is", "", box=None, pad_edge=False)
    for m in found["microphones"]:
        default = "the default" if m["default"] else ""
        channels = count(m["channels"], "channel")
        table.add_row(f"mic:{m['number']}", plain(m["name"]), f"{channels}, {m['rate_hz']:g} Hz, {plain(m['host'])} {default}".rstrip())
    for p in found["serial_ports"]:
        words = [p["manufacturer"], p["usb"], p["serial_number"] and f"serial number {p['serial_number']}"]
        table.add_row(f"serial:{plain(p['device'])}", plain(p["description"]), plain(", ".join(filter(None, words))))
    if table.row_count:
        output().print(table)
    else:
        tell("no microphone and no serial port is here; tcp:HOST:PORT, tcp-listen:PORT, udp:PORT, - and files are always there")


def plain(text: str) -> str:
    """What a device says of itself, as mere text."""
    return escape("".join(c if c.isprintable() else "?" for c in text))
