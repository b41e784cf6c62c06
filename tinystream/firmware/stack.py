"""How deep the stack can grow, from the instructions of an image: no path is forgotten because no input took it."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from tinystream.errors import BuildError
from tinystream.firmware.image import Image

HELP = "another optimisation level or compiler; code of yours wants arrays of constant size and no pointers to functions"
FRAME = 36  # bytes that the core pushes at an interrupt, with padding
VECTORS = 16 + 240  # Armv7-M has no more
LOST = 1 << 16  # bytes: deeper than any stack here, so a loop must have grown it


@dataclass(frozen=True)
class Depth:
    """The most bytes that a call can hold at once, and the calls that lead there, outermost first.

    What the core itself pushes at an interrupt comes on top: 32 bytes and up to 4 of padding, without a floating-point unit.
    """

    bytes: int
    path: tuple[str, ...]


@dataclass
class Function:
    """What one function does to the stack.

    own:   the most bytes it holds itself.
    calls: the most it holds while it calls each other function, by address; a jump to another function is a call, too.
    """

    name: str
    own: int = 0
    calls: dict[int, int] = field(default_factory=dict)


def stack_depth(image: Image, function: str = "ts_start") -> Depth:
    """The deepest that the stack can get between a call of the function and its return; from ts_start, since the reset.

    BuildError where it cannot be known: another core than a Cortex-M, recursion, a call through a pointer, or a stack pointer that
    is moved by something computed.
    """
    if image.architecture != "EM_ARM":
        raise BuildError(f"the depth of the stack is computed for Arm only, and {image.path.name} is for another core", "a Cortex-M")
    if function not in image.symbols:
        raise BuildError(f"{image.path.name} has no function '{function}'", f"one of {', '.join(sorted(image.symbols))}")
    start = image.symbols[function] & ~1
    return deepest(start, call_graph(image, start), (), {})


def firmware_stack(image: Image) -> int:
    """The most bytes that a board's firmware can hold on its stack, as if every interrupt came while every other one is served.

    BuildError as stack_depth().
    """
    total = stack_depth(image, "ts_begin").bytes
    for handler in sorted(handlers(image)):
        total += FRAME + deepest(handler, call_graph(image, handler), (), {}).bytes
    return total


def handlers(image: Image) -> set[int]:
    """What the vector table leads to, but for the start and for faults, after which nothing goes on."""
    functions, table = dict(image.functions), image.symbols["ts_vectors"]
    found = set()
    for at in range(table + 4, table + 4 * VECTORS, 4):
        (word,) = struct.unpack("<I", image.bytes_at(at, 4))
        if word and functions.get(word & ~1) is None:
            break  # the table has ended
        found.add(word & ~1)
    return found - {0} - {start for start, name in functions.items() if name in ("ts_start", "ts_fault", "ts_nmi")}


def deepest(address: int, graph: dict[int, Function], above: tuple[int, ...], known: dict[int, Depth]) -> Depth:
    """The depth of the function there; `above` are the functions that call it now."""
    if address in above:
        circle = [graph[at].name for at in (*above[above.index(address) :], address)]
        raise BuildError(f"the stack has no bound: {' calls '.join(circle)}", HELP)
    if address not in known:
        here = graph[address]
        depths = [Depth(here.own, (here.name,))]
        for callee, held in here.calls.items():
            below = deepest(callee, graph, (*above, address), known)
            depths.append(Depth(held + below.bytes, (here.name, *below.path)))
        known[address] = max(depths, key=lambda depth: depth.bytes)
    return known[address]


def call_graph(image: Image, start: int) -> dict[int, Function]:
    """Every function that can be reached from the one at `start`, by address."""
    decoder, graph, queue = Decoder(image), dict[int, Function](), [start]
    while queue:
        address = queue.pop()
        if address not in graph:
            graph[address] = decoder.function(address)
            queue += graph[address].calls
    return graph


class Decoder:
    """Follows the instructions of one function at a time, on every path, with the bytes that the stack holds at each.

    Source: Arm v7-M Architecture Reference Manual, A7.7; ELF for the Arm Architecture, 5.5.5 (mapping symbols).
    """

    def __init__(self, image: Image):
        try:
            import capstone
        except ImportError:
            raise BuildError("computing the depth of the stack needs the capstone package", "pip install 'tinystream[mcu]'") from None

        self.image, self.arm = image, capstone.arm
        self.names = dict(image.functions)
        self._decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        self._decoder.detail = True
        self._decoded: dict[int, dict[int, Any]] = {}  # by function: its instructions by address
        self._written: dict[int, frozenset[int]] = {}  # by instruction: the registers

    def function(self, start: int) -> Function:
        """What the function there does to the stack."""
        here = Function(self.names[start])
        own = self._code(start)
        held: dict[int, int] = {}
        queue, jumps = [(start, 0)], list[int]()
        while True:
            if not queue:
                # cases of a jump through a table are what nothing else leads to; they begin with what the jump held
                left = [at for at in own if at not in held] if jumps else []
                if not left:
                    return here
                queue.append((left[0], max(jumps)))
            at, bytes_ = queue.pop()
            if at in self.names and at != start:  # a jump to another function, or on into it
                self._call(here, at, bytes_)
            elif held.get(at, -1) < bytes_:
                held[at] = bytes_
                after = self._after(here, at, bytes_)
                if self._jumps_by_table(self._at(here, at)):
                    jumps.append(after)
                queue += self._next(here, at, bytes_, after, own)

    def _call(self, here: Function, called: int, held: int) -> None:
        here.calls[called] = max(here.calls.get(called, 0), held)
        here.own = max(here.own, held)

    # --- instructions ---------------------------------------------------------------------------------------------

    def _code(self, address: int) -> dict[int, Any]:
        """All instructions of the function that holds the address, without the constants and tables between them."""
        start = max((start for start in self.names if start <= address), default=address)
        if start not in self._decoded:
            end = start + self.image.function_bytes(start)
            ranges = self.image.code_between(start, end)
            # range by range in one go, for capstone follows IT blocks
            code = [i for low, high in ranges for i in self._decoder.disasm(self.image.bytes_at(low, high - low), low)]
            self._decoded[start] = {i.address: i for i in code}
        return self._decoded[start]

    def _at(self, here: Function, address: int) -> Any:
        """The instruction there."""
        instruction = self._code(address).get(address)
        if instruction is None:
            raise self._refusal(here, address, "goes on where no instruction is")
        return instruction

    def _writes(self, instruction: Any, register: int) -> bool:
        if instruction.address not in self._written:
            self._written[instruction.address] = frozenset(instruction.regs_access()[1])
        return register in self._written[instruction.address]

    def _writer(self, instruction: Any, register: int) -> Any:
        """The instruction above this one that last wrote the register, or None."""
        code = self._code(instruction.address)
        above = (code[at] for at in sorted(code, reverse=True) if at < instruction.address)
        return next((before for before in above if self._writes(before, register)), None)

    # --- what they do ---------------------------------------------------------------------------------------------

    def _after(self, here: Function, address: int, held: int) -> int:
        """Bytes on the stack after the instruction there."""
        after = held + self._pushes(here, self._at(here, address))
        if after < 0:
            raise self._refusal(here, address, "gives back more stack than it took")
        if after > LOST:
            raise self._refusal(here, address, "takes more of the stack each time it comes by")
        here.own = max(here.own, after)
        return after

    def _pushes(self, here: Function, instruction: Any) -> int:
        """By how many bytes the stack grows; negative where it shrinks."""
        arm, operands, name = self.arm, instruction.operands, instruction.mnemonic
        if not self._writes(instruction, arm.ARM_REG_SP):
            return 0
        if name.startswith(("push", "vpush", "pop", "vpop")):
            size = sum(8 if arm.ARM_REG_D0 <= o.reg <= arm.ARM_REG_D31 else 4 for o in operands)
            return size if "push" in name else -size
        if name.startswith(("stmdb", "ldm")):
            size = 4 * (len(operands) - 1)
            return size if name.startswith("stm") else -size
        if name.startswith(("sub", "add")):
            last = operands[-1]
            amount = last.imm if last.type == arm.ARM_OP_IMM else self._constant(instruction, last.reg)
            if amount is None:
                raise self._refusal(
                    here, instruction.address, f"moves the stack pointer by a computed amount, '{name} {instruction.op_str}'"
                )
            return amount if name.startswith("sub") else -amount
        if name.startswith(("str", "ldr")):
            (place,) = [o.mem for o in operands if o.type == arm.ARM_OP_MEM]
            return -(operands[-1].imm if operands[-1].type == arm.ARM_OP_IMM else place.disp)  # moved after it was used, or before
        raise self._refusal(here, instruction.address, f"moves the stack pointer by '{name} {instruction.op_str}'")

    def _constant(self, instruction: Any, register: int) -> int | None:
        """What a register holds: a Cortex-M0 moves the stack pointer far by a constant that it has loaded, or made of a small one."""
        arm, made = self.arm, self._writer(instruction, register)
        if made is None:
            return None
        last = made.operands[-1]
        if made.id == arm.ARM_INS_LDR and last.type == arm.ARM_OP_MEM and last.mem.base == arm.ARM_REG_PC:
            (value,) = struct.unpack("<i", self.image.bytes_at((made.address + 4 & ~3) + last.mem.disp, 4))
            return value
        if made.id == arm.ARM_INS_MOV and last.type == arm.ARM_OP_IMM:
            return last.imm
        if made.id == arm.ARM_INS_LSL and last.type == arm.ARM_OP_IMM:
            value = self._constant(made, made.operands[-2].reg)
            return None if value is None else value << last.imm
        return None

    def _jumps_by_table(self, instruction: Any) -> bool:
        arm = self.arm
        if instruction.id in (arm.ARM_INS_TBB, arm.ARM_INS_TBH):
            return True
        moves = instruction.id in (arm.ARM_INS_MOV, arm.ARM_INS_ADD, arm.ARM_INS_LDR) and self._writes(instruction, arm.ARM_REG_PC)
        return moves and not self._returns(instruction)

    def _returns(self, instruction: Any) -> bool:
        """Jumps to lr, or to what was saved of it on the stack."""
        arm = self.arm
        if not self._writes(instruction, arm.ARM_REG_PC) and instruction.id != arm.ARM_INS_BX:
            return False
        if instruction.id in (arm.ARM_INS_BX, arm.ARM_INS_MOV):
            target = instruction.operands[-1].reg
            saved = self._writer(instruction, target)
            return target == arm.ARM_REG_LR or (saved is not None and self._writes(saved, arm.ARM_REG_SP))
        return self._writes(instruction, arm.ARM_REG_SP)

    def _next(self, here: Function, address: int, held: int, after: int, own: Collection[int]) -> list[tuple[int, int]]:
        """Where the core may go on, and the bytes on the stack there; what it calls is noted."""
        arm, instruction = self.arm, self._at(here, address)
        below = address + instruction.size
        on = [] if instruction.cc in (arm.ARM_CC_AL, arm.ARM_CC_INVALID) else [(below, held)]
        words = f"'{instruction.mnemonic} {instruction.op_str}'"
        if instruction.id == arm.ARM_INS_B:
            return [*on, (instruction.operands[0].imm, after)]
        if instruction.id in (arm.ARM_INS_CBZ, arm.ARM_INS_CBNZ):
            return [(below, after), (instruction.operands[1].imm, after)]
        if instruction.id in (arm.ARM_INS_BL, arm.ARM_INS_BLX):
            if instruction.operands[0].type != arm.ARM_OP_IMM:
                raise self._refusal(here, address, f"calls through a pointer, {words}")
            called = instruction.operands[0].imm & ~1
            if called not in self.names:
                if called not in own:
                    raise self._refusal(here, address, f"calls what is no function, {words}")
                return [(called, after)]  # Thumb of a Cortex-M0 has no far jump, so gcc takes bl for one
            self._call(here, called, after)
            return [(below, after)]
        if self._returns(instruction):
            if after:
                raise self._refusal(here, address, f"returns with {after} bytes left on the stack")
            return on
        if self._jumps_by_table(instruction) or instruction.id == arm.ARM_INS_UDF:
            return on
        if instruction.id == arm.ARM_INS_BX:
            raise self._refusal(here, address, f"jumps through a pointer, {words}")
        return [*on, (below, after)]

    def _refusal(self, here: Function, at: int, what: str) -> BuildError:
        return BuildError(f"the stack of {here.name} in {self.image.path.name} cannot be computed: at {at:#x} it {what}", HELP)
