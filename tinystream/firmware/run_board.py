"""Run a board's firmware on a recording: as a process of this machine, or in QEMU."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tinystream.errors import BuildError
from tinystream.firmware.board import Board

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
        command += ["-kernel", str(program), "-device", f"loader,file={recording},addr=0x{board.firmware.recording:x},force-raw=on", *more]
        return finished(board, command, b"", limit_s)


def finished(board: Board, command: list[str], given: bytes, limit_s: float) -> bytes:
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        what = f"the firmware of '{board.name}' has not ended within {limit_s:g} s"
        raise BuildError(what, "a shorter recording, or more time") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise BuildError(f"{command[0]} ended with code {done.returncode}: {said}")
    return done.stdout
