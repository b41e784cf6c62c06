"""What our C promises beyond the language, checked on its syntax tree: bounded loops, no recursion, no pointers to functions, known sizes.

Rules are those of MISRA C:2012 that matter for memory and time: 14.2 (loops), 15.1 (goto), 17.1 (stdarg), 17.2 (recursion), 18.8 (arrays of
variable size), 21.3 (malloc), and no floating point.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pycparser import c_ast, c_parser

from tinystream.emit.compiler import Compiler

ENDS = re.compile(r"/\* ends: [^*]{10,}")
"""The comment beside a loop whose bound the rules below do not see: why it ends."""

GIVEN = {"memcpy", "memmove", "memset", "memcmp", "atomic_signal_fence"}
"""What may be called that is not ours."""

HEADERS = {  # what our C needs of the standard headers, for a parser that knows no compiler's extensions
    "stdint.h": "".join(
        f"typedef {'' if sign else 'unsigned '}{c} {'' if sign else 'u'}int{bits}_t;\n"
        for bits, c in ((8, "char"), (16, "short"), (32, "int"), (64, "long long"))
        for sign in (True, False)
    )
    + "".join(f"#define INT{n}_MIN (-INT{n}_MAX - 1)\n#define INT{n}_MAX {2 ** (n - 1) - 1}\n" for n in (8, 16, 32, 64))
    + "#define INT64_C(x) x ## LL\n#define UINT64_C(x) x ## ULL\n#define UINT32_MAX 4294967295u\ntypedef unsigned int uintptr_t;\n",
    "stddef.h": "typedef unsigned int size_t;\n#define NULL ((void *)0)\n",
    "stdbool.h": "#define bool _Bool\n#define true 1\n#define false 0\n",
    "string.h": "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\nvoid *memmove(void *, const void *, size_t);\n"
    "void *memset(void *, int, size_t);\n",
    "stdatomic.h": "typedef int memory_order;\nenum { memory_order_seq_cst };\nvoid atomic_signal_fence(memory_order);\n",
    "limits.h": "#define CHAR_BIT 8\n",
}


def parse(source: Path, compiler: Compiler, folder: Path, *flags: str) -> c_ast.FileAST:
    """The syntax tree of a file and all that it includes, as a compiler without extensions would see it."""
    for name, text in HEADERS.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = [*compiler.command, "-E", "-std=c11", "-nostdinc", "-U__GNUC__", f"-I{folder}", *flags, str(source)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return c_parser.CParser().parse(re.sub(r"^#pragma.*$", "", text, flags=re.M), str(source))


def broken(tree: c_ast.FileAST) -> list[str]:
    """Every place where a rule is broken: file, line, and which."""
    functions = {f.decl.name: f for f in tree.ext if isinstance(f, c_ast.FuncDef)}
    found = [*recursion(functions)]
    for name, function in functions.items():
        found += [f"{place(node)}: {what} in {name}" for node, what in of_function(function, GIVEN | functions.keys())]
    found += [f"{place(node)}: {what}" for node, what in of_file(tree)]
    return found


def place(node: c_ast.Node) -> str:
    return f"{Path(node.coord.file).name}:{node.coord.line}"


def walk(node: c_ast.Node) -> Iterator[c_ast.Node]:
    yield node
    for child in node:
        yield from walk(child)


# --- the rules ------------------------------------------------------------------------------------------------


def of_file(tree: c_ast.FileAST) -> Iterator[tuple[c_ast.Node, str]]:
    for node in walk(tree):
        if isinstance(node, c_ast.PtrDecl) and isinstance(node.type, c_ast.FuncDecl):
            yield node, "a pointer to a function"
        if isinstance(node, c_ast.IdentifierType) and {"float", "double"} & set(node.names):
            yield node, "floating point"
        if isinstance(node, c_ast.Constant) and node.type in ("float", "double", "long double"):
            yield node, "floating point"
        if isinstance(node, c_ast.EllipsisParam):
            yield node, "a variable number of arguments"


def of_function(function: c_ast.FuncDef, known: set[str]) -> Iterator[tuple[c_ast.Node, str]]:
    for node in walk(function.body):
        match node:
            case c_ast.Goto() | c_ast.Label():
                yield node, "goto"
            case c_ast.FuncCall() if not isinstance(node.name, c_ast.ID) or node.name.name not in known:
                yield node, f"a call of {node.name.name if isinstance(node.name, c_ast.ID) else 'what is no name'}"
            case c_ast.ArrayDecl() if node.dim is not None and any(
                isinstance(n, (c_ast.FuncCall, c_ast.StructRef)) for n in walk(node.dim)
            ):
                yield node, "an array whose size is computed"
            case c_ast.ArrayDecl() if node.dim is not None and any(isinstance(n, c_ast.ID) and n.name.islower() for n in walk(node.dim)):
                yield node, "an array whose size is computed"  # constants of ours are in capitals
            case c_ast.While() | c_ast.DoWhile() if not (ends(node) or once(node)):
                yield node, "a loop that does not say why it ends"
            case c_ast.For() if not (ends(node) or counted(node)):
                yield node, "a loop that does not say why it ends"


def recursion(functions: dict[str, c_ast.FuncDef]) -> Iterator[str]:
    calls = {
        name: {n.name.name for n in walk(f.body) if isinstance(n, c_ast.FuncCall) and isinstance(n.name, c_ast.ID)} & functions.keys()
        for name, f in functions.items()
    }
    for name in calls:
        reached, queue = set[str](), list(calls[name])
        while queue:
            at = queue.pop()
            if at not in reached:
                reached.add(at)
                queue += calls[at]
        if name in reached:
            yield f"{place(functions[name])}: {name} calls itself"


# --- loops ----------------------------------------------------------------------------------------------------


def ends(loop: c_ast.Node) -> bool:
    """Whether a comment says why, on the line of the loop or on the one above."""
    lines = Path(loop.coord.file).read_text(encoding="utf-8").splitlines()
    return any(ENDS.search(line) for line in lines[max(loop.coord.line - 2, 0) : loop.coord.line])


def once(loop: c_ast.Node) -> bool:
    """do { … } while (0)"""
    return isinstance(loop, c_ast.DoWhile) and isinstance(loop.cond, c_ast.Constant) and loop.cond.value == "0"


def counted(loop: c_ast.For) -> bool:
    """Whether a part of the condition compares a variable with what the body does not change, and constants move it there."""
    assigned = {name for name, _ in steps(loop.stmt)}
    for name, step in steps(loop.next):
        for part in parts(loop.cond):
            others = {n.name for n in walk(part) if isinstance(n, c_ast.ID)} - {name}
            if name in assigned or others & assigned:
                continue
            if towards(part, name, step) or meets(part, name, step, loop):
                return True
    return False


def parts(condition: c_ast.Node | None) -> Iterator[c_ast.BinaryOp]:
    """The comparisons that && joins."""
    if isinstance(condition, c_ast.BinaryOp) and condition.op == "&&":
        yield from parts(condition.left)
        yield from parts(condition.right)
    elif isinstance(condition, c_ast.BinaryOp):
        yield condition


def steps(node: c_ast.Node | None) -> Iterator[tuple[str, c_ast.Node]]:
    """(variable, how) of everything that assigns to a variable, or takes its address."""
    for n in walk(node) if node is not None else ():
        if isinstance(n, c_ast.Assignment) and isinstance(n.lvalue, c_ast.ID):
            yield n.lvalue.name, n
        if isinstance(n, c_ast.UnaryOp) and n.op in ("p++", "++", "p--", "--", "&") and isinstance(n.expr, c_ast.ID):
            yield n.expr.name, n


def towards(part: c_ast.BinaryOp, name: str, step: c_ast.Node) -> bool:
    """i < bound with i++ or i += 4;  i > bound with i--;  i > 0 with i /= 2 or i >>= 1."""
    sign = side(part.left, name) - side(part.right, name)
    if part.op in ("<", "<="):
        return sign * direction(step) > 0
    if part.op in (">", ">="):
        halves = isinstance(step, c_ast.Assignment) and step.op in ("/=", ">>=") and number(step.rvalue) not in (None, 0)
        if halves and step.op == "/=" and number(step.rvalue) == 1:
            return False
        return sign * direction(step) < 0 or bool(halves and sign > 0 and part.op == ">" and number(part.right) == 0)
    return False


def meets(part: c_ast.BinaryOp, name: str, step: c_ast.Node, loop: c_ast.For) -> bool:
    """x != end, where `end = x + (count & ~7)` and x += 8, `end = x + (count & 7)` and x++, or `end = x + rows * count` and x += count."""
    declared = loop.init.decls[0] if isinstance(loop.init, c_ast.DeclList) and len(loop.init.decls) == 1 else None
    if part.op != "!=" or declared is None or not (isinstance(part.right, c_ast.ID) and part.right.name == declared.name):
        return False
    far = declared.init
    if not (isinstance(far, c_ast.BinaryOp) and far.op == "+" and isinstance(far.left, c_ast.ID) and far.left.name == name):
        return False
    way = far.right
    if isinstance(way, c_ast.BinaryOp) and way.op == "&":
        mask = way.right.expr if isinstance(way.right, c_ast.UnaryOp) and way.right.op == "~" else None
        return direction(step) == (1 if mask is None else (number(mask) or 0) + 1)
    grows = isinstance(step, c_ast.Assignment) and step.op == "+=" and isinstance(step.rvalue, c_ast.ID)
    return bool(grows and isinstance(way, c_ast.BinaryOp) and way.op == "*" and same(way.right, step.rvalue))


def same(a: c_ast.Node, b: c_ast.Node) -> bool:
    return isinstance(a, c_ast.ID) and isinstance(b, c_ast.ID) and a.name == b.name


def side(node: c_ast.Node, name: str) -> int:
    """1 where the variable is added in the expression, -1 where it is taken off, 0 where it is not there or stands otherwise."""
    if isinstance(node, c_ast.ID):
        return int(node.name == name)
    if isinstance(node, c_ast.BinaryOp) and node.op in "+-":
        return side(node.left, name) + (1 if node.op == "+" else -1) * side(node.right, name)
    return 0


def direction(step: c_ast.Node) -> int:
    """By which constant a variable moves; 0 where that is none."""
    match step:
        case c_ast.UnaryOp(op="p++" | "++"):
            return 1
        case c_ast.UnaryOp(op="p--" | "--"):
            return -1
        case c_ast.Assignment(op="+=" | "-="):
            return (number(step.rvalue) or 0) * (1 if step.op == "+=" else -1)
    return 0


def number(node: c_ast.Node) -> int | None:
    """The value of a constant, or of a product of constants; one that is named counts as 1, for those of ours are not negative."""
    match node:
        case c_ast.Constant(type="int"):
            return int(node.value.rstrip("uUlL"), 0)
        case c_ast.ID() if node.name.isupper():
            return 1
        case c_ast.BinaryOp(op="*"):
            a, b = number(node.left), number(node.right)
            return None if a is None or b is None else a * b
    return None
