"""Do the stages for vibration fit together as a person writes them, and say the same in numpy and in C?"""

from __future__ import annotations

import numpy as np
from bearing import vibration

from tinystream.app.planning import plan_file
from tinystream.run.engine import Engine
from tinystream.run.native import Native

BEARING = """
name = "bearing"
source = {kind = "microphone", rate_hz = 16_000, block_ms = 16}

[[stage]]
kind = "envelope"
low_hz = 2_000
high_hz = 4_000

[[stage]]
kind = "frame"
length_ms = 256
hop_ms = 128

[[stage]]
kind = "spectrum"

[[stage]]
kind = "average_spectra"
frames = 8
every = 4

[[stage]]
kind = "fault_bands"
balls = 9
ball_diameter_mm = 7.94
pitch_diameter_mm = 39.04
rpm = 1_500
harmonics = 2
tolerance_hz = 6
faults = ["bpfo", "bpfi", "bsf"]
how = "ratio"

[[stage]]
kind = "bands"
from = "average_spectra"
bands = [[20, 100], [50.5, 800]]
log = true
unit = "db"

[[stage]]
kind = "log"
from = "average_spectra"
unit = "ln"

[[stage]]
kind = "cepstrum"
low_ms = 5
high_ms = 40

[[stage]]
name = "hit"
kind = "frame"
from = "source"
length_ms = 64
hop_ms = 128
window = "boxcar"

[[stage]]
kind = "wavelet"
levels = 5
how = "relative"
"""

MOTOR = """
name = "motor"
source = {kind = "imu", rate_hz = 1_600, axes = ["x", "y", "z"], range_g = 4, block_ms = 320}

[[stage]]
kind = "tachometer"
channel = 2
high = 2
low = 1
window_ms = 640

[[stage]]
kind = "spectrum"
from = "source"

[[stage]]
kind = "order_bands"
from = ["spectrum", "tachometer"]
orders = [1, 2, 3.5]
log = true

[[stage]]
kind = "bands"
from = "spectrum"
edges_hz = [10, 50, 100, 200, 400, 800]
"""


def outputs(text: str, folder, monkeypatch, samples: np.ndarray):
    """(steps by name, what each gave), the same by both engines."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    (folder / "app.toml").write_text(text, encoding="utf-8")
    plan = plan_file(folder / "app.toml")
    x = samples.reshape(-1, *plan.x[0].shape)
    host, native = Engine(plan).push(x), Native(plan).push(x)
    for i, fired in host.items():
        np.testing.assert_array_equal(native[i].when, fired.when, err_msg=plan.steps[i].name)
        np.testing.assert_array_equal(native[i].y, fired.y, err_msg=plan.steps[i].name)
    return {step.name: step for step in plan.steps}, {step.name: step.y.real(host[i].y) for i, step in enumerate(plan.steps)}


def test_a_bearing_with_a_fault_is_told_from_a_healthy_one(tmp_path, monkeypatch):
    rng, values = np.random.default_rng(11), {}
    for name, hz in [("healthy", None), ("outer", 89.63)]:
        x = vibration(rng, 8.192, 16_000, hz, 25.0).clip(-32768, 32767)
        steps, values[name] = outputs(BEARING, tmp_path, monkeypatch, np.rint(x).astype(np.int16))
    assert steps["fault_bands"].y.shape == (3,)
    assert "bpfo 89.62 Hz" in steps["fault_bands"].says
    told = {name: v["fault_bands"].mean(axis=0).round(1).tolist() for name, v in values.items()}
    print(told)
    assert max(map(abs, told["healthy"])) < 3
    assert told["outer"][0] > 10
    np.testing.assert_allclose(np.median(values["outer"]["cepstrum"][:, 1]), 1000 / 89.63, atol=0.2)
    assert values["outer"]["cepstrum"][:, 0].min() > 1.2 * values["healthy"]["cepstrum"][:, 0].max()
    octave = values["outer"]["wavelet"][:, -2].mean() / values["healthy"]["wavelet"][:, -2].mean()
    assert octave > 1.5, "the resonance rings at 3 kHz, in 2-4 kHz"


def test_a_motors_orders_are_found_at_the_speed_that_its_tachometer_tells(tmp_path, monkeypatch):
    t = np.arange(40 * 512) / 1600
    turns = 20 * t + 0.5 * t**2
    x = np.stack([6000 * np.sin(2 * np.pi * turns), 4000 * np.cos(2 * np.pi * 3.5 * turns), 20000.0 * (turns % 1 < 0.2)], axis=-1)
    steps, values = outputs(MOTOR, tmp_path, monkeypatch, np.rint(x).astype(np.int16))
    assert steps["bands"].y.shape == (3, 5)
    np.testing.assert_allclose(values["tachometer"][2:, 0], (20 + t)[::512][2:], rtol=0.02)
    orders = next(v for name, v in values.items() if name.startswith("log") and v.shape[1:] == (3, 3))[2:]
    assert (orders[:, 0].argmax(axis=1) == 0).all(), "x turns once a turn"
    assert (orders[:, 1].argmax(axis=1) == 2).all(), "y, 3.5 times"
