"""Where do interpreters compute something else than we do?  The figures of docs/models.md.

    python tests/differences.py [--python OTHER/bin/python …] [--calls 200] [--only softmax …] [--models FOLDER]

Every example of every operator (tests/test_ops.py), and every .tflite file of a folder, on extremes and noise, through each interpreter
that is installed here or in another environment.  Prints a row for each operator or model that differs anywhere: values that differ,
of how many, and by how many counts at the most; "=" where none does, "-" where the interpreter refuses it or crashes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from test_ops import CASES, file_of

from tinystream.errors import ModelError
from tinystream.interpreters.apart import Interpreter, hand_over, handed_back
from tinystream.plan.model import Model, parse_model
from tinystream.plan.plan import plan_model
from tinystream.run.compare import Comparison, compared, foreign, inputs, outputs

ROOT = Path(__file__).parents[1]
KERNELS = ("reference", "optimised", "default")
PACKAGES = ("tflite-micro", "tflite-runtime", "ai-edge-litert")
VERSIONS = """
import importlib.metadata as m, json
print(json.dumps({d.metadata["Name"].lower().replace("_", "-"): d.version for d in m.distributions()}))
"""


@dataclass(frozen=True)
class Place:
    """An interpreter and the environment that has it."""

    python: str
    interpreter: Interpreter
    version: str

    @property
    def name(self) -> str:
        return f"{self.interpreter.name} {self.version}"


def places(pythons: list[str]) -> Iterator[Place]:
    """Each interpreter once, whichever environment has it."""
    seen = set()
    for python in pythons:
        versions = json.loads(subprocess.run([python, "-c", VERSIONS], check=True, capture_output=True).stdout)
        for package in PACKAGES:
            for kernels in KERNELS if package != "tflite-micro" else ("",):
                place = Place(python, Interpreter(package, kernels), versions.get(package, ""))
                if place.version and place.name not in seen:
                    seen.add(place.name)
                    yield place


def files(only: list[str], models: Path | None) -> Iterator[tuple[str, bytes]]:
    """(name, file): examples of one operator have one name."""
    for kind, i in CASES:
        if not only or kind in only:
            yield kind, file_of(kind, i)
    for path in sorted(models.rglob("*.tflite")) if models else ():
        yield str(path.relative_to(models).with_suffix("")), path.read_bytes()


CHILD = """
import sys
from pathlib import Path
from tinystream.interpreters.child import main
for name in sys.argv[1:]:
    try:
        main(Path(name))
    except (RuntimeError, ValueError) as error:
        (Path(name) / "out.npz").unlink(missing_ok=True)
"""


@dataclass(frozen=True)
class Case:
    """A file that is compiled, its inputs and what we make of them."""

    name: str
    data: bytes
    model: Model
    x: list[np.ndarray]
    y: list[np.ndarray]

    @classmethod
    def of(cls, name: str, data: bytes, calls: int) -> Case | None:
        try:
            model = parse_model(data, name)
            x = inputs(plan_model(model), 0, calls)
            return cls(name, data, model, x, outputs(model, x, "python"))
        except ModelError:
            return None


def measured(cases: list[Case], place: Place) -> list[Comparison]:
    """All of them in one process of the other environment."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(i) for i in range(len(cases))]
        for folder, case in zip(folders, cases):
            folder.mkdir()
            hand_over(folder, place.interpreter, case.data, foreign(case.model, case.x))
        run(place, folders)
        found = []
        for folder, case in zip(folders, cases):
            ran = (folder / "out.npz").exists()
            about = Comparison(place.name, missing="" if ran else "it gives nothing")
            found.append(compared(about, case.model, case.y, handed_back(folder)[0]) if ran else about)
        return found


def run(place: Place, folders: list[Path]) -> None:
    """All in one process; where one of them crashes it, each half by itself."""
    done = subprocess.run([place.python, "-c", CHILD, *map(str, folders)], cwd=ROOT, capture_output=True)
    if not done.returncode:
        return
    for folder in folders:
        (folder / "out.npz").unlink(missing_ok=True)
    if len(folders) > 1:
        run(place, folders[: len(folders) // 2])
        run(place, folders[len(folders) // 2 :])


def together(comparisons: list[Comparison]) -> str:
    ran = [c for c in comparisons if not c.missing]
    differing, values = sum(c.differing for c in ran), sum(c.values for c in ran)
    if not ran:
        return "-"
    return f"{differing} of {values}, {max(c.largest for c in ran):g}" if differing else "="


def main() -> None:
    options = argparse.ArgumentParser(description="Where do interpreters compute something else?")
    options.add_argument("--python", action="append", default=[], metavar="FILE", help="another environment's; may be given again")
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--only", action="append", default=[], metavar="OPERATOR")
    options.add_argument("--models", type=Path, metavar="FOLDER", help="compare its models, too")
    told = options.parse_args()
    everywhere = list(places([sys.executable, *told.python]))
    cases = [case for name, data in files(told.only, told.models) if (case := Case.of(name, data, told.calls))]
    rows: dict[str, dict[str, list[Comparison]]] = defaultdict(lambda: defaultdict(list))
    for place in everywhere:
        for case, comparison in zip(cases, measured(cases, place)):
            rows[case.name][place.name].append(comparison)
    names = [place.name for place in everywhere]
    print("| | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    for name, columns in rows.items():
        if any(c.differing or c.missing for found in columns.values() for c in found):
            print(f"| {name} | " + " | ".join(together(columns[place]) for place in names) + " |")
    for name, columns in rows.items():
        for place, found in columns.items():
            for said in {c.missing for c in found if c.missing}:
                print(f"{name}, {place}: {said} ({sum(c.missing == said for c in found)} of {len(found)} files)", file=sys.stderr)
    print(f"\n{len(cases)} files of {len(rows)} operators and models in all")


if __name__ == "__main__":
    main()
