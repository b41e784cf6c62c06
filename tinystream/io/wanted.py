"""What an app's source takes of a recording, and how a person wants recordings read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tinystream.plan.plan import Column
from tinystream.plan.signal import Signal

Gaps = Literal["refuse", "keep", "hold", "linear"]


@dataclass(frozen=True)
class Wanted:
    """One moment of an app's source.

    rate_hz: the app's; None takes the file's own, which then must be known.
    units:   of each channel, as in units.py; "" where any will do.
    scales:  real value of one count, of each channel.
    names:   of the channels, by which columns are found; () where they have none, and columns are taken in their order.
    dtype:   "int16", or "uint8" for pixels.
    frame:   height and width of a camera's image; None for any other source.
    """

    rate_hz: Fraction | None
    units: tuple[str, ...]
    scales: tuple[float, ...]
    names: tuple[str, ...] = ()
    dtype: str = "int16"
    frame: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        assert len(self.units) == len(self.scales) == (len(self.names) or len(self.units)), "each channel has a unit, a scale and a name"

    @property
    def channels(self) -> int:
        return len(self.units)


def wanted_of(x: Signal, columns: Sequence[Column] = ()) -> Wanted:
    """What a source of this signal takes.  columns: what its channels are, where they have names."""
    assert x.sample_hz is not None, "a source has a sample rate"
    if x.dtype == "uint8" and len(x.shape) == 3:
        return Wanted(x.sample_hz, (x.unit,), (x.scale,), dtype="uint8", frame=(x.shape[1], x.shape[2]))
    columns = columns or [Column("", x.unit, x.scale)] * x.channels
    names = tuple(column.name for column in columns)
    return Wanted(x.sample_hz, tuple(c.unit for c in columns), tuple(c.scale for c in columns), names if all(names) else (), x.dtype)


@dataclass(frozen=True)
class How:
    """How recordings are read.

    resample: convert recordings of another rate, and images of another size.
    channel:  channels or columns to take, in the app's order: names, or numbers from 0, with commas between them.
    counts:   tables and arrays of floats hold the sensor's integers, not the source's unit.
    unit:     what the values are in, whatever the file says: one for all channels, or one for each, with commas.
    gaps:     what becomes of samples that are missing: refuse the recording; keep the others, closed up; hold the last one;
              or a straight line between the neighbours.
    key_env:  environment variable with the key of signed recordings.
    """

    resample: bool = False
    channel: str | None = None
    counts: bool = False
    unit: str | None = None
    gaps: Gaps = "refuse"
    key_env: str | None = None

    @property
    def fills(self) -> bool:
        """May a missing value come as NaN?"""
        return self.gaps in ("hold", "linear")
