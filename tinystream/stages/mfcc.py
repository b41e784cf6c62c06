"""Mel-frequency cepstral coefficients, in the usual words: a shorthand for six stages in a row.

    preemphasis -> frame -> spectrum -> mel -> log -> dct

Each is planned as if it stood in the app by itself, and a plan shows all of them.  Real values are those of float toolkits
that take samples from -1 to 1; a toolkit that takes int16 samples gives a first coefficient that is larger by
sqrt(bands) ln(2**30) (in "ln").  Pre-emphasis is of the stream, not of each frame.  Bands quieter than floor_db are held there.

Against a float MFCC on recordings of speech ("ln", lifter 22, coefficients of a standard deviation of 6 to 20): with
floor_db = -80 they differ by 0.03 (root mean square) and 0.15 at most, with -100 by 0.3 and 1.5, because bands that quiet
come near the roundings to int16 (tests/test_mfcc.py measures it again).

Where an option of Edge Impulse's MFCC block is given (num_cepstral, frame_length …), it is that block, `edge_impulse_mfcc`, which reads
whole windows; options of the two do not mix.

Source: Davis and Mermelstein, IEEE Trans. ASSP-28 (1980); names and defaults: HTK Book 3.4, §5, and python_speech_features.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._edge_impulse import Block
from tinystream.stages.dct import Dct
from tinystream.stages.edge_impulse_mfcc import EdgeImpulseMfcc
from tinystream.stages.frame import Frame
from tinystream.stages.log import Log
from tinystream.stages.mel import Mel
from tinystream.stages.preemphasis import Preemphasis
from tinystream.stages.spectrum import LARGEST, SMALLEST, Spectrum

RENAMED = {"coefficient": "preemphasis", "unit": "log_unit", "scale": "mel_scale", "norm": "mel_norm"}
EDGE_IMPULSE = EdgeImpulseMfcc.model_fields.keys() - Stage.model_fields.keys()


class Mfcc(Block):
    """Mel-frequency cepstral coefficients: pre-emphasis, frame, spectrum, mel, log and dct in one."""

    coefficients: int = Field(default=13, ge=1, le=256, description="how many are kept")
    first: int = Field(default=0, ge=0, le=255, description="the first that is kept; 1 leaves out the energy")
    length_ms: float = Field(default=25.0, gt=0, description="length of a frame")
    hop_ms: float | None = Field(default=None, gt=0, description="from one frame to the next; one block where nothing is said")
    window: Literal["hann", "hamming", "blackman", "boxcar"] = Field(default="hamming", description="shape; boxcar is none")
    preemphasis: float = Field(default=0.97, ge=0, lt=1, description="coefficient of the pre-emphasis; 0 is none")
    size: int | None = Field(default=None, ge=SMALLEST, le=LARGEST, description="points of the FFT, a power of two")
    precision: Literal[16, 32] = Field(default=32, description="bits of the FFT's mantissas")
    bands: int = Field(default=26, ge=1, le=256, description="mel bands")
    low_hz: float = Field(default=0.0, ge=0, description="lower edge of the first band")
    high_hz: float | None = Field(default=None, gt=0, description="upper edge of the last band; half the sample rate where nothing is said")
    mel_scale: Literal["htk", "slaney"] = Field(default="htk", description="which mel scale")
    mel_norm: Literal["none", "slaney"] = Field(default="none", description="height of the triangles: 1, or an area of 1")
    log_unit: Literal["log2", "ln", "db"] = Field(default="ln", description="unit of the logarithm")
    floor_db: float = Field(default=-100.0, description="quieter bands are held here; dB of full scale")
    lifter: int = Field(default=22, ge=0, le=256, description="length of the liftering sine; 0 is none")
    num_cepstral: int | None = Field(default=None, description="of Edge Impulse's block: coefficients of a frame")
    frame_length: float | None = Field(default=None, description="of Edge Impulse's block: of a frame, s")
    frame_stride: float | None = Field(default=None, description="of Edge Impulse's block: from one frame to the next, s")
    num_filters: int | None = Field(default=None, description="of Edge Impulse's block: mel bands")
    fft_length: int | None = Field(default=None, description="of Edge Impulse's block: points of the FFT")
    win_size: int | None = Field(default=None, description="of Edge Impulse's block: frames that are normalised over; 0 is none")
    low_frequency: float | None = Field(default=None, description="of Edge Impulse's block: lower edge of the first band, Hz")
    high_frequency: float | None = Field(default=None, description="of Edge Impulse's block: upper edge of the last band, Hz")
    pre_cof: float | None = Field(default=None, description="of Edge Impulse's block: coefficient of the pre-emphasis")
    pre_shift: int | None = Field(default=None, description="of Edge Impulse's block: samples that it looks back")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        """Options of the two do not mix, and each is what its own block takes."""
        theirs = sorted(self.model_fields_set & EDGE_IMPULSE)
        ours = sorted(self.model_fields_set - EDGE_IMPULSE - {"name", "from_"})
        if theirs and ours:
            raise ValueError(f"'{ours[0]}' is of our own block, '{theirs[0]}' of Edge Impulse's; one of the two")
        if theirs:
            self._edge_impulse()
        return self

    def _edge_impulse(self) -> EdgeImpulseMfcc | None:
        """Edge Impulse's block, where an option of it is given."""
        given = {option: getattr(self, option) for option in EDGE_IMPULSE if getattr(self, option) is not None}
        return EdgeImpulseMfcc(**given) if given else None

    def plan(self, x: Signal) -> list[Step]:
        other = self._edge_impulse()
        if other:
            return other.plan(x)
        steps: list[Step] = []
        for i, stage in enumerate(self.stages()):
            try:
                step = stage.plan(steps[-1].y if steps else x)
            except AppError as mistake:
                raise AppError(tuple(RENAMED.get(str(key), key) for key in mistake.path), mistake.what, mistake.help) from None
            assert isinstance(step, Step), f"{stage.kind} plans one step"
            steps.append(replace(step, sources=(i - 1,)))
        return steps

    def stages(self) -> list[Stage]:
        """What it is short for."""
        return [
            *([Preemphasis(coefficient=self.preemphasis)] if self.preemphasis else []),
            Frame(length_ms=self.length_ms, hop_ms=self.hop_ms, window=self.window),
            Spectrum(size=self.size, precision=self.precision),
            Mel(bands=self.bands, low_hz=self.low_hz, high_hz=self.high_hz, scale=self.mel_scale, norm=self.mel_norm),
            Log(unit=self.log_unit, floor_db=self.floor_db),
            Dct(coefficients=self.coefficients, first=self.first, lifter=self.lifter),
        ]

    def ideal(self, x, blocks):
        other = self._edge_impulse()
        if other:
            return other.ideal(x, blocks)
        for stage, step in zip(self.stages(), self.plan(*x)):
            blocks = stage.ideal(step.x, blocks)
        return blocks


BOUND = 16.0  # counts; 8.3 measured over 90 runs of EXAMPLES: near the floor it is the roundings to int16 that are heard

AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))

EXAMPLES = [
    (Mfcc(), AUDIO),
    (
        Mfcc(
            coefficients=10,
            first=1,
            length_ms=30.0,
            hop_ms=20.0,
            window="hann",
            preemphasis=0.0,
            bands=40,
            low_hz=20.0,
            high_hz=4000.0,
            size=1024,
            precision=16,
            mel_scale="slaney",
            mel_norm="slaney",
            log_unit="db",
            floor_db=-80.0,
            lifter=0,
        ),
        AUDIO,
    ),
    (Mfcc(length_ms=20.0, log_unit="log2", bands=20), AUDIO),
]
