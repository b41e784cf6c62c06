"""Apps, sounds and projects for tests of boards."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
from command import APP, KITCHEN

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import WARNINGS
from tinystream.firmware.board import Board
from tinystream.firmware.project import Project, write_project
from tinystream.io.recording import read_recording
from tinystream.io.records import Reader, Record
from tinystream.plan.plan import Plan
from tinystream.run.replay import blocks_of

STRICT = WARNINGS
SHAKE = """
name = "shake"
[source]
kind     = "imu"
rate_hz  = {rate_hz}
axes     = ["x", "y", "z"]
range_g  = {range_g}
block_ms = {block_ms}
[[stage]]
kind      = "biquad"
type      = "highpass"
cutoff_hz = 1
order     = 2
"""


def write_shake(folder: Path, rate_hz: float, range_g: float, block_ms: float) -> Path:
    """An app that an accelerometer feeds."""
    (folder / "app.toml").write_text(SHAKE.format(rate_hz=rate_hz, range_g=range_g, block_ms=block_ms))
    return folder


@cache
def wake_word() -> Plan:
    return plan_file(APP)


@cache
def kitchen() -> np.ndarray:
    """14 s, with two alerts."""
    return blocks_of(wake_word(), read_recording(KITCHEN, rate_hz=16_000, channels=1).samples[: 14 * 16_000]).reshape(-1)


@cache
def rows(count: int) -> np.ndarray:
    """Of an accelerometer: 12 bits, left-justified."""
    return np.random.default_rng(5).integers(-2048, 2048, (count, 3)).astype(np.int16) * 16


def told(chip) -> list[Record]:
    """What has left the UART, all of it whole."""
    reader = Reader()
    records = list(reader.push(bytes(chip.sent)))
    assert reader.broken == reader.missing == 0
    return records


def with_duty(plan: Plan, board: Board, folder: Path, on_blocks: int, off_ms: int) -> Project:
    """The project, with a duty window in its ts_app.h, and a status record at the end of each."""
    project = write_project(plan, board, folder)
    path = folder / "ts_app.h"
    text = path.read_text()
    for name, value in {"ON_BLOCKS": on_blocks, "OFF_BLOCKS": 0, "OFF_MS": off_ms, "STATUS_BLOCKS": on_blocks}.items():
        text = re.sub(rf"(#define TS_{name} +)\d+", rf"\g<1>{value}", text)
    path.write_text(text)
    return project
