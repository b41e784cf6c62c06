"""A systemd unit around `tinystream node`: started at boot, again after every end, and let do as little as possible."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from tinystream.errors import TinystreamError
from tinystream.plan.plan import Plan

DEVICES = {"microphone": ("audio", "char-alsa"), "camera": ("video", "char-video4linux")}
"""Group and devices that a source needs, by its kind; others may come by a serial line or by I2C, SPI and IIO."""
OTHERS = ("dialout", "char-ttyACM char-ttyUSB char-i2c char-iio")
WATCHDOG_S = 60

TEMPLATE = """\
# {name}.service - made by `tinystream node --install-unit`
# Secrets belong in the EnvironmentFile (TINYSTREAM_USERNAME, TINYSTREAM_PASSWORD), which only root needs to read.
[Unit]
Description=tinystream node: {app}
Documentation=man:systemd.exec(5)
After=network-online.target time-sync.target sound.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
EnvironmentFile=-/etc/tinystream/{app}.env
Environment=PYTHONUNBUFFERED=1
Environment=XDG_CACHE_HOME=%C/{name}
Environment=HOME=%S/{name}
Restart=always
RestartSec=5
WatchdogSec={watchdog_s}
TimeoutStopSec=45
Nice=-5

DynamicUser=yes
StateDirectory={name}
StateDirectoryMode=0700
CacheDirectory={name}
CacheDirectoryMode=0700
UMask=0077
SupplementaryGroups={group}

DevicePolicy=closed
{devices}
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
NoNewPrivileges=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @debug @mount
SystemCallErrorNumber=EPERM
MemoryMax=1G
TasksMax=64

[Install]
WantedBy=multi-user.target
"""


def unit(app: Path, plan: Plan, texts: Sequence[str] = ("mic",), options: Sequence[str] = ()) -> str:
    """The unit's text.  app: the definition; texts: where the samples of each source come from; options: others that `tinystream node` was
    told."""
    if "-" in texts:
        raise TinystreamError("a service has no standard input", "--input mic, or another source")
    name, places = plan.name, [str(Path(text).absolute()) if Path(text).exists() else text for text in texts]
    inputs = [f"{of}={place}" for of, place in zip(plan.names, places, strict=True)] if plan.names else places
    words = [sys.executable, "-m", "tinystream", "node", str(app.absolute()), *chain.from_iterable(("--input", one) for one in inputs)]
    words += options
    needs = {DEVICES.get(kind, OTHERS): None for kind in plan.kinds or (plan.source,)}
    homes = any(str(Path(word).absolute()).startswith(("/home/", "/root/")) for word in (*words, *places) if word.startswith("/"))
    return TEMPLATE.format(
        app=name,
        name=f"tinystream-{name}",
        command=" ".join(quoted(word) for word in words),
        watchdog_s=WATCHDOG_S,
        group=" ".join(group for group, _ in needs),
        devices="\n".join(f"DeviceAllow={kind} rw" for _, kinds in needs for kind in kinds.split()),
        home="read-only" if homes else "yes",
    )


def quoted(word: str) -> str:
    """As systemd reads a command: % and $ stand for nothing but themselves.  Source: systemd.service(5), "Command lines"."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$").replace("\n", "\\n")
    return f'"{word}"' if not word or set(word) & set(" \t'\"\\;") else word
