"""Where samples come from: the kinds of [source]."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Definition

MAX_BLOCK = 1 << 20
"""Values in one block; more than any microcontroller's memory holds."""


class Source(Definition):
    """Base of all sources.  `block_ms` is the heartbeat of an app: so often samples come, and so often it wakes."""

    kind: ClassVar[str]

    def signal(self) -> Signal:
        """One block, as the app's first stage reads it.  Raises AppError where a block is not a whole number of samples."""
        raise NotImplementedError


class Microphone(Source):
    """One channel of int16 audio; full scale is 1."""

    kind: ClassVar[str] = "microphone"
    rate_hz: int = Field(ge=1, le=1_000_000, description="samples per second", examples=[16_000])
    block_ms: float = Field(gt=0, le=60_000, description="the heartbeat: time from one block of samples to the next", examples=[20])
    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", description='name that `from` can refer to, beside "source"')

    def signal(self) -> Signal:
        rate = exact(self.rate_hz)
        block = block_of(rate, self.block_ms)
        return Signal((block,), "int16", rate / block, 2.0**-15, unit="FS", sample_hz=rate)


class Imu(Source):
    """An inertial sensor's int16 samples, one column an axis; full scale is range_g."""

    kind: ClassVar[str] = "imu"
    rate_hz: float = Field(gt=0, le=1_000_000, description="samples per second, of each axis", examples=[1_600])
    axes: tuple[Literal["x", "y", "z"], ...] = Field(
        min_length=1, description="axes, in the order of the columns", examples=[["x", "y", "z"]]
    )
    range_g: float = Field(gt=0, le=1000, description="acceleration at full scale, in g", examples=[4])
    block_ms: float = Field(gt=0, le=600_000, description="the heartbeat: time from one block of samples to the next", examples=[320])
    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", description='name that `from` can refer to, beside "source"')

    @field_validator("axes")
    @classmethod
    def _each_axis_once(cls, axes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(axes)) < len(axes):
            raise PydanticCustomError("app", "axes names one axis twice", {"help": f"axes = {list(dict.fromkeys(axes))}".replace("'", '"')})
        return axes

    def signal(self) -> Signal:
        rate = exact(self.rate_hz)
        block = block_of(rate, self.block_ms)
        return Signal((block, len(self.axes)), "int16", rate / block, self.range_g / 32768, unit="g", sample_hz=rate)


SOURCES: dict[str, type[Source]] = {source.kind: source for source in (Microphone, Imu)}


def exact(number: float) -> Fraction:
    """The decimal that was written, not its nearest binary float."""
    return Fraction(str(number))


def block_of(rate: Fraction, block_ms: float) -> int:
    """Samples in a block, which must be a whole number of at least 1."""
    samples = rate * exact(block_ms) / 1000
    if samples.denominator != 1:
        raise AppError(
            ("block_ms",),
            f"block_ms = {block_ms:g} is {float(samples):.6g} samples at {float(rate):g} Hz, not a whole number",
            f"block_ms = {nearest_block_ms(rate, samples)}",
        )
    if samples > MAX_BLOCK:
        raise AppError(
            ("block_ms",),
            f"block_ms = {block_ms:g} is {samples} samples, more than the limit of {MAX_BLOCK}",
            f"block_ms <= {float(MAX_BLOCK * 1000 / rate):g}",
        )
    return int(samples)


def nearest_block_ms(rate: Fraction, samples: Fraction) -> str:
    """The block nearest to `samples` that is a whole number of samples and a short decimal of milliseconds."""
    middle = max(1, round(samples))
    for distance in range(10_000):
        for count in (middle - distance, middle + distance):
            milliseconds = 1000 * count / rate
            if count > 0 and (milliseconds * 1000).denominator == 1:
                return f"{float(milliseconds):.12g}"
    return f"{float(1000 * middle / rate):.12g}"
