"""Is a damaged model refused, whatever the damage?  Real models and small ones, changed where their structure is, by the hundred thousand.

    python tests/fuzz_model.py --cases 100000 --jobs 2          # `make fuzz`; a seed and a number name a case: --seed 0 --only 4711

Each case must compile or be refused by a ModelError, in bounded time and memory, without a warning.  Of those that compile, some are
emitted, built with sanitizers and compared with numpy.  What fails is kept in the folder of --keep, and exit code 1 tells it.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from operator_model import FILES
from shared import shared_folder
from tiny_model import tiny_model

from tinystream.emit.compiler import compiler
from tinystream.emit.host import build_stream, parse_stream
from tinystream.errors import ModelError
from tinystream.ops._prune import pruned
from tinystream.plan.flatbuffer import Table
from tinystream.plan.model import parse_model
from tinystream.plan.plan import Plan, plan_model
from tinystream.run.engine import Engine

ROOT = Path(__file__).parents[1]
LONGEST_S = 5.0  # a case, planning and all
LARGEST_MODEL = 120_000  # bytes: larger ones have no other structure, and more weights
MOST_MEMORY = 4 << 30  # bytes of address space that a process may ask for
BUILT = 400  # one in so many of the cases that compile is built
MOST_ELEMENTS = 1 << 16  # of the inputs of a case that is built: enough to see a wild access


# --- cases ------------------------------------------------------------------------------------------------------------


@cache
def seeds() -> list[tuple[str, bytes]]:
    """(name, file) of what is changed: the bundled model, models of one operator, and the shared ones where they are."""
    found = [("wake_word", (ROOT / "apps/wake_word/model.tflite").read_bytes()), ("tiny", tiny_model())]
    found += [(name, make()) for name, make in FILES.items()]
    found += [(path.stem, path.read_bytes()) for path in sorted((ROOT / "tests/models").glob("*.tflite"))]
    paths = sorted((shared_folder() / "data/models").rglob("*.tflite"))
    one_of_each = {path.parent: path for path in paths if "seanet" in str(path)}  # dozens of one operator
    chosen = [path for path in paths if "seanet" not in str(path)] + [*one_of_each.values()]
    return found + [(path.stem, path.read_bytes()) for path in chosen if path.stat().st_size < LARGEST_MODEL]


@cache
def places(name: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(position, bytes) of every number in a seed that is not a weight: those that hold the file together, and those that it tells."""
    found = [*walk(Table.root(dict(seeds())[name]), MODEL, set())]
    return [(at, size) for at, size, told in found if not told], [(at, size) for at, size, told in found if told]


# slot -> what it is: a number of so many bytes, or a vector of them, a table, a vector of tables
QUANTISATION = {0: ("vector", 4), 1: ("vector", 4), 2: ("vector", 4), 3: ("vector", 8), 6: ("number", 4)}
TENSOR = {0: ("vector", 4), 1: ("number", 1), 2: ("number", 4), 3: ("vector", 1), 4: ("table", QUANTISATION), 5: ("number", 1)}
OPTIONS = dict.fromkeys(range(12), ("number", 4))
OPERATOR = {0: ("number", 4), 1: ("vector", 4), 2: ("vector", 4), 3: ("number", 1), 4: ("table", OPTIONS)}
SUBGRAPH = {0: ("tables", TENSOR), 1: ("vector", 4), 2: ("vector", 4), 3: ("tables", OPERATOR)}
CODE = {0: ("number", 1), 1: ("vector", 1), 2: ("number", 4), 3: ("number", 4)}
MODEL = {0: ("number", 4), 1: ("tables", CODE), 2: ("tables", SUBGRAPH), 4: ("tables", {0: ("vector", 1)})}


def walk(table: Table, schema: dict, seen: set[int]) -> Iterator[tuple[int, int, bool]]:
    if table._position in seen:
        return
    seen.add(table._position)
    yield table._position, 4, False
    yield from ((table._fields + 2 * i, 2, False) for i in range(2 + table._count))
    for slot, (kind, told) in schema.items():
        at = table._at(slot)
        if at is None:
            continue
        yield at, 4 if kind != "number" else told, kind == "number"
        if kind == "table" and (inner := table.table(slot)):
            yield from walk(inner, told, seen)
        elif kind == "vector":
            start, length = table._vector(slot, told)
            yield start - 4, 4, False
            yield from ((start + told * i, told, True) for i in range(min(length, 16)))
        elif kind == "tables":
            start, length = table._vector(slot, 4)
            yield start - 4, 4, False
            yield from ((start + 4 * i, 4, False) for i in range(min(length, 64)))
            for inner in table.tables(slot):
                yield from walk(inner, told, seen)


WILD = [0, 1, -1, 2, 3, 5, 7, 100, 127, 128, 255, 256, -128, 32767, 65535, 65536, 1 << 20, 1 << 24, 1 << 26]
WILD += [(1 << 31) - 1, -(1 << 31), 1 << 62]
REALS = [0.0, -1.0, 1e-45, 1e-38, 1e-20, 1e-9, 0.5, 1.0, 256.0, 1e9, 1e30, 3e38, float("inf"), float("nan"), -0.0]


def changed(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    """The file with one to four changes."""
    out, (ties, values) = bytearray(data), places(name)
    for _ in range(int(rng.integers(1, 5))):
        what = rng.random()
        if what < 0.85:
            chosen = ties if what < 0.1 else values
            at, size = chosen[int(rng.integers(len(chosen)))]
            at = min(at, len(out) - size)
            if at >= 0:
                out[at : at + size] = number(out, at, size, rng)
        elif what < 0.95:
            out[int(rng.integers(len(out)))] = int(rng.integers(256))
        elif what < 0.97:
            del out[int(rng.integers(8, len(out))) :]
        else:
            a, b = (values[int(rng.integers(len(values)))][0] for _ in range(2))
            if max(a, b) + 4 <= len(out):
                out[a : a + 4], out[b : b + 4] = out[b : b + 4], out[a : a + 4]
        if len(out) < 16:
            break
    return bytes(out)


def number(data: bytearray, at: int, size: int, rng: np.random.Generator) -> bytes:
    """What is put in the place of a number: an extreme, a neighbour, a real."""
    what = rng.random()
    if size == 4 and what < 0.2:
        return np.float32(REALS[int(rng.integers(len(REALS)))]).tobytes()
    value = int.from_bytes(data[at : at + size], "little", signed=True)
    if what < 0.5:
        value += int(rng.integers(-4, 5))
    elif what < 0.9:
        value = WILD[int(rng.integers(len(WILD)))]
    else:
        value = int(rng.integers(-len(data), len(data)))
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def case(seed: int, index: int) -> tuple[str, bytes]:
    rng = np.random.default_rng([seed, index])
    name, data = seeds()[int(rng.integers(len(seeds())))]
    return name, changed(name, data, rng)


# --- what becomes of them ---------------------------------------------------------------------------------------------


@dataclass
class Found:
    """What some cases came to; failures: (number, what happened)."""

    cases: int = 0
    compiled: int = 0
    built: int = 0
    slowest_s: float = 0.0
    slowest: int = -1
    peak_kb: int = 0
    refusals: Counter = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.cases += other.cases
        self.compiled += other.compiled
        self.built += other.built
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest = other.slowest_s, other.slowest
        self.peak_kb = max(self.peak_kb, other.peak_kb)
        self.refusals += other.refusals
        self.failures += other.failures


def outcome(data: bytes) -> Plan | str:
    """The plan, or the words that refuse it."""
    try:
        model = parse_model(data, "model.tflite")
        plan_model(model)
        return plan_model(pruned(model), rewrite=True)
    except ModelError as error:
        return error.what


def run_cases(seed: int, numbers: range) -> Found:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.RLIM_INFINITY))
    warnings.simplefilter("error")
    found = Found()
    for index in numbers:
        _, data = case(seed, index)
        began = time.perf_counter()
        try:
            result = outcome(data)
        except BaseException as error:  # whatever it is, it is not a ModelError
            found.failures.append((index, f"{type(error).__name__}: {error}"))
            result = ""
        took = time.perf_counter() - began
        found.cases += 1
        if took > found.slowest_s:
            found.slowest_s, found.slowest = took, index
        if took > LONGEST_S:
            found.failures.append((index, f"it took {took:.1f} s"))
        if isinstance(result, str):
            found.refusals[kind_of(result)] += 1
            continue
        found.compiled += 1
        if found.compiled % BUILT == 1 and 0 < sum(x.size for x in result.x) <= MOST_ELEMENTS:
            found.built += 1
            if what := difference(result):
                found.failures.append((index, what))
    found.peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found


def kind_of(what: str) -> str:
    """A refusal without its names and numbers."""
    return re.sub(r"'[^']*'|\[[^]]*\]|\([^)]*\)|[-+]?\d[\d.,e+-]*(x\d+)*|model\.tflite", "…", what)[:90]


def difference(plan: Plan) -> str:
    """What goes wrong when the plan is built with sanitizers and run beside numpy."""
    rng = np.random.default_rng(0)
    x = [rng.integers(np.iinfo(s.dtype).min, np.iinfo(s.dtype).max + 1, (3, *s.shape)).astype(s.dtype) for s in plan.x]
    with tempfile.TemporaryDirectory() as folder:
        program = build_stream(plan, Path(folder), compiler(), "-O1", spread=True)
        given = b"".join(b.tobytes() for group in zip(*x) for b in group)
        done = subprocess.run([program], input=given, capture_output=True, timeout=120, preexec_fn=without_limit)
    if done.returncode:
        return f"the C stopped: {done.stderr.decode(errors='replace')[:400]}"
    fired, _ = parse_stream(plan, done.stdout)
    for i, want in Engine(plan).push(*x).items():
        if not np.array_equal(fired[i][1], want.y):
            return f"step {plan.steps[i].name} differs from numpy"
    return ""


def without_limit() -> None:
    """A sanitizer reserves terabytes of addresses."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def run(seed: int, first: int, count: int, jobs: int) -> Found:
    """Many cases over processes of their own, whose memory is limited."""
    size = max(1, min(500, count // jobs))
    parts = [range(i, min(i + size, first + count)) for i in range(first, first + count, size)]
    total = Found()
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(run_cases, [seed] * len(parts), parts):
            total.add(found)
            if sys.stderr.isatty():
                print(f"\r{total.cases} cases, {len(total.failures)} failures", end="", file=sys.stderr, flush=True)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="run this case alone, and show where it fails")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    told = parser.parse_args()
    if told.only is not None:
        name, data = case(told.seed, told.only)
        result = outcome(data)
        print(name, result if isinstance(result, str) else f"{len(result.steps)} steps {difference(result)}")
        return 0
    began = time.perf_counter()
    found = run(told.seed, told.first, told.cases, told.jobs)
    print(f"{found.cases} cases of {len(seeds())} models in {time.perf_counter() - began:.0f} s, {len(found.failures)} failures")
    print(f"{found.compiled} compile, {found.built} of them were built and run; the others are refused:")
    for what, count in found.refusals.most_common(25):
        print(f"  {count:>7}  {what}")
    for index, what in found.failures[:40]:
        told.keep.mkdir(parents=True, exist_ok=True)
        (told.keep / f"{told.seed}-{index}.tflite").write_bytes(case(told.seed, index)[1])
        print(f"failed: case {index} of {case(told.seed, index)[0]}: {what}")
    print(f"slowest {found.slowest_s:.2f} s (case {found.slowest}), most memory {found.peak_kb / 1000:.0f} MB in a process")
    return bool(found.failures)


if __name__ == "__main__":
    sys.exit(main())
