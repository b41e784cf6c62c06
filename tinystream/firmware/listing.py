"""The instructions of a function, each with how often it was executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tinystream.errors import BuildError
from tinystream.firmware.image import Image


def listing(image: Image, function: str, executed: Mapping[int, int]) -> Iterator[str]:
    """A line an instruction that was executed: count, address, words of the assembler; gaps are code that was not."""
    try:
        import capstone
    except ImportError:
        raise BuildError("a listing needs the capstone package", "pip install 'tinystream[mcu]'") from None

    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    before = None
    for address in sorted(executed):
        if image.function_at(address) != function:
            continue
        if before not in (None, address):
            yield ""
        (instruction,) = decoder.disasm(image.bytes_at(address, 4), address, 1)
        yield f"{executed[address]:>12,} {address:6x}  {instruction.mnemonic:<8} {instruction.op_str}".rstrip()
        before = address + instruction.size
