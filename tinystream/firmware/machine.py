"""An emulated Cortex-M with an image in its flash: call its functions, read and write its memory, count its instructions."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from tinystream.errors import BuildError, FirmwareError
from tinystream.firmware.core import Core
from tinystream.firmware.counter import BlockCounter, library
from tinystream.firmware.image import Image

FLASH, RAM = 0x0000_0000, 0x2000_0000  # as link.ld has them
MIB, PAGE = 1 << 20, 4096
MEMORY_BYTES = 16 * MIB
EXCHANGE = 0x6000_0000  # external RAM in Arm's memory map: what the host hands in and takes out, nothing of the firmware's
PAINT = 0xA5


class Machine:
    """The core, its flash and its RAM.  After boot() the firmware waits in ts_wait, and call() is allowed."""

    def __init__(self, image: Image, core: Core):
        unicorn = emulator()
        self.image, self.core = image, core
        self._arm = unicorn.arm_const
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)  # UC_MODE_MCLASS would make every core a Cortex-M33
        self._uc.ctl_set_cpu_model(getattr(self._arm, core.unicorn))
        self._memory: dict[int, np.ndarray] = {}
        self._map(FLASH, MEMORY_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._map(RAM, MEMORY_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        for segment in image.segments:
            self.write(segment.address, np.frombuffer(segment.data, np.uint8))
        end = max(s.address + len(s.data) for s in image.segments)
        self.counter = BlockCounter(image, self._memory[FLASH][: -(-end // 2) * 2].tobytes(), FLASH)
        self._count()
        self.boot()

    def _map(self, base: int, size: int, allowed: int) -> None:
        """Make an array of ours the core's memory; what it may not do there stops it."""
        self._memory[base] = memory = np.zeros(size, np.uint8)
        self._uc.mem_map_ptr(base, size, allowed, memory.ctypes.data_as(ctypes.c_void_p))

    def _count(self) -> None:
        """Let the emulator call counter.c, which Python's binding has no way to name."""
        from unicorn.unicorn_py3.unicorn import uclib

        hook, unicorn = ctypes.c_size_t(), emulator()
        callback = ctypes.cast(library().ts_count_block, ctypes.c_void_p)
        failed = uclib.uc_hook_add(
            self._uc._uch, ctypes.byref(hook), unicorn.UC_HOOK_BLOCK, callback, ctypes.byref(self.counter.told), 1, 0
        )
        assert not failed, f"unicorn refused the hook: error {failed}"

    # --- running ------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """From the reset to where the firmware first waits."""
        stack, start = self.read(FLASH, np.uint32, 2).tolist()
        self._uc.reg_write(self._arm.UC_ARM_REG_SP, stack)
        self._run(start)

    def call(self, function: str, *arguments: int) -> int:
        """A function of the firmware with integers or addresses, by the rules of AAPCS; gives r0."""
        registers, rest = arguments[:4], arguments[4:]
        for i, value in enumerate(registers):
            self._uc.reg_write(self._arm.UC_ARM_REG_R0 + i, value)
        stack = self._uc.reg_read(self._arm.UC_ARM_REG_SP)
        lower = (stack - 4 * len(rest)) & ~7
        self.write(lower, np.array(rest, np.uint32))
        self._uc.reg_write(self._arm.UC_ARM_REG_SP, lower)
        self._uc.reg_write(self._arm.UC_ARM_REG_LR, self.image.symbols["ts_wait"] | 1)
        self._run(self.image.symbols[function])
        assert self._uc.reg_read(self._arm.UC_ARM_REG_SP) == lower, f"{function} left the stack as it should not"
        self._uc.reg_write(self._arm.UC_ARM_REG_SP, stack)
        return self._uc.reg_read(self._arm.UC_ARM_REG_R0)

    def _run(self, address: int) -> None:
        """From there until the firmware waits."""
        from unicorn import UcError

        wait = self.image.symbols["ts_wait"] & ~1
        try:
            self._uc.emu_start(address | 1, wait)
        except UcError as error:
            at = self._uc.reg_read(self._arm.UC_ARM_REG_PC)
            where = f"{self.image.function_at(at)} ({at:#x}) of {self.image.path.name}"
            raise FirmwareError(f"the emulated {self.core.name} stopped in {where}: {error}") from None
        assert self._uc.reg_read(self._arm.UC_ARM_REG_PC) == wait, "the emulator stopped somewhere else"

    # --- memory -------------------------------------------------------------------------------------------

    def write(self, address: int, values: np.ndarray) -> None:
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
        self._at(address, raw.size)[:] = raw

    def read(self, address: int, dtype: Any, count: int) -> np.ndarray:
        return self._at(address, count * np.dtype(dtype).itemsize).copy().view(dtype)

    def _at(self, address: int, size: int) -> np.ndarray:
        for base, memory in self._memory.items():
            if base <= address and address + size <= base + memory.size:
                return memory[address - base : address - base + size]
        raise AssertionError(f"the firmware has no memory at {address:#x}")

    def exchange(self, size: int) -> int:
        """The address of at least so much memory that is not the firmware's; what was there before is gone."""
        there = self._memory.get(EXCHANGE)
        if there is None or there.size < size:
            if there is not None:
                self._uc.mem_unmap(EXCHANGE, there.size)
            unicorn = emulator()
            self._map(EXCHANGE, -(-max(size, MIB) // PAGE) * PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        return EXCHANGE

    # --- the stack ----------------------------------------------------------------------------------------

    def paint_stack(self) -> None:
        """Fill what the stack does not use now, so that stack_bytes() sees what it will have used."""
        low = self.image.symbols["ts_stack_start"]
        self._at(low, self._uc.reg_read(self._arm.UC_ARM_REG_SP) - low)[:] = PAINT

    def stack_bytes(self) -> int:
        """The most that the stack has held since it was painted, counted from its start: the high-water mark.

        A byte that was written as it had been painted, at the very end of the stack, is not seen.
        """
        low, end = self.image.symbols["ts_stack_start"], self.image.symbols["ts_stack_end"]
        touched = np.flatnonzero(self._at(low, end - low) != PAINT)
        return end - low - int(touched[0]) if touched.size else 0


def emulator() -> Any:
    """The module unicorn, or BuildError."""
    try:
        import unicorn
        import unicorn.arm_const
    except ImportError:
        raise BuildError("emulating a core needs the unicorn package", "pip install 'tinystream[mcu]'") from None
    return unicorn
