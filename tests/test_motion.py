"""Do the stages for motion and slow signals work one behind the other, in one another's memory?"""

from __future__ import annotations

import subprocess
from fractions import Fraction

import numpy as np
import pytest

from tinystream.emit.compiler import compilers
from tinystream.emit.host import build_stream, parse_stream
from tinystream.plan.plan import Plan, Wiring, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.decimate import Decimate
from tinystream.stages.delta import Delta
from tinystream.stages.detrend import Detrend
from tinystream.stages.frame import Frame
from tinystream.stages.magnitude import Magnitude
from tinystream.stages.median import Median
from tinystream.stages.normalise import Normalise
from tinystream.stages.remove_dc import RemoveDc
from tinystream.stages.smooth import Smooth
from tinystream.stages.tilt import Tilt
from tinystream.stages.velocity import Velocity

IMU = Signal((160, 3), "int16", Fraction(10), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))
CHAINS = {
    "posture": [Decimate(factor=16), Smooth(samples=5), Median(samples=3), Tilt(angles=("roll", "pitch")), Median(samples=5)],
    "activity": [Magnitude(minus_g=True), Smooth(samples=2), RemoveDc(cutoff_hz=1), Median(samples=3),
                 Frame(length_ms=200, window="boxcar"), Detrend(type="linear")],
    "machine": [RemoveDc(cutoff_hz=2), Velocity(range_mm_s=100), Median(samples=3), Frame(length_ms=100), Detrend(),
                Normalise(mean=0.0, std=(5.0, 6.0, 7.0)), Delta()],
}  # fmt: skip


def planned(name: str) -> Plan:
    wiring, x = Wiring(), IMU
    for stage in CHAINS[name]:
        wiring.add(stage.plan(x), [len(wiring.steps) - 1])
        x = wiring.steps[-1].y
    return plan_steps(name, (IMU,), wiring.steps)


def gravity(t: np.ndarray) -> np.ndarray:
    """It leans over, forward and aside."""
    return np.stack([np.sin(t / 4), np.sin(t / 3) * np.cos(t / 4), np.cos(t / 3) * np.cos(t / 4)], axis=1)


def recorded(steps_g: float = 0.5) -> np.ndarray:
    """Gravity, footsteps, a machine at 60 Hz, two knocks."""
    t = np.arange(160 * 40) / 1600
    g = gravity(t) + 0.2 * np.sin(2 * np.pi * 60 * t)[:, None] + np.random.default_rng(4).normal(0, 0.01, (len(t), 3))
    g[:, 2] += steps_g * np.maximum(0, np.sin(2 * np.pi * 1.8 * t)) ** 8
    g[3000:3003], g[5000] = 5, -5
    return np.clip(np.rint(g * 8192), -32768, 32767).astype(np.int16).reshape(-1, *IMU.shape)


@pytest.mark.skipif(not compilers(), reason="needs a C compiler")
@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_in_shared_memory_gives_the_bits_of_numpy(name, tmp_path):
    plan, x = planned(name), recorded()
    over = {b.step for b in plan.buffers if b.over}
    assert {"posture": {"smooth", "median"}, "activity": {"smooth", "detrend"}, "machine": {"median", "detrend"}}[name] <= over
    program = build_stream(plan, tmp_path, compilers()[0])
    done = subprocess.run([program], input=x.tobytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    firmware, last = parse_stream(plan, done.stdout)[0], len(plan.steps) - 1
    host = Engine(plan).push(x)[last]
    np.testing.assert_array_equal(firmware[last][0], host.when)
    np.testing.assert_array_equal(firmware[last][1], host.y)
    assert len(host.when) > 30 and len(np.unique(host.y)) > 30


def test_posture_is_the_angle_that_gravity_has():
    """The machine is above half of the new rate; what is late adds up: filters, half a mean, half a median."""
    plan = planned("posture")
    y = plan.steps[-1].y.real(Engine(plan).push(recorded(0))[len(plan.steps) - 1].y).reshape(-1, 2)[100:]
    late_s = sum((s.params["count"] - 1) / 2 / float(s.x[0].sample_hz) for s in plan.steps if s.kind == "decimate") + (2 + 1 + 2) / 100
    x, y_, z = gravity(np.arange(100, 100 + len(y)) / 100 - late_s).T
    want = np.degrees(np.stack([np.arctan2(y_, z), np.arctan2(-x, np.hypot(y_, z))], axis=1))
    error = np.abs(y - want)
    print(f"median {np.median(error):.3f}, worst {error.max():.3f} degrees")
    assert np.median(error) < 0.2 and error.max() < 3, "a knock of three samples moves it by two degrees"
