"""What AVERAGE_POOL_2D and MAX_POOL_2D share: their options, and where their windows lie."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tinystream.ops._shared import Activation, clamp, read_activation, read_padding, read_steps, slide, windows
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal

PADDING, STRIDE_X, STRIDE_Y, WINDOW_X, WINDOW_Y, ACTIVATION = range(6)     # slots of Pool2DOptions


@dataclass(frozen=True, eq=False)
class Pool:
    """x_shape is (height, width, channels); pairs are (y, x)."""

    x_shape: tuple[int, int, int]
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: str = "valid"
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> Pool:
        if not same_scale(operator.flow(), operator.y):
            raise operator.refuse("changes the scale", "convert the model again: a pool keeps it")
        window = read_steps(operator, WINDOW_Y, WINDOW_X)
        if window[0] * window[1] >= 1 << 18:
            raise operator.refuse(f"has a window of {window}")
        return cls(operator.image(operator.flow()), window, read_steps(operator, STRIDE_Y, STRIDE_X), read_padding(operator, PADDING),
                   read_activation(operator, ACTIVATION))

    def place(self) -> dict[str, int]:
        """Params of the windows."""
        place = windows(self.x_shape, self.window, self.stride, (1, 1), self.padding)
        return {n: v for n, v in place.items() if not n.startswith("dilation")}

    def y(self, x: Signal, place: dict[str, int]) -> Signal:
        return Signal((place["y_height"], place["y_width"], self.x_shape[2]), "int8", x.rate_hz, x.scale, x.zero)

    def range(self, x: Signal) -> dict[str, int]:
        low, high = clamp(self.activation, x.scale, x.zero)
        return dict(low=low, high=high)

    def pools(self, x: tuple[Signal, ...], blocks: np.ndarray):
        """For the textbook: (i, j, the part of each image under window i, j)."""
        image = blocks.reshape(-1, *self.x_shape)
        place = self.place()
        for i in range(place["y_height"]):
            for j in range(place["y_width"]):
                row, column = i * self.stride[0] - place["pad_y"], j * self.stride[1] - place["pad_x"]
                yield i, j, image[:, max(row, 0) : row + self.window[0], max(column, 0) : column + self.window[1]]

    @property
    def says(self) -> str:
        return f"of {self.window[0]}x{self.window[1]}, {self.padding}, stride {self.stride[0]}x{self.stride[1]}"


def taps(k, x: np.ndarray, outside: int) -> np.ndarray:
    """All windows, [n, y_height, y_width, kernel_height, kernel_width, channels], in int32."""
    return slide(SimpleNamespace(**vars(k), dilation_y=1, dilation_x=1), x.astype(np.int32), outside)
