"""Find a C compiler of this machine; run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tinystream.errors import BuildError

WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
ANSWER_S = 60  # a slow disk's first start of zig
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@dataclass(frozen=True)
class Compiler:
    """A C compiler: what to call it, how to run it, what it says of its version; help for when it refuses what we wrote."""

    name: str
    command: tuple[str, ...]
    version: str
    help: str = "--engine python needs no compiler; a bug of ours, unless its own headers are missing"

    def build(self, sources: Sequence[Path], out: Path, *flags: str) -> Path:
        """Compile and link; BuildError with the compiler's own words where it refuses."""
        command = [*self.command, *flags, *map(str, sources), "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"{self.name} refused {sources[0].name}:\n{done.stderr.strip()}", self.help)
        return out


@cache
def compilers() -> tuple[Compiler, ...]:
    """All that work here, see working()."""
    return tuple(working())


@cache
def first_compiler() -> Compiler | None:
    """The first of them; the others are not even asked."""
    return next(working(), None)


def working() -> Iterator[Compiler]:
    """$CC, gcc, clang (or cc where neither is), then zig from the ziglang package: those that answer, each family once."""
    candidates = [("cc", tuple(os.environ["CC"].split()))] if os.environ.get("CC") else []
    here = [name for name in ("gcc", "clang") if shutil.which(name)] or ["cc"] * bool(shutil.which("cc"))
    candidates += [(name, (name,)) for name in here]
    if find_spec("ziglang"):
        candidates.append(("zig", (sys.executable, "-m", "ziglang", "cc")))
    found: dict[str, Compiler] = {}
    for name, command in candidates:
        try:
            answer = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=ANSWER_S)
        except (OSError, subprocess.TimeoutExpired):  # zig waits for ever for a cache that cannot be made
            continue
        version = answer.stdout.splitlines()[0] if answer.stdout else ""
        if answer.returncode == 0 and name not in found and version not in {c.version for c in found.values()}:
            found[name] = Compiler(name, command, version)
            yield found[name]


def compiler() -> Compiler:
    """The first that works here, or BuildError."""
    first = first_compiler()
    if first is None:
        raise BuildError("no C compiler here: neither $CC, gcc, clang nor the ziglang package", "pip install ziglang, or --engine python")
    return first
