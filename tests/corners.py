"""Inputs that no stage before gives, and that a kernel must survive all the same: its numpy and its C, with sanitizers, on any integers."""

from __future__ import annotations

import subprocess

import numpy as np
from examples import corner

from tinystream.emit.compiler import compiler
from tinystream.emit.host import build_stream, parse_stream
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine


def same_for_any_input(stage, *signals: Signal, folder, more: list[np.ndarray] | None = None, count: int = 48) -> list[np.ndarray]:
    """Asserts that both give the same bits for full scale of the type and everything below; gives what each step gave.

    more: blocks of each source that are pushed after those.
    """
    plan = plan_stage("corners", stage, *signals)
    rng = np.random.default_rng(3)
    x = [np.stack([corner(signal, rng, i) for i in range(count)]) for signal in signals]
    if more is not None:
        x = [np.concatenate(both) for both in zip(x, more, strict=True)]
    host = Engine(plan).push(*x)
    program = build_stream(plan, folder, compiler(), spread=True)
    done = subprocess.run([program], input=b"".join(b.tobytes() for group in zip(*x) for b in group), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    firmware = parse_stream(plan, done.stdout)[0]
    for i, step in enumerate(plan.steps):
        np.testing.assert_array_equal(firmware[i][0], host[i].when, err_msg=f"when {step.name} fires")
        np.testing.assert_array_equal(firmware[i][1], host[i].y, err_msg=step.name)
    return [host[i].y for i in range(len(plan.steps))]
