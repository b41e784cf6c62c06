"""Filter samples by recursive sections of second order.

Each section, on samples with `guard` more bits, is written in differences, so that its pole and zero near DC are as
sharp as its other coefficients, however low the cutoff:

    acc = b0 (x0 - x1) + b2 (x2 - x1) + a2 (y1 - y2) + ((sum_b x1 - sum_a y1) >> shift) + 2 r1 - r2
    y0  = y1 + (acc >> 29),   r0 = acc mod 2**29

b0, b2, a2 in Q29; sum_b = b0 + b1 + b2 and sum_a = 1 + a1 + a2 in Q(29 + shift), with 31 bits between them.  What is
cut off (r) is fed back twice: the noise is shaped by (1 - 1/z)**2, there is no bias and no dead zone to speak of.
The output is sat16(rshift(y, guard)); each channel is filtered alone.

Nothing within can overflow, and plan() proves it for the filter at hand: the sum of |impulse response| up to each
section bounds its output, and `guard` is what int32 leaves above that.  The same sums bound the distance from the
textbook; a filter for which they do not prove BOUND is refused.

Source: the filters, scipy.signal.iirfilter, iirnotch, iirpeak (Oppenheim and Schafer, Discrete-Time Signal Processing,
3rd ed., §7.3); error feedback, Laakso and Hartimo, Noise Reduction in Recursive Digital Filters Using High-Order Error
Feedback, 1992; difference form, ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, frexp, log2
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.signal import iirfilter, iirnotch, iirpeak, sosfilt, tf2sos

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

Q = 29
FAMILIES = {"butterworth": "butter", "chebyshev1": "cheby1", "chebyshev2": "cheby2"}
CORNERS = {"lowpass": ("cutoff_hz",), "highpass": ("cutoff_hz",), "bandpass": ("low_hz", "high_hz"), "bandstop": ("low_hz", "high_hz"),
           "notch": ("centre_hz", "q"), "peak": ("centre_hz", "q")}
DEFAULTS = dict(order=2, ripple_db=1.0, stop_db=40.0)


class Biquad(Stage):
    """Filter samples by recursive sections of second order."""

    type: Literal["lowpass", "highpass", "bandpass", "bandstop", "notch", "peak"] = Field(description="what passes, or is taken out")
    family: Literal["butterworth", "chebyshev1", "chebyshev2"] | None = Field(
        default=None, description="how the edges are shaped; butterworth where nothing is said")
    order: int | None = Field(default=None, ge=1, le=12, description="of the lowpass behind it; 2 where nothing is said")
    cutoff_hz: float | None = Field(default=None, gt=0, description="edge of a lowpass or highpass")
    low_hz: float | None = Field(default=None, gt=0, description="lower edge of a bandpass or bandstop")
    high_hz: float | None = Field(default=None, gt=0, description="upper edge of a bandpass or bandstop")
    centre_hz: float | None = Field(default=None, gt=0, description="middle of a notch or peak")
    q: float | None = Field(default=None, gt=0, le=1000, description="centre of a notch or peak over its width at -3 dB")
    ripple_db: float | None = Field(
        default=None, gt=0, le=12, description="ripple in the pass band of chebyshev1; 1 where nothing is said")
    stop_db: float | None = Field(
        default=None, ge=10, le=120, description="attenuation in the stop band of chebyshev2; 40 where nothing is said")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'biquad' filters int16 samples, [n] or [n, channels], and is given {x}")
        sos = self._design(x)
        filter_ = quantized(sos, self._corners()[0])
        length, channels = (*x.shape, 1)[:2]
        sections = len(filter_.taps)
        return Step(
            module=__name__,
            x=(x,),
            y=x,
            params=dict(length=length, channels=channels, sections=sections, guard=filter_.guard),
            tables=dict(taps=filter_.taps.astype(np.int32)),
            state=dict(past=np.zeros((channels, sections, 6), np.int32)),
            scratch=dict(work=("int32", length)),
            inplace=True,
            cost=dict(mul=5 * sections * x.size, add=12 * sections * x.size, mem=2 * (sections + 2) * x.size),
            says=f"{self.type} {' to '.join(f'{hz:g}' for hz in self._corners_hz())} Hz, {sections} section{'s' * (sections > 1)}",
        )

    def ideal(self, x, blocks):
        full_scale = 32768 * x[0].scale
        stream = blocks.reshape(-1, *x[0].shape[1:])
        return np.clip(sosfilt(self._design(x[0]), stream, axis=0), -full_scale, full_scale - x[0].scale).reshape(blocks.shape)

    def _corners(self) -> tuple[str, ...]:
        return CORNERS[self.type]

    def _corners_hz(self) -> list[float]:
        return [getattr(self, option) for option in self._corners() if option != "q"]

    def _design(self, x: Signal) -> np.ndarray:
        """Second-order sections in float64, as scipy has them."""
        assert x.sample_hz is not None, "plan() takes samples at a rate"
        rate_hz = float(x.sample_hz)
        self._check(rate_hz)
        if self.type in ("notch", "peak"):
            return tf2sos(*(iirnotch if self.type == "notch" else iirpeak)(self.centre_hz, self.q, rate_hz))
        about = {option: DEFAULTS[option] if getattr(self, option) is None else getattr(self, option) for option in DEFAULTS}
        return iirfilter(about["order"], np.squeeze(self._corners_hz()), rp=about["ripple_db"], rs=about["stop_db"], btype=self.type,
                         ftype=FAMILIES[self.family or "butterworth"], fs=rate_hz, output="sos")

    def _check(self, rate_hz: float) -> None:
        """Every option that the type needs, none that it does not know, and all frequencies below half the rate."""
        for option in self._corners():
            if getattr(self, option) is None:
                example = 10 if option == "q" else rate_hz / 8
                raise AppError(("type",), f"type = \"{self.type}\" needs {option}", f"{option} = {example:g}")
        filtered = self.type not in ("notch", "peak")
        own = {"chebyshev1": ("ripple_db",), "chebyshev2": ("stop_db",)}.get(self.family or "", ())
        known = {*self._corners(), *(("family", "order", *own) if filtered else ())}
        for option in ("family", "order", "cutoff_hz", "low_hz", "high_hz", "centre_hz", "q", "ripple_db", "stop_db"):
            if getattr(self, option) is not None and option not in known:
                blame = "family" if option in ("ripple_db", "stop_db") and filtered else "type"
                raise AppError((option,), f"{option} means nothing to {blame} = \"{getattr(self, blame) or 'butterworth'}\", "
                               f"which knows {', '.join(sorted(known))}")
        half_hz = rate_hz / 2
        for option in self._corners():
            if option != "q" and getattr(self, option) >= half_hz:
                raise AppError((option,), f"{option} = {getattr(self, option):g} is not below half the sample rate, {half_hz:g} Hz",
                               f"{option} = {0.9 * half_hz:g}")
        match self._corners_hz():
            case low_hz, high_hz if low_hz >= high_hz:
                raise AppError(("low_hz",), f"low_hz = {low_hz:g} is not below high_hz, {high_hz:g}", f"low_hz = {high_hz / 2:g}")


BOUND = 0.75   # counts, proved by plan() for each filter: half from rounding, the rest from coefficients and noise


# --- from sections in float to integers, with their proof -----------------------------------------------------


@dataclass(frozen=True)
class Filter:
    """taps: [sections, 6] as b0, b2, a2, sum_b, sum_a, shift.  error: the greatest distance from the textbook, counts."""

    taps: np.ndarray
    guard: int
    error: float


def quantized(sos: np.ndarray, option: str) -> Filter:
    """Sections as integers; AppError, blaming `option`, where int32 cannot hold the filter within BOUND."""
    radius = max(np.abs(np.roots(section[3:])).max() for section in sos)
    settle = 20 / max(1 - radius, 1e-12)            # samples until a response is below exp(-20)
    if settle > 1 << 21:
        raise refusal(option, "rings for more than two million samples")
    impulse = np.zeros(int(settle) + 64)
    impulse[0] = 1
    sos = spread_gain(sos, impulse)
    taps = np.array([section_taps(section) for section in sos.tolist()], np.int64)
    exact = np.array([section_of(row) for row in taps.tolist()])
    after = [np.abs(sosfilt(exact[: n + 1], impulse)).sum() for n in range(len(exact))]
    reach = 1.0001 * max(1.0, *after)                # and a little for the noise: thousandths of a count
    guard = floor(15 - log2(reach))
    if np.abs(taps[:, :5]).max() >= 1 << 31 or guard < 1 or not products_fit(taps, [1.0, *after], guard):
        raise refusal(option, "needs more than 32 bits")
    drift = 32768 * np.abs(sosfilt(exact, impulse) - sosfilt(sos, impulse)).sum()
    error = 0.5 + drift + 2.0**-guard * noise(exact, impulse)
    if not error <= BOUND:
        raise refusal(option, f"could be wrong by {error:.3g} counts in 32 bits")
    return Filter(taps, guard, error)


def refusal(option: str, why: str) -> AppError:
    return AppError((option,), f"this filter {why}: an edge is too sharp, or too near to 0 Hz or half the sample rate",
                    "a lower order, a smaller q, wider edges, or fewer samples per second before it")


def spread_gain(sos: np.ndarray, impulse: np.ndarray) -> np.ndarray:
    """The same filter, each section's output as loud as the last one's can get: scipy puts all gain into the first."""
    sos = sos.copy()
    loud = max(1.0, np.abs(sosfilt(sos, impulse)).sum())
    for n in range(len(sos) - 1):
        gain = loud / np.abs(sosfilt(sos[: n + 1], impulse)).sum()
        b0, _, b2 = np.abs(sos[n, :3])
        gain = min(gain, 3.99 / max(b0, b2, abs(sos[n, :3].sum())))     # Q29 ends at 4
        sos[n, :3] *= gain
        sos[n + 1, :3] /= gain
    return sos


def section_taps(section: list[float]) -> tuple[int, ...]:
    """b0, b2, a2, sum_b, sum_a, shift of one section."""
    b0, b1, b2, _, a1, a2 = section
    sums = symmetric_sum(b0, b1, b2), symmetric_sum(1.0, a1, a2)
    shift = min(max(2 - frexp(max(map(abs, sums)))[1], 0), 40)
    return *(round(c * 2**Q) for c in (b0, b2, a2)), *(round(c * 2.0 ** (Q + shift)) for c in sums), shift


def symmetric_sum(c0: float, c1: float, c2: float) -> float:
    """c0 + c1 + c2, where what is left may be a millionth of each, and zero is zero."""
    total = float(Fraction(c0) + Fraction(c1) + Fraction(c2))
    return 0.0 if abs(total) < 1e-15 * (abs(c0) + abs(c1) + abs(c2)) else total


def section_of(taps: list[int]) -> list[float]:
    """The section that these integers are, as scipy writes it."""
    b0, b2, a2, sum_b, sum_a, shift = taps
    one = Fraction(2**Q)
    b, a = Fraction(sum_b, 2 ** (Q + shift)), Fraction(sum_a, 2 ** (Q + shift))
    return [float(v) for v in (b0 / one, b - b0 / one - b2 / one, b2 / one, 1, a - 1 - a2 / one, a2 / one)]


def products_fit(taps: np.ndarray, reach: list[float], guard: int) -> bool:
    """Do all partial sums of acc stay below 2**63, and all samples and their differences below 2**31?"""
    for (b0, b2, a2, sum_b, sum_a, shift), x, y in zip(np.abs(taps).tolist(), reach, reach[1:]):
        into, out = (int(1.0001 * r * 2 ** (15 + guard)) + 2 for r in (x, y))
        late = sum_b * into + sum_a * out
        if 2 * max(into, out) >= 1 << 31 or late >= 1 << 63:
            return False
        if 2 * (b0 + b2) * into + 2 * a2 * out + (late >> shift) + (4 << Q) >= 1 << 63:
            return False
    return True


def noise(exact: np.ndarray, impulse: np.ndarray) -> float:
    """The most that all that is cut off can add up to at the output, in guard counts."""
    total = 0.0
    for n in range(len(exact)):
        for most, b in [(1.0, [1.0, -2.0, 1.0]), (2.0**-Q, [1.0, 0.0, 0.0])]:       # of r, and of what `late` drops
            total += most * np.abs(sosfilt([[*b, *exact[n, 3:]], *exact[n + 1 :]], impulse)).sum()
    return total


def run(k, s, x):
    taps, y = k.taps.reshape(-1, 6).tolist(), np.empty((k.length, k.channels), np.int16)
    for channel in range(k.channels):
        v = (x.reshape(k.length, k.channels)[:, channel].astype(np.int64) << k.guard).tolist()
        for row, past in zip(taps, s.past[channel]):
            v, past[:] = section(row, past.tolist(), v)
        y[:, channel] = sat16(rshift(v, k.guard))
    return y.reshape(x.shape)


def section(taps: list[int], past: list[int], v: list[int]) -> tuple[list[int], list[int]]:
    """One section over all samples of a block, in Python's own integers: no word of theirs can be vectorised, each needs the last."""
    b0, b2, a2, sum_b, sum_a, shift = taps
    x1, x2, y1, y2, r1, r2 = past
    out = []
    for x0 in v:
        acc = b0 * (x0 - x1) + b2 * (x2 - x1) + a2 * (y1 - y2) + ((sum_b * x1 - sum_a * y1) >> shift) + 2 * r1 - r2
        y0 = y1 + (acc >> Q)
        x2, x1, y2, y1, r2, r1 = x1, x0, y1, y0, r1, acc & ((1 << Q) - 1)
        out.append(y0)
    return out, [x1, x2, y1, y2, r1, r2]


AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((32, 3), "int16", Fraction(50), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))

EXAMPLES = [
    (Biquad(type="highpass", cutoff_hz=10), THREE_AXES),
    (Biquad(type="lowpass", cutoff_hz=10, order=4), AUDIO),
    (Biquad(type="bandpass", low_hz=300, high_hz=3400, order=3, family="chebyshev1", ripple_db=0.5), AUDIO),
    (Biquad(type="bandstop", low_hz=45, high_hz=55, order=2), THREE_AXES),
    (Biquad(type="lowpass", cutoff_hz=7500, order=5, family="chebyshev2", stop_db=60), AUDIO),
    (Biquad(type="highpass", cutoff_hz=7000, order=1), AUDIO),
    (Biquad(type="notch", centre_hz=50, q=30), AUDIO),
    (Biquad(type="peak", centre_hz=4000, q=8), AUDIO),
]
