"""TFLite RESIZE_NEAREST_NEIGHBOR, of any type: an image of another size, each pixel that of the nearest place.

    y[i, j, c] = x[rows[i], columns[j], c]

rows and columns come from float32 arithmetic at plan time: floor((i + offset) * scale), rounded where corners are aligned.

Source: tensorflow/lite/kernels/internal/reference/resize_nearest_neighbor.h, GetNearestNeighbor.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._axes import element_bytes
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ALIGN_CORNERS, HALF_PIXEL_CENTERS = 0, 1  # slots of ResizeNearestNeighborOptions
LONGEST = 32767  # pixels of a side


@dataclass(frozen=True, eq=False)
class ResizeNearestNeighbor:
    """x_shape is (height, width, channels); size is (height, width) of y."""

    x_shape: tuple[int, int, int]
    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False

    @classmethod
    def read(cls, operator: Operator) -> ResizeNearestNeighbor:
        size = operator.constant(1, "int32")
        if size is None or size.size != 2 or not same_scale(operator.flow(), operator.y):
            raise operator.refuse("has no two sides, or changes the scale", "convert the model again")
        corners, centers = (bool(operator.option(slot, 0, "b")) for slot in (ALIGN_CORNERS, HALF_PIXEL_CENTERS))
        height, width = size.ravel().tolist()
        return cls(operator.image(operator.flow()), (height, width), corners, centers)

    def plan(self, x: Signal) -> Step:
        if not all(1 <= n <= LONGEST for n in (*self.x_shape, *self.size)):
            raise ModelError(f"an image of {self.x_shape} resized to {self.size}; sides up to {LONGEST}", "resize less")
        channels = self.x_shape[2]
        y = Signal((*self.size, channels), x.dtype, x.rate_hz, x.scale, x.zero)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(
                bytes=element_bytes(x), width=self.x_shape[1], channels=channels, y_height=self.size[0], y_width=self.size[1]
            ),
            tables=dict(rows=self.nearest(0).astype(np.int16), columns=self.nearest(1).astype(np.int16)),
            cost=dict(mem=2 * y.size),
            says=f"{self.x_shape[0]}x{self.x_shape[1]} to {self.size[0]}x{self.size[1]}",
        )

    def nearest(self, axis: int) -> np.ndarray:
        """The place in x of each place in y, along an axis; float32, as TFLM computes it."""
        given, wanted = self.x_shape[axis], self.size[axis]
        aligned = self.align_corners and wanted > 1
        scale = np.float32(given - 1) / np.float32(wanted - 1) if aligned else np.float32(given) / np.float32(wanted)
        place = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 if self.half_pixel_centers else 0)) * scale
        whole = np.trunc(place + np.copysign(np.float32(0.5), place)) if self.align_corners else np.floor(place)
        return np.clip(whole.astype(np.int64), 0, given - 1)

    def ideal(self, x, blocks):
        """Textbook: the pixel whose area holds the place, or that is nearest to it; exact fractions."""
        places = []
        for given, wanted in zip(self.x_shape, self.size):
            offset = Fraction(1, 2) if self.half_pixel_centers else 0
            scale = Fraction(given - 1, wanted - 1) if self.align_corners and wanted > 1 else Fraction(given, wanted)
            at = [(i + offset) * scale + (Fraction(1, 2) if self.align_corners else 0) for i in range(wanted)]
            places.append([min(int(p), given - 1) for p in at])
        return blocks.reshape(-1, *self.x_shape)[:, places[0]][:, :, places[1]]


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x):
    image = x.reshape(len(x), -1, k.width, k.channels)
    return image[:, k.rows][:, :, k.columns]


def _example(height, width, y_height, y_width, channels=3, dtype="int8", **options):
    shape = (height, width, channels)
    x = Signal(shape, dtype, Fraction(30), 0.05, -7 if dtype == "int8" else 0)
    return ResizeNearestNeighbor(shape, (y_height, y_width), **options), x


EXAMPLES = [
    _example(4, 5, 8, 10),
    _example(7, 3, 3, 8, half_pixel_centers=True),
    _example(4, 6, 9, 1, align_corners=True),
    _example(3, 4, 5, 7, dtype="int16"),
]
