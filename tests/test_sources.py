"""Do sources give the signal that they declare, and say which option keeps them from it?"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tinystream import App, Camera, Channel, Imu, Sensor
from tinystream.app.planning import plan_file
from tinystream.errors import AppErrors
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.stages import Every, Quantize

ROOM = """\
name = "room"

[source]
kind = "sensor"
interval_s = 60
channels = [
    {name = "temperature", unit = "°C", full_scale = 100},
    {name = "co2", unit = "ppm", full_scale = 5000},
]

[[stage]]
kind = "every"
n = 1
"""


def planned(source) -> Plan:
    return App(name="app", source=source, stages=[Every(n=1)]).plan()


def refused(folder: Path, text: str) -> str:
    (folder / "app.toml").write_text(text)
    with pytest.raises(AppErrors) as caught:
        plan_file(folder)
    return str(caught.value)


def test_a_sensor_of_two_units_counts_each_channel_in_its_own_full_scale(tmp_path):
    (tmp_path / "app.toml").write_text(ROOM)
    plan = plan_file(tmp_path)
    (x,), minutely = plan.x, Fraction(1, 60)
    assert (x.shape, x.dtype, x.rate_hz, x.sample_hz, x.unit, x.scale) == ((1, 2), "int16", minutely, minutely, "FS", 2.0**-15)
    assert plan.columns == ((("temperature", "°C", 100 / 32768), ("co2", "ppm", 5000 / 32768)),)


def test_a_sensor_of_one_unit_counts_in_it():
    source = Sensor(rate_hz=10, block_ms=500, channels=[Channel(name=n, unit="V", full_scale=5) for n in ("a", "b", "c")])
    (x,) = planned(source).x
    assert (x.shape, x.rate_hz, x.unit, x.scale) == ((5, 3), 2, "V", 5 / 32768)


def test_axes_of_a_gyroscope_have_a_full_scale_of_their_own():
    plan = planned(Imu(rate_hz=100, axes=["x", "gz"], range_g=4, range_dps=2000, block_ms=10))
    assert plan.columns == ((("x", "g", 4 / 32768), ("gz", "°/s", 2000 / 32768)),)
    assert plan.x[0].unit == "FS"
    alone = planned(Imu(rate_hz=100, axes=["gx", "gy"], range_dps=500, block_ms=10))
    assert (alone.x[0].unit, alone.x[0].scale) == ("°/s", 500 / 32768)


def test_a_camera_gives_an_image_a_block():
    plan = App(name="app", source=Camera(width=3, height=2, interval_s=0.5), stages=[Quantize(scale=1 / 255, zero=-128)]).plan()
    assert (plan.x[0].shape, plan.x[0].dtype, plan.x[0].rate_hz) == ((1, 2, 3), "uint8", 2)
    fired = Engine(plan).push(np.array([[[[0, 1, 127], [128, 254, 255]]]], np.uint8))
    assert fired[0].y.ravel().tolist() == [-128, -127, -1, 0, 126, 127]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("interval_s = 60\n", "", "source 'sensor' needs 'rate_hz' or 'interval_s'"),
        ("interval_s = 60", "interval_s = 60\nrate_hz = 1", "rate_hz and interval_s say the same"),
        ("interval_s = 60", "interval_s = 60\nblock_ms = 90_000", "block_ms = 90000 is 1.5 samples at 0.0166667 Hz, not a whole number"),
        ('name = "co2"', 'name = "temperature"', "channels names one twice"),
        (', full_scale = 5000}', "}", "one of channels in source 'sensor' needs 'full_scale'"),
        ("full_scale = 5000", "full_scale = -1", "-1 in channels is too small"),
        ("full_scale = 5000", "fullscale = 5000", "unknown key 'fullscale' in one of channels"),
        ('kind = "sensor"', 'kind = "senser"', "did you mean 'sensor'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_sensor_is_named(old, new, said, tmp_path):
    assert old in ROOM
    text = refused(tmp_path, ROOM.replace(old, new, 1))
    print(text)
    assert said in text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Imu(rate_hz=100, axes=["x"], block_ms=10), "source 'imu' needs 'range_g' for the axis x"),
        (Imu(rate_hz=100, axes=["x", "gx"], range_g=2, block_ms=10), "source 'imu' needs 'range_dps' for the axis gx"),
        (Camera(width=4096, height=4096, rate_hz=1), "4096 x 4096 is more than 1048576 pixels"),
        (Camera(width=96, height=96), "source 'camera' needs 'rate_hz' or 'interval_s'"),
    ],
)
def test_a_source_that_cannot_be_is_refused(source, said):
    with pytest.raises(AppErrors, match=said):
        planned(source)
