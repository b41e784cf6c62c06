"""Blocks of samples as they come: a pipe, a microphone, a recording in true time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from tinystream.errors import RecordingError


class Live:
    """An iterable of int16 blocks, [length] or [length, channels].

    overruns: times that samples were lost, or came late, because the reader was too slow.
    left:     samples of each channel at the end that did not fill a block.
    """

    def __init__(self, length: int, channels: int):
        self.length = length
        self.channels = channels
        self.overruns = 0
        self.left = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def _shaped(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.length) if self.channels == 1 else x.reshape(self.length, self.channels)


class Pipe(Live):
    """Raw signed 16-bit little-endian samples, channels interleaved, from a binary stream such as standard input.

    A pipe holds its writer back, so that nothing is lost here.
    """

    def __init__(self, stream: BinaryIO, length: int, channels: int):
        super().__init__(length, channels)
        self.stream = stream

    def __iter__(self) -> Iterator[np.ndarray]:
        frame = 2 * self.channels
        while len(block := self._exactly(self.length * frame)) == self.length * frame:
            yield self._shaped(np.frombuffer(block, "<i2").astype(np.int16))
        self.left = len(block) // frame
        if len(block) % frame:
            raise RecordingError(
                f"the stream ends inside a sample: {len(block) % frame} of {frame} bytes", "send 16-bit little-endian, all channels"
            )

    def _exactly(self, size: int) -> bytes:
        """size bytes, or fewer at the end; a pipe gives them in pieces."""
        parts, missing = [], size
        while missing and (part := self.stream.read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


class Microphone(Live):
    """A microphone of this machine, through the package sounddevice.

    device: number or part of a name, as `python -m sounddevice` lists them; the system's default where none is given.
    """

    def __init__(self, rate_hz: Fraction, length: int, channels: int = 1, device: int | str | None = None):
        super().__init__(length, channels)
        self.rate_hz = rate_hz
        self.device = device

    def __iter__(self) -> Iterator[np.ndarray]:
        audio = _sounddevice()
        try:
            stream = audio.InputStream(
                samplerate=float(self.rate_hz), blocksize=self.length, device=self.device, channels=self.channels, dtype="int16"
            )
        except (audio.PortAudioError, ValueError) as e:
            raise RecordingError(
                f"no microphone gives {self.channels} x int16 at {float(self.rate_hz):g} Hz: {e}", "python -m sounddevice"
            ) from None
        with stream:
            while True:
                x, overflowed = stream.read(self.length)
                self.overruns += bool(overflowed)
                yield self._shaped(x.copy())


class Paced(Live):
    """A recording in true time: block i comes when its last sample would have been taken.

    Pacing waits outside the pipeline and changes no sample: outputs are those of a replay at full speed.  A reader
    that is more than a block late counts as an overrun, since a real sensor would have lost samples then.
    """

    def __init__(
        self,
        samples: np.ndarray,
        rate_hz: Fraction,
        length: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = time.sleep,
    ):
        super().__init__(length, 1 if samples.ndim == 1 else samples.shape[1])
        self.samples = samples
        self.rate_hz = rate_hz
        self.clock = clock
        self.sleep = sleep

    def __iter__(self) -> Iterator[np.ndarray]:
        block_s = float(self.length / self.rate_hz)
        start = self.clock()
        for i in range(len(self.samples) // self.length):
            ahead = start + (i + 1) * block_s - self.clock()
            if ahead > 0:
                self.sleep(ahead)
            self.overruns += ahead < -block_s
            yield self.samples[i * self.length : (i + 1) * self.length]
        self.left = len(self.samples) % self.length


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise RecordingError("a microphone needs the package sounddevice", "pip install sounddevice") from None
    except OSError:  # the package is there, the library below it is not
        raise RecordingError(
            "a microphone needs the PortAudio library", "install it by the system's package manager, such as libportaudio2"
        ) from None
    return sounddevice
