"""Run a plan on an emulated core: the generated C, built for the core, behind the same two methods as Engine."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tinystream.emit.compiler import Compiler
from tinystream.firmware.core import Core, find_core
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.image import build_image
from tinystream.firmware.machine import Machine
from tinystream.firmware.qemu import Qemu
from tinystream.plan.learnt import Refusal, learns, learnt_bytes, pack, refused, unpack
from tinystream.plan.plan import Plan
from tinystream.run.engine import Fired

CHUNK = 64  # blocks a call: bounds the memory of the outputs
OUTPUT = np.dtype([("y", "u4"), ("when", "u4"), ("count", "u4")])  # struct ts_output of host/native.c on a 32-bit core


class Emulated:
    """The generated C on a core; `name` says which, by which compiler."""

    def __init__(self, plan: Plan, core: str | Core = "cortex-m4", with_compiler: Compiler | None = None, optimise: str = "-O2"):
        self.plan = plan
        core = find_core(core) if isinstance(core, str) else core
        compiler = with_compiler or cross_compiler(riscv=core.riscv)
        self.name = f"{core.name} ({compiler.name} {optimise})"
        image = build_image(plan, core, compiler, optimise, "watched")
        self.machine = Machine(image, core) if core.unicorn else Qemu(image, core)
        self.reset()

    def reset(self) -> None:
        """Back to the first moment; what was learnt stays."""
        self.machine.call("ts_native_reset")
        self.blocks = 0

    def forget(self) -> None:
        """As Engine.forget."""
        if learns(self.plan):
            self.machine.call("ts_native_forget")

    def learnt(self) -> bytes:
        """As Engine.learnt."""
        if not learns(self.plan):
            return pack(self.plan, ())
        size = learnt_bytes(self.plan)
        base = self.machine.exchange(size)
        assert self.machine.call("ts_native_export", base) == size, "export fills LEARNT_BYTES"
        return self.machine.read(base, np.uint8, size).tobytes()

    def restore(self, blob: bytes) -> None:
        """As Engine.restore."""
        if not learns(self.plan):
            unpack(self.plan, blob)
            return
        base = self.machine.exchange(len(blob))
        self.machine.write(base, np.frombuffer(blob, np.uint8))
        if why := self.machine.call("ts_native_restore", base, len(blob)):
            raise refused(self.plan, blob, Refusal(why))

    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]:
        """As Engine.push."""
        wanted = range(len(self.plan.steps)) if want is None else sorted(want)
        parts = [self._push([b[i : i + CHUNK] for b in x], wanted) for i in range(0, len(x[0]), CHUNK)]
        return {i: Fired(np.concatenate([p[i].when for p in parts]), np.concatenate([p[i].y for p in parts])) for i in wanted}

    def _push(self, x: list[np.ndarray], wanted: Collection[int]) -> dict[int, Fired]:
        n, steps, machine = len(x[0]), self.plan.steps, self.machine
        for block, signal in zip(x, self.plan.x, strict=True):
            assert block.shape[1:] == signal.shape and block.dtype == signal.dtype, f"the app's input is {signal}"
        sizes = [block.nbytes for block in x]
        sizes += [size for i in wanted for size in (4 * n, steps[i].y.bytes * n)]
        places = lay_out([*sizes, OUTPUT.itemsize * len(steps)])
        base = machine.exchange(places[-1])
        addresses = [base + place for place in places[:-1]]
        for block, address in zip(x, addresses):
            machine.write(address, block)
        outputs, given = np.zeros(len(steps), OUTPUT), iter(addresses[len(x) :])
        for i in wanted:
            outputs[i] = next(given), 0, 0
            outputs[i]["when"], outputs[i]["y"] = outputs[i]["y"], next(given)
        machine.write(addresses[-1], outputs)
        machine.call("ts_native_push", n, *addresses[: len(x)], addresses[-1])
        counts = machine.read(addresses[-1], OUTPUT, len(steps))["count"]
        fired = {}
        for i in wanted:
            y, count = steps[i].y, int(counts[i])
            when = machine.read(int(outputs[i]["when"]), np.uint32, count).astype(np.int64) + self.blocks
            fired[i] = Fired(when, machine.read(int(outputs[i]["y"]), y.dtype, count * y.size).reshape(count, *y.shape))
        self.blocks += n
        return fired


def lay_out(sizes: list[int]) -> list[int]:
    """Offsets one after the other, each fit for any type; the last is the sum."""
    ends = np.cumsum([-(-size // 8) * 8 for size in sizes])
    return [0, *ends.tolist()]
