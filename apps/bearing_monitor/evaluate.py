"""How well the app tells faults of simulated bearings, beside the same rule in floats.

    evaluate.py                 every figure of the model card
    evaluate.py --recordings    writes recordings/ again

Nothing is trained: frequencies follow from geometry.  The threshold is chosen on healthy calibration bearings; figures are of others
(each has a seed of its own).  Shaft speeds are drawn within 1.5 % of the app's.  Deterministic; wants scipy beside tinystream.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from scipy.signal import butter, decimate, hilbert, sosfilt
from scipy.stats import beta, chi2
from simulate import FAULTS, RATE_HZ, SHAFT_HZ, Case, frequencies, strikes, vibration

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.detectors.limits import Limits
from tinystream.plan.plan import Plan
from tinystream.run.engine import Runs
from tinystream.run.replay import blocks_of, make_engine, replay

HERE = Path(__file__).parent
NOISES_G = (0.02, 0.05, 0.1)
STRIKES_G = (0.1, 0.2, 0.4)
EACH = 6            # bearings of each fault, strike and noise
HEALTHY = 20        # of each noise
MARGIN = 2          # times what `hold` calibration scores in a row reached, at most, and rounded up, is the threshold
HOURS = 24          # healthy, to count alerts
OFF = (0.0, 0.01, 0.015, 0.02, 0.03)    # of the shaft's speed, in a row of its own
RECORDINGS = {
    "healthy": Case(None, noise_g=0.02, seconds=5),
    "outer_race": Case("outer race", 0.2, 0.02, SHAFT_HZ * 0.995, 8, begin_s=3),
    "inner_race": Case("inner race", 0.2, 0.02, SHAFT_HZ * 1.004, 5),
    "ball": Case("ball", 0.2, 0.02, SHAFT_HZ, 5),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--recordings", action="store_true", help="write the bundled recordings instead")
    if options.parse_args().recordings:
        write_recordings(HERE / "recordings")
        return
    for name, figure in (figures(EACH, HEALTHY) | off_speed(EACH) | alone(HOURS)).items():
        print(f"{name:48} {figure}")


def write_recordings(folder: Path) -> None:
    for seed, (name, case) in enumerate(RECORDINGS.items()):
        soundfile.write(folder / f"{name}.flac", vibration(case, np.random.default_rng(seed)), RATE_HZ, subtype="PCM_16")
        windows = [[case.begin_s, case.seconds]] if case.fault else []
        truth = dict(wav_file=f"{name}.flac", sample_rate=RATE_HZ, length_sec=case.seconds, detection_windows=windows,
                     labels=[case.fault] * len(windows))
        (folder / f"{name}.truth.json").write_text(json.dumps([truth]) + "\n", encoding="utf-8")


# --- scores ---------------------------------------------------------------------------------------------------


def by_app(plan: Plan, engine: Runs, x: np.ndarray) -> np.ndarray:
    """dB of each decision and fault."""
    assert plan.scores is not None, "it has a detector"
    engine.reset()
    y = engine.push(*blocks_of(plan, x[:, None]), want={plan.scores})[plan.scores].y
    return plan.steps[plan.scores].y.real(y).reshape(-1, len(FAULTS))


def by_scipy(x: np.ndarray) -> np.ndarray:
    """The same rule in floats, with the textbook's envelope: that of the analytic signal."""
    band = sosfilt(butter(2, [1400, 2900], "bandpass", fs=RATE_HZ, output="sos"), x)
    envelope = decimate(np.abs(hilbert(band)), 8, ftype="fir")
    envelope = envelope - envelope.mean()
    frames = np.lib.stride_tricks.sliding_window_view(envelope, 1024)[::512] * np.hanning(1025)[:1024]
    power = np.abs(np.fft.rfft(frames)) ** 2
    mean = power[: len(power) // 3 * 3].reshape(-1, 3, 513).mean(axis=1)
    hz, bin_hz = np.arange(513) * 800 / 1024, 800 / 1024

    def energy(centre_hz: float, half_hz: float) -> np.ndarray:
        part = np.clip((centre_hz + half_hz - hz) / bin_hz + 0.5, 0, 1) - np.clip((centre_hz - half_hz - hz) / bin_hz + 0.5, 0, 1)
        return mean @ part

    told = []
    for centre_hz in (frequencies(SHAFT_HZ)[fault] for fault in FAULTS):
        inner, outer = energy(centre_hz, 0.025 * centre_hz), energy(centre_hz, 2.5 * 0.025 * centre_hz)
        told.append(10 * np.log10(inner / ((outer - inner) / 1.5)))
    return np.stack(told, axis=-1)


# --- figures --------------------------------------------------------------------------------------------------

class Heard(NamedTuple):
    """One bearing with the app's scores and the reference's, dB of each decision and fault."""

    case: Case
    app: np.ndarray
    reference: np.ndarray


Told = list[Heard]


def hear(cases: list[Case], seed: int, slowest: float = 0.985, fastest: float = 1.015) -> Told:
    plan = plan_file(HERE)
    engine = make_engine(plan)
    told = []
    for i, case in enumerate(cases):
        rng = np.random.default_rng([seed, i])
        x = vibration(case._replace(shaft_hz=SHAFT_HZ * rng.uniform(slowest, fastest)), rng)
        told.append(Heard(case, by_app(plan, engine, x), by_scipy(x.astype(np.float64))))
    return told


def figures(each: int, healthy: int) -> dict[str, str]:
    threshold, hold = limits()
    sound = [Case(None, noise_g=noise_g) for noise_g in NOISES_G for _ in range(healthy)]
    calibration = [t.app for t in hear(sound, 11)]
    calm = hear(sound, 12)
    faulty = hear([Case(*case) for case in product(FAULTS, STRIKES_G, NOISES_G) for _ in range(each)], 13)
    least = best(calm)
    told = {
        "threshold by the rule": f"{np.ceil(MARGIN * held(calibration, hold)):g}, shipped {threshold:g} dB",
        "greatest healthy score": f"{np.concatenate(calibration).max():.1f} in calibration, {least.max():.1f} in validation, dB",
        f"greatest healthy score, {hold} in a row": f"{held(calibration, hold):.1f} in calibration, "
        f"{held([t.app for t in calm], hold):.1f} in validation, dB",
        "healthy windows at or above the threshold": share(int((least >= threshold).sum()), len(least)),
    }
    for fault, strike_g, noise_g in product(FAULTS, STRIKES_G, NOISES_G):
        case = Case(fault, strike_g, noise_g)
        told[f"{fault}, {strike_g:g} g in {noise_g:g} g"] = row(case, [t for t in faulty if t.case == case], calm, threshold, hold)
    loud = [t for t in faulty if snr_db(t.case) >= -12]
    told["all with a signal above -12 dB"] = areas(loud, calm) + f"; {named(loud, threshold, hold)}"
    told["all"] = areas(faulty, calm) + f"; {named(faulty, threshold, hold)}"
    told["all, difference of the two areas"] = difference(faulty, calm)
    return told


def off_speed(each: int) -> dict[str, str]:
    """What becomes of a strike of 0.2 g in 0.05 g when the shaft does not turn as the app was told."""
    threshold, hold = limits()
    cases = [Case(fault, 0.2, 0.05) for fault in FAULTS for _ in range(each)]
    return {f"shaft {100 * off:g} % off": named(hear(cases, 15, 1 + off, 1 + off), threshold, hold) for off in OFF}


def row(case: Case, told: Told, calm: Told, threshold: float, hold: int) -> str:
    windows = best(told)
    return (f"{snr_db(case):.0f} dB; {areas(told, calm)}; {share(int((windows >= threshold).sum()), len(windows))}; "
            f"{named(told, threshold, hold)}")


def snr_db(case: Case) -> float:
    """Power of the strikes over that of the noise, all frequencies."""
    x = strikes(case._replace(seconds=20), np.random.default_rng(0), 20 * RATE_HZ)
    return float(20 * np.log10(x.std() / case.noise_g))


def best(told: Told, reference: bool = False) -> np.ndarray:
    """The score that decides: the greatest of the three."""
    return np.concatenate([t.reference if reference else t.app for t in told]).max(axis=1)


def areas(told: Told, calm: Told) -> str:
    app, reference = (area(best(calm, which), best(told, which)) for which in (False, True))
    return f"area {app:.3f}, reference {reference:.3f}"


def area(calm: np.ndarray, odd: np.ndarray) -> float:
    """Under the ROC: how often an odd score is above a calm one."""
    return float(np.mean((odd[:, None] > calm) + 0.5 * (odd[:, None] == calm)))


def difference(told: Told, calm: Told) -> str:
    """The app's area less the reference's, with the 95 % of a bootstrap over bearings."""
    rng = np.random.default_rng(0)
    odd, even = ([(t.app.max(axis=1), t.reference.max(axis=1)) for t in group] for group in (told, calm))

    def once(some: np.ndarray, others: np.ndarray) -> float:
        app, reference = (area(np.concatenate([even[i][of] for i in others]), np.concatenate([odd[i][of] for i in some])) for of in (0, 1))
        return app - reference

    drawn = [once(rng.integers(len(odd), size=len(odd)), rng.integers(len(even), size=len(even))) for _ in range(500)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{once(np.arange(len(odd)), np.arange(len(even))):+.3f}, {low:+.3f} to {high:+.3f}"


def named(told: Told, threshold: float, hold: int) -> str:
    """Of bearings with an alert, those whose first one is right; the detector's rule for what comes first."""
    first = [(case.fault, label) for case, app, _ in told if (label := first_alert(app, threshold, hold)) is not None]
    return f"{len(first)} of {len(told)} told, {sum(FAULTS[label] == fault for fault, label in first)} rightly"


def first_alert(scores: np.ndarray, threshold: float, hold: int) -> int | None:
    beyond = scores >= threshold
    for i in range(hold - 1, len(scores)):
        ready = beyond[i - hold + 1 : i + 1].all(axis=0)
        if ready.any():
            return int(np.where(ready, scores[i], -np.inf).argmax())
    return None


def alone(hours: int) -> dict[str, str]:
    """Alerts of healthy bearings, an hour each."""
    plan = plan_file(HERE)
    engine = make_engine(plan)
    alerts = 0
    for hour in range(hours):
        rng = np.random.default_rng([14, hour])
        minutes = [vibration(Case(None, noise_g=NOISES_G[hour % 3], seconds=60), rng) for _ in range(60)]
        alerts += len(replay(plan, engine, np.concatenate(minutes)[:, None]).events)
    low, high = chi2.ppf(0.025, 2 * alerts) / 2 if alerts else 0.0, chi2.ppf(0.975, 2 * alerts + 2) / 2
    return {f"false alarms in {hours} h of healthy bearings": f"{alerts}, {24 * low / hours:.1f} to {24 * high / hours:.1f} a day"}


def limits() -> tuple[float, int]:
    """Threshold and hold."""
    detect = load(HERE).detect
    assert isinstance(detect, Limits) and isinstance(detect.threshold, float), "one detector, one threshold"
    return detect.threshold, detect.hold


def held(scores: list[np.ndarray], hold: int) -> float:
    """The greatest that a fault's score kept to for `hold` decisions in a row."""
    return max(float(np.lib.stride_tricks.sliding_window_view(one, hold, axis=0).min(axis=-1).max()) for one in scores)


def share(hits: int, trials: int) -> str:
    """With its exact 95 % interval (Clopper and Pearson)."""
    low = beta.ppf(0.025, hits, trials - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, trials - hits) if hits < trials else 1.0
    return f"{hits} of {trials} ({100 * hits / trials:.1f} %, {100 * low:.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    main()
