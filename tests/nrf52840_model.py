"""What of an nRF52840 the firmware of its board touches, written from the chip's description and not from board.c.

Tasks and events behave as the chapter Peripheral interface says; EasyDMA as the chapters PDM, UARTE and SPIM say.  The crystals start at
once.  What a peripheral must have been told before it works is asserted where it starts.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from board_model import Chip
from lis3dh_model import Lis3dh

CLOCK, UARTE0, SPIM0, GPIOTE, WDT, RTC1, PDM, NVMC = (
    0x40000000, 0x40002000, 0x40003000, 0x40006000, 0x40010000, 0x40011000, 0x4001D000, 0x4001E000,
)  # fmt: skip
P0, P1 = 0x50000000, 0x50000300

# events of a peripheral and the bit that each has in INTENSET
EVENTS = {
    CLOCK: {0x100: 0, 0x104: 1},
    UARTE0: {0x120: 8, 0x158: 22},
    SPIM0: {0x118: 6},
    GPIOTE: {0x17C: 31},
    RTC1: {0x104: 1, 0x140: 16},
    PDM: {0x100: 0, 0x104: 1, 0x108: 2},
}
LINES = {UARTE0: 2, SPIM0: 3, GPIOTE: 6, RTC1: 17, PDM: 29}
TASKS = {
    CLOCK: (0x000, 0x004, 0x008, 0x00C),
    UARTE0: (0x008, 0x00C),
    SPIM0: (0x010,),
    WDT: (0x000,),
    RTC1: (0x000, 0x004, 0x008),
    PDM: (0x000, 0x004),
}
# registers that hold what was written
PLAIN = {
    CLOCK: (0x518, 0x578),
    UARTE0: (0x500, 0x50C, 0x524, 0x544, 0x548),
    SPIM0: (0x500, 0x508, 0x50C, 0x510, 0x524, 0x534, 0x538, 0x544, 0x548, 0x554),
    WDT: (0x504, 0x508, 0x50C),
    RTC1: (0x508, 0x540),
    PDM: (0x500, 0x504, 0x508, 0x518, 0x51C, 0x520, 0x540, 0x544, 0x560, 0x564),
    NVMC: (0x540,),
}
INTENSET, INTENCLR = 0x304, 0x308
RESETREAS, RELOAD = 0x40000400, 0x6E524635
SECOND = 1_000_000_000


class Nrf52840(Chip):
    """samples: what the microphone hears, or the rows that the accelerometer gives.  sent: what has left the UART."""

    cpu = "UC_CPU_ARM_CORTEX_M4"
    memories: ClassVar = {0: 1 << 20, 0x20000000: 256 << 10}
    spaces: ClassVar = {0x40000000: 0x30000, 0x50000000: 0x1000}
    vectors = 0

    def __init__(self, samples: np.ndarray, why: int = 0, sensor: Lis3dh | None = None):
        super().__init__()
        self.samples, self.at = samples, 0
        self.sensor = sensor
        self.sent = bytearray()
        self.memory: dict[int, int] = {RESETREAS: why}
        self.events: dict[int, int] = {}
        self.inten: dict[int, int] = dict.fromkeys(EVENTS, 0)
        self.started: dict[int, int] = {}  # clocks: since when
        self.crystal_ns = 0
        self.fed: list[int] = []
        self.listening = self.transmitting = False
        self.transfers = 0
        for base, offsets in PLAIN.items():
            self.memory |= dict.fromkeys((base + offset for offset in offsets), 0)
        for base in (P0, P1):
            self.memory |= {base + 0x700 + 4 * pin: 2 for pin in range(32)} | {base + 0x504: 0}
        for base, events in EVENTS.items():
            self.events |= dict.fromkeys((base + offset for offset in events), 0)

    # --- registers ------------------------------------------------------------------------------------------------

    def read(self, address: int) -> int:
        if address in self.events:
            return self.events[address]
        if address == RTC1 + 0x504:
            return self.ticks() & 0xFFFFFF
        if address in (P0 + 0x510, P1 + 0x510):
            return self.pins_in(address - 0x510)
        if address in self.memory:
            return self.memory[address]
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        base, offset = address & ~0xFFF, address & 0xFFF
        if address in self.events:
            assert value == 0, f"an event at {address:#x} is cleared by 0"
            self.events[address] = 0
        elif offset in TASKS.get(base, ()):
            if value:
                getattr(self, f"task_{ {CLOCK: 'clock', UARTE0: 'uarte', SPIM0: 'spim', WDT: 'wdt', RTC1: 'rtc', PDM: 'pdm'}[base] }")(
                    offset
                )
        elif base in EVENTS and offset == INTENSET:
            self.inten[base] |= value
        elif base in EVENTS and offset == INTENCLR:
            self.inten[base] &= ~value
        elif address == RESETREAS:
            self.memory[address] &= ~value
        elif address == WDT + 0x600:
            assert value == RELOAD and self.memory[WDT + 0x508] & 1
            self.fed.append(self.ns)
        elif address in (P0 + 0x508, P1 + 0x508):
            self.memory[address - 4] |= value
        elif address in (P0 + 0x50C, P1 + 0x50C):
            self.memory[address - 8] &= ~value
        elif address in self.memory:
            self.memory[address] = value
            if address == RTC1 + 0x540:
                self.set_compare()
        else:
            super().write(address, value)

    def happens(self, event: int) -> None:
        self.events[event] = 1

    def raised(self) -> set[int]:
        return {
            line
            for base, line in LINES.items()
            if any(self.events[base + offset] and self.inten[base] >> bit & 1 for offset, bit in EVENTS[base].items())
        }

    def pin(self, select: int) -> int:
        """PIN_CNF of a pin as PSEL names it: bit 31 clear, port in bit 5."""
        assert select < 64, f"{select:#x} selects no pin"
        return self.memory[(P1 if select & 32 else P0) + 0x700 + 4 * (select & 31)]

    def level(self, select: int) -> int:
        return self.memory[(P1 if select & 32 else P0) + 0x504] >> (select & 31) & 1

    def pins_in(self, base: int) -> int:
        pin = self.sensor.interrupt_pin if self.sensor else 0
        here = self.sensor is not None and base == (P1 if pin & 32 else P0) and not self.pin(pin) & 2
        return (self.sensor.interrupt() << (pin & 31)) if self.sensor and here else 0

    # --- CLOCK, RTC, WDT ----------------------------------------------------------------------------------------------

    def task_clock(self, offset: int) -> None:
        if offset == 0x000:
            self.started.setdefault(0, self.ns)
            self.happens(CLOCK + 0x100)
        elif offset == 0x004:
            self.crystal_ns += self.ns - self.started.pop(0)
        elif offset == 0x008:
            assert self.memory[CLOCK + 0x518] == 1, "the DK has a crystal"
            self.started[8] = self.ns
            self.happens(CLOCK + 0x104)

    @property
    def crystal(self) -> bool:
        return 0 in self.started

    def task_rtc(self, offset: int) -> None:
        assert 8 in self.started, "the RTC counts LFCLK"
        if offset == 0x000:
            self.started[RTC1] = self.ns
            self.after(self.ticks_ns(1 << 24), self.overflow)

    def ticks(self) -> int:
        return (self.ns - self.started[RTC1]) * 32768 // (SECOND * (self.memory[RTC1 + 0x508] + 1))

    def ticks_ns(self, ticks: int) -> int:
        return -(-ticks * SECOND * (self.memory[RTC1 + 0x508] + 1) // 32768)

    def overflow(self) -> None:
        self.happens(RTC1 + 0x104)
        self.after(self.ticks_ns(1 << 24), self.overflow)

    def set_compare(self) -> None:
        wanted = self.memory[RTC1 + 0x540]
        ahead = (wanted - self.ticks()) & 0xFFFFFF
        if ahead < 2:
            return  # not noticed before the counter comes round
        at = self.started[RTC1] + self.ticks_ns(self.ticks() + ahead)
        self.after(at - self.ns, lambda: self.memory[RTC1 + 0x540] == wanted and self.happens(RTC1 + 0x140))

    def task_wdt(self, offset: int) -> None:
        assert self.memory[WDT + 0x504] >= 15 and self.memory[WDT + 0x508] == 1 and self.memory[WDT + 0x50C] == 1, (
            "runs in sleep, not in debug"
        )
        self.fed.append(self.ns)

    @property
    def watchdog_s(self) -> float:
        return (self.memory[WDT + 0x504] + 1) / 32768

    # --- UARTE --------------------------------------------------------------------------------------------------------

    def task_uarte(self, offset: int) -> None:
        if offset == 0x00C:
            self.after(10_000, self.stopped)
            return
        assert self.memory[UARTE0 + 0x500] == 8 and self.memory[UARTE0 + 0x524] == 0x01D60000, "on, 115200 baud"
        assert self.memory[UARTE0 + 0x50C] == 6 and self.pin(6) & 1 and self.level(6), "TXD is an output, high while idle"
        assert self.crystal, "an RC oscillator is too coarse for a UART"
        assert not self.events[UARTE0 + 0x120], "ENDTX of the last transfer was not cleared"
        self.transmitting = True
        start, length = self.memory[UARTE0 + 0x544], self.memory[UARTE0 + 0x548]
        assert 0x20000000 <= start < 0x20040000 and length > 0, "EasyDMA reads RAM"

        def ended():
            self.sent += self.core.uc.mem_read(start, length)  # at the end: what is written over too early is seen
            self.happens(UARTE0 + 0x120)

        self.after(length * 10 * SECOND // 115200, ended)

    def stopped(self) -> None:
        self.transmitting = False
        self.happens(UARTE0 + 0x158)

    # --- PDM ----------------------------------------------------------------------------------------------------------

    def task_pdm(self, offset: int) -> None:
        if offset == 0x004:
            self.listening = False
            self.happens(PDM + 0x104)
            return
        m = self.memory
        assert m[PDM + 0x500] == 1 and m[PDM + 0x508] & 1 and m[PDM + 0x518] == 0x28
        assert m[PDM + 0x504] == 0x0A000000 and m[PDM + 0x520] == 1, "1.28 MHz / 80 is 16 kHz"
        assert self.pin(m[PDM + 0x540]) & 1 and not self.level(m[PDM + 0x540]), "CLK is an output, low while off"
        assert not self.pin(m[PDM + 0x544]) & 3, "DIN is an input, connected"
        assert self.crystal, "an RC oscillator is too coarse for audio"
        self.listening = True
        self.fill()

    def fill(self) -> None:
        """One buffer, and the next: the pointer is taken over at STARTED, and may be written from then on."""
        start, length = self.memory[PDM + 0x560], self.memory[PDM + 0x564]
        assert start >= 0x20000000 and start + 2 * length <= 0x20040000 and start % 4 == 0
        self.happens(PDM + 0x100)

        def ended():
            if not self.listening:
                return
            heard = self.samples[self.at : self.at + length]
            if heard.size < length:
                self.listening = False  # the recording ends
                return
            self.at += length
            self.core.uc.mem_write(start, heard.tobytes())
            self.happens(PDM + 0x108)
            self.fill()

        self.after(length * SECOND // 16000, ended)

    # --- SPIM, GPIOTE ---------------------------------------------------------------------------------------------------

    def task_spim(self, offset: int) -> None:
        m, sensor = self.memory, self.sensor
        assert sensor and m[SPIM0 + 0x500] == 7 and m[SPIM0 + 0x554] == 6, "on, mode 3, most significant bit first"
        assert m[SPIM0 + 0x524] in (0x02000000, 0x10000000, 0x40000000, 0x80000000), "at most 8 MHz, of the sensor's 10"
        clock, out, into = (m[SPIM0 + o] for o in (0x508, 0x50C, 0x510))
        assert self.pin(clock) & 1 and self.pin(out) & 1 and not self.pin(into) & 3 and self.level(clock), "pins"
        assert self.pin(sensor.select_pin) & 1 and not self.level(sensor.select_pin), "the sensor is selected"
        count_out, count_in = m[SPIM0 + 0x548], m[SPIM0 + 0x538]
        start_out, start_in = m[SPIM0 + 0x544], m[SPIM0 + 0x534]
        assert 0x20000000 <= start_out < 0x20040000, "EasyDMA reads RAM"
        told = bytes(self.core.uc.mem_read(start_out, count_out)).ljust(max(count_out, count_in), b"\0")
        answer = sensor.transfer(told)[:count_in]
        self.transfers += 1

        def ended():
            if count_in:
                self.core.uc.mem_write(start_in, answer)
            self.happens(SPIM0 + 0x118)

        if self.inten[SPIM0] & 1 << 6:
            self.after(len(told) * 8 * SECOND // 4_000_000, ended)
        else:
            ended()  # the core waits for it

    def sense(self) -> None:
        """A sample has come; DETECT rises, and PORT with it, where the pin that rose has SENSE high."""
        assert self.sensor
        before = self.sensor.interrupt()
        if self.sensor.on:
            self.sensor.sample()
        if self.sensor.interrupt() and not before and self.pin(self.sensor.interrupt_pin) >> 16 == 2:
            self.happens(GPIOTE + 0x17C)
