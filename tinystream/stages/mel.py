"""Energy in triangular bands on the mel scale.

    y[b] = (sum_i x[first[b] + i] weight[b][i] + 2**14) >> 15,   b = 0 .. bands-1

Band b rises from 0 at edge[b] to its peak at edge[b+1] and falls to 0 at edge[b+2]; the bands + 2 edges lie evenly on the
mel scale from low_hz to high_hz.  The weight of a bin is the triangle's height at the bin's frequency: no edge is moved
to a bin.  scale = "htk": mel = 2595 log10(1 + f / 700), triangles straight in Hz.  scale = "slaney": linear up to 1 kHz, 15 mel,
and 27 mel for each factor 6.4 above.  norm = "slaney" divides by half the band's width in Hz, so that y is per hertz.

Weights are Q15 in uint16, the largest one of all exactly 2**15 with norm = "slaney" (y.scale takes up the rest), 1.0 exactly
2**15 without.  Zeros are not stored.  |error| <= half a count and 2**-16 of the energy of the bins that a band covers.

Nothing overflows: a spectrum's bins sum up to at most 2**46 (Parseval: the mean square of int16 samples is at most
2**30, Q16), rounding adds half a count a bin; times 2**15 that is below 2**62.  For any other input the sum is modulo 2**64.

Source: HTK Book 3.4, §5.4; Slaney, Auditory Toolbox, Interval Research TR 1998-010; O'Shaughnessy (1987) for the formula.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.spectrum import LARGEST


class Mel(Stage):
    """Energy in triangular bands on the mel scale."""

    bands: int = Field(default=40, ge=1, le=256, description="how many bands")
    low_hz: float = Field(default=0.0, ge=0, description="lower edge of the first band")
    high_hz: float | None = Field(default=None, gt=0, description="upper edge of the last band; half the sample rate where nothing is said")
    scale: Literal["htk", "slaney"] = Field(default="htk", description="which mel scale")
    norm: Literal["none", "slaney"] = Field(default="none", description="height of the triangles: 1, or an area of 1")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int64" or len(x.shape) != 1 or x.bin_hz is None:
            raise AppError((), f"stage 'mel' sums the bins of a spectrum, and is given {x}", 'kind = "spectrum" above it')
        real = self._weights(x)
        top = real.max() if self.norm == "slaney" else 1.0
        weights = quantized(real, top)
        self._check_cover(x, weights)
        first = (weights > 0).argmax(1)
        count = weights.shape[1] - (weights > 0)[:, ::-1].argmax(1) - first
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((self.bands,), "int64", x.rate_hz, x.scale * top, unit=x.unit + ("/Hz" if self.norm == "slaney" else "")),
            params=dict(bands=self.bands),
            tables=dict(
                first=first.astype(np.uint16),
                count=count.astype(np.uint16),
                weight=np.concatenate([w[f : f + c] for w, f, c in zip(weights, first, count)]),
            ),
            cost=dict(mul64=int(count.sum()), mem=2 * int(count.sum())),
            says=f"{self.bands} {self.scale} mel bands from {self.low_hz:g} to {self._high_hz(x):g} Hz",
        )

    def ideal(self, x, blocks):
        return blocks @ self._weights(x[0]).T

    def _weights(self, x: Signal) -> np.ndarray:
        """Heights of the triangles, [bands, bins], in float."""
        high_hz, nyquist = self._high_hz(x), highest_hz(x)
        if high_hz > nyquist:
            raise AppError(("high_hz",), f"high_hz = {high_hz:g} is above half the sample rate, {nyquist:g} Hz", f"high_hz = {nyquist:g}")
        if self.low_hz >= high_hz:
            raise AppError(("low_hz",), f"low_hz = {self.low_hz:g} is not below high_hz = {high_hz:g}", "low_hz = 0")
        return triangles(self.bands, self.low_hz, high_hz, self.scale, self.norm, nyquist / (x.size - 1) * np.arange(x.size))

    def _high_hz(self, x: Signal) -> float:
        return highest_hz(x) if self.high_hz is None else self.high_hz

    def _check_cover(self, x: Signal, weights: np.ndarray) -> None:
        empty = np.flatnonzero(~weights.any(1))
        if not empty.size:
            return
        size = 2 * (x.size - 1)
        bin_hz = highest_hz(x) / (x.size - 1)

        def covered(bands: int, finer: int = 1) -> bool:
            hz = bin_hz / finer * np.arange(finer * (x.size - 1) + 1)
            real = triangles(bands, self.low_hz, self._high_hz(x), self.scale, self.norm, hz)
            return bool(quantized(real, real.max() if self.norm == "slaney" else 1.0).any(1).all())

        fewer = next((bands for bands in range(self.bands - 1, 0, -1) if covered(bands)), None)
        finer = next((n for n in (2, 4, 8) if n * size <= LARGEST and covered(self.bands, n)), None)
        ways = [f"bands = {fewer}"] * bool(fewer) + [f"size = {finer and finer * size} in the spectrum"] * bool(finer)
        raise AppError(
            ("bands",), f"band {empty[0]} of bands = {self.bands} covers no FFT bin; they are {bin_hz:g} Hz apart", ", or ".join(ways)
        )


BOUND = 1.0, 2.0**-13  # counts and relative, for bands whose bins are alike; see the docstring for any bins
BATCHED = True


def highest_hz(x: Signal) -> float:
    """Of the last bin of a spectrum: half the sample rate."""
    assert x.bin_hz is not None, "plan refused what is no spectrum"
    return float(x.bin_hz * (x.size - 1))


def triangles(bands: int, low_hz: float, high_hz: float, scale: str, norm: str, hz: np.ndarray) -> np.ndarray:
    """Height of each band's triangle at each frequency."""
    to_mel, from_mel = SCALES[scale]
    edges = from_mel(np.linspace(to_mel(low_hz), to_mel(high_hz), bands + 2))
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    heights = np.clip(np.minimum(rise, fall), 0, 1)
    return heights * (2 / (edges[2:] - edges[:-2]))[:, None] if norm == "slaney" else heights


def quantized(real: np.ndarray, top: float) -> np.ndarray:
    """Q15, `top` being 1.0."""
    return np.rint(real / (top or 1.0) * 2**15).astype(np.uint16)


def htk_mel(hz):
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def htk_hz(mel):
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def slaney_mel(hz):
    hz = np.asarray(hz, np.float64)
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def slaney_hz(mel):
    mel = np.asarray(mel, np.float64)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))


SCALES = {"htk": (htk_mel, htk_hz), "slaney": (slaney_mel, slaney_hz)}


def run(k, s, x):
    x = x.astype(np.uint64)  # modulo 2**64, as in C, for inputs that no spectrum gives
    y, w = np.empty((len(x), k.bands), np.uint64), 0
    for b, (first, count) in enumerate(zip(k.first.tolist(), k.count.tolist())):
        y[:, b] = (x[:, first : first + count] * k.weight[w : w + count].astype(np.uint64)).sum(1, dtype=np.uint64)
        w += count
    return (y + np.uint64(1 << 14)).view(np.int64) >> 15


def inputs(x, rng, count):
    """Spectra: bins >= 0 with a sum of at most 2**46, as Parseval has it; noise of every loudness, then full scale alone."""
    size = x[0].size
    share = rng.uniform(0.2, 1, (count, size))
    loud = 2.0 ** rng.uniform(12, 46, (count, 1))
    bins = (share / share.sum(1, keepdims=True) * loud).astype(np.int64)
    bins[0] = 0
    bins[1] = (1 << 46) // size
    return [bins]


def _examples():
    from fractions import Fraction

    def bins(size):
        return Signal((size // 2 + 1,), "int64", Fraction(100), 2.0**-46, unit="FS²", bin_hz=Fraction(16000, size))

    return [
        (Mel(bands=40, low_hz=125.0, high_hz=7500.0), bins(512)),
        (Mel(bands=12, scale="slaney"), bins(256)),
        (Mel(bands=20, low_hz=300.0, scale="slaney", norm="slaney"), bins(512)),
        (Mel(bands=3, norm="slaney"), bins(64)),
    ]


EXAMPLES = _examples()
