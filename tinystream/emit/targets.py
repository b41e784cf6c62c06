"""An app as part of what people use already: files for their tree, or a library of an ecosystem.

A library is the pair of files and whatever lies in firmware_templates/targets/<target>/: real files with holes, NAME in a path for the
app's name.  An ecosystem more is a folder there and a line of TARGETS.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tinystream import __version__
from tinystream.emit.emit import about, counts, defines, input_names, line, sources, suffixes, write
from tinystream.emit.pair import pair
from tinystream.emit.templates import kernels_version, template, templates
from tinystream.errors import TinystreamError
from tinystream.plan.plan import Plan

DESCRIPTION = 250  # characters; registries cut at 256 and more


@dataclass(frozen=True)
class Target:
    """A layout.

    says:    what is written.
    then:    a command that takes it up, with holes: out and absolute, the folder; name and NAME, the app's.
    include: folder of the header.
    library: whether it is a folder of its own, not files among others.
    """

    says: str
    then: str
    include: str = "include"
    library: bool = True


TARGETS = {
    "pair": Target("one .c and one .h", "cc -std=c11 -O2 -c {out}/{name}.c", library=False),
    "sources": Target(
        "a short .c to read, tables and kernels apart", "cc -std=c11 -O2 -c {out}/{name}.c {out}/{name}_tables.c", library=False
    ),
    "cmake": Target("a CMake project", "cmake -S {out} -B {out}/build && cmake --build {out}/build"),
    "arduino": Target(
        "an Arduino library with an example", "arduino-cli compile -b BOARD --library {out} {out}/examples/{name}", include="src"
    ),
    "platformio": Target("a PlatformIO library", "pio pkg install --library symlink://{absolute}"),
    "zephyr": Target("a Zephyr module", "west build -b BOARD YOUR_APP -- -DZEPHYR_EXTRA_MODULES={absolute} -DCONFIG_TINYSTREAM_{NAME}=y"),
    "esp_idf": Target("an ESP-IDF component", "cp -r {out} YOUR_PROJECT/components/{name}"),
    "cmsis": Target("a CMSIS pack and a csolution layer", "cpackget add {out}/tinystream.{name}.pdsc"),
}


def write_target(plan: Plan, target: str, out: Path) -> list[Path]:
    """The app, and a manifest of what was written, into the folder `out`; gives what was written.

    A library wants a folder of its own: TinystreamError where another one lies in `out`.
    """
    texts = target_texts(plan, target)
    name = "MANIFEST.json" if TARGETS[target].library else f"{plan.name}.manifest.json"
    if TARGETS[target].library:
        keep_others(out / name, plan.name, target)
    return write({**texts, name: manifest(plan, target, texts)}, out)


def target_texts(plan: Plan, target: str) -> dict[str, str]:
    """Text by path: the same for equal plans, whenever and wherever."""
    kind = find(target)
    if target == "sources":
        return sources(plan)
    code = pair(plan)
    if target == "pair":
        return code
    texts = {f"src/{plan.name}.c": code[f"{plan.name}.c"], f"{kind.include}/{plan.name}.h": code[f"{plan.name}.h"]}
    filled = holes(plan)
    for folder in ("library", target):
        root = templates() / "targets" / folder
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            name = str(path.relative_to(root)).replace("NAME", plan.name)
            texts[name] = template(str(path.relative_to(templates()))).substitute(filled)
    return texts


def find(target: str) -> Target:
    """A target by its name; TinystreamError that names the nearest first."""
    if target not in TARGETS:
        near = sorted(TARGETS, key=lambda known: -difflib.SequenceMatcher(None, target, known).ratio())
        raise TinystreamError(f"there is no target '{target}'", f"--target {near[0]}; or {', '.join(near[1:])}")
    return TARGETS[target]


def manifest(plan: Plan, target: str, texts: dict[str, str]) -> str:
    """What was emitted of what, as JSON: who has the folder can tell which app it is, and whether a file was changed."""
    told = {
        "app": plan.name,
        "description": line(plan.says),
        "definition": plan.digest,
        "target": target,
        "tinystream": __version__,
        "kernels_version": kernels_version(),
        "ram_bytes": plan.ram_bytes,
        "table_bytes": plan.table_bytes,
        "sha256": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(texts.items())},
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def keep_others(manifest: Path, app: str, target: str) -> None:
    """TinystreamError where a folder holds another library, or a manifest that we did not write."""
    try:
        held = json.loads(manifest.read_text(encoding="utf-8"))
        holds = f"{held['app']} for {held['target']}"
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, KeyError, TypeError):
        holds = f"a {manifest.name} of something else"
    if holds != f"{app} for {target}":
        raise TinystreamError(
            f"{manifest.parent} already holds {holds}", f"--out another folder, such as {manifest.parent.with_name(f'{app}_{target}')}"
        )


def holes(plan: Plan) -> dict[str, object]:
    """What the files of libraries tell, beside what the heads of the C do; a person's words as each kind of file takes them."""
    names, x = input_names(plan), plan.x
    says = line(plan.says)[:DESCRIPTION] or f"The sensing app {plan.name}."
    block = [f"{s.dtype}_t {name}[{plan.name.upper()}_BLOCK{suffix}];" for s, name, suffix in zip(x, names, suffixes(plan))]
    numbers = re.match(r"\d+\.\d+\.\d+", __version__)
    assert numbers, f"{__version__} begins with three numbers"
    scaled, score = scoring(plan)
    macros = [macro for row in defines(plan) for macro in re.findall(r"^#define (\w+)", row)]
    return dict(
        about(plan),
        line=says,
        json=json.dumps(says, ensure_ascii=False),
        xml=escape(says),
        digest=plan.digest or "unknown",
        numbers=numbers[0],
        release=numbers[0] + (f"+{plan.digest[:8]}" if plan.digest else ""),
        sub=plan.name[:32],  # more is not allowed there
        literals="\n".join(f"{macro}\tLITERAL1" for macro in macros),
        names=", ".join(names),
        declare="\n".join(f"static {row}" for row in block),
        read=" && ".join(f"fread({name}, sizeof {name}, 1, stdin) == 1" for name in names),
        receive="\n".join(f"    receive({name}, sizeof {name});" for name in names),
        events=max(1, len(plan.detections)),
        scaled=scaled,
        score=score,
    )


def scoring(plan: Plan) -> tuple[str, str]:
    """What an example declares to know the score of event[i], and how it computes it."""
    if not plan.detections:
        return "", "event[i].score"
    if len(plan.detections) == 1:
        count = counts(plan.steps[plan.detections[0].step].y).replace("event.", "event[i].")
        return "", f"{count} * {plan.name.upper()}_SCORE_SCALE"
    arrays = {"double scales": "SCORE_SCALES", "int32_t zeros": "SCORE_ZEROS"}
    declared = "".join(f"    static const {array}[] = {plan.name.upper()}_{macro};\n" for array, macro in arrays.items())
    return declared, "(event[i].score - zeros[event[i].label]) * scales[event[i].label]"
