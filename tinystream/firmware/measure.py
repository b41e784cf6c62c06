"""Measure a plan on an emulated core: exact instructions of every block, and how deep the stack grew."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from tinystream.emit.compiler import Compiler
from tinystream.emit.emit import input_names
from tinystream.errors import BuildError
from tinystream.firmware.core import COUNTED, find_core
from tinystream.firmware.image import Image, build_image
from tinystream.firmware.machine import Machine
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine


@dataclass
class Measurement:
    """What the blocks cost.

    instructions: of each block.
    seconds:      of this machine's processor, for all blocks; with what the emulator takes to translate the code.
    stack:        the most bytes that the stack has held, main()'s own with them.
    by_function:  over all blocks, each function's own code; what was inlined counts where it went.
    by_address:   how often each instruction was executed, over all blocks.
    by_step:      over all blocks, by index of the step; only where it was asked for.
    """

    image: Image
    instructions: list[int] = field(default_factory=list)
    seconds: float = 0.0
    stack: int = 0
    by_function: Counter[str] = field(default_factory=Counter)
    by_address: Counter[int] = field(default_factory=Counter)
    by_step: Counter[int] = field(default_factory=Counter)

    @property
    def median(self) -> int:
        """Of an odd number of blocks, one that was measured; of an even one, the lower of the two in the middle."""
        return sorted(self.instructions)[(len(self.instructions) - 1) // 2]


def measure(plan: Plan, x: list[np.ndarray], core: str, compiler: Compiler, optimise: str = "-O2", by_step: bool = False) -> Measurement:
    """Blocks [n, *shape] of each input, one after the other from a fresh start; AssertionError where an output is not numpy's.

    by_step: in an image that says which step begins.  What stands before the first step counts as the first step's.
    """
    if core not in COUNTED:
        raise BuildError(f"instructions of '{core}' cannot be counted here", f"one of {', '.join(COUNTED)}")
    image = build_image(plan, find_core(core), compiler, optimise, "profile" if by_step else "plain")
    machine, measured, last = Machine(image, find_core(core)), Measurement(image), len(plan.steps) - 1
    y = plan.steps[last].y
    wanted = Engine(plan).push(*x, want={last})[last]
    want = dict(zip(wanted.when.tolist(), wanted.y))
    names = [image.symbols[name] for name in input_names(plan)]
    counter, before = machine.counter, 0
    counter.reset()
    machine.paint_stack()
    for n in range(len(x[0])):
        for address, blocks in zip(names, x):
            machine.write(address, blocks[n])
        machine.write(image.symbols["ts_score"], np.zeros(1, np.uint32))
        counter.told.step = 0
        began = time.process_time()
        machine.call(f"{plan.name}_push", *names, image.symbols["event"])
        measured.seconds += time.process_time() - began
        measured.instructions.append(counter.total() - before)
        before += measured.instructions[-1]
        (score,) = machine.read(image.symbols["ts_score"], np.uint32, 1).tolist()
        assert bool(score) == (n in want), f"{y} came out of block {n} on {core}, or did not, unlike in numpy"
        if score:
            got = machine.read(score, y.dtype, y.size).reshape(y.shape)
            assert np.array_equal(got, want[n]), f"block {n} on {core} gives {got.ravel()[:8]}, numpy {want[n].ravel()[:8]}"
    measured.stack = machine.stack_bytes()
    measured.by_function, measured.by_address = counter.by_function(), counter.by_address()
    measured.by_step = counter.by_step() if by_step else measured.by_step
    return measured
