"""What Edge Impulse's blocks share: how their options are spelled, and what they take a sample for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Block(Stage):
    """Base of the blocks: options may be spelled with hyphens, as in Edge Impulse's own files."""

    @model_validator(mode="before")
    @classmethod
    def _hyphens(cls, options: Any) -> Any:
        return cls.respelled(options) if isinstance(options, dict) else options

    @classmethod
    def respelled(cls, options: dict[str, Any]) -> dict[str, Any]:
        return {key.replace("-", "_"): value for key, value in options.items()}


class ScaledBlock(Block):
    """Base of the blocks that read axes."""

    scale_axes: float = Field(default=1.0, gt=0, description="what every sample is multiplied by")


def raw(x: Signal, scale_axes: float = 1.0) -> Signal:
    """x in the numbers that Edge Impulse is given: counts of int16 for audio ("FS"), the real values of all other sensors."""
    factor = 32768 if x.unit == "FS" else 1
    return replace(x, scale=x.scale * factor * scale_axes, unit="" if x.unit == "FS" or scale_axes != 1 else x.unit)


class Chain:
    """Steps that a block is short for, wired among themselves; -1 is what the block reads.

    names: options of the stages within, in the block's own words.
    """

    def __init__(self, x: Signal, names: Mapping[str, str]) -> None:
        self.x, self.names = x, names
        self.steps: list[Step] = []

    def signal(self, i: int) -> Signal:
        return self.x if i < 0 else self.steps[i].y

    def add(self, stage: Stage, *sources: int) -> int:
        """Plan a stage on these steps; the index of its last."""
        try:
            planned = stage.plan(*(self.signal(i) for i in sources))
        except AppError as mistake:
            path = tuple(dict.fromkeys(self.names.get(key, key) if isinstance(key, str) else key for key in mistake.path))
            raise AppError(path, mistake.what, mistake.help) from None
        base = len(self.steps)
        for step in [planned] if isinstance(planned, Step) else planned:
            self.steps.append(replace(step, sources=tuple(base + j if j >= 0 else sources[-1 - j] for j in step.sources)))
        return len(self.steps) - 1


def skewness(x: np.ndarray) -> np.ndarray:
    """Biased; 0 where nothing varies."""
    return standardised(x, 3)


def kurtosis(x: np.ndarray) -> np.ndarray:
    """Biased, Fisher's; 0 where nothing varies."""
    varies = np.ptp(x, axis=-1) > 1e-9 * np.abs(x).max(-1)
    return np.where(varies, standardised(x, 4) - 3, 0)


def standardised(x: np.ndarray, power: int) -> np.ndarray:
    """Mean of a power of the deviation over the standard deviation."""
    deviation = x - x.mean(-1, keepdims=True)
    varies = np.ptp(x, axis=-1, keepdims=True) > 1e-9 * np.abs(x).max(-1, keepdims=True)
    std = np.where(varies, x.std(-1, keepdims=True), 1)
    return (np.where(varies, deviation / std, 0) ** power).mean(-1)
