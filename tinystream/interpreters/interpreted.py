"""A model by the interpreter that is installed: on the host only, for what no integer kernel computes, such as float models.

    given = (x - x.zero) * x.scale                         where the file takes float32; its own counts where it takes int8, uint8, int16
    y     = sat(round(given back / y.scale) + y.zero)      where the file gives float32, halves away from zero; its own counts otherwise

TFLite's reference kernels compute it, so it gives the same numbers on every machine of one kind; nothing promises them for another.
What the model remembers is forgotten at a reset: each start has an interpreter of its own.

Source: ours; the rounding is that of TFLite's QUANTIZE.
"""

from __future__ import annotations

import numpy as np

from tinystream.interpreters.apart import INTERPRETERS, Interpreter
from tinystream.interpreters.child import Lite
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

HOST_ONLY = True


def chosen() -> Interpreter | None:
    """The interpreter that is taken: the first one here with TFLite's reference kernels."""
    return next((i for i in INTERPRETERS if i.kernels == "reference" and not i.missing), None)


def step(interpreter: Interpreter, data: bytes, output: int, x: tuple[Signal, ...], y: Signal) -> Step:
    """The step for a model's file whose output of that number gives y."""
    ends = np.array([[s.scale, s.zero] for s in (*x, y)])
    return Step(
        __name__,
        x,
        y,
        params=dict(output=output, bits=8 * np.dtype(y.dtype).itemsize),
        tables=dict(file=np.frombuffer(data, np.uint8), ends=ends, shape=np.array(y.shape)),
        sources=tuple(-1 - i for i in range(len(x))),
        says=f"{interpreter.module}, on the host only",
        name="interpreted",
    )


def run(k, s, *x):
    if not hasattr(s, "lite"):
        interpreter = chosen()
        assert interpreter, "planning has found it"
        s.lite = Lite(k.file.tobytes(), interpreter.module, interpreter.kernels)
    blocks = [taken(block, details, *end) for block, details, end in zip(x, s.lite.inputs, k.ends)]
    return counts(s.lite.call(blocks)[k.output], np.dtype(f"int{k.bits}"), *k.ends[-1]).reshape(k.shape)


def taken(x: np.ndarray, details, scale: float, zero: float) -> np.ndarray:
    """A block as the file's input takes it."""
    dtype = np.dtype(details["dtype"])
    if dtype == np.float32:
        x = ((x.astype(np.float64) - zero) * scale).astype(np.float32)
    elif dtype == np.uint8:
        x = (x.astype(np.int32) + 128).astype(np.uint8)
    return x.astype(dtype).reshape(details["shape"])


def counts(y: np.ndarray, dtype: np.dtype, scale: float, zero: float) -> np.ndarray:
    """What the file gives as counts of ours, what is no number is the zero."""
    if y.dtype == np.float32:
        limits = np.iinfo(dtype)
        real = np.where(np.isnan(y), 0.0, y).astype(np.float64) / scale
        y = np.clip(np.sign(real) * np.floor(np.abs(real) + 0.5) + zero, limits.min, limits.max)
    elif y.dtype == np.uint8:
        y = y.astype(np.int32) - 128
    return y.astype(dtype)
