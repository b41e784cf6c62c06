"""Count in the steps of a model's input.

    y = sat8(rshift((sat32(x >> early) - x.zero) * multiplier, shift) + zero)      sat16 for type = "int16"

where multiplier / 2**shift is x.scale / scale, in 31 bits.  `early` is 0 unless a count of x is so small that the last
bits of large ones do not matter (below 2**-19 counts of y, 2**-12 of an int16).

    rule = "nearest"          y is the nearest count, halves go up
    rule = "micro_wake_word"  y = clamp((256 x + 333) / 666 - 128, -128, 127), in whole numbers, which is what the
                              firmware of ESPHome computes; the same arithmetic, by the ratio 256 / 666 instead of
                              the scales' own, 255.0 / 665.6 for its features.  A model whose input counts in steps of 1
                              around 0, as those of Silicon Labs' MLTK do, is given the same y: y is what it was trained on.

Widths: |sat32 - x.zero| <= 2**31 + 2**30, multiplier < 2**31 and shift <= 51, so the product and what rounds it
stay below 2**63.  Beyond sat32, y has saturated long since: 2**30 steps of 2**early are at least 1024 counts of y, 2**17 of an int16.

Source: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
2018, §2.1; micro_wake_word rule: ESPHome, components/micro_wake_word (2024.7 and later), generate_features_for_window.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat8, sat16, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

MICRO_WAKE_WORD_SCALE, MICRO_WAKE_WORD_ZERO = 0.10196078568696976, -128
"""The input of every microWakeWord model: 26 / 255 as float32, and the ratio that its firmware takes it for."""
RATIO = Fraction(256, 666)


class Quantize(Stage):
    """Count in the steps of a model's input."""

    scale: float | None = Field(
        default=None, gt=0, description="real value of one count of the output; the model's own where nothing is said")
    type: Literal["int8", "int16"] | None = Field(default=None, description="of the output; the model's own where nothing is said, or int8")
    zero: int | None = Field(default=None, ge=-128, le=127, description="count that means 0; the model's own where nothing is said")
    rule: Literal["nearest", "micro_wake_word"] = Field(default="nearest", description="micro_wake_word rounds as ESPHome's firmware does")

    def plan(self, x: Signal) -> Step:
        if x.dtype == "uint64" or abs(x.zero) >= 1 << 30:
            raise AppError((), f"stage 'quantize' takes integers of up to 64 bits with a sign, and is given {x}")
        scale, zero = self._target()
        ratio = RATIO if self.rule == "micro_wake_word" else Fraction(x.scale) / Fraction(scale)
        self._check_range(x, ratio, scale, zero)
        early = max(0, ceil_log2(BEYOND[self._type()] / ratio) - 30)
        multiplier, shift = mantissa(ratio * 2**early)
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, dtype=self._type(), scale=scale, zero=zero),
            params=dict(length=x.size, type=type_of(x.dtype), y_type=type_of(self._type()), early=early, x_zero=x.zero >> early,
                        multiplier=multiplier, shift=shift, zero=MICRO_WAKE_WORD_ZERO if self.rule == "micro_wake_word" else zero),
            cost=dict(mul=x.size, mem=2 * x.size),
            says=f"counts of {scale:.6g} around {zero}",
        )

    def ideal(self, x, blocks):
        scale, zero = self._target()
        info = np.iinfo(self._type())
        counts = blocks / x[0].scale * 256 / 666 - 128 if self.rule == "micro_wake_word" else blocks / scale + zero
        return (np.clip(counts, info.min, info.max) - zero) * scale

    def _type(self) -> str:
        """The type of y."""
        if self.type not in (None, *BEYOND):
            raise AppError(("type",), f"stage 'quantize' gives int8 or int16, and the model wants {self.type}", 'type = "int16"')
        return self.type or "int8"

    def _target(self) -> tuple[float, int]:
        """Scale and zero of y."""
        scale, zero = self.scale, self.zero
        if self.rule == "micro_wake_word":
            if self._type() != "int8":
                raise AppError(("rule",), 'rule = "micro_wake_word" is made for int8', 'rule = "nearest"')
            scale, zero = MICRO_WAKE_WORD_SCALE if scale is None else scale, MICRO_WAKE_WORD_ZERO if zero is None else zero
            if not as_counted(scale, zero) and (zero != MICRO_WAKE_WORD_ZERO or abs(scale / MICRO_WAKE_WORD_SCALE - 1) > 0.02):
                raise AppError(("rule",), "rule = \"micro_wake_word\" is made for a scale of 0.10196 and a zero of -128, or 1 and 0, "
                               f"not {scale:g} and {zero}",
                               'rule = "nearest"')
        for option, value, example in [("scale", scale, 0.1), ("zero", zero, -128)]:
            if value is None:
                raise AppError((option,), f"stage 'quantize' has no {option}, and no model follows to take it from",
                               f"{option} = {example}")
        assert scale is not None and zero is not None, "what is missing was refused above"
        return scale, zero

    def _check_range(self, x: Signal, ratio: Fraction, scale: float, zero: int) -> None:
        """At least two counts of y are used, and not every second count of x leaves its range."""
        if self.rule == "micro_wake_word":
            if x.zero or (abs(x.scale * 25.6 - 1) > 0.01 and not as_counted(scale, zero)):
                raise AppError(("rule",), f"rule = \"micro_wake_word\" is made for features of scale {1 / 25.6:g} and zero 0, "
                               f"not {x.scale:g} and {x.zero}",
                               'rule = "nearest"')
            return
        info = np.iinfo(x.dtype)
        reach = max(info.max - x.zero, x.zero - info.min) * ratio
        if reach < 1:
            most = float(reach) * scale
            raise AppError(("scale",), f"scale = {scale:g} is more than the greatest input, {most:.4g} {x.unit}".rstrip(),
                           f"scale = {most / np.iinfo(self._type()).max:.4g}")
        if ratio > 1024:
            raise AppError(("scale",), f"scale = {scale:g} is so small that one count of the input, {x.scale:.4g}, "
                           f"is {float(ratio):.4g} counts",
                           f"scale = {x.scale:.4g}")


BEYOND = {"int8": 1 << 10, "int16": 1 << 17}  # counts of y that are far outside of it
BOUND = 0.5003   # counts: rounding, and 2**-31 of BEYOND for the multiplier, 2**-12 for `early`
BATCHED = True


def as_counted(scale: float, zero: int) -> bool:
    """Whether a model takes counts for what they are."""
    return (scale, zero) == (1.0, 0)


def ceil_log2(value: Fraction) -> int:
    """The smallest n with 2**n >= value > 0."""
    n = value.numerator.bit_length() - value.denominator.bit_length() - 1
    while Fraction(2) ** n < value:
        n += 1
    return n


def mantissa(ratio: Fraction) -> tuple[int, int]:
    """(multiplier, shift) with multiplier / 2**shift nearest to ratio, 2**30 <= multiplier < 2**31."""
    shift = 31 - ceil_log2(ratio)
    multiplier = round(ratio * 2**shift)
    return (multiplier, shift) if multiplier < 1 << 31 else (multiplier // 2, shift - 1)


def type_of(dtype: str) -> int:
    """How ts_load.h is told a type: bytes of an element, negative where it is signed."""
    return np.dtype(dtype).itemsize * (-1 if np.dtype(dtype).kind == "i" else 1)


def run(k, s, x):
    distance = sat32(x.astype(np.int64) >> k.early).astype(np.int64) - k.x_zero
    y = rshift(distance * k.multiplier, k.shift) + k.zero
    return sat8(y) if k.y_type == -1 else sat16(y)


def features(dtype: str, scale: float, *shape: int, zero: int = 0) -> Signal:
    return Signal(shape, dtype, Fraction(100), scale, zero, unit="octaves")


EXAMPLES = [
    (Quantize(scale=0.1, zero=-128), features("uint16", 1 / 25.6, 40)),
    (Quantize(scale=0.1, zero=-128), features("uint16", 2.0**-10, 40)),
    (Quantize(scale=2.0**-7, zero=0), features("int16", 2.0**-15, 160)),
    (Quantize(scale=0.5, zero=-5), features("int8", 0.25, 3, 20, zero=-128)),
    (Quantize(scale=0.3, zero=7), features("int32", 2.0**-16, 5, 8)),
    (Quantize(scale=1.7e7, zero=-128), features("uint32", 1.0, 33)),
    (Quantize(scale=12.5, zero=3), features("uint8", 12.5, 9, zero=255)),
    (Quantize(scale=2.0**40, zero=0), features("int64", 2.0**-14, 20, zero=1000)),
    (Quantize(scale=1.0, zero=127), features("int64", 700.0, 20, zero=-(2**20))),
    (Quantize(scale=0.003, zero=0, type="int16"), features("uint16", 2.0**-10, 40)),
    (Quantize(scale=2.0**-14, zero=0, type="int16"), features("int16", 2.0**-15, 7)),
    (Quantize(scale=2.0**40, zero=0, type="int16"), features("int64", 2.0**-14, 20)),
    (Quantize(rule="micro_wake_word"), features("uint16", 1 / 25.6, 40)),
    (Quantize(rule="micro_wake_word", scale=0.102, zero=-128), features("int16", 1 / 25.6, 40)),
    (Quantize(rule="micro_wake_word", scale=1.0, zero=0), features("uint16", 2.5 / 32, 32)),
]


def inputs(x, rng, count):
    """Everything a type holds, and as often what lies within a few ranges of the output: int64 would else always saturate."""
    info = np.iinfo(x[0].dtype)
    bits = rng.integers(1, info.bits - (info.min < 0), (count, *x[0].shape), endpoint=True)
    values = [(int(rng.integers(0, 2**63)) >> (63 - int(b))) * int(rng.choice([1, -1])) for b in bits.ravel()]
    blocks = np.array([min(max(v, info.min), info.max) for v in values], x[0].dtype).reshape(count, *x[0].shape)
    blocks[0], blocks[1], blocks[2] = 0, info.max, info.min
    return [blocks]
