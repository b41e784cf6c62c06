"""Do the tests notice?  One token of one kernel is changed at a time; the tests of that kernel must then fail.

    python tests/mutate.py [KERNEL …]          # all of firmware_templates/kernels, or the named: mel conv_2d

Prints the survivors, each with its line, and the share that was noticed; exit code 1 below 95 %.  A mutant that does not
compile, or that a sanitizer stops, counts as noticed: a user would not get it either.  Works on a copy of the tree.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from examples import CASES, FORMS, blocks, example, forms

from tinystream.emit.compiler import SANITIZERS, compiler
from tinystream.emit.emit import closure
from tinystream.emit.host import parse_stream, spread_arena, write_stream
from tinystream.emit.templates import header, templates
from tinystream.errors import BuildError
from tinystream.plan.plan import Plan, plan_stage
from tinystream.run.engine import Engine, Fired

WANTED = 0.95
SECONDS = 10  # a mutant that runs longer hangs: examples take a hundredth of that

# what a tired author gets wrong: comparison, sign, off by one, shift, width, rounding, saturation, index
SWAPS = [
    (r"(?<![<\-=])<(?![<=])", "<="),
    (r"<=", "<"),
    (r"(?<![>\-])>(?![>=])", ">="),
    (r">=", ">"),
    (r"==", "!="),
    (r"!=(?=)", "=="),
    (r"(?<=[\w\)\]]) \+ (?=[\w\(])", " - "),
    (r"(?<=[\w\)\]]) - (?=[\w\(])", " + "),
    (r"(?<=[\w\)\]]) \* (?=[\w\(])", " + "),
    (r"\+= ", "-= "),
    (r"-= ", "+= "),
    (r"\+= ", "= "),
    (r">> (\d+)", lambda m: f">> {int(m[1]) - 1 if int(m[1]) else 1}"),
    (r"<< (\d+)", lambda m: f"<< {int(m[1]) + 1}"),
    (r"\bts_sat8\(", "(int8_t)("),
    (r"\bts_sat16\(", "(int16_t)("),
    (r"\bts_sat32\(", "(int32_t)("),
    (r"\bts_rshift\(([^,;]+), ([^;]*?)\)(?=[;,) ])", r"((\1) >> (\2))"),
    (r"\+ 1\b", "+ 2"),
    (r"- 1\b", "- 0"),
    (r"\b0\b(?=[;,])", "1"),
    (r"&&", "||"),
    (r"\|\|", "&&"),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
]


def body(text: str) -> int:
    """Where the functions begin: what stands above is declarations and words."""
    found = re.search(r"^(static|TS_APART) ", text, re.M)
    return found.start() if found else len(text)


def mutants(text: str):
    """(changed text, line number, what was changed) for every place outside comments and declarations.

    The border of a clamp (x < low ? low : x) belongs to both sides, so comparisons in a ?: are not moved by one; nor is + 128
    made - 128 where a byte is all that is kept of it.
    """
    code = re.sub(r"/\*.*?\*/", lambda m: " " * len(m[0]) if "\n" not in m[0] else re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    code = re.sub(r"^#.*$", lambda m: " " * len(m[0]), code, flags=re.M)
    seen = set()
    for pattern, replacement in SWAPS:
        for m in re.finditer(pattern, code[body(text) :]):
            start, end = m.start() + body(text), m.end() + body(text)
            line = text[text.rfind("\n", 0, start) + 1 : text.find("\n", end)]
            if "?" in line and m[0] in ("<", ">", "<=", ">="):
                continue
            if text[end:].startswith("128") and re.search(r"\(uint8_t\)|memset\(", line):
                continue
            new = replacement(m) if callable(replacement) else m.expand(replacement)
            changed = text[:start] + new + text[end:]
            if changed != text and changed not in seen:
                seen.add(changed)
                yield changed, text.count("\n", 0, start) + 1, f"{m[0].strip()} → {new.strip()}"


@dataclass(frozen=True, eq=False)
class Case:
    """One example, emitted into its own folder, with what numpy gives for it."""

    plan: Plan
    folder: Path
    stdin: bytes
    want: dict[int, Fired]
    form: tuple[str, ...] = ()      # flags of the form of the C

    def prepare(self) -> None:
        """Tables once, as no mutant changes them; each buffer of the arena by itself, so that the sanitizers see its ends."""
        source = self.folder / f"{self.plan.name}.c"
        source.write_text(spread_arena(source.read_text()))
        for flags in ((), SANITIZERS):
            tables = [self.folder / f"{self.plan.name}_tables.c"]
            compiler().build(tables, self.folder / f"tables{len(flags)}.o", "-std=c11", "-O0", "-c", *flags, *self.form)

    def fails(self, *flags: str) -> bool:
        """Does the C in the folder give other outputs, stop, hang or not compile?"""
        program = self.folder / "stream"
        try:
            sources = [self.folder / "ts_stream.c", self.folder / f"tables{len(flags)}.o"]
            compiler().build(sources, program, "-std=c11", "-O0", *flags, *self.form)
            done = subprocess.run([program], input=self.stdin, capture_output=True, timeout=SECONDS)
        except (BuildError, subprocess.TimeoutExpired):
            return True
        if done.returncode:
            return True
        try:
            got, _ = parse_stream(self.plan, done.stdout)
        except (ValueError, KeyError):
            return True
        return any(not (np.array_equal(got[i][0], f.when) and np.array_equal(got[i][1], f.y)) for i, f in self.want.items())


def cases_of(kernel: Path, folder: Path) -> list[Case]:
    """Every example whose generated C includes this kernel, the quickest first."""
    found = []
    for n, (module, i) in enumerate(CASES):
        stage, signals = example(module, i)
        plan = plan_stage("mutant", stage, *signals)
        if kernel not in closure([header(step) for step in plan.steps]):
            continue
        x = blocks(module, signals)
        stdin, want = b"".join(block.tobytes() for group in zip(*x) for block in group), Engine(plan).push(*x)
        for form in forms(module):
            told, flags = FORMS[form]
            place = folder / f"{kernel.stem}-{n}-{form}"
            write_stream(plan, place, told)
            if kernel.name in {path.name for path in place.iterdir()}:
                found.append(Case(plan, place, stdin, want, flags))
                found[-1].prepare()
    return sorted(found, key=lambda case: len(case.stdin))


def survivors(kernel: Path, folder: Path) -> tuple[int, list[str]]:
    """How many mutants there are, and those that no example noticed."""
    text, cases, alive, count = kernel.read_text(), cases_of(kernel, folder), [], 0
    assert cases, f"{kernel.name} is used by no example"
    assert not any(case.fails(*SANITIZERS) for case in cases), f"{kernel.name} fails before anything is changed"
    for changed, line, what in mutants(text):
        count += 1
        for case in cases:
            (case.folder / kernel.name).write_text(changed)
        # outputs first, and the example that noticed the last mutant first: sanitizers take three times as long
        caught = next((case for flags in ((), SANITIZERS) for case in cases if case.fails(*flags)), None)
        if caught:
            cases.remove(caught)
            cases.insert(0, caught)
        else:
            alive.append(f"survived: {kernel.name}:{line}: {what}")
            print(alive[-1], flush=True)
    return count, alive


def fixed_survivors(kernel: Path, folder: Path) -> tuple[int, list[str]]:
    """The vocabulary has a test of its own; a copy of the tree is changed under it."""
    tree, alive, count = folder / "tree", [], 0
    shutil.copytree(Path(__file__).parents[1], tree, ignore=shutil.ignore_patterns(".venv", ".git", "__pycache__"))
    for changed, line, what in mutants(kernel.read_text()):
        count += 1
        (tree / "firmware_templates/kernels" / kernel.name).write_text(changed)
        test = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/test_fixed.py", "-k", "bits_of_numpy and gcc"]
        try:
            caught = subprocess.run(test, cwd=tree, capture_output=True, timeout=3 * SECONDS).returncode == 1
        except subprocess.TimeoutExpired:
            caught = True
        if not caught:
            alive.append(f"survived: {kernel.name}:{line}: {what}")
            print(alive[-1], flush=True)
    return count, alive


def main(names: list[str]) -> int:
    kernels = [k for k in sorted((templates() / "kernels").glob("ts_*.h")) if k.stem != "ts_event" and (not names or k.stem[3:] in names)]
    if unknown := set(names) - {k.stem[3:] for k in kernels}:
        print(f"no kernel is called {', '.join(sorted(unknown))}")
        return 2
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda k: (fixed_survivors if k.stem == "ts_fixed" else survivors)(k, Path(folder)), kernels))
    for kernel, (count, alive) in zip(kernels, results):
        print(f"{kernel.name:<28} {count - len(alive):>4} of {count:>4} noticed   {1 - len(alive) / max(1, count):>6.1%}")
    total, alive = sum(count for count, _ in results), sum(len(a) for _, a in results)
    share = 1 - alive / max(1, total)
    print(f"{total - alive} of {total} mutants noticed, {share:.1%}; wanted {WANTED:.0%}")
    return share < WANTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
