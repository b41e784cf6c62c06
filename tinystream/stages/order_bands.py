"""Energy of a spectrum around multiples of a shaft's speed, which a tachometer tells: orders stay where they are, however fast it turns.

    y[o] = energy from p - w to p + w, as `bands` sums it
    p = rshift(speed order[o], shift),   w = max(rshift(speed tolerance, shift), 2**14),      Q15 of a bin

It reads two stages: from = ["spectrum", "tachometer"].  w is `tolerance` orders, and half a bin at least, so that a slow shaft's
orders are a bin wide and not less.  y[o] is 0 while the shaft stands still, and where p + w lies beyond half the sample rate; what
lies below 0 Hz counts for nothing.  y is [orders], or [channels, orders]; unit and scale are the spectrum's, and with `log` a
stage `log` follows.

Within a frame the speed should not change by more than `tolerance` takes in.  A bearing's faults are orders, too: those of
`fault_bands` for shaft_hz = 1.

Source: order analysis, Randall, Vibration-based Condition Monitoring, 2011, §3.6; that orders are bands of a spectrum, not of
samples taken anew at angles, is the simple form of it, ours.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages import bands
from tinystream.stages.bands import FLOOR_DB, LOG_UNIT, LogUnit, between, check_spectrum, energy, logged, logged_ideal, position, spectra

HALF = 1 << 14


class OrderBands(Stage):
    """Energy of a spectrum around multiples of a shaft's speed, which a tachometer tells."""

    orders: tuple[float, ...] = Field(min_length=1, description="multiples of the shaft's speed, such as [1, 2, 3, 5.42]")
    tolerance: float = Field(default=0.1, gt=0, le=100, description="half the width of a band, in orders; half a bin at least")
    log: bool = Field(default=False, description="logarithms, int16, as stage 'log' gives them; otherwise energies, int64")
    unit: LogUnit = Field(default=None, description=LOG_UNIT)
    floor_db: float | None = Field(default=None, description=FLOOR_DB)

    def plan(self, *x: Signal) -> Step | list[Step]:
        if len(x) != 2:
            raise AppError(("from",), f"stage 'order_bands' reads a spectrum and a speed, two sources, and is given {len(x)}",
                           'from = ["spectrum", "tachometer"]')
        spectrum, speed = x
        check_spectrum("order_bands", spectrum)
        if (speed.dtype, speed.size, speed.unit, speed.zero) != ("int32", 1, "Hz", 0):
            raise AppError(("from",), f"the second source of stage 'order_bands' is a speed in Hz, and is given {speed}",
                           'from = ["spectrum", "tachometer"]')
        if (speed.rate_hz / spectrum.rate_hz).denominator != 1:
            rates = float(speed.rate_hz), float(spectrum.rate_hz)
            raise AppError(("from",), "a speed comes {:g} times a second, and a spectrum {:g} times".format(*rates),
                           "a tachometer that reads the same source as the frame")
        for order in self.orders:
            if order <= 0:
                raise AppError(("orders",), f"order {order:g} is not above 0", "orders = [1, 2, 3]")
        return logged(self._summed(spectrum, speed), self.log, self.unit, self.floor_db)

    def ideal(self, x, blocks, speeds):
        out = np.zeros((*blocks.shape[:-1], len(self.orders)))
        top_hz, half_bin_hz = bands.half_rate_hz(x[0]), float(x[0].bin_hz) / 2
        for i, speed_hz in enumerate(speeds[:, 0]):
            for o, order in enumerate(self.orders):
                centre_hz, width_hz = order * speed_hz, max(self.tolerance * speed_hz, half_bin_hz)
                if speed_hz > 0 and centre_hz + width_hz <= top_hz:
                    out[i, ..., o] = energy(x[0], blocks[i], max(0.0, centre_hz - width_hz), centre_hz + width_hz)
        return logged_ideal(replace(x[0], bin_hz=None), out, self.log, self.unit, self.floor_db)

    def _summed(self, x: Signal, speed: Signal) -> Step:
        assert x.bin_hz is not None, "plan() refused what is no spectrum"
        bins = x.shape[-1]
        per_count = np.array([*self.orders, self.tolerance]) * speed.scale / float(x.bin_hz) * 2.0**15
        shift = min(int(30 - np.floor(np.log2(per_count.max()))) - 1, 62)
        factors = np.rint(per_count * 2.0**shift)
        if shift < 0 or factors.min() < 1:
            raise AppError(("orders",), f"{min(*self.orders, self.tolerance):g} and {max(self.orders):g} are too far apart for 32 bits",
                           "a greater tolerance, or a lower order")
        channels = x.size // bins
        return Step(
            module=__name__,
            x=(x, speed),
            y=Signal((*x.shape[:-1], len(self.orders)), "int64", x.rate_hz, x.scale, unit=x.unit),
            params=dict(channels=channels, bins=bins, orders=len(self.orders), tolerance=int(factors[-1]), shift=shift),
            tables=dict(order=factors[:-1].astype(np.int32)),
            sources=(-1, -2),
            cost=dict(mul64=2 * len(self.orders) * (channels + 1), add=x.size, mem=2 * x.size),
            says=f"energy within {self.tolerance:g} of orders {', '.join(f'{order:g}' for order in self.orders)}",
        )


BOUND = 2.0, 2.0**-11  # counts and relative: edges are rounded to 2**-15 of a bin, where bins are alike and a band is a bin wide
BATCHED = True


def run(k, s, x, speed):
    x, speed = x.astype(np.uint64), speed.astype(np.int64)[:, 0]
    y = np.zeros((*x.shape[:-1], k.orders), np.int64)
    last = (k.bins - 1) << 15
    width = np.maximum(rshift(speed * k.tolerance, k.shift), HALF)
    for o, order in enumerate(k.order.tolist()):
        centre = rshift(speed * order, k.shift)
        for i in np.flatnonzero((speed > 0) & (centre + width <= last)):
            low, high = position(np.array([max(centre[i] - width[i], 0), centre[i] + width[i]]), k.bins).tolist()
            y[i : i + 1, ..., o] = between(x[i : i + 1], low, high)
    return y


def inputs(x, rng, count):
    """Spectra, and speeds from standing still to far beyond what the spectrum holds; backwards is standing still."""
    blocks = [np.concatenate([bands.inputs(x[:1], rng, count)[0] for _ in range(4)])]
    most = float(bands.half_rate_hz(x[0])) / x[1].scale
    speed = np.exp(rng.uniform(np.log(most / 1000), np.log(most), (count, 1)))
    speed[4:9, 0] = 0, 1, 2**31 - 1, -1, -(2**31)
    speed = np.concatenate([speed, rng.uniform(0, most, (3 * count, 1))])       # many, so that edges come near both ends
    return [*blocks, speed.astype(np.int32)]


def turning(bits: int, rate_hz: int = 25) -> Signal:
    return Signal((1,), "int32", Fraction(rate_hz), 2.0**-bits, unit="Hz")


EXAMPLES = [
    (OrderBands(orders=(1, 2, 3.5, 10)), spectra(1024, rate_hz=1600), turning(16)),
    (OrderBands(orders=(0.5, 1), tolerance=0.5), spectra(256, 3, rate_hz=1600), turning(16, 100)),
    (OrderBands(orders=(1, 40), tolerance=0.02, log=True, unit="db"), spectra(2048, 2, rate_hz=16000), turning(14)),
    (OrderBands(orders=(1, 2.5), tolerance=0.5), spectra(64, 2), turning(14)),
]
