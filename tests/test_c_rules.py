"""Does our C keep its rules, and is a breach of each noticed?"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from c_rules import broken, parse

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import compiler, compilers
from tinystream.emit.emit import emit
from tinystream.emit.templates import templates

pytestmark = pytest.mark.skipif(not compilers(), reason="needs a C compiler, for its preprocessor")

KERNELS = sorted((templates() / "kernels").glob("*.h"))
APP = Path(__file__).parents[1] / "apps/wake_word"


def test_every_kernel_keeps_the_rules_in_every_form(tmp_path):
    found = set()
    for kernel in KERNELS:
        text = kernel.read_text(encoding="utf-8")
        formed = (
            "TS_GROUPS" in text or "TS_PAIRS" in text or re.search(r'#include "ts_(conv_2d|fully_connected|depthwise_conv_2d)\.h"', text)
        )
        for groups, pairs in ((0, 0), (1, 0), (1, 1)) if formed else ((1, 1),):
            found.update(broken(parse(kernel, compiler(), tmp_path, f"-DTS_GROUPS={groups}", f"-DTS_PAIRS={pairs}")))
    assert not found, "\n".join(sorted(found))


def test_an_app_and_its_firmware_keep_the_rules(tmp_path):
    plan, headers = plan_file(APP), tmp_path / "headers"
    headers.mkdir()
    emit(plan, tmp_path)
    shutil.copyfile(templates() / "kernels/ts_fixed.h", tmp_path / "ts_fixed.h")
    found = broken(parse(tmp_path / f"{plan.name}.c", compiler(), headers))
    assert not found, "\n".join(found)


# --- would a breach be noticed? -------------------------------------------------------------------------------

BREACHES = {
    "goto": "void f(void) { again: goto again; }",
    "a pointer to a function": "void g(void (*h)(void));",
    "a call of what is no name": "struct s { void (*h)(void); }; void f(struct s *s) { s->h(); }",
    "a call of malloc": "void *malloc(int); void f(void) { (void)malloc(3); }",
    "floating point": "int f(int x) { return (int)(x * 1.5f); }",
    "a variable number of arguments": "int f(int x, ...);",
    "f calls itself": "int g(int x); int f(int x) { return g(x); } int g(int x) { return x ? f(x - 1) : 0; }",
    "an array whose size is computed": "int f(int n) { int y[n]; y[0] = n; return y[0]; }",
    "a loop that does not say why it ends": "int f(int x) { while (x > 1) { x = x & 1 ? 3 * x + 1 : x / 2; } return x; }",
}
ENDLESS = [
    "for (;;) { y++; }",
    "for (i = 0; i < n; i--) { y++; }",
    "for (i = 0; i < n; i++) { i = y; }",
    "for (i = 0; i < n; i++) { n++; }",
    "for (i = 0; i < n; i++) { g(&i); }",
    "for (i = 0; i < n; i += y) { y++; }",
    "for (i = 1; i < n; i *= 2) { y++; }",
    "for (i = 0; i != n; i += 2) { y++; }",
    "for (i = n; i > 1; i /= 2) { y++; }",
    "for (i = n; i >= 0; i /= 2) { y++; }",
    "for (i = n; i > 0; i >>= 0) { y++; }",
    "for (i = n; n - i > 4; i--) { y++; }",
    "for (int *end = p + n; p != end; p++) { y++; }",
    "for (int *end = p + (n & ~7); p != end; p += 4) { y++; }",
    "do { y++; } while (y);",
    "/* ends */ while (y) { y--; }",
]
ENDING = [
    "for (i = 0; i < n; i++) { y++; }",
    "for (; i + 4 <= n; i += 4) { y++; }",
    "for (i = n; i > 0; i--) { y++; }",
    "for (i = n; i > 0; i /= 2) { y++; }",
    "for (; n - i >= 4; i += 2) { y++; }",
    "for (i = 0; i < n && y; i++) { y--; }",
    "for (int *end = p + (n & ~7); p != end; p += 8) { y++; }",
    "for (int *end = p + (n & 7); p != end; p++) { y++; }",
    "for (int *end = p + y * n; p != end; p += n) { y++; }",
    "do { y++; } while (0);",
    "while (y) {     /* ends: y is no pointer to itself */\n y--; }",
]


def breaches(text: str, folder: Path) -> list[str]:
    (folder / "own.c").write_text(text + "\n", encoding="utf-8")
    return broken(parse(folder / "own.c", compiler(), folder))


@pytest.mark.parametrize("rule", BREACHES)
def test_a_breach_of_each_rule_is_noticed(rule, tmp_path):
    found = breaches(BREACHES[rule], tmp_path)
    assert any(rule in line for line in found), found
    assert all(line.startswith("own.c:1: ") for line in found)


@pytest.mark.parametrize("loop", ENDLESS)
def test_a_loop_that_need_not_end_is_noticed(loop, tmp_path):
    found = breaches(f"void g(int *x) {{ *x = 0; }} void f(int i, int n, int y, int *p) {{ {loop} }}", tmp_path)
    assert [line for line in found if "a loop that does not say why it ends" in line] == found != []


@pytest.mark.parametrize("loop", ENDING)
def test_a_loop_that_ends_is_no_breach(loop, tmp_path):
    assert breaches(f"void f(int i, int n, int y, int *p) {{ {loop} }}", tmp_path) == []
