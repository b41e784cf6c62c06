"""A microphone of this machine."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.live.base import LOOK_S, Gap, Item, Live
from tinystream.io.live.rate import RateMeter

BACK_OFF_S = (0.5, 30.0)
AHEAD_S = 2.0
"""Sound that may wait for the app; what comes beyond is an overrun."""
SILENT_S = 3.0  # without any block, and at least four blocks: the device is gone, whatever it says


class Input(NamedTuple):
    """A device that sound can be taken from."""

    number: int
    name: str
    channels: int
    rate_hz: float
    host: str
    default: bool


class Microphone(Live):
    """A microphone of this machine, through the package sounddevice.

    device: number or part of a name, as `tinystream sources` lists them; the system's default where none is given.
    again:  one that was unplugged is opened again by its name when it is back, and a gap marks what was missed.
    """

    def __init__(
        self,
        rate_hz: Fraction,
        length: int,
        channels: int = 1,
        device: int | str | None = None,
        shape: tuple[int, ...] | None = None,
        again: bool = True,
        tell: Callable[[str], Any] = lambda _: None,
        sleep: Callable[[float], Any] | None = None,
    ):
        super().__init__(length, channels, shape)
        self.rate_hz, self.device, self.again, self.tell, self.sleep = rate_hz, device, again, tell, sleep or self.rest
        self.meter = RateMeter()
        self._name: str | None = None

    def items(self) -> Generator[Item, None, None]:
        block_s = float(self.length / self.rate_hz)
        listener: Listener | None = self._open()
        pending: Gap | None = None
        lost_at = 0.0
        try:
            while True:
                if listener is None:
                    listener = self._open_again()
                    missed = round((time.monotonic() - lost_at) * float(self.rate_hz))
                    pending = Gap(missed, f"the microphone {self._name} was gone", exact=False)
                heard = listener.take(max(SILENT_S, 4 * block_s), self.look)
                if heard is None:
                    listener.close()
                    listener, lost_at = None, time.monotonic()
                    self.meter.restart()
                    if not self.again:
                        raise RecordingError(f"the microphone {self._name} is gone", "plug it in again")
                    self.tell(f"warning: the microphone {self._name} is gone; it is opened again when it is back")
                    continue
                x, overflowed = heard
                if overflowed:
                    self.overruns += 1
                    self.meter.restart()
                    pending = pending or Gap(0, "an overrun: this machine was too slow", exact=False)
                if pending is not None and self.blocks:
                    yield pending
                pending = None
                self.meter.seen(self.length, time.monotonic())
                self.rate_measured = self.meter.rate_hz
                yield self._shaped(x)
        finally:
            if listener is not None:
                listener.close()

    def _open(self) -> Listener:
        audio = _sounddevice()
        try:
            found = self._found(audio)
            listener = Listener(audio, found, self.rate_hz, self.length, self.channels)
        except (audio.PortAudioError, ValueError) as e:
            raise RecordingError(
                f"no microphone gives {self.channels} x int16 at {float(self.rate_hz):g} Hz: {e}", "tinystream sources lists what is there"
            ) from None
        if self.device is not None:
            self._name = self._name or (found.name if found else str(self.device))
        return listener

    def _found(self, audio: Any) -> Input | None:
        """The device that is meant; None for the system's default.  One that was heard before is known by its name."""
        wanted: int | str | None = self._name or self.device
        if wanted is None:
            return None
        there = inputs(audio)
        if isinstance(wanted, int):
            found = [i for i in there if i.number == wanted]
        else:
            found = [i for i in there if i.name == wanted] or [i for i in there if wanted.lower() in i.name.lower()]
        hosts = [i for i in found if i.host == found[0].host]  # the same device is there once for each of the system's sound interfaces
        if not hosts:
            names = ", ".join(f"{i.number} {i.name}" for i in there) or "none is here"
            raise RecordingError(f"there is no microphone '{wanted}'", f"there are: {names}")
        if len(hosts) > 1:
            raise RecordingError(f"several microphones are '{wanted}': {', '.join(i.name for i in hosts)}", "more of its name, or a number")
        return hosts[0]

    def _open_again(self) -> Listener:
        pause, most = BACK_OFF_S
        while True:
            self.sleep(pause)  # one that opens and stops at once would be opened as fast as this machine can
            pause = min(2 * pause, most)
            with suppress(RecordingError):
                refresh(_sounddevice())
                listener = self._open()
                self.tell(f"the microphone {self._name} is back")
                return listener


class Listener:
    """An open microphone, whose blocks wait in a queue of bounded length.  While it is full the system's own buffer has to hold, and tells
    when it could not."""

    def __init__(self, audio: Any, device: Input | None, rate_hz: Fraction, length: int, channels: int):
        self.waiting: queue.Queue[tuple[np.ndarray, bool] | None] = queue.Queue(max(8, int(AHEAD_S * rate_hz / length)))
        self.ended = threading.Event()
        self.stream = audio.InputStream(
            samplerate=float(rate_hz),
            blocksize=length,
            device=device.number if device else None,
            channels=channels,
            dtype="int16",
            callback=self._heard,
            finished_callback=lambda: self._put(None),
        )
        try:
            self.stream.start()
        except BaseException:
            self.close()
            raise

    def take(self, patience_s: float, look: Callable[[], None]) -> tuple[np.ndarray, bool] | None:
        """A block, and whether samples were lost before it; None when the microphone is gone.  look: may end the waiting."""
        end = time.monotonic() + patience_s
        while (left := end - time.monotonic()) > 0:
            look()
            with suppress(queue.Empty):
                return self.waiting.get(timeout=min(LOOK_S, left))
        return None

    def close(self) -> None:
        self.ended.set()
        with suppress(Exception):  # a device that is gone may refuse to be closed in any way
            self.stream.abort(ignore_errors=True)
        with suppress(Exception):
            self.stream.close(ignore_errors=True)

    def _heard(self, x: np.ndarray, frames: int, moment: Any, status: Any) -> None:
        """In a thread of the sound system."""
        self._put((x.copy(), bool(status.input_overflow)))

    def _put(self, item: tuple[np.ndarray, bool] | None) -> None:
        while not self.ended.is_set():
            with suppress(queue.Full):
                self.waiting.put(item, timeout=0.1)
                return


def inputs(audio: Any) -> list[Input]:
    """What sound can be taken from."""
    default = audio.default.device[0]
    hosts = [host["name"] for host in audio.query_hostapis()]
    return [
        Input(i, d["name"], d["max_input_channels"], d["default_samplerate"], hosts[d["hostapi"]], i == default)
        for i, d in enumerate(audio.query_devices())
        if d["max_input_channels"]
    ]


def microphones() -> list[Input]:
    """Of this machine.  RecordingError where the package or the library below it is missing."""
    return inputs(_sounddevice())


def refresh(audio: Any) -> None:
    """PortAudio looks for devices only when it starts."""
    with suppress(AttributeError, audio.PortAudioError):
        audio._terminate()
        audio._initialize()


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
