"""The command line as a user meets it: in this process, which is quick, or as a program of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tinystream.cli import main
from tinystream.io.recording import read_recording

ROOT = Path(__file__).parents[1]
APP = ROOT / "apps/wake_word"
RECORDINGS = ROOT / "recordings"
KITCHEN, WORKSHOP = RECORDINGS / "kitchen.flac", RECORDINGS / "workshop.flac"
RATE_HZ = 16_000


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def tinystream(*arguments: object, stdin: bytes = b"") -> Done:
    """`tinystream ARGUMENTS` in this process; what would be a traceback is raised here."""
    out, err, before = io.StringIO(), io.StringIO(), (sys.argv, sys.stdin)
    sys.argv, sys.stdin = ["tinystream", *map(str, arguments)], io.TextIOWrapper(io.BytesIO(stdin))
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv, sys.stdin = before
    return Done(code, out.getvalue(), err.getvalue())


def program(*arguments: object, **environ: str) -> subprocess.Popen[bytes]:
    """`tinystream ARGUMENTS` as a program, with pipes at all three ends."""
    command = [sys.executable, "-m", "tinystream", *map(str, arguments)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ}, **pipes)


def samples(path: Path) -> np.ndarray:
    return read_recording(path, rate_hz=None, channels=1).samples


def write_sound(path: Path, x: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, x, rate_hz, subtype="PCM_16")
    return path
