"""Run a plan on the host as the C that would go to the device: compiled once, cached by content, loaded in process."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from tinystream import __version__
from tinystream.emit.compiler import Compiler, compiler
from tinystream.emit.emit import emit
from tinystream.emit.host import build_library
from tinystream.emit.templates import templates
from tinystream.plan.learnt import Refusal, learns, learnt_bytes, pack, refused, unpack
from tinystream.plan.plan import Plan
from tinystream.plan.step import Form
from tinystream.run.cache import cached
from tinystream.run.engine import Fired

CHUNK = 512  # blocks a call: bounds the memory of the outputs


class Output(ctypes.Structure):
    _fields_ = [("y", ctypes.c_void_p), ("when", ctypes.c_void_p), ("count", ctypes.c_uint32)]


class Native:
    """The generated C behind the same two methods as Engine.  One library holds one state: each Native loads its own."""

    name = "native"

    def __init__(self, plan: Plan, with_compiler: Compiler | None = None, form: Form = "rows"):
        """form: "rows" is fast on this machine; "groups" is what `tinystream emit` writes."""
        self.plan = plan
        library = cached_library(plan, with_compiler or compiler(), form)
        self._folder = tempfile.TemporaryDirectory(prefix="tinystream-")
        private = Path(self._folder.name) / library.name  # a copy: dlopen gives one state per file
        shutil.copyfile(library, private)
        self._library = ctypes.CDLL(str(private))
        self.reset()

    def reset(self) -> None:
        """Back to the first moment; what was learnt stays."""
        self._library.ts_native_reset()
        self.blocks = 0

    def forget(self) -> None:
        """As Engine.forget."""
        if learns(self.plan):
            self._library.ts_native_forget()

    def learnt(self) -> bytes:
        """As Engine.learnt."""
        if not learns(self.plan):
            return pack(self.plan, ())
        blob = ctypes.create_string_buffer(learnt_bytes(self.plan))
        assert self._library.ts_native_export(blob) == len(blob), "export fills LEARNT_BYTES"
        return blob.raw

    def restore(self, blob: bytes) -> None:
        """As Engine.restore."""
        if not learns(self.plan):
            unpack(self.plan, blob)
        elif why := self._library.ts_native_restore(blob, ctypes.c_size_t(len(blob))):
            raise refused(self.plan, blob, Refusal(why))

    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]:
        """As Engine.push."""
        wanted = range(len(self.plan.steps)) if want is None else sorted(want)
        parts = [self._push([b[i : i + CHUNK] for b in x], wanted) for i in range(0, len(x[0]), CHUNK)]
        return {i: Fired(np.concatenate([p[i].when for p in parts]), np.concatenate([p[i].y for p in parts])) for i in wanted}

    def _push(self, x: list[np.ndarray], wanted: Collection[int]) -> dict[int, Fired]:
        n = len(x[0])
        outputs = (Output * len(self.plan.steps))()
        arrays = {}
        for i in wanted:
            y = self.plan.steps[i].y
            arrays[i] = np.empty(n, np.uint32), np.empty((n, *y.shape), y.dtype)
            outputs[i].when, outputs[i].y = arrays[i][0].ctypes.data, arrays[i][1].ctypes.data
        inputs = []
        for block, signal in zip(x, self.plan.x, strict=True):
            assert block.shape[1:] == signal.shape and block.dtype == signal.dtype, f"the app's input is {signal}"
            inputs.append(np.ascontiguousarray(block))
        self._library.ts_native_push(ctypes.c_uint32(n), *(ctypes.c_void_p(b.ctypes.data) for b in inputs), outputs)
        fired = {
            i: Fired(when[: outputs[i].count].astype(np.int64) + self.blocks, y[: outputs[i].count]) for i, (when, y) in arrays.items()
        }
        self.blocks += n
        return fired


def cached_library(plan: Plan, with_compiler: Compiler, form: Form) -> Path:
    """The shared library for a plan: built where no earlier build had the same C, compiler and harness."""
    with tempfile.TemporaryDirectory(prefix="tinystream-") as name:
        folder = Path(name)
        digest = hashlib.sha256(f"{__version__} {with_compiler.version}".encode())
        harness = [templates() / "host/native.c", Path(build_library.__code__.co_filename)]
        for path in [*emit(plan, folder, form), *harness]:
            digest.update(path.read_bytes())
        name = f"{plan.name}-{digest.hexdigest()[:32]}.so"
        help = "XDG_CACHE_HOME = a folder of yours, or --engine python"
        return cached(name, lambda: build_library(plan, folder, with_compiler, form), help)
