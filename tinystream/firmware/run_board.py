"""Run a board's firmware on a recording: as a process of this machine, or in QEMU."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np

from tinystream.errors import BuildError
from tinystream.firmware.board import Board
from tinystream.io.feed import feed

LIMIT_S = 120


def runnable(board: Board) -> bool:
    """Whether run_board() can: the program that plays the board is there."""
    return board.core == "host" or bool(board.firmware and board.firmware.qemu and shutil.which(board.firmware.qemu[0]))


def run_board(
    board: Board, program: Path, blocks: np.ndarray, icount: str = "", more: tuple[str, ...] = (), limit_s: float = LIMIT_S
) -> bytes:
    """What the firmware has written to its UART by the end of the recording.

    icount: how long an instruction takes, as QEMU's -icount has it: "shift=5" is 2**5 ns, in true time; "shift=5,sleep=off" does not
        wait while the core sleeps, and is fast, but QEMU 7.2 then counts such time twice.  Nothing: true time, no cost of instructions.
    more: further arguments of QEMU.
    BuildError where QEMU is missing, or where the firmware has not ended in time.
    """
    with tempfile.TemporaryDirectory(prefix="tinystream-") as name:
        if board.core == "host":
            return finished(board, [str(program)], blocks.tobytes(), limit_s)
        assert board.firmware, "a program of a board without firmware"
        if not runnable(board):
            missing = board.firmware.qemu[:1]
            what = f"{missing[0]} is not here" if missing else f"nothing here plays the board '{board.name}'"
            raise BuildError(what, "apt install qemu-system-arm qemu-system-misc" if missing else "flash it, and `tinystream listen`")
        recording = Path(name) / "recording.bin"
        recording.write_bytes(struct.pack("<I", len(blocks)) + blocks.tobytes())
        command = [*board.firmware.qemu, "-display", "none", "-monitor", "none", "-serial", "stdio", "-semihosting"]
        command += ["-icount", icount] if icount else []
        if board.firmware.recording is None:
            return fed(board, [*command, "-kernel", str(program), *more], feed(blocks), limit_s)
        command += ["-kernel", str(program), "-device", f"loader,file={recording},addr=0x{board.firmware.recording:x},force-raw=on", *more]
        return finished(board, command, b"", limit_s)


def fed(board: Board, command: list[str], given: bytes, limit_s: float) -> bytes:
    """What it has written by its end, where samples come on the serial line: from its first record on, as it hears nothing before."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout, "a pipe"
        limit = threading.Timer(limit_s, process.kill)
        limit.start()
        written = b""
        while written.count(0) < 2 and (more := os.read(process.stdout.fileno(), 4096)):
            written += more
        rest, errors = process.communicate(given)
        limit.cancel()
    if process.returncode == -signal.SIGKILL:
        raise endless(board, limit_s)
    return checked(subprocess.CompletedProcess(command, process.returncode, written + rest, errors))


def finished(board: Board, command: list[str], given: bytes, limit_s: float) -> bytes:
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise endless(board, limit_s) from None
    return checked(done)


def endless(board: Board, limit_s: float) -> BuildError:
    return BuildError(f"the firmware of '{board.name}' has not ended within {limit_s:g} s", "a shorter recording, or more time")


def checked(done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise BuildError(f"{done.args[0]} ended with code {done.returncode}: {said}")
    return done.stdout
