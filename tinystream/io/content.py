"""What a recording's file held, before it is fitted to an app."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.io.stamps import Stamps


@dataclass(frozen=True, eq=False)
class Content:
    """values: [n, channels], only the channels asked for: int16 counts, or float64 in `units`; NaN where a value is missing.
    Of a camera uint8 [n, height, width].

    units:     of each channel, as the file states them; "" where it says nothing, and () where it says nothing at all.
    rate_hz:   as the file says; None where it says nothing.
    measured:  how the rate was found, so that it is not exact: "its time stamps measure"; "" where the file states it.
    stamps:    when the samples were taken, if the file says so.
    saturated: values that did not fit int16 and were limited.
    label:     what the whole recording is of; "" where the file does not say.
    """

    values: np.ndarray
    units: tuple[str, ...] = ()
    rate_hz: Fraction | None = None
    measured: str = ""
    stamps: Stamps | None = None
    saturated: int = 0
    notes: tuple[str, ...] = ()
    label: str = ""
