"""What systemd is told: ready, alive, stopping.  Nothing, where nobody asks.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Notify:
    """watchdog_s: how often the service manager wants to hear WATCHDOG=1, with half of it to spare; None where it does not watch."""

    def __init__(self, environ: Mapping[str, str]):
        self.address = environ.get("NOTIFY_SOCKET", "")
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        watched = self.address and usec.isdigit() and int(usec) and pid in ("", str(os.getpid()))
        self.watchdog_s = int(usec) / 2e6 if watched else None

    def tell(self, *lines: str) -> None:
        """Such as tell("READY=1", "STATUS=listens").  A manager that does not listen is no reason to stop."""
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), address)
