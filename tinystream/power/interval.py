"""A figure with its doubt: low, nominal, high.

Low and high are meant as bounds of about 90 %: one in ten true values lies outside.  Two ways to add, because doubts differ:
`together` for figures that err in one direction at once (cycles of the steps of one program), `apart` for those that do not
know of each other (a microphone and a battery).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, hypot, inf, isfinite, log, sqrt


@dataclass(frozen=True)
class Interval:
    """0 <= low <= nominal <= high.

    >>> Interval(8, 10, 15) * 2
    Interval(low=16, nominal=20, high=30)
    """

    low: float
    nominal: float
    high: float

    def __post_init__(self) -> None:
        assert isfinite(self.high) and 0 <= self.low <= self.nominal <= self.high, f"{self} is not low, nominal, high from 0 on"

    @property
    def width(self) -> float:
        return self.high - self.low

    def __add__(self, other: Interval) -> Interval:
        """For doubts that do not know of each other; see apart()."""
        return apart((self, other))

    def __mul__(self, other: Interval | float) -> Interval:
        """The ratios to the nominal value combine as the root of the sum of squares of their logarithms, for independent doubts.

        >>> Interval(5, 10, 20) * Interval(1, 1, 1)
        Interval(low=5.0, nominal=10, high=20.0)
        """
        if not isinstance(other, Interval):
            return Interval(self.low * other, self.nominal * other, self.high * other)
        nominal = self.nominal * other.nominal
        if not nominal:  # nothing was seen, of something that may be
            return Interval(0, 0, self.high * other.high)
        down = hypot(ratio(self.nominal, self.low), ratio(other.nominal, other.low))
        up = hypot(ratio(self.high, self.nominal), ratio(other.high, other.nominal))
        return Interval(min(nominal, nominal * exp(-down)), nominal, max(nominal, nominal * exp(up)))

    def __truediv__(self, other: Interval | float) -> Interval:
        if not isinstance(other, Interval):
            return self * (1 / other)
        return self * Interval(1 / other.high, 1 / other.nominal, 1 / other.low)

    def rounded(self) -> Interval:
        """To six significant digits, for what is printed and compared."""
        return Interval(*(float(f"{value:.6g}") for value in self.values))

    @property
    def values(self) -> tuple[float, float, float]:
        return self.low, self.nominal, self.high


ZERO, ONE = Interval(0, 0, 0), Interval(1, 1, 1)


def exactly(value: float) -> Interval:
    return Interval(value, value, value)


def together(parts: Iterable[Interval]) -> Interval:
    """A sum whose parts err in one direction at once: lows with lows, highs with highs.

    >>> together([Interval(1, 2, 4), Interval(2, 3, 4)])
    Interval(low=3, nominal=5, high=8)
    """
    parts = list(parts)
    return Interval(sum(p.low for p in parts), sum(p.nominal for p in parts), sum(p.high for p in parts))


def apart(parts: Iterable[Interval]) -> Interval:
    """A sum whose parts err independently: distances to the nominal values add as squares.

    It never falls when a part is scaled up: a part's own distance down is at most its nominal value.

    >>> apart([Interval(7, 10, 13), Interval(6, 10, 14)])
    Interval(low=15.0, nominal=20, high=25.0)
    """
    parts = list(parts)
    nominal = sum(p.nominal for p in parts)
    down = sqrt(sum((p.nominal - p.low) ** 2 for p in parts))
    up = sqrt(sum((p.high - p.nominal) ** 2 for p in parts))
    return Interval(max(0.0, nominal - down), nominal, nominal + up)


def ratio(larger: float, smaller: float) -> float:
    return log(larger / smaller) if smaller else inf


def amount(value: float) -> str:
    """Three digits, and no power of ten.

    >>> amount(12345.6), amount(0.01234), amount(3.456), amount(0)
    ('12,346', '0.0123', '3.46', '0')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{float(f'{value:.3g}'):g}" if value >= 1e-4 else f"{value:.1e}" if value else "0"


def spread(interval: Interval) -> str:
    """Nominal with its ends, or alone where they are one.

    >>> spread(Interval(2.8, 3.4, 5.1))
    '3.4 (2.8 to 5.1)'
    """
    low, nominal, high = (amount(value) for value in interval.values)
    return nominal if low == high else f"{nominal} ({low} to {high})"
