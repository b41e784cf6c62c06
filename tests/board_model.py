"""A Cortex-M with registers around it, for boards that nothing else here can run: the whole firmware, against a model of its chip.

The core is infinitely fast: it runs until it sleeps, and only then does time pass, to the next thing that happens.  An interrupt is taken
where the core unmasks them or sleeps, its handler runs as a function, and a line that is still raised when the handler returns is taken
again.  Priorities order the handlers that wait; none interrupts another.  A register that the model does not have stops the run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import unicorn
from unicorn import arm_const as arm

from tinystream.firmware.image import Image

PPB, PAGE = 0xE000E000, 0x1000
WFI, UNMASK, MASK = b"\x30\xbf", b"\x62\xb6", b"\x72\xb6"  # wfi; cpsie i; cpsid i (Armv7-M ARM, A7.7)
CALLER_SAVED = [arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3, arm.UC_ARM_REG_R12, arm.UC_ARM_REG_LR]
AGAIN = 1000  # so often in a row may a handler leave its line raised


class Chip:
    """Base of the models: registers by address, what reading and writing does, which interrupt lines are raised."""

    cpu: str
    memories: dict[int, int]  # address: bytes
    spaces: dict[int, int]  # of registers, address: bytes
    vectors: int
    ns = 0  # since the reset

    def __init__(self) -> None:
        self.core: Core
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = count()

    def read(self, address: int) -> int:
        raise AssertionError(f"the chip has no register to read at {address:#010x}")

    def write(self, address: int, value: int) -> None:
        raise AssertionError(f"the chip has no register to write at {address:#010x} ({value:#x})")

    def sleeps(self, deep: bool) -> None:
        """The core sleeps; deep: with SLEEPDEEP."""

    def raised(self) -> set[int]:
        """Interrupt lines that are raised now."""
        raise NotImplementedError

    def after(self, ns: int, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.ns + ns, next(self._count), happens))

    def pass_time(self) -> bool:
        """The next thing happens; False where nothing ever will."""
        if not self._events:
            return False
        self.ns, _, happens = heapq.heappop(self._events)
        happens()
        return True


class Core:
    """The core with a chip around it and an image in its memory.  enabled, priority: what the firmware told the NVIC."""

    def __init__(self, image: Image, chip: Chip):
        self.image, self.chip = image, chip
        chip.core = self
        self.enabled: set[int] = set()
        self.priority: dict[int, int] = {}
        self.masked = False
        self.resets = 0
        self._ppb: dict[int, int] = {}
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self.uc.ctl_set_cpu_model(getattr(arm, chip.cpu))
        for base, size in chip.memories.items():
            self.uc.mem_map(base, size)
        for base, size in chip.spaces.items():
            self._registers(base, size, chip.read, chip.write)
        self._registers(PPB, PAGE, self._read_ppb, self._write_ppb)
        for segment in image.segments:
            self.uc.mem_write(segment.address, segment.data)
            for code, stop in ((WFI, True), (UNMASK, True), (MASK, False)):
                self._watch(segment.address, segment.data, code, stop)
        self.pad = max(s.address + len(s.data) for s in image.segments) + 64 & ~15  # where handlers return to

    def _registers(self, base: int, size: int, read: Callable[[int], int], write: Callable[[int, int], None]) -> None:
        def on_read(uc, offset, width, data):
            assert width == 4 or base == PPB, f"{base + offset:#x} was read by {width} bytes"
            return read(base + offset)

        def on_write(uc, offset, width, value, data):
            assert width == 4, f"{base + offset:#x} was written by {width} bytes"
            write(base + offset, value)

        self.uc.mmio_map(base, size, on_read, None, on_write, None)

    def _watch(self, address: int, data: bytes, code: bytes, stop: bool) -> None:
        """Be told when one of these instructions is reached; the same bytes may be data, which nobody executes."""
        at = data.find(code)
        while at >= 0:
            if at % 2 == 0:
                hook = (lambda uc, *_: uc.emu_stop()) if stop else (lambda *_: setattr(self, "masked", True))
                self.uc.hook_add(unicorn.UC_HOOK_CODE, hook, None, address + at, address + at)
            at = data.find(code, at + 1)

    def call(self, function: str, told: Callable[[int], None]) -> None:
        """Be told r0 whenever a function is called."""
        at = self.image.symbols[function] & ~1
        self.uc.hook_add(unicorn.UC_HOOK_CODE, lambda uc, *_: told(uc.reg_read(arm.UC_ARM_REG_R0)), None, at, at)

    # --- the core's own registers: Armv7-M ARM, B3.2 to B3.4 ----------------------------------------------------

    def _read_ppb(self, address: int) -> int:
        return self._ppb.get(address, 0)

    def _write_ppb(self, address: int, value: int) -> None:
        self._ppb[address] = value
        if 0xE000E100 <= address < 0xE000E120:
            self.enabled |= {8 * (address - 0xE000E100) + bit for bit in range(32) if value >> bit & 1}
        elif 0xE000E400 <= address < 0xE000E500:
            self.priority |= {address - 0xE000E400 + i: value >> 8 * i & 255 for i in range(4)}
        elif address == 0xE000ED0C:
            self.resets += 1
            self.uc.emu_stop()
        else:
            assert address in (0xE000E010, 0xE000E014, 0xE000E018, 0xE000ED08, 0xE000ED10), f"{address:#x} is no register of a Cortex-M"

    # --- running ------------------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool], start: int | None = None) -> None:
        """From the reset until `until` holds while the core sleeps, or until it resets.  start: where a boot ROM goes on."""
        self.uc.reg_write(arm.UC_ARM_REG_SP, self._word(self.chip.vectors))
        pc = self._word(self.chip.vectors + 4) if start is None else start
        while True:
            self._start(pc, self.pad)
            if self.resets:
                return
            pc = self.uc.reg_read(arm.UC_ARM_REG_PC)
            code = bytes(self.uc.mem_read(pc, 2))
            assert code in (WFI, UNMASK), f"the core stopped at {pc:#x} in {self.image.function_at(pc)}"
            if code == WFI:
                self.chip.sleeps(bool(self._ppb.get(0xE000ED10, 0) & 4))
                while not self.waiting():
                    if until():
                        return
                    assert self.chip.pass_time(), f"nothing will ever wake the core, in {self.image.function_at(pc)}"
            else:
                self.masked = False
            pc = pc + 2 | 1
            if not self.masked:
                self._serve()

    def waiting(self) -> list[int]:
        """Interrupts that wait, most urgent first."""
        return sorted(self.chip.raised() & self.enabled, key=lambda n: (self.priority.get(n, 0), n))

    def _serve(self) -> None:
        for _ in range(AGAIN):
            waiting = self.waiting()
            if not waiting:
                return
            self._handle(waiting[0])
        raise AssertionError(f"the handler of interrupt {waiting[0]} leaves its line raised")

    def _handle(self, number: int) -> None:
        kept = [self.uc.reg_read(register) for register in CALLER_SAVED]
        flags, stack = self.uc.reg_read(arm.UC_ARM_REG_CPSR), self.uc.reg_read(arm.UC_ARM_REG_SP)
        self.uc.reg_write(arm.UC_ARM_REG_SP, stack - 32 & ~7)  # where the core has stacked them
        self.uc.reg_write(arm.UC_ARM_REG_LR, self.pad | 1)
        self._start(self._word(self.chip.vectors + 4 * (16 + number)), self.pad)
        assert self.uc.reg_read(arm.UC_ARM_REG_PC) == self.pad, f"the handler of interrupt {number} did not return"
        for register, value in zip(CALLER_SAVED, kept):
            self.uc.reg_write(register, value)
        self.uc.reg_write(arm.UC_ARM_REG_CPSR, flags)
        self.uc.reg_write(arm.UC_ARM_REG_SP, stack)

    def _start(self, pc: int, until: int) -> None:
        assert pc & 1, f"{pc:#x} is no address of Thumb code"
        try:
            self.uc.emu_start(pc, until)
        except unicorn.UcError as error:
            at = self.uc.reg_read(arm.UC_ARM_REG_PC)
            raise AssertionError(f"{error} at {at:#x} in {self.image.function_at(at)}") from None

    def _word(self, address: int) -> int:
        return int.from_bytes(self.uc.mem_read(address, 4), "little")
