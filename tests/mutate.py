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
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[1]
KERNELS = "firmware_templates/kernels"
WANTED = 0.95

# what a tired author gets wrong: comparison, sign, off by one, shift, width, rounding, saturation, index
SWAPS = [
    (r"(?<![<\-=])<(?![<=])", "<="), (r"<=", "<"), (r"(?<![>\-])>(?![>=])", ">="), (r">=", ">"), (r"==", "!="), (r"!=(?=)", "=="),
    (r"(?<=[\w\)\]]) \+ (?=[\w\(])", " - "), (r"(?<=[\w\)\]]) - (?=[\w\(])", " + "), (r"(?<=[\w\)\]]) \* (?=[\w\(])", " + "),
    (r"\+= ", "-= "), (r"-= ", "+= "), (r"\+= ", "= "),
    (r">> (\d+)", lambda m: f">> {int(m[1]) - 1 if int(m[1]) else 1}"), (r"<< (\d+)", lambda m: f"<< {int(m[1]) + 1}"),
    (r"\bts_sat8\(", "(int8_t)("), (r"\bts_sat16\(", "(int16_t)("), (r"\bts_sat32\(", "(int32_t)("),
    (r"\bts_rshift\(([^,;]+), ([^;]*?)\)(?=[;,) ])", r"((\1) >> (\2))"),
    (r"\+ 1\b", "+ 2"), (r"- 1\b", "- 0"), (r"\b0\b(?=[;,])", "1"), (r"&&", "||"), (r"\|\|", "&&"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
]


def body(text: str) -> int:
    """Where the functions begin: what stands above is declarations and words."""
    found = re.search(r"^static ", text, re.M)
    return found.start() if found else len(text)


def mutants(text: str):
    """(changed text, line number, what was changed) for every place outside comments and declarations."""
    code = re.sub(r"/\*.*?\*/", lambda m: " " * len(m[0]) if "\n" not in m[0] else re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    code = re.sub(r"^#.*$", lambda m: " " * len(m[0]), code, flags=re.M)
    seen = set()
    for pattern, replacement in SWAPS:
        for m in re.finditer(pattern, code[body(text) :]):
            start, end = m.start() + body(text), m.end() + body(text)
            new = replacement(m) if callable(replacement) else m.expand(replacement)
            changed = text[:start] + new + text[end:]
            if changed != text and changed not in seen:
                seen.add(changed)
                yield changed, text.count("\n", 0, start) + 1, f"{m[0].strip()} → {new.strip()}"


def noticed(tree: Path, kernel: str) -> bool:
    select = ["tests/test_fixed.py"] if kernel == "fixed" else ["tests/test_same.py"]
    name = [] if kernel == "fixed" else ["-k", f"test_c_gives and {kernel}- and not zig"]
    extra = [str(p.relative_to(tree)) for p in tree.glob(f"tests/test_{kernel}.py")]
    for selection in ([*select, *name], extra):
        if selection and subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *selection], cwd=tree, capture_output=True, timeout=900).returncode == 1:
            return True
    return False


def main(names: list[str]) -> int:
    kernels = sorted((ROOT / KERNELS).glob("ts_*.h"))
    jobs = [(k, *m) for k in kernels if not names or k.stem[3:] in names for m in mutants(k.read_text())]
    trees: Queue[Path] = Queue()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        for i in range(2):
            trees.put(Path(shutil.copytree(ROOT, Path(folder) / str(i), ignore=shutil.ignore_patterns(".venv", ".git", "__pycache__"))))

        def one(job):
            kernel, changed, line, what = job
            tree = trees.get()
            try:
                (tree / KERNELS / kernel.name).write_text(changed)
                caught = noticed(tree, kernel.stem[3:])
            finally:
                (tree / KERNELS / kernel.name).write_text(kernel.read_text())
                trees.put(tree)
            if not caught:
                print(f"survived: {kernel.name}:{line}: {what}", flush=True)
            return caught

        caught = list(pool.map(one, jobs))
    share = sum(caught) / max(1, len(caught))
    print(f"{sum(caught)} of {len(caught)} mutants noticed, {share:.1%}; wanted {WANTED:.0%}")
    return share < WANTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
