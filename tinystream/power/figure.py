"""A figure of a board or part: a value, how far to trust it, and where it is from."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tinystream.firmware.board import Part
from tinystream.power.interval import Interval

Status = Literal["exact", "measured", "datasheet", "derived", "secondary", "unverified"]

SPREAD: dict[Status, tuple[float, float]] = {
    "exact": (1.0, 1.0),
    "measured": (0.9, 1.12),
    "datasheet": (0.85, 1.3),
    "derived": (0.75, 1.35),
    "secondary": (0.75, 1.35),
    "unverified": (0.5, 2.0),
}
"""What a single value of each status may be multiplied with, where its file gives no range of its own.

exact:      defined, such as a count or a duration of the protocol.
measured:   on this board or part, by somebody who says how.
datasheet:  typical value of the maker's document, at 25 °C; other samples draw more.
derived:    computed by us from measurements of something else.
secondary:  told by others about the maker's document.
unverified: from memory; no document was seen.
"""


class Figure(Part):
    """value: nominal; range: [low, high] where the source or the conditions say more than the status does."""

    value: float = Field(ge=0)
    range: tuple[float, float] | None = None
    status: Status
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _range_holds_value(self) -> Figure:
        if self.range and not 0 <= self.range[0] <= self.value <= self.range[1]:
            raise ValueError(f"range = {list(self.range)} does not hold value = {self.value:g}")
        return self

    @property
    def interval(self) -> Interval:
        low, high = self.range or (self.value * SPREAD[self.status][0], self.value * SPREAD[self.status][1])
        return Interval(low, self.value, high)


class Table(Part):
    """Values along one axis, straight lines between them, nothing outside: [[x, value], …]."""

    points: tuple[tuple[float, Annotated[float, Field(ge=0)]], ...] = Field(min_length=1)
    status: Status
    source: str = Field(min_length=1)
    spread: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _along_its_axis(self) -> Table:
        x = [point[0] for point in self.points]
        if x != sorted(set(x)):
            raise ValueError(f"points go up along their first value, and {x} do not")
        if self.spread and not 0 < self.spread[0] <= 1 <= self.spread[1]:
            raise ValueError(f"spread = {list(self.spread)} is not a factor down and one up")
        return self

    @property
    def first(self) -> float:
        return self.points[0][0]

    @property
    def last(self) -> float:
        return self.points[-1][0]

    def holds(self, x: float) -> bool:
        return self.first <= x <= self.last

    def between(self, x: float) -> tuple[float, float] | None:
        """The two points that x lies between; None where it is one of them."""
        if any(x == point[0] for point in self.points):
            return None
        return max(p[0] for p in self.points if p[0] < x), min(p[0] for p in self.points if p[0] > x)

    def at(self, x: float) -> Interval:
        """With the doubt of the status; the caller has asked holds()."""
        assert self.holds(x), f"{x} lies outside of {self.first} to {self.last}"
        value = interpolated(self.points, x)
        down, up = self.spread or SPREAD[self.status]
        return Interval(value * down, value, value * up)


def interpolated(points: tuple[tuple[float, float], ...], x: float) -> float:
    """On straight lines between the points; beyond their ends, the end's value.

    >>> interpolated(((0, 10), (10, 20)), 5), interpolated(((0, 10), (10, 20)), 99)
    (15.0, 20)
    """
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
