"""Apps, sounds and projects for tests of boards."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from command import APP, KITCHEN

from tinystream.app.definition import Duty
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.emit.compiler import WARNINGS
from tinystream.io.recording import read_recording
from tinystream.io.records import Reader, Record, Status
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
    """7 s, with an alert."""
    return blocks_of(wake_word(), read_recording(KITCHEN, rate_hz=16_000, channels=1).samples[: 7 * 16_000])[0].reshape(-1)


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


def on_duty(on_s: float, every_s: float) -> Plan:
    """The wake word in windows."""
    return load(APP).model_copy(update={"duty": Duty(on_s=on_s, every_s=every_s)}).plan(APP)


def check_time(statuses: list[Status]) -> None:
    """The node's clock went on as its blocks did, also through what it slept."""
    assert len(statuses) > 1
    for status in statuses[1:]:
        blocks_s = (status.sample - statuses[0].sample) / 16_000
        assert status.seconds - statuses[0].seconds == pytest.approx(blocks_s, abs=0.001 * blocks_s)
