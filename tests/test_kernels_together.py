"""Can any kernel stand beside any other?  An app of several models and detectors may use all of them in one file."""

from __future__ import annotations

import pytest

from tinystream.emit.compiler import compilers
from tinystream.emit.templates import templates

KERNELS = sorted(path.name for path in (templates() / "kernels").glob("ts_*.h"))


@pytest.mark.parametrize("compiler", compilers(), ids=lambda compiler: compiler.name)
@pytest.mark.parametrize("groups", [0, 1])
def test_no_two_kernels_share_a_name(groups, compiler, tmp_path):
    for order in (KERNELS, KERNELS[::-1]):
        source = tmp_path / "all.c"
        lines = [f"#define TS_GROUPS {groups}", *(f'#include "{name}"' for name in order), "int main(void)", "{", "    return 0;", "}", ""]
        source.write_text("\n".join(lines))
        compiler.build([source], tmp_path / "all", "-std=c11", "-Werror", "-Wno-unused-function", f"-I{templates() / 'kernels'}")
