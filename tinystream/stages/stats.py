"""Statistics of a window, of each channel alone.

With n samples x[i], their mean m and D = sum (x - m)**2:

    mean, min, max, range       range = max - min
    rms, energy                 sqrt(sum x**2 / n),  sum x**2 / n
    std, mad                    sqrt(D / n), biased;  sum |x - m| / n, the mean absolute deviation
    peak, crest                 max |x|,  peak / rms
    skewness, kurtosis          sum (x - m)**3 / n / std**3,  sum (x - m)**4 / n / std**4 - 3: biased, Fisher's
    zero_crossings              how often x > 0 changes from one sample to the next; mean_crossings: x > m
    p0 .. p100                  percentiles, linear between the two nearest samples
    n0 .. n100                  the sample nearest to that percentile: of rank floor((n - 1) p / 100 + 1/2)
    zero_crossing_rate, mean_crossing_rate      crossings / n
    variance                    D / (n - 1)
    hjorth_activity             D / n, the biased variance
    hjorth_mobility             std of differences / std;  a difference is from one sample to the next
    hjorth_complexity           mobility of the differences / mobility, held at 1024

What has no value is 0: crest of silence, skewness and kurtosis of a constant, mobility of a constant, complexity of a ramp.

y is int32 with one scale for all features, the finest power of two with which the largest that any of them can be fits: full scale
for amplitudes, its square for energies, n for kurtosis, sqrt(n) for skewness and crest.  Where a scale is said, what exceeds int32 is held.

The integers, exact in 64 bits:  d[i] = n x[i] - sum x  is the deviation times n, without rounding.  For squares d is shifted right
by the least e with which |d| fits B = (61 - ceil(log2 n)) / 2 bits, so that n squares stay below 2**62; squares are shifted once more
to B bits for the third and fourth power.  sqrt and quotients have 30 bits.  int64 (the bins of a spectrum) is first shifted to 32 bits.
A percentile is found by halving the range of values, so nothing is sorted or stored.

Within 32 counts and 2**-16 of the textbook: skewness and kurtosis of long windows need that much, and skewness near 0.  The others, but for
crest and for rms of int32, are the nearest count, or within 2**-20 of it where that is coarser; min, max, peak, range, mean, mad and
percentiles are within 2**-30 (tests/test_stats.py holds each to its own).

Source: moments, scipy.stats (bias=True, fisher=True); percentiles, numpy.percentile, method "linear"; Hjorth, EEG analysis based on
time domain properties, Electroencephalography and Clinical Neurophysiology 29 (1970); block exponents, ours.
"""

from __future__ import annotations

from difflib import get_close_matches
from fractions import Fraction
from math import floor, log2, sqrt

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, msb, rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._scaled import scaled
from tinystream.stages.quantize import mantissa, type_of

NAMES = ("mean", "min", "max", "range", "rms", "std", "mad", "peak", "crest", "skewness", "kurtosis", "zero_crossings", "mean_crossings",
         "percentile", "hjorth_activity", "hjorth_mobility", "hjorth_complexity", "energy", "variance", "zero_crossing_rate",
         "mean_crossing_rate")
"""Their index is the code of ts_stats.h."""

POWERS = ("hjorth_activity", "energy", "variance")
RATIOS = ("crest", "skewness", "kurtosis", "hjorth_mobility", "hjorth_complexity")
COUNTS = ("zero_crossings", "mean_crossings")
RATES = ("zero_crossing_rate", "mean_crossing_rate")
RAW, CENTRED, HIGHER, CHANGES = 1, 2, 4, 8
"""Bits of `needs`: which sums the features are made of."""
NEEDS = {"rms": RAW, "crest": RAW, "energy": RAW, "std": CENTRED, "skewness": CENTRED | HIGHER, "kurtosis": CENTRED | HIGHER,
         "hjorth_activity": CENTRED, "variance": CENTRED, "hjorth_mobility": CENTRED | CHANGES,
         "hjorth_complexity": CENTRED | CHANGES}
MOST_COMPLEX = 1024
FINEST = 2.0**-29    # of y: 3 fits then, which kurtosis is less by
LONGEST = {"int16": 1 << 16, "int32": 1 << 15, "int64": 1 << 15}   # with which the sum of all |d| fits 62 bits


class Stats(Stage):
    """Statistics of a window, of each channel alone."""

    features: tuple[str, ...] = Field(
        min_length=1, max_length=64, description="what to tell, in this order: mean, min, max, range, rms, std, mad, peak, crest, "
        "skewness, kurtosis, zero_crossings, mean_crossings, p0 to p100, hjorth_activity, hjorth_mobility, hjorth_complexity, energy, "
        "variance, zero_crossing_rate, mean_crossing_rate, n0 to n100")
    scale: float | None = Field(
        default=None, ge=FINEST, description="real value of one count of the output, beyond whose 31 bits a feature is held; the finest "
        "power of two with which all fit where nothing is said")

    def plan(self, x: Signal) -> Step:
        spectrum = x.bin_hz is not None
        if x.dtype not in LONGEST or x.zero or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'stats' takes int16, int32 or int64 with a zero of 0, [n] or [n, channels], and is given {x}")
        length, channels = sizes(x)
        if length > LONGEST[x.dtype]:
            raise AppError((), f"stage 'stats' looks at {LONGEST[x.dtype]} values of {x.dtype} at most, and is given {x}")
        codes = [self._code(i, length) for i in range(len(self.features))]
        scale = self._scale(x, length)
        units = [mantissa(unit_of(NAMES[code], x.scale, length) / Fraction(scale)) for code in codes]
        ranks = [rank_of(feature, length) if NAMES[code] == "percentile" else (0, 0) for feature, code in zip(self.features, codes)]
        needs = 0
        for code in codes:
            needs |= NEEDS.get(NAMES[code], 0)
        dimensional = all(NAMES[code] not in (*POWERS, *RATIOS, *COUNTS, *RATES) for code in codes)
        count = len(codes)
        shape = (count,) if len(x.shape) == 1 else (channels, count)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(shape, "int32", x.rate_hz, scale, unit=x.unit if dimensional else ""),
            params=dict(type=type_of(x.dtype), length=length, channels=channels, apart=1 if spectrum else channels,
                        next=length if spectrum else 1, features=count, needs=needs, bits=square_bits(length),
                        three=min(round(3 / scale), 2**31 - 1)),   # it is more only where no feature reaches 3, and none reads it
            tables=dict(
                code=np.array(codes, np.uint8),
                rank=np.array([rank for rank, _ in ranks], np.int32),
                part=np.array([part for _, part in ranks], np.uint8),
                multiplier=np.array([multiplier for multiplier, _ in units], np.int32),
                shift=np.array([shift for _, shift in units], np.int16),
            ),
            cost=self._cost(x, needs, codes),
            says=", ".join(self.features) + (f" of each of {channels} channels" if len(x.shape) == 2 else ""),
        )

    def ideal(self, x, blocks):
        data = np.moveaxis(blocks, -1, -2) if len(x[0].shape) == 2 and x[0].bin_hz is None else blocks
        counts = data / x[0].scale
        near = np.rint(counts)
        counts = np.where(np.abs(counts - near) < 1e-6, near, counts)       # what times x.scale and back has added
        y = np.stack([textbook(feature, counts, x[0].scale) for feature in self.features], axis=-1)
        return np.clip(y, -(2.0**31) * self.scale, (2.0**31 - 1) * self.scale) if self.scale else y

    def _code(self, i: int, length: int) -> int:
        """What ts_stats.h calls feature i."""
        feature = self.features[i]
        if feature[:1] in ("p", "n") and feature[1:].isdecimal() and feature[1:] == str(int(feature[1:])):
            if int(feature[1:]) > 100:
                raise AppError(("features", i), f"'{feature}' is no percentile", f"{feature[0]}0 to {feature[0]}100")
            return NAMES.index("percentile")
        known = [name for name in NAMES if name != "percentile"]
        if feature not in known:
            near = get_close_matches(feature, known, 1)
            raise AppError(("features", i), f"stage 'stats' knows no feature '{feature}'",
                           f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}, p0 to p100, and n0 to n100")
        if feature.startswith("hjorth") and length < 3:
            raise AppError(("features", i), f"'{feature}' needs 3 samples or more, and is given {length}", "a longer frame")
        if feature == "variance" and length < 2:
            raise AppError(("features", i), "'variance' needs 2 samples or more, and is given 1", "hjorth_activity, which is divided by n")
        return NAMES.index(feature)

    def _scale(self, x: Signal, length: int) -> float:
        """Of y: as fine as the largest feature leaves, or as told; refused where that is too coarse for another."""
        most = [largest(feature, x, length) for feature in self.features]
        scale, top = self.scale or 2.0 ** -floor(log2((2**31 - 1) / max(most))), full_scale(x)
        for i, feature in enumerate(self.features):
            coarsest = (2.0**-6 if feature in (*RATIOS, *RATES) else 1.0 if feature in COUNTS else np.inf if feature in POWERS
                        else top / 2**14)
            if scale <= coarsest:
                continue
            if self.scale:
                raise AppError(("scale",), f"scale = {scale:g} is too coarse for '{feature}'", f"scale = {2.0 ** floor(log2(coarsest)):g}")
            loudest = self.features[most.index(max(most))]
            raise AppError(("features", i), f"'{feature}' would be told in steps of {scale:g}, because "
                           f"'{loudest}' beside it reaches {max(most):.3g}", f"'{loudest}' in a stage 'stats' of its own")
        return scale

    def _cost(self, x: Signal, needs: int, codes: list[int]) -> dict[str, int]:
        passes = sum(bool(needs & bit) * n for bit, n in ((RAW, 1), (CENTRED, 1), (HIGHER, 2), (CHANGES, 2)))
        searches = codes.count(NAMES.index("percentile")) * (8 * np.dtype(x.dtype).itemsize + 2)
        return dict(mul64=passes * x.size, add=(2 * passes + searches + 6) * x.size, mem=(2 * passes + searches + 4) * x.size,
                    div=2 * len(codes))


BOUND = 32.0, 2.0**-16  # counts and relative, of any feature; the docstring says what each keeps
BATCHED = True


def sizes(x: Signal) -> tuple[int, int]:
    """Values of a channel, and channels: time comes first in a window, bins come last in a spectrum."""
    length, channels = (*x.shape, 1)[:2]
    return (channels, length) if x.bin_hz is not None and len(x.shape) == 2 else (length, channels)


def square_bits(length: int) -> int:
    """Of what is squared, so that the sum of as many squares as there are stays below 2**62."""
    return (61 - (length - 1).bit_length()) // 2


def rank_of(feature: str, length: int) -> tuple[int, int]:
    """Of the value below a percentile, and hundredths of the way to the next; the nearest sample is none of the way."""
    hundredths = int(feature[1:]) * (length - 1)
    return divmod(hundredths, 100) if feature[0] == "p" else ((hundredths + 50) // 100, 0)


def unit_of(name: str, scale: float, n: int) -> Fraction:
    """The real value of 1 of what run() has of a feature before it is scaled."""
    scaled, n1, n2 = Fraction(scale), n - 1, n - 2
    match name:
        case "mean":
            return scaled / n
        case "rms":
            return scaled / Fraction(sqrt(n))
        case "std":
            return scaled / n / Fraction(sqrt(n))
        case "mad":
            return scaled / n**2
        case "percentile":
            return scaled / 100
        case "energy":
            return scaled**2 / n
        case "hjorth_activity":
            return scaled**2 / n**3
        case "variance":
            return scaled**2 / n**2 / n1
        case "crest" | "skewness":
            return Fraction(sqrt(n))
        case "kurtosis":
            return Fraction(n)
        case "hjorth_mobility":
            return Fraction((n / n1) ** 1.5)
        case "hjorth_complexity":
            return Fraction((n1 / n * n1 / n2) ** 1.5)
        case "zero_crossings" | "mean_crossings":
            return Fraction(1)
        case "zero_crossing_rate" | "mean_crossing_rate":
            return Fraction(1, n)
    return scaled


def largest(feature: str, x: Signal, n: int) -> float:
    """The most that a feature can be, real."""
    top = full_scale(x)
    match feature:
        case "range":
            return 2 * top
        case "hjorth_activity" | "energy":
            return top**2
        case "variance":
            return top**2 * n / (n - 1)
        case "crest" | "skewness":
            return max(sqrt(n), 1)
        case "kurtosis":
            return max(n, 3)
        case "zero_crossings" | "mean_crossings":
            return max(n - 1, 1)
        case "zero_crossing_rate" | "mean_crossing_rate":
            return 1.0
        case "hjorth_mobility":
            return 2 * sqrt(n / (n - 1))
        case "hjorth_complexity":
            return MOST_COMPLEX
    return top


def full_scale(x: Signal) -> float:
    """The largest real value; of what is wider than int16 the largest positive one, for then a count of x can be a count of y."""
    return (2.0**15 if x.dtype == "int16" else float(np.iinfo(x.dtype).max)) * x.scale


def textbook(feature: str, x: np.ndarray, scale: float) -> np.ndarray:
    """A feature of counts x [..., n]."""
    deviation = x - x.mean(-1, keepdims=True)
    std, rms, peak = np.where(np.ptp(x, axis=-1) == 0, 0, x.std(-1)), np.sqrt((x**2).mean(-1)), np.abs(x).max(-1)
    match feature:
        case "mean":
            return x.mean(-1) * scale
        case "min":
            return x.min(-1) * scale
        case "max":
            return x.max(-1) * scale
        case "range":
            return np.ptp(x, axis=-1) * scale
        case "rms":
            return rms * scale
        case "std":
            return std * scale
        case "mad":
            return np.abs(deviation).mean(-1) * scale
        case "peak":
            return peak * scale
        case "crest":
            return ratio(peak, rms)
        case "skewness":
            return ratio((deviation**3).mean(-1), std**3)
        case "kurtosis":
            return np.where(std > 0, ratio((deviation**4).mean(-1), std**4) - 3, 0)
        case "zero_crossings" | "zero_crossing_rate":
            return np.diff(x > 0, axis=-1).sum(-1) / (x.shape[-1] if feature in RATES else 1)
        case "mean_crossings" | "mean_crossing_rate":
            return np.diff(deviation > 0, axis=-1).sum(-1) / (x.shape[-1] if feature in RATES else 1)
        case "variance":
            return (std * scale) ** 2 * x.shape[-1] / (x.shape[-1] - 1)
        case "hjorth_activity":
            return (std * scale) ** 2
        case "hjorth_mobility":
            return ratio(np.diff(x, axis=-1).std(-1), std)
        case "hjorth_complexity":
            return np.minimum(ratio(np.diff(x, 2, axis=-1).std(-1) * std, np.diff(x, axis=-1).std(-1) ** 2), MOST_COMPLEX)
        case "energy":
            return (rms * scale) ** 2
    if feature[0] == "n":
        return np.sort(x, axis=-1)[..., rank_of(feature, x.shape[-1])[0]] * scale
    return np.percentile(x, int(feature[1:]), axis=-1) * scale


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


# --- the integers ---------------------------------------------------------------------------------------------


def run(k, s, x):
    v = x.reshape(len(x), k.channels, k.length) if k.apart == 1 else np.moveaxis(x.reshape(len(x), k.length, k.channels), 1, 2)
    v = v.astype(np.int64)
    early = np.maximum(msb(np.where(v < 0, ~v, v).max(-1)) - 30, 0)         # 0 but for int64
    v = v >> early[..., None]
    total = v.sum(-1)
    about = Sums(k, v, early, total)
    y = np.empty((*v.shape[:2], k.features), np.int32)
    for i, code in enumerate(k.code.tolist()):
        value, exponent = about.feature(NAMES[code], int(k.rank[i]), int(k.part[i]))
        counts = scaled(value, exponent, int(k.multiplier[i]), int(k.shift[i]))
        if NAMES[code] == "kurtosis":
            counts = np.where(about.centred.second > 0, sat32(counts.astype(np.int64) - k.three), 0)
        if NAMES[code] == "hjorth_complexity":
            counts = np.minimum(counts, k.three * MOST_COMPLEX // 3)
        y[..., i] = counts
    return y.reshape(len(x), *([] if x.ndim == 2 else [k.channels]), k.features)


class Sums:
    """What the features of all windows v [blocks, channels, n] are made of."""

    def __init__(self, k, v: np.ndarray, early: np.ndarray, total: np.ndarray) -> None:
        self.v, self.early, self.total, self.n = v, early, total, v.shape[-1]
        if k.needs & RAW:
            self.raw = Moment(v, k.bits)
        if k.needs & CENTRED:
            self.centred = Moment(deviation(v), k.bits)
        if k.needs & CHANGES:
            self.first, self.second = (Moment(deviation(np.diff(v, order, -1)), k.bits) for order in (1, 2))

    def feature(self, name: str, rank: int, part: int) -> tuple[np.ndarray, np.ndarray]:
        """(value, exponent) of a feature: value * 2**exponent in units of unit_of()."""
        v, early = self.v, self.early
        match name:
            case "mean":
                return self.total, early
            case "min":
                return v.min(-1), early
            case "max":
                return v.max(-1), early
            case "range":
                return v.max(-1) - v.min(-1), early
            case "rms":
                return self.raw.root, self.raw.exponent + early
            case "std":
                return self.centred.root, self.centred.exponent + early
            case "mad":
                return np.abs(deviation(v)).sum(-1), early
            case "peak":
                return np.abs(v).max(-1), early
            case "crest":
                quotient, exponent = divided(np.abs(v).max(-1), self.raw.root)
                return quotient, exponent - self.raw.exponent
            case "skewness":
                return self.skewness()
            case "kurtosis":
                return self.kurtosis()
            case "zero_crossings" | "zero_crossing_rate":
                return crossings(v > 0), 0 * early
            case "mean_crossings" | "mean_crossing_rate":
                return crossings(deviation(v) > 0), 0 * early
            case "hjorth_activity" | "variance":
                return self.centred.second, 2 * (self.centred.shift + early)
            case "hjorth_mobility":
                quotient, exponent = divided(self.first.root, self.centred.root)
                return quotient, exponent + self.first.exponent - self.centred.exponent
            case "hjorth_complexity":
                quotient, exponent = divided(self.second.root * self.centred.root, rshift(self.first.root**2, 31))
                return quotient, exponent - 31 + self.second.exponent + self.centred.exponent - 2 * self.first.exponent
            case "energy":
                return self.raw.second, 2 * (self.raw.shift + early)
        ordered = np.sort(v, axis=-1)
        low, high = ordered[..., rank], ordered[..., min(rank + 1, self.n - 1)]
        return 100 * low + (high - low) * part, early

    def skewness(self) -> tuple[np.ndarray, np.ndarray]:
        """third 2**fold / second**1.5, second being root**2 2**-2h."""
        m = self.centred
        cube = rshift(rshift(m.root**2, 31) * m.root, 31)                       # root**3 / 2**62: 28 bits or more
        quotient, exponent = divided(np.abs(m.third), cube)
        return np.where(m.third < 0, -quotient, quotient), exponent + m.fold - 62 + 3 * m.half

    def kurtosis(self) -> tuple[np.ndarray, np.ndarray]:
        """fourth 2**(2 fold) / second**2."""
        m = self.centred
        square = rshift(m.root**2, 31)
        quotient, exponent = divided(m.fourth, rshift(square**2, 31))           # root**4 / 2**93: 27 bits or more
        return quotient, exponent + 2 * m.fold - 93 + 4 * m.half


class Moment:
    """Sums of powers of d [..., n], which is shifted right by `shift` to fit `bits`.

    second: of squares; third and fourth: of squares that are shifted right by `fold`, times d and squared.
    root, half, exponent: sqrt(second) is root * 2**-half, with 2**30 <= root < 2**31, or 0; sqrt(sum d**2) is root * 2**exponent.
    """

    def __init__(self, d: np.ndarray, bits: int) -> None:
        most = np.abs(d).max(-1)
        self.shift = np.maximum(msb(most) - (bits - 1), 0)
        top = rshift(most, self.shift)
        self.fold = np.maximum(msb(top * top) - (bits - 1), 0)
        d = rshift(d, self.shift[..., None])
        squares = d * d
        self.second = squares.sum(-1)
        squares = rshift(squares, self.fold[..., None])
        self.third, self.fourth = (d * squares).sum(-1), (squares * squares).sum(-1)
        self.half = (61 - msb(self.second)) >> 1
        self.root = isqrt(self.second << 2 * self.half)
        self.exponent = self.shift - self.half


def deviation(v: np.ndarray) -> np.ndarray:
    """From the mean, times the number of values."""
    return v.shape[-1] * v - v.sum(-1, keepdims=True)


def crossings(above: np.ndarray) -> np.ndarray:
    return np.diff(above, axis=-1).sum(-1).astype(np.int64)


def divided(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(quotient, exponent) of 0 <= a < 2**62 and 0 <= b < 2**32; 0 where b is 0.  quotient < 2**35 for b >= 2**27."""
    up = 61 - msb(a)
    return np.where(b > 0, (a << up) // np.maximum(b, 1), 0), -up


def _examples():
    def window(dtype, *shape, scale=2.0**-15, **about):
        return Signal(shape, dtype, Fraction(10), scale, unit="g", sample_hz=Fraction(1600), **about)

    every = tuple(name for name in NAMES if name != "percentile")
    return [
        (Stats(features=("rms", "crest", "kurtosis")), window("int16", 512, 3, scale=4 * 2.0**-15)),
        (Stats(features=(*every, "p0", "p5", "p25", "p50", "p95", "p100")), window("int16", 250)),
        (Stats(features=("mean", "min", "max", "range", "std", "mad", "peak", "p33")), window("int16", 100, 2, scale=0.0012)),
        (Stats(features=("skewness", "kurtosis", "hjorth_mobility", "hjorth_complexity")), window("int16", 4096)),
        (Stats(features=("hjorth_activity", "energy")), window("int16", 9, scale=9.81 / 2048)),
        (Stats(features=("zero_crossings", "mean_crossings", "hjorth_mobility")), window("int16", 3, 2)),
        (Stats(features=("mean", "rms", "std", "p75", "min", "skewness")), window("int32", 33, 2, scale=2.0**-31)),
        (Stats(features=("mad", "peak", "crest", "kurtosis", "hjorth_complexity")), window("int32", 1000, scale=2.0**-16)),
        (Stats(features=("skewness", "kurtosis", "crest")), Signal((3, 9), "int64", Fraction(10), 2.0**-46, bin_hz=Fraction(100))),
        (Stats(features=("mean", "max", "p50", "std")), Signal((65,), "int64", Fraction(10), 2.0**-46, bin_hz=Fraction(100))),
        (Stats(features=("p10", "kurtosis", "crest", "std")), window("int16", 1)),
        (Stats(features=("zero_crossing_rate", "mean_crossing_rate", "n5", "n25", "n50", "n95", "variance", "kurtosis"), scale=2.0**-12),
         window("int32", 67, 2, scale=2.0**-20)),
        (Stats(features=("variance", "n100", "mean_crossing_rate")), window("int16", 2)),
        (Stats(features=("rms",)), window("int16", 40, 3)),
        (Stats(features=("std",)), window("int16", 90, 3)),
    ]


EXAMPLES = _examples()
