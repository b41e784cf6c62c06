"""Which engines a plan can be verified on, each by what it takes to make it: numpy, the C of this machine, the C on a core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from tinystream.emit.compiler import compiler as host_compiler
from tinystream.errors import BuildError
from tinystream.firmware.core import find_core, nearest_first
from tinystream.firmware.cross import COMMANDS, cross_compiler, cross_compilers
from tinystream.firmware.emulated import Emulated
from tinystream.firmware.qemu import emulator_version
from tinystream.plan.plan import Plan
from tinystream.run.duty import on_duty
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import Runs

LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os")


@dataclass(frozen=True)
class Spec:
    """An engine by name: "python", "native", or a core with a compiler and a level of optimisation."""

    engine: str
    compiler: str = ""
    optimise: str = ""

    @property
    def name(self) -> str:
        return f"{self.engine} ({self.compiler} {self.optimise})" if self.optimise else self.engine

    def make(self, plan: Plan) -> Runs:
        """The engine, on duty as the app is; BuildError where what it takes is not here."""
        return on_duty(plan, self._always_on(plan))

    def _always_on(self, plan: Plan) -> Runs:
        if self == PYTHON:
            return Engine(plan)
        if self == NATIVE:
            return Native(plan, form="groups")  # the C as emit writes it
        core = find_core(self.engine)
        return Emulated(plan, core, cross_compiler(self.compiler, core.riscv), level(self.optimise))

    def tools(self) -> dict[str, str]:
        """The versions of what it takes; BuildError where that is not here."""
        if self == PYTHON:
            return {}
        if self == NATIVE:
            return {"compiler_version": host_compiler().version}
        core, _ = find_core(self.engine), level(self.optimise)
        emulator = emulator_version(core) if core.qemu else f"unicorn {version('unicorn')}"
        return {"compiler_version": cross_compiler(self.compiler, core.riscv).version, "emulator": emulator}


PYTHON, NATIVE = Spec("python"), Spec("native")


def firmware(cores: Iterable[str], compilers: Iterable[str], levels: Iterable[str]) -> list[Spec]:
    """Every core by every compiler at every level, each once; lists with commas are taken apart.

    Without a compiler the first there is; "all" is all there are.  Without a level -O2.  BuildError for what is not here.
    """
    found: dict[Spec, None] = {}
    for name in words(cores):
        core = find_core(name)
        for compiler in expanded(list(words(compilers)), core.riscv):
            for optimise in list(words(levels)) or ["-O2"]:
                found[Spec(core.name, cross_compiler(compiler, core.riscv).name, level(optimise))] = None
    return list(found)


def words(lists: Iterable[str]) -> Iterator[str]:
    """m0,m4 and m7: three words."""
    return (word.strip() for text in lists for word in text.split(",") if word.strip())


def expanded(compilers: list[str], riscv: bool) -> list[str | None]:
    for name in compilers:
        if name not in (*COMMANDS, "all"):
            raise BuildError(f"no compiler is called '{name}' here", f"one of {', '.join(nearest_first(name, [*COMMANDS, 'all']))}")
    return list(cross_compilers(riscv)) or [None] if "all" in compilers else list(compilers) or [None]


def level(text: str) -> str:
    """-O2 of -O2 or O2."""
    found = f"-{text.lstrip('-')}"
    if found not in LEVELS:
        raise BuildError(f"no level of optimisation is called '{text}' here", f"one of {', '.join(nearest_first(text, LEVELS))}")
    return found
