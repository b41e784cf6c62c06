"""Where samples come from: the kinds of [source]."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor
from typing import ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from tinystream.errors import AppError
from tinystream.plan.plan import Column
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

    def columns(self) -> tuple[Column, ...]:
        """What its channels are called and measure; nothing where they have no names."""
        return ()


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
    """An inertial sensor's int16 samples, one column an axis; full scale is range_g, and range_dps of the gyroscope's axes.

    With axes of both kinds the unit of a signal is full scale, as their units differ.
    """

    kind: ClassVar[str] = "imu"
    rate_hz: float = Field(gt=0, le=1_000_000, description="samples per second, of each axis", examples=[1_600])
    axes: tuple[Literal["x", "y", "z", "gx", "gy", "gz"], ...] = Field(
        min_length=1, description="axes, in the order of the columns; gx, gy and gz are of the gyroscope", examples=[["x", "y", "z"]]
    )
    range_g: float | None = Field(default=None, gt=0, le=1000, description="acceleration at full scale, in g", examples=[4])
    range_dps: float | None = Field(default=None, gt=0, le=100_000, description="rotation at full scale, in °/s", examples=[2000])
    block_ms: float = Field(gt=0, le=600_000, description="the heartbeat: time from one block of samples to the next", examples=[320])
    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", description='name that `from` can refer to, beside "source"')

    @field_validator("axes")
    @classmethod
    def _each_axis_once(cls, axes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(axes)) < len(axes):
            raise PydanticCustomError("app", "axes names one axis twice", {"help": f"axes = {list(dict.fromkeys(axes))}".replace("'", '"')})
        return axes

    def columns(self) -> tuple[Column, ...]:
        """Raises AppError where the full scale of an axis is not said."""
        return tuple(Column(axis, *self._full_scale(axis)) for axis in self.axes)

    def _full_scale(self, axis: str) -> tuple[str, float]:
        option, unit = ("range_dps", "°/s") if axis.startswith("g") else ("range_g", "g")
        full = getattr(self, option)
        if full is None:
            example = 4 if unit == "g" else 2000
            raise AppError((), f"source 'imu' needs '{option}' for the axis {axis}", f"for example {option} = {example}")
        return unit, full / 32768

    def signal(self) -> Signal:
        return side_by_side(self.columns(), exact(self.rate_hz), self.block_ms)


class Channel(Definition):
    """One value of a sensor that measures several, or one, of any kind."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="name of the column in recordings", examples=["temperature"])
    unit: str = Field(default="", max_length=16, description="what it measures in", examples=["°C"])
    full_scale: float = Field(gt=0, description="the largest value that can be told, above and below zero, in the unit", examples=[100])


class Sensor(Source):
    """Any sensor that samples steadily: int16, one column a channel, each with a unit and a full scale of its own.

    Where units or full scales differ, the unit of the signal is full scale; stages that compare channels want them normalised.
    """

    kind: ClassVar[str] = "sensor"
    rate_hz: float | None = Field(default=None, gt=0, le=1_000_000, description="samples per second; or interval_s", examples=[10])
    interval_s: float | None = Field(default=None, gt=0, le=1_000_000, description="from one sample to the next; or rate_hz", examples=[60])
    channels: tuple[Channel, ...] = Field(
        min_length=1, description="what is measured, in the order of the columns",
        examples=[[{"name": "temperature", "unit": "°C", "full_scale": 100}]],
    )  # fmt: skip
    block_ms: float | None = Field(
        default=None, gt=0, le=864_000_000, description="the heartbeat; one sample where nothing is said", examples=[60_000]
    )
    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", description='name that `from` can refer to, beside "source"')

    @field_validator("channels")
    @classmethod
    def _each_channel_once(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        names = [channel.name for channel in channels]
        if len(set(names)) < len(names):
            raise PydanticCustomError("app", "channels names one twice", {"help": "each has a name of its own"})
        return channels

    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(channel.name, channel.unit, channel.full_scale / 32768) for channel in self.channels)

    def signal(self) -> Signal:
        rate = steady(self.rate_hz, self.interval_s, "sensor")
        return side_by_side(self.columns(), rate, self.block_ms)


class Camera(Source):
    """Grey images of one byte a pixel, 255 is white; a block is one image.

    black and white say what the two are to a model: 0 to 1, or -1 to 1 as many were trained with.  The count that means 0 is whole: with -1
    and 1 it is 127, so that white is a little above 1.
    """

    kind: ClassVar[str] = "camera"
    width: int = Field(ge=1, le=4096, description="pixels of a row", examples=[96])
    height: int = Field(ge=1, le=4096, description="rows", examples=[96])
    black: float = Field(default=0, ge=-1000, le=1000, description="real value of a black pixel", examples=[-1])
    white: float = Field(default=1, ge=-1000, le=1000, description="real value of a white pixel", examples=[1])
    rate_hz: float | None = Field(default=None, gt=0, le=1000, description="images per second; or interval_s", examples=[5])
    interval_s: float | None = Field(default=None, gt=0, le=1_000_000, description="from one image to the next; or rate_hz", examples=[1])
    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", description='name that `from` can refer to, beside "source"')

    def signal(self) -> Signal:
        rate = steady(self.rate_hz, self.interval_s, "camera")
        if self.width * self.height > MAX_BLOCK:
            raise AppError(("width",), f"{self.width} x {self.height} is more than {MAX_BLOCK} pixels", "a smaller image")
        if self.white <= self.black:
            raise AppError(("white",), f"white = {self.white:g} is not above black = {self.black:g}", "white = 1")
        scale = (self.white - self.black) / 255
        return Signal((1, self.height, self.width), "uint8", rate, scale, floor(-self.black / scale + 1e-9), sample_hz=rate)


SOURCES: dict[str, type[Source]] = {source.kind: source for source in (Microphone, Imu, Sensor, Camera)}


def exact(number: float) -> Fraction:
    """The decimal that was written, not its nearest binary float."""
    return Fraction(str(number))


def steady(rate_hz: float | None, interval_s: float | None, kind: str) -> Fraction:
    """Samples a second, from the one of the two that was said."""
    if rate_hz is not None and interval_s is not None:
        raise AppError(("interval_s",), "rate_hz and interval_s say the same", "leave one of them out")
    if rate_hz is not None:
        return exact(rate_hz)
    if interval_s is not None:
        return 1 / exact(interval_s)
    raise AppError((), f"source '{kind}' needs 'rate_hz' or 'interval_s'", "for example interval_s = 60")


def side_by_side(columns: Sequence[Column], rate: Fraction, block_ms: float | None) -> Signal:
    """Blocks of int16, one column a channel: in the unit of the channels where they have one and the same, else in full scale."""
    block = 1 if block_ms is None else block_of(rate, block_ms)
    alike = len({(column.unit, column.scale) for column in columns}) == 1
    scale, unit = (columns[0].scale, columns[0].unit) if alike else (2.0**-15, "FS")
    return Signal((block, len(columns)), "int16", rate / block, scale, unit=unit, sample_hz=rate)


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
