"""Functions of single values that TFLite computes in float32: EXP, LOG, GELU, NEG, and what lies between DEQUANTIZE and QUANTIZE.

    y[i] = table[x[i] + 128];   table = sat8(round(f(x_scale * (x - x_zero)) * (1 / y_scale)) + y_zero)

in float32, halves away from zero, at plan time; between DEQUANTIZE and QUANTIZE … / y_scale.  Several functions there are taken in turn.
TFLM has DEQUANTIZE and QUANTIZE, and the functions in float32 only; NEG of int8 has neither, and is taken as if it were of this form.

    gelu(x) = x / 2 * erfc(-x / sqrt(2)),   approximately  x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))

Where a function is not defined, the smallest count.

Source: tensorflow/lite/kernels/internal/common.h, LUTPopulate; gelu.cc, exp.cc, elementwise.cc; reference/gelu.h; reference/quantize.h,
AffineQuantize.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import erfc

import numpy as np

from tinystream.ops._shared import activate, out_signal
from tinystream.ops._table import look_up, table_step
from tinystream.plan.fixed import sat8
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

GELU_APPROXIMATE = 0  # slot of GeluOptions

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "cos": np.cos,
    "elu": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    "exp": np.exp,
    "floor": np.floor,
    "gelu": lambda x: 0.5 * x * np.vectorize(erfc)(x * -np.sqrt(0.5)),
    "gelu_approximate": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "log": np.log,
    "neg": np.negative,
    "relu": lambda x: np.maximum(x, 0),
    "round": np.rint,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin,
    "sqrt": np.sqrt,
    "square": np.square,
    "tanh": np.tanh,
}


@dataclass(frozen=True, eq=False)
class Function:
    """Names of FUNCTIONS, in turn; what it gives; whether QUANTIZE ends it."""

    names: tuple[str, ...]
    y_scale: float
    y_zero: int
    quantize: bool = False

    @classmethod
    def read(cls, operator: Operator) -> Function:
        operator.flow()
        quantize = operator.kind == "dequantize"
        approximate = operator.kind == "gelu" and operator.option(GELU_APPROXIMATE, 0, "b")
        names = operator.floats if quantize else (f"{operator.kind}{'_approximate' if approximate else ''}",)
        return cls(names, **out_signal(operator.y), quantize=quantize)

    def plan(self, x: Signal) -> Step:
        answers = self.answers(x)
        return table_step(__name__, x, self.y_scale, self.y_zero, lambda count: int(answers[count + 128]), " of ".join(self.names[::-1]))

    def answers(self, x: Signal) -> np.ndarray:
        """The table, in float32 wherever TFLite rounds to it."""
        real = np.float32(x.scale) * (np.arange(-128, 128) - x.zero).astype(np.float32)
        with np.errstate(all="ignore"):
            for name in self.names:
                real = FUNCTIONS[name](real.astype(np.float64)).astype(np.float32)
            scale = np.float32(self.y_scale)
            counts = (real / scale if self.quantize else real * (np.float32(1) / scale)).astype(np.float64)
        rounded = np.copysign(np.floor(np.abs(counts) + 0.5), counts)
        return sat8(np.nan_to_num(rounded, nan=-np.inf, posinf=1e9, neginf=-1e9) + self.y_zero)

    def ideal(self, x, blocks):
        with np.errstate(all="ignore"):
            for name in self.names:
                blocks = FUNCTIONS[name](blocks)
        return activate(np.nan_to_num(blocks, nan=-np.inf, posinf=np.inf, neginf=-np.inf), "none", self.y_scale, self.y_zero)


BOUND = 0.51  # counts: half from rounding, the rest float32's
BATCHED = True
run = look_up


def _example(*names, x_scale=0.05, x_zero=-128, y_scale=0.05, y_zero=0, quantize=False):
    return Function(names, y_scale, y_zero, quantize), Signal((300,), "int8", Fraction(30), x_scale, x_zero)


EXAMPLES = [
    _example("gelu", x_zero=5, y_scale=0.02, y_zero=-110),
    _example("gelu_approximate", x_zero=5, y_scale=0.02, y_zero=-110),
    _example("exp", x_zero=20, y_scale=0.7, y_zero=-128),
    _example("log", y_scale=0.03),
    _example("sqrt", y_scale=0.015, y_zero=-128, quantize=True),
    _example("neg", x_zero=-30, y_zero=29, quantize=True),
    _example("neg", x_zero=-30, y_scale=0.04),
    _example("square", "neg", x_zero=3, y_scale=0.2, y_zero=100, quantize=True),
    _example(quantize=True, y_scale=0.031),
]
