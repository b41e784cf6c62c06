"""Do modules import only from rooms above their own?  The order is DESIGN.md's: the order in which an app is processed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tinystream

ROOMS = ["errors", "plan", "stages", "interpreters", "app", "emit", "io", "run", "firmware", "power", "report", "train", "node", "cli"]
SAME_ROOM = {"ops": "stages", "detectors": "stages"}
PACKAGE = Path(tinystream.__file__).parent


def room(module: str) -> str | None:
    parts = module.split(".")
    return SAME_ROOM.get(parts[1], parts[1]) if len(parts) > 1 and parts[0] == "tinystream" else None


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names if node.module == "tinystream")}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rooms_above_it(path):
    module = ".".join(["tinystream", *path.relative_to(PACKAGE).with_suffix("").parts])
    mine = room(module)
    if mine not in ROOMS:
        assert module in {"tinystream.__init__", "tinystream.__main__"}, f"{module} lies in no room"
        return
    for other in {room(name) for name in imports(path)} & set(ROOMS):
        assert ROOMS.index(other) <= ROOMS.index(mine), f"{module} imports from {other}, which lies below {mine}"
