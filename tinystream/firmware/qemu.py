"""A core of QEMU with an image in its memory: call its functions, read and write its memory."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Event, Timer
from typing import Any

import numpy as np

from tinystream.errors import BuildError, FirmwareError
from tinystream.firmware.core import Core
from tinystream.firmware.cross import first_line
from tinystream.firmware.image import Image

LIMIT_S = 300  # for one call: a chunk of blocks, which takes seconds
ARGUMENTS = 8  # a call's, as serve.c passes them
WRITE, READ, CALL = 1, 2, 3  # requests of serve.c
QUIET = ("-display", "none", "-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native")


class Qemu:
    """The methods of Machine but for counting; the firmware is firmware_templates/emulated/qemu/serve.c.

    A process of its own, that ends with this object.
    """

    def __init__(self, image: Image, core: Core):
        emulator_version(core)  # or BuildError
        self.image, self.core = image, core
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as QEMU
        command = [*core.qemu, *QUIET, "-kernel", str(image.path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors)
        self._end = weakref.finalize(self, end, self._process)

    def call(self, function: str, *arguments: int) -> int:
        """A function of the firmware with integers or addresses; gives the first register of what it returns."""
        assert len(arguments) <= ARGUMENTS, f"{function} has {len(arguments)} arguments, serve.c passes {ARGUMENTS}"
        words = [*arguments, *[0] * (ARGUMENTS - len(arguments))]
        return int(np.frombuffer(self._ask(4, CALL, self.image.symbols[function], *words), np.uint32)[0])

    def write(self, address: int, values: np.ndarray) -> None:
        raw = np.ascontiguousarray(values).tobytes()
        self._ask(0, WRITE, address, len(raw), more=raw)

    def read(self, address: int, dtype: Any, count: int) -> np.ndarray:
        size = count * np.dtype(dtype).itemsize
        return np.frombuffer(self._ask(size, READ, address, size), dtype)

    def exchange(self, size: int) -> int:
        """The address of at least so much memory that is not the firmware's."""
        start, end = self.image.symbols["ts_exchange"], self.image.symbols["ts_exchange_end"]
        assert size <= end - start, f"{size} bytes are more than the board has: push fewer blocks at once"
        return start

    def _ask(self, answer: int, *request: int, more: bytes = b"") -> bytes:
        """A request of serve.c, and so many bytes of answer."""
        streams = self._process.stdin, self._process.stdout
        assert streams[0] and streams[1]
        with self._limited():
            streams[0].write(struct.pack(f"<{len(request)}I", *request) + more)
            streams[0].flush()
            got = streams[1].read(answer)
            if len(got) < answer:
                raise BrokenPipeError
            return got

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """What does not end, or ends QEMU, is an error that says so."""
        hangs = Event()

        def stop() -> None:
            hangs.set()
            self._process.kill()

        timer = Timer(LIMIT_S, stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        except BrokenPipeError:
            self._process.kill()
            code = self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
            why = f"gave no answer for {LIMIT_S} s" if hangs.is_set() else f"stopped (exit code {code})"
            raise FirmwareError(f"the {self.core.name} of QEMU {why} in {self.image.path.name}{': ' * bool(said)}{said}") from None
        finally:
            timer.cancel()


def end(process: subprocess.Popen[bytes]) -> None:
    """Let QEMU go; firmware that waits for a request ends by itself, any other is ended."""
    process.kill()
    process.communicate()


@cache
def emulator_version(core: Core) -> str:
    """What QEMU says of its version; BuildError where it is not here."""
    program = core.qemu[0]
    package = "qemu-system-arm" if program.endswith("arm") else "qemu-system-misc"
    version = first_line(program, "--version") if shutil.which(program) else ""
    if not version:
        raise BuildError(f"{core.name} runs in {program}, which is not here", f"apt install {package}")
    return version
