"""Are the fault frequencies those of the tables, and does a ratio see a fault at any loudness and nothing else?"""

from __future__ import annotations

import numpy as np
import pytest
from corners import same_for_any_input

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.run.engine import Engine
from tinystream.stages.bands import spectra
from tinystream.stages.fault_bands import FaultBands, bearing

SPECTRUM = spectra(4096, rate_hz=3200)  # 0.78 Hz a bin
ALL = ("bpfo", "bpfi", "bsf", "bsf2", "ftf")


def outputs(stage: FaultBands, x: np.ndarray, signal=SPECTRUM) -> np.ndarray:
    plan = plan_stage("faults", stage, signal)
    return plan.steps[-1].y.real(Engine(plan).push(x.astype(np.int64))[len(plan.steps) - 1].y)


def floor_with_line(hz: float, floor: float = 1000, line: float = 1e6) -> np.ndarray:
    x = np.full((1, 2049), floor)
    x[0, round(hz / (3200 / 4096))] += line
    return x


def test_the_frequencies_are_those_of_the_tables():
    """Case Western Reserve University's Bearing Data Center, 6205-2RS JEM SKF: multiples of the shaft's speed."""
    f = FaultBands(balls=9, ball_diameter_mm=0.3126 * 25.4, pitch_diameter_mm=1.537 * 25.4, shaft_hz=1).frequencies_hz()
    table = dict(bpfo=3.5848, bpfi=5.4152, bsf2=4.7135, ftf=0.39828)
    np.testing.assert_allclose([f[name] for name in table], [*table.values()], rtol=1e-4)
    assert f["bsf2"] == 2 * f["bsf"]


def test_a_contact_angle_brings_the_races_together():
    """N (1 - r) and N (1 + r) add up to N at any angle; r = d / D cos 60 degrees is half of d / D."""
    flat, steep = bearing(shaft_hz=10).frequencies_hz(), bearing(shaft_hz=10, contact_deg=60).frequencies_hz()
    assert abs(flat["bpfo"] + flat["bpfi"] - 90) < 1e-9
    assert abs(steep["bpfo"] + steep["bpfi"] - 90) < 1e-9
    assert abs((steep["bpfi"] - steep["bpfo"]) / (flat["bpfi"] - flat["bpfo"]) - 0.5) < 1e-9
    np.testing.assert_allclose(bearing(shaft_hz=None, rpm=600).frequencies_hz()["ftf"], flat["ftf"])


def test_what_it_says_are_the_frequencies():
    says = bearing(tolerance_hz=2).plan(SPECTRUM).says
    assert says == "3 harmonics of bpfo 105.75 Hz, bpfi 159.75 Hz, bsf 69.524 Hz, ftf 11.75 Hz"


@pytest.mark.parametrize("fault", ["bpfo", "bpfi", "bsf", "bsf2"])
@pytest.mark.parametrize("harmonic", [1, 2, 3])
def test_a_line_at_a_harmonic_is_in_its_own_value(fault, harmonic):
    stage = bearing(faults=ALL, tolerance_hz=1.5)
    hz = harmonic * stage.frequencies_hz()[fault]
    lifted = outputs(stage, floor_with_line(hz)) - outputs(stage, floor_with_line(hz, line=0))
    shared = {fault, "bsf", "bsf2"} if fault.startswith("bsf") and (fault, harmonic) in [("bsf", 2), ("bsf2", 1)] else {fault}
    assert {name for name, value in zip(ALL, lifted[0] / 2.0**-46) if value > 0.9e6} == shared


def test_energies_are_the_sums_over_the_harmonics():
    stage, x = bearing(harmonics=3, tolerance_hz=4, faults=("bpfi",)), np.random.default_rng(0).integers(0, 2**36, (3, 2049))
    hz, bin_hz = stage.frequencies_hz()["bpfi"], 3200 / 4096
    edges = (np.arange(2049) + 0.5) * bin_hz
    upto = lambda f: np.interp(f, edges, x.cumsum(1)[0])  # noqa: E731
    want = sum(upto(h * hz + 4) - upto(h * hz - 4) for h in (1, 2, 3)) * 2.0**-46
    np.testing.assert_allclose(outputs(stage, x)[0, 0], want, rtol=1e-4)


def test_a_ratio_does_not_depend_on_loudness():
    stage = bearing(how="ratio", tolerance_hz=2)
    x = np.random.default_rng(1).exponential(1e6, (4, 2049))
    x[:, round(105.75 / 0.78125)] *= 1000
    one, loud = outputs(stage, x), outputs(stage, x * 2.0**20)
    print(f"worst difference {np.abs(one - loud).max():.3f} dB")
    assert np.abs(one - loud).max() <= 0.02
    assert (loud[:, 0] > 15).all()
    assert (np.abs(loud[:, 1:]) < 4).all()


def test_silence_and_a_flat_floor_are_0_db():
    stage = bearing(how="ratio", faults=ALL, tolerance_hz=1)
    assert np.abs(outputs(stage, np.zeros((1, 2049)))).max() == 0
    assert np.abs(outputs(stage, np.full((1, 2049), 2.0**30))).max() <= 0.02


def test_a_ratio_by_hand():
    """A line of 24 counts in the middle bin of 1 +- 0.5 bins: in = 24, around = 0, and 16 a bin in both: 10 log10 (24 + 16) / 16."""
    signal = spectra(128, rate_hz=128)  # 1 Hz a bin
    stage = FaultBands(balls=10, ball_diameter_mm=1, pitch_diameter_mm=10, shaft_hz=40 / 9, faults=("bpfo",), harmonics=1, tolerance_hz=0.5,
                       how="ratio", around=3)  # fmt: skip
    assert abs(stage.frequencies_hz()["bpfo"] - 20) < 1e-9
    x = np.zeros((1, 65))
    x[0, 20] = 24
    np.testing.assert_allclose(outputs(stage, x, signal), 10 * np.log10(40 / 16), atol=0.01)
    x[0, 20], x[0, 19], x[0, 21] = 0, 48, 16
    np.testing.assert_allclose(outputs(stage, x, signal), 10 * np.log10(16 / (16 + 64 / 2)), atol=0.01)


@pytest.mark.parametrize("how", ["energy", "ratio"])
def test_no_input_is_undefined(how, tmp_path):
    same_for_any_input(bearing(how=how, faults=("bpfo", "bpfi"), harmonics=2), spectra(256, 2, rate_hz=3200), folder=tmp_path)


@pytest.mark.parametrize(
    ("options", "path", "what", "help"),
    [
        (dict(shaft_hz=None), (), "shaft_hz or rpm is needed", "shaft_hz = 25"),
        (dict(rpm=100), ("rpm",), "shaft_hz and rpm exclude each other", "leave one of them out"),
        (dict(ball_diameter_mm=40), ("ball_diameter_mm",), "ball_diameter_mm = 40 is not below pitch_diameter_mm = 39.04", ""),
        (dict(balls=16), ("balls",), "16 balls of 7.94 mm do not fit on a circle of 39.04 mm", "balls = 14"),
        (dict(tolerance_hz=2, tolerance=0.1), ("tolerance_hz",), "tolerance and tolerance_hz exclude each other", "leave one of them out"),
        (dict(faults=("bpfi",), harmonics=20, tolerance_hz=2), ("harmonics",),
         "harmonic 11 of bpfi, 1757.2 Hz, lies beyond half the sample rate, 1600 Hz", "harmonics = 10"),
        (dict(faults=("ftf",), harmonics=1, tolerance=0.02), ("tolerance",),
         "harmonic 1 of ftf, 11.75 Hz ± 0.235 Hz is narrower than a bin of the spectrum, 0.7812 Hz",
         "tolerance = 0.034, or a longer frame before the spectrum"),
        (dict(tolerance_hz=0.3), ("tolerance_hz",),
         "harmonic 1 of bpfo, 105.75 Hz ± 0.3 Hz is narrower than a bin of the spectrum, 0.7812 Hz",
         "tolerance_hz = 0.4, or a longer frame before the spectrum"),
        (dict(faults=("ftf",), tolerance_hz=7), ("tolerance_hz",), "harmonic 1 of ftf, 11.75 Hz ± 7 Hz overlaps the next harmonic",
         "tolerance_hz = 5.8"),
        (dict(faults=("bpfo",), tolerance=0.2), ("tolerance",), "harmonic 3 of bpfo, 317.25 Hz ± 63.45 Hz overlaps the next harmonic",
         "tolerance = 0.16"),
        (dict(shaft_hz=2), ("tolerance",), "harmonic 1 of ftf, 0.79662 Hz ± 0.7812 Hz overlaps the next harmonic",
         "a longer frame before the spectrum, whose bins are 0.7812 Hz"),
        (dict(tolerance_hz=2, how="ratio", log=True), ("log",), 'log is that of energies, and how = "ratio" is in decibels already',
         'how = "energy"'),
    ],
)  # fmt: skip
def test_mistakes_say_the_limit_and_the_way_out(options, path, what, help):
    with pytest.raises(AppError) as caught:
        bearing(**options).plan(SPECTRUM)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)
