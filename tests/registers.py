"""Registers of a board.c against the manufacturer's own description of the chip, a CMSIS-SVD file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from shared import shared

REGISTER = re.compile(r"#define (\w+?)_(\w+)\s+REGISTER\((0x[0-9a-f]+)u?, (0x[0-9a-f]+)\)")
MACRO = re.compile(r"#define (\w+)\((\w+)\)\s+(.+?)(?:\s+/\*.*)?$", re.M)
CONSTANT = re.compile(r"\b([A-Z][A-Z0-9_]+) = ((?:0x)?[0-9a-f]+(?: << \d+)?)\b")


class Chip:
    """Peripherals by name, and their registers by address: (names, element)."""

    def __init__(self, path: Path):
        root = ElementTree.parse(path).getroot()
        self.peripherals = {p.findtext("name"): p for p in root.iter("peripheral")}
        self.bases = {name: number(p.findtext("baseAddress")) for name, p in self.peripherals.items()}
        self.at: dict[int, list[tuple[str, str, ElementTree.Element]]] = {}
        for name, base in self.bases.items():
            for register, offset, element in registers(self._own(name)):
                self.at.setdefault(base + offset, []).append((name, plain(register), element))

    def _own(self, name: str) -> ElementTree.Element:
        peripheral = self.peripherals[name]
        own = peripheral.find("registers")
        if own is None and "derivedFrom" in peripheral.attrib:
            return self._own(peripheral.attrib["derivedFrom"])
        return peripheral if own is None else own

    def field(self, peripheral: str, register: str, field: str) -> ElementTree.Element:
        found = [
            f
            for entries in self.at.values()
            for name, other, element in entries
            if (name, other) == (peripheral, plain(register))
            for f in element.iter("field")
            if f.findtext("name") == field
        ]
        assert len(found) == 1, f"{peripheral}.{register} has {len(found)} fields {field}"
        return found[0]


def number(text: str | None) -> int:
    assert text is not None
    return int(text, 0)


def plain(name: str) -> str:
    """A register's name without what only groups it: EVENTS_COMPARE[0] is COMPARE0."""
    return re.sub(r"[^A-Z0-9]", "", re.sub(r"^(TASKS|EVENTS)_", "", name.upper()))


def registers(element: ElementTree.Element, offset: int = 0, before: str = ""):
    for child in element:
        if child.tag not in ("register", "cluster"):
            continue
        name, at = child.findtext("name") or "", offset + number(child.findtext("addressOffset"))
        for i in range(number(child.findtext("dim") or "1")):
            here, there = name.replace("%s", str(i)), at + i * number(child.findtext("dimIncrement") or "0")
            if child.tag == "cluster":
                yield from registers(child, there, before + here)
            else:
                yield before + here, there, child


def low_bit(field: ElementTree.Element) -> int:
    if field.findtext("bitRange"):
        return int(field.findtext("bitRange").strip("[]").split(":")[1])
    return int(field.findtext("lsb") or field.findtext("bitOffset"))


def macros(text: str) -> dict:
    """Macros of one argument that name addresses, as functions."""
    known: dict = {"REGISTER": lambda base, offset: base + offset, "TS_REGISTER": lambda address: address}
    for name, argument, body in MACRO.findall(text):
        if "REGISTER" in body or body.startswith("(0x"):
            body = re.sub(r"\b(0x[0-9a-f]+|\d+)u\b", r"\1", body).replace(" / ", " // ")
            known[name] = eval(f"lambda {argument}: {body}", known)
    return known


def check_registers(
    source: Path,
    svd: str,
    interrupts: dict[str, str],
    numbered: dict[str, dict[int, str]],
    fields: dict[str, tuple[str, str, str, str | None]],
) -> None:
    """Every REGISTER() of a source has the address of its name; interrupts have their numbers, and constants their field and value.

    numbered: a macro for registers of pins or channels → number → register.
    fields:   constant → peripheral, register, field and the name of the value; None where it is the field's single bit.
    """
    chip, text = Chip(shared("data", "svd", svd)), source.read_text(encoding="utf-8")
    found = REGISTER.findall(text)
    assert len(found) > 30
    named = [(f"{peripheral}_{register}", register, int(base, 0) + int(offset, 0)) for peripheral, register, base, offset in found]
    known = macros(text)
    named += [(f"{macro}({n})", register, known[macro](n)) for macro, some in numbered.items() for n, register in some.items()]
    for name, register, address in named:
        names = {other for _, other, _ in chip.at.get(address, [])}
        assert plain(register) in names, f"{name} lies where {sorted(names)} is"
    constants = {name: eval(value) for name, value in CONSTANT.findall(text)}
    for name, peripheral in interrupts.items():
        numbers = {int(i.findtext("value")) for i in chip.peripherals[peripheral].iter("interrupt")}
        assert constants[name] in numbers, f"{name} = {constants[name]}, and {peripheral} has {numbers}"
    for name, (peripheral, register, field, value) in fields.items():
        element = chip.field(peripheral, register, field)
        values = {v.findtext("name"): number(v.findtext("value")) for v in element.iter("enumeratedValue")}
        wanted = (1 if value is None else values[value]) << low_bit(element)
        assert constants[name] == wanted, f"{name} = {constants[name]:#x} is not {peripheral}.{register}.{field}: {wanted:#x}"
