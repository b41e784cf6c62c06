"""TFLite RESIZE_BILINEAR, int8: an image of another size, each pixel from the four around its place.

    y[i, j, c] = (sum + 2**19 * sign(sum)) / 2**20, towards 0
    sum = (1024 - u) * across(rows[i]) + u * across(rows_below[i]),   u = row_parts[i], v = column_parts[j]
    across(row) = (1024 - v) * x[row, columns[j], c] + v * x[row, columns_right[j], c]

All tables come from integers at plan time, as TFLite computes them for each pixel.

Source: tensorflow/lite/kernels/internal/reference/resize_bilinear.h, ResizeBilinearInteger.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ALIGN_CORNERS, HALF_PIXEL_CENTERS = 2, 3  # slots of ResizeBilinearOptions
LONGEST = 2048  # pixels of a side: above it, TFLite's places may leave the image
ONE = 1 << 10


@dataclass(frozen=True, eq=False)
class ResizeBilinear:
    """x_shape is (height, width, channels); size is (height, width) of y."""

    x_shape: tuple[int, int, int]
    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False

    @classmethod
    def read(cls, operator: Operator) -> ResizeBilinear:
        size = operator.constant(1, "int32")
        if size is None or size.size != 2 or not same_scale(operator.flow(), operator.y):
            raise operator.refuse("has no two sides, or changes the scale", "convert the model again")
        corners, centers = (bool(operator.option(slot, 0, "b")) for slot in (ALIGN_CORNERS, HALF_PIXEL_CENTERS))
        if corners and centers:
            raise operator.refuse("aligns corners and takes half pixels as centers; one of them is defined")
        height, width = size.ravel().tolist()
        return cls(operator.image(operator.flow()), (height, width), corners, centers)

    def plan(self, x: Signal) -> Step:
        if not all(1 <= n <= LONGEST for n in (*self.x_shape[:2], *self.size)):
            raise ModelError(f"an image of {self.x_shape} resized to {self.size}; sides up to {LONGEST}", "resize less")
        channels = self.x_shape[2]
        y = Signal((*self.size, channels), "int8", x.rate_hz, x.scale, x.zero)
        (rows, rows_below, row_parts), (columns, columns_right, column_parts) = self.places(0), self.places(1)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(width=self.x_shape[1], channels=channels, y_height=self.size[0], y_width=self.size[1]),
            tables=dict(
                rows=rows,
                rows_below=rows_below,
                row_parts=row_parts,
                columns=columns,
                columns_right=columns_right,
                column_parts=column_parts,
            ),
            cost=dict(mul=4 * y.size, mem=5 * y.size),
            says=f"{self.x_shape[0]}x{self.x_shape[1]} to {self.size[0]}x{self.size[1]}",
        )

    def places(self, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(first pixel, second pixel, weight of the second in 1/1024) of each place in y, along an axis."""
        given, wanted = self.x_shape[axis], self.size[axis]
        aligned = self.align_corners and wanted > 1
        top, bottom = (given - 1, wanted - 1) if aligned else (given, wanted)
        scale = (ONE * top + bottom // 2) // bottom
        place = np.arange(wanted) * scale + (scale // 2 - ONE // 2 if self.half_pixel_centers else 0)
        first = np.maximum(place // ONE, 0)
        second = np.minimum(-(-place // ONE), given - 1)
        assert first.max() < given and second.min() >= 0, "sides are short enough"
        return first.astype(np.int16), second.astype(np.int16), (place - ONE * first).astype(np.int16)

    def ideal(self, x, blocks):
        """Textbook: linear between pixels, in exact places, the border continued outside."""
        image = blocks.reshape(-1, *self.x_shape)
        for axis in (0, 1):
            given, wanted = self.x_shape[axis], self.size[axis]
            aligned = self.align_corners and wanted > 1
            scale = (given - 1) / (wanted - 1) if aligned else given / wanted
            place = np.arange(wanted) * scale + ((scale - 1) / 2 if self.half_pixel_centers else 0)
            place = np.clip(place, 0, given - 1)
            first = np.minimum(place.astype(np.int64), max(given - 2, 0))
            part = (place - first).reshape([-1, 1] if axis else [-1, 1, 1])
            near, far = np.take(image, first, axis + 1), np.take(image, np.minimum(first + 1, given - 1), axis + 1)
            image = near * (1 - part) + far * part
        return image


# counts: half from rounding, the rest places that are rounded to 1/1024 of a pixel, each from the first one on
BOUND = 1.0
BATCHED = True


def run(k, s, x):
    image = x.reshape(len(x), -1, k.width, k.channels).astype(np.int64)
    u, v = k.row_parts.astype(np.int64)[:, None, None], k.column_parts.astype(np.int64)[:, None]

    def across(rows):
        return image[:, rows][:, :, k.columns] * (ONE - v) + image[:, rows][:, :, k.columns_right] * v

    total = across(k.rows) * (ONE - u) + across(k.rows_below) * u
    return (np.sign(total) * ((np.abs(total) + (1 << 19)) >> 20)).astype(np.int8)


def _example(height, width, y_height, y_width, channels=3, **options):
    shape = (height, width, channels)
    return ResizeBilinear(shape, (y_height, y_width), **options), Signal(shape, "int8", Fraction(30), 0.05, -7)


EXAMPLES = [
    _example(4, 5, 8, 10),
    _example(7, 3, 3, 8, half_pixel_centers=True),
    _example(4, 6, 9, 1, align_corners=True),
    _example(1, 2, 3, 5, channels=1, half_pixel_centers=True),
]
