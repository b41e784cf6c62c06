"""Edge Impulse's Flatten: a few numbers about each axis of a window, by the step `stats`.

    average, minimum, maximum, rms, stdev (biased), skewness, kurtosis (biased, Fisher's), in this order, axis after axis

Each can be left out.  Samples are multiplied by scale_axes; those of audio ("FS") count as int16, as Edge Impulse has them.  A constant
has a skewness and a kurtosis of 0.

Against the published algorithm in float64: 2**-16 of the value and 32 counts of y, as `stats`; y.scale is what the largest feature allows.

Source: Edge Impulse, processing-blocks, flatten, version 1.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step
from tinystream.stages._edge_impulse import ScaledBlock, kurtosis, raw, skewness
from tinystream.stages.stats import Stats

FEATURES = {"average": "mean", "minimum": "min", "maximum": "max", "rms": "rms", "stdev": "std", "skewness": "skewness",
            "kurtosis": "kurtosis"}


class Flatten(ScaledBlock):
    """Edge Impulse's Flatten: a few numbers about each axis of a window."""

    average: bool = Field(default=True, description="tell the mean")
    minimum: bool = Field(default=True, description="tell the least value")
    maximum: bool = Field(default=True, description="tell the greatest value")
    rms: bool = Field(default=True, description="tell the root of the mean square")
    stdev: bool = Field(default=True, description="tell the standard deviation, biased")
    skewness: bool = Field(default=True, description="tell the skewness, biased")
    kurtosis: bool = Field(default=True, description="tell the kurtosis, biased, that of a normal distribution being 0")

    def plan(self, x: Signal) -> Step:
        if x.bin_hz is not None or x.dtype not in ("int16", "int32"):
            raise AppError((), f"stage 'flatten' reads windows of samples, [length] or [length, axes], and is given {x}",
                           'kind = "frame" above it, window = "boxcar"')
        chosen = self._chosen()
        if not chosen:
            raise AppError((), "stage 'flatten' is told to leave out every feature", "average = true")
        try:
            step = Stats(features=tuple(FEATURES[option] for option in chosen)).plan(raw(x, self.scale_axes))
        except AppError as mistake:
            path = tuple(chosen[key] if isinstance(key, int) else key for key in mistake.path if key != "features")
            raise AppError(path, mistake.what.replace("'stats'", "'flatten'"), mistake.help) from None
        return replace(step, x=(x,), says=", ".join(chosen) + (" of each axis" if len(x.shape) == 2 else ""))

    def ideal(self, x, blocks):
        data = np.moveaxis(blocks, 1, -1) * (raw(x[0], self.scale_axes).scale / x[0].scale)
        every = {"average": data.mean(-1), "minimum": data.min(-1), "maximum": data.max(-1), "rms": np.sqrt((data**2).mean(-1)),
                 "stdev": data.std(-1), "skewness": skewness(data), "kurtosis": kurtosis(data)}
        return np.stack([every[option] for option in self._chosen()], axis=-1)

    def _chosen(self) -> list[str]:
        return [option for option in FEATURES if getattr(self, option)]


BOUND = 32.0, 2.0**-16  # counts and relative, those of `stats`

EXAMPLES = [
    (Flatten(), Signal((125, 3), "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(125, 2))),
    (Flatten(scale_axes=9.81, minimum=False, kurtosis=False), Signal((9,), "int16", Fraction(1), 1 / 977, unit="g", sample_hz=Fraction(9))),
    (Flatten(skewness=False), Signal((400,), "int16", Fraction(10), 2.0**-15, unit="FS", sample_hz=Fraction(4000))),
]
