"""What of an RP2040 the firmware of its board touches, written from the chip's description and not from board.c.

With the boot ROM's last step: 256 bytes of flash, their CRC, and a jump into them.  Crystal and PLL start at once; what a block must have
been told before it works is asserted where it starts, and a block that is held in reset cannot be spoken to.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from board_model import Chip, Core
from lis3dh_model import Lis3dh

from tinystream.firmware.image import Image

CLOCKS, RESETS, PSM, IO, PADS, XOSC, PLL, UART0, SPI0, ADC, TIMER, WATCHDOG, VREG = (
    0x40008000, 0x4000C000, 0x40010000, 0x40014000, 0x4001C000, 0x40024000, 0x40028000, 0x40034000, 0x4003C000, 0x4004C000, 0x40054000,
    0x40058000, 0x40064000,
)  # fmt: skip
DMA, SIO, SSI, XIP = 0x50000000, 0xD0000000, 0x18000000, 0x10000000
RESET_BITS = {ADC: 0, DMA: 2, IO: 5, PADS: 8, PLL: 12, SPI0: 16, TIMER: 21, UART0: 22}
NEED_PERI = {SPI0, UART0}
# registers that hold what was written, and what they hold after a reset
PLAIN = {
    CLOCKS: {0x30: 0, 0x3C: 0, 0x48: 0, 0x60: 0, 0x64: 1 << 8, 0xA8: 0xFFFFFFFF, 0xAC: 0x7FFF},
    RESETS: {0x0: 0x01FFFFFF},
    PSM: {0x8: 0},
    XOSC: {0x0: 0, 0xC: 0xC4},
    PLL: {0x0: 1, 0x4: 0x2D, 0x8: 0, 0xC: 0x77000},
    UART0: {0x24: 0, 0x28: 0, 0x2C: 0, 0x30: 0x300, 0x34: 0x12, 0x38: 0},
    SPI0: {0x0: 0, 0x4: 0, 0x10: 0, 0x24: 0},
    ADC: {0x0: 0, 0x8: 0, 0x10: 0},
    TIMER: {0x10: 0, 0x38: 0},
    WATCHDOG: {0x0: 0x07000000, 0x4: 0, 0x8: 0, 0xC: 0, 0x2C: 0},
    VREG: {0x8: 1 << 8},
    IO: {8 * pin + 4: 0x1F for pin in range(30)} | {0x108: 0},
    PADS: {4 * pin + 4: 0x56 for pin in range(30)},
    DMA: {0x40 * channel + offset: 0 for channel in range(4) for offset in (0, 4, 8, 0xC)} | {0x404: 0},
}
SECOND, CRYSTAL_HZ, BAUD = 1_000_000_000, 12_000_000, 115_200


class Rp2040(Chip):
    """samples: what comes to GP26, 16 bits of which the ADC keeps 12.  sent: what has left the UART."""

    cpu = "UC_CPU_ARM_CORTEX_M0"
    memories: ClassVar = {XIP: 2 << 20, 0x20000000: 264 << 10}
    spaces: ClassVar = {0x40000000: 0x70000, DMA: 0x4000, SIO: 0x1000, SSI: 0x1000}
    vectors = XIP + 0x100

    def __init__(self, samples: np.ndarray, sensor: Lis3dh | None = None, crystal: bool = True):
        super().__init__()
        self.crystal = crystal
        self.samples, self.at, self.sensor = samples, 0, sensor
        if sensor:
            sensor.interrupt_pin, sensor.select_pin = 20, 17
        self.sent = bytearray()
        self.memory = {base + offset: value for base, some in PLAIN.items() for offset, value in some.items()}
        self.memory |= {SSI + offset: 0 for offset in (0x0, 0x4, 0x8, 0x14, 0xF0, 0xF4)}
        self.fifo: list[int] = []
        self.transmit_raised = False
        self.dma_raised = self.edges = self.alarms = 0
        self.running: set[int] = set()  # DMA channels
        self.ticking_since: int | None = None
        self.fed: list[int] = []
        self.deep, self.deep_ns = False, 0
        self.outputs = self.levels = 0
        self.spi_out: list[int] = []
        self.flash_continuous = self.readable = False
        self.flash_told: list[int] = []
        self.before = (0, 0)
        self.left = False  # a conversion in the ADC's FIFO that no DMA has fetched

    def boot(self, image: Image) -> Core:
        """The boot ROM's end (2.8.1): a core that will run from the second stage on."""
        core = Core(image, self)
        stage = bytes(core.uc.mem_read(XIP, 256))
        assert int.from_bytes(stage[252:], "little") == crc32_mpeg2(stage[:252]), "the boot ROM would not run this second stage"
        core.uc.mem_write(0x20041F00, stage)
        return core

    # --- registers --------------------------------------------------------------------------------------------------

    def read(self, address: int) -> int:
        base, offset = self.place(address)
        polled, self.before = self.before == (address, 0), (address, 0)
        if (base, offset) == (UART0, 0x18):
            if polled:
                self.pass_time()
            return bool(self.fifo) << 3 | (len(self.fifo) >= 32) << 5 | (not self.fifo) << 7
        special = {
            (RESETS, 0x8): self.reset_done,
            (XOSC, 0x4): lambda: (self.crystal and self.memory[XOSC] == 0xFABAA0) << 31,
            (PLL, 0x0): lambda: self.memory[PLL] | (self.memory[PLL + 4] & 0x21 == 0) << 31,
            (CLOCKS, 0x38): lambda: 1 << (self.memory[CLOCKS + 0x30] & 3),
            (CLOCKS, 0x44): lambda: 1 << (self.memory[CLOCKS + 0x3C] & 1),
            (TIMER, 0x28): self.microseconds,
            (SPI0, 0xC): lambda: 0x3,
            (SPI0, 0x8): lambda: 0,
            (ADC, 0x8): lambda: self.memory[ADC + 8] | (not self.left) << 8,
            (ADC, 0xC): self.take_left,
            (ADC, 0x0): lambda: self.memory[ADC] | (self.memory[ADC] & 1) << 8,
            (DMA, 0x40C): lambda: self.dma_raised & self.memory[DMA + 0x404],
            (SIO, 0x4): lambda: bool(self.sensor and self.sensor.interrupt()) << 20,
            (SSI, 0x28): lambda: (len(self.flash_told) == 2) << 3,
        }
        if (base, offset) in special:
            return int(special[base, offset]())
        if base == DMA and offset < 0x100 and offset & 0x3F == 0x10:
            return self.memory[DMA + offset - 4] | (offset // 0x40 in self.running) << 24
        if base + offset in self.memory:
            return self.memory[base + offset]
        return super().read(address)

    def place(self, address: int) -> tuple[int, int]:
        """Block and offset; the block must be out of reset (2.14)."""
        base = address & ~0x3FFF if address < SIO and address >= 0x40000000 else address & ~0xFFF
        if base in RESET_BITS:
            held = self.memory[RESETS] >> RESET_BITS[base] & 1
            assert not held, f"{address:#x} is in a block that is held in reset"
            assert base not in NEED_PERI or self.peri_hz, f"{address:#x} is in a block without clk_peri"
        return base, address & 0xFFF

    def write(self, address: int, value: int) -> None:
        base, offset = self.place(address)
        self.before = (address, 1)
        alias = address >> 12 & 3 if base != SIO and base != SSI else 0
        if alias:
            old = self.memory[base + offset]
            value = {1: old ^ value, 2: old | value, 3: old & ~value}[alias]
        if base == SSI:
            self.write_ssi(offset, value)
        elif base == SIO:
            self.write_sio(offset, value)
        elif base == DMA:
            self.write_dma(offset, value)
        elif (base, offset) == (UART0, 0x0):
            self.transmit(value)
        elif (base, offset) == (UART0, 0x44):
            self.transmit_raised &= not value & 1 << 5
        elif (base, offset) == (SPI0, 0x8):
            self.spi_ready()
            self.spi_out.append(value)
        elif (base, offset) == (TIMER, 0x34):
            self.alarms &= ~value
        elif (base, offset) == (IO, 0xF8):
            self.edges &= ~value
        elif base + offset in self.memory:
            self.told(base, offset, self.memory[base + offset], value)
        else:
            super().write(address, value)

    def told(self, base: int, offset: int, old: int, new: int) -> None:
        self.memory[base + offset] = new
        if (base, offset) == (RESETS, 0x0):
            for block, bit in RESET_BITS.items():
                if new >> bit & 1:
                    self.memory |= {block + at: value for at, value in PLAIN[block].items()}
                    if block == DMA:
                        self.running.clear()
                        self.dma_raised = 0
        elif (base, offset) == (CLOCKS, 0x3C):
            assert not (old & new & 1) or old & 0xE0 == new & 0xE0, "clk_sys glitches when the source that it runs from is changed"
            if new & 1:
                assert new & 0xE0 == 0 and self.pll_hz, "clk_sys has no clock"
        elif base == PLL and offset in (0x0, 0x8, 0xC, 0x4):
            assert not self.memory[CLOCKS + 0x3C] & 1, "the PLL is changed while clk_sys runs from it"
        elif (base, offset) == (CLOCKS, 0x30):
            assert new & 3 == 2, "of the three sources of clk_ref the crystal is the exact one"
            assert self.memory[XOSC] == 0xFABAA0 and self.memory[XOSC + 0xC] * 256 >= 0.9 * CRYSTAL_HZ / 1000, "the crystal takes 1 ms"
        elif (base, offset) == (WATCHDOG, 0x2C):
            assert new & 0x1FF == 12 and new & 1 << 9, "a tick a microsecond"
            if self.ticking_since is None:
                self.ticking_since = self.ns
        elif (base, offset) == (WATCHDOG, 0x4):
            assert new < 1 << 24
            self.fed.append(self.ns)
        elif (base, offset) == (TIMER, 0x10):
            self.after(((new - self.microseconds()) & 0xFFFFFFFF) * 1000, lambda: setattr(self, "alarms", self.alarms | 1))
        elif (base, offset) == (ADC, 0x0) and new & 8 and not old & 8:
            assert not self.left, "the first sample would be an old one"
            self.convert()
        elif (base, offset) == (ADC, 0x0) and old & 8 and not new & 8:
            self.left = True

    def reset_done(self) -> int:
        missing = sum(1 << RESET_BITS[block] for block in NEED_PERI if not self.peri_hz)
        return ~self.memory[RESETS] & ~missing & 0x01FFFFFF

    def raised(self) -> set[int]:
        lines = {
            0: self.alarms & self.memory[TIMER + 0x38],
            11: self.dma_raised & self.memory[DMA + 0x404],
            13: self.edges & self.memory[IO + 0x108],
            20: self.transmit_raised and self.memory[UART0 + 0x38] & 1 << 5,
        }
        return {line for line, on in lines.items() if on}

    # --- clocks and sleep ---------------------------------------------------------------------------------------------

    @property
    def pll_hz(self) -> float:
        """2.18.2; 0 where it is off."""
        if self.memory[RESETS] >> RESET_BITS[PLL] & 1 or self.memory[PLL + 4] & 0x29:
            return 0
        vco = CRYSTAL_HZ / (self.memory[PLL] & 0x3F) * self.memory[PLL + 8]
        first, second = self.memory[PLL + 0xC] >> 16 & 7, self.memory[PLL + 0xC] >> 12 & 7
        assert 750e6 <= vco <= 1600e6 and first >= second
        return vco / first / second

    @property
    def sys_hz(self) -> float:
        if self.memory[CLOCKS + 0x3C] & 1:
            return self.pll_hz
        return CRYSTAL_HZ if self.memory[CLOCKS + 0x30] & 3 == 2 else 0

    @property
    def peri_hz(self) -> float:
        return self.sys_hz if self.memory[CLOCKS + 0x48] & 0x8E0 == 0x800 else 0

    @property
    def adc_hz(self) -> float:
        on = self.memory[CLOCKS + 0x60] & 0x8E0 == 0x820
        return self.pll_hz / (self.memory[CLOCKS + 0x64] >> 8 & 3) if on else 0

    def sleeps(self, deep: bool) -> None:
        self.deep = deep and not self.running
        if self.deep:
            assert self.memory[CLOCKS + 0xAC] & 1 << 5 and self.memory[CLOCKS + 0xAC] & 1 << 12, "timer and watchdog stand still in SLEEP"
            assert self.memory[CLOCKS + 0xA8] == 0, "what is not needed goes on in SLEEP"
            assert not self.fifo, "the UART stands still in SLEEP"

    def pass_time(self) -> bool:
        before = self.ns
        passed = super().pass_time()
        self.deep_ns += (self.ns - before) * self.deep
        return passed

    def microseconds(self) -> int:
        assert self.ticking_since is not None, "the timer has no ticks"
        return (self.ns - self.ticking_since) // 1000 & 0xFFFFFFFF

    @property
    def watchdog_s(self) -> float:
        assert self.memory[WATCHDOG] & 1 << 30 and self.memory[PSM + 8] & 0x1FFFC == 0x1FFFC
        return self.memory[WATCHDOG + 4] / 2e6  # erratum E1

    # --- UART: PL011 --------------------------------------------------------------------------------------------------

    def transmit(self, byte: int) -> None:
        m = self.memory
        divisor = m[UART0 + 0x24] + m[UART0 + 0x28] / 64
        assert abs(self.peri_hz / 16 / divisor / BAUD - 1) < 0.001, f"{self.peri_hz / 16 / divisor:.0f} baud"
        assert m[UART0 + 0x30] & 0x101 == 0x101 and m[UART0 + 0x2C] & 0x7E == 0x70, "on, 8N1, FIFOs"
        assert m[IO + 4] & 31 == 2 and not m[PADS + 4] & 0x80, "GP0 is the UART's"
        assert len(self.fifo) < 32, "a byte into a full FIFO"
        self.fifo.append(byte)
        if len(self.fifo) == 1:
            self.after(10 * SECOND // BAUD, self.shifted)

    def shifted(self) -> None:
        self.sent.append(self.fifo.pop(0))
        if len(self.fifo) == (4, 8, 16, 24, 28)[self.memory[UART0 + 0x34] & 7]:
            self.transmit_raised = True
        if self.fifo:
            self.after(10 * SECOND // BAUD, self.shifted)

    # --- DMA, ADC, SPI ------------------------------------------------------------------------------------------------

    def write_dma(self, offset: int, value: int) -> None:
        if offset == 0x430:
            for channel in range(4):
                if value >> channel & 1:
                    self.trigger(channel)
        elif offset == 0x444:
            assert not self.memory[ADC] & 8, "erratum E13: a channel that makes progress is aborted"
            self.running -= {channel for channel in range(4) if value >> channel & 1}
        elif offset in (0x400, 0x40C):
            self.dma_raised &= ~value
        elif offset < 0x100 and offset & 0x3F == 0x10:
            self.memory[DMA + offset - 4] = value
        elif offset < 0x100 and offset & 0x3F == 0x2C:
            self.memory[DMA + offset - 0x28] = value
            self.trigger(offset // 0x40)
        else:
            assert offset & 0x3F != 0xC or offset >= 0x100, "CTRL_TRIG starts the channel"
            self.memory[DMA + offset] = value

    def trigger(self, channel: int) -> None:
        at = DMA + 0x40 * channel
        assert self.memory[at + 0xC] & 1, "a channel that is off is started"
        self.running.add(channel)
        request = self.memory[at + 0xC] >> 15 & 63
        if request == 63:
            self.copy(channel)
        elif request == 36:
            self.convert()
        elif request == 17 and any(self.memory[DMA + 0x40 * c + 0xC] >> 15 & 63 == 16 for c in self.running):
            self.burst(channel, next(c for c in self.running if self.memory[DMA + 0x40 * c + 0xC] >> 15 & 63 == 16))

    def copy(self, channel: int) -> None:
        """One word, at once; the read address runs around in 2**RING_SIZE bytes (2.5.1.2)."""
        at = DMA + 0x40 * channel
        control, source, target = self.memory[at + 0xC], self.memory[at], self.memory[at + 4]
        ring = 1 << (control >> 6 & 15)
        assert control & 0x43C == 0x18 and ring > 1 and self.memory[at + 8] == 1, "a word, from addresses in a ring"
        word = int.from_bytes(self.core.uc.mem_read(source, 4), "little")
        self.memory[at] = source & ~(ring - 1) | source + 4 & ring - 1
        self.running.discard(channel)
        assert control >> 11 & 15 == channel and control >> 21 & 1, "it neither starts another nor interrupts"
        assert target == DMA + 0x2C
        self.write_dma(target - DMA, word)

    def finished(self, channel: int) -> None:
        control = self.memory[DMA + 0x40 * channel + 0xC]
        self.running.discard(channel)
        if not control & 1 << 21:
            self.dma_raised |= 1 << channel
        following = control >> 11 & 15
        if following != channel:
            self.trigger(following)

    def take_left(self) -> int:
        self.left = False
        return 0

    def convert(self) -> None:
        """As many samples as the running channel wants, one every (1 + DIV) cycles of clk_adc."""
        m = self.memory
        listening = [c for c in self.running if m[DMA + 0x40 * c + 0xC] >> 15 & 63 == 36]
        if not m[ADC] & 8 or not listening:
            return
        (channel,) = listening
        at = DMA + 0x40 * channel
        assert self.adc_hz == 48e6 and m[ADC] & 0x7001 == 1 and m[ADC + 8] & 0xF == 9 and m[ADC + 8] >> 24 == 1
        assert m[PADS + 4 * 26 + 4] & 0xCC == 0x80 and m[IO + 8 * 26 + 4] & 31 == 31, "GP26 is analogue"
        assert m[at] == ADC + 0xC and m[at + 0xC] & 0x3C == 0x24, "halfwords, from the FIFO, to ascending addresses"
        count, rate_hz = m[at + 8], self.adc_hz / (1 + m[ADC + 0x10] / 256)
        assert m[at + 4] >= 0x20000000 and m[at + 4] + 2 * count <= 0x20042000

        def ended():
            heard = self.samples[self.at : self.at + count]
            if channel not in self.running or not m[ADC] & 8 or heard.size < count:
                return
            self.at += count
            self.core.uc.mem_write(m[at + 4], ((heard.astype(np.int32) >> 4) + 2048).astype("<u2").tobytes())
            m[at + 4] += 2 * count
            self.finished(channel)

        self.after(round(count * SECOND / rate_hz), ended)

    def spi_ready(self) -> None:
        m = self.memory
        assert m[SPI0] & 0xFF == 0xC7 and m[SPI0 + 4] == 2, "8 bits, mode 3, on"
        assert self.peri_hz / m[SPI0 + 0x10] / (1 + (m[SPI0] >> 8)) <= 10e6 and m[SPI0 + 0x10] % 2 == 0
        assert [m[IO + 8 * pin + 4] & 31 for pin in (16, 18, 19, 17)] == [1, 1, 1, 5] and self.outputs >> 17 & 1
        assert not self.levels >> 17 & 1, "the sensor is not selected"

    def burst(self, into: int, out: int) -> None:
        m = self.memory
        self.spi_ready()
        assert self.sensor and m[SPI0 + 0x24] == 3
        source, target, count = m[DMA + 0x40 * out], m[DMA + 0x40 * into + 4], m[DMA + 0x40 * into + 8]
        assert m[DMA + 0x40 * out + 8] == count and m[DMA + 0x40 * out + 4] == m[DMA + 0x40 * into] == SPI0 + 8
        assert m[DMA + 0x40 * out + 0xC] & 0x3C == 0x10 and m[DMA + 0x40 * into + 0xC] & 0x3C == 0x20, (
            "bytes, from and to ascending addresses"
        )
        answer = self.sensor.transfer(bytes(self.core.uc.mem_read(source, count)))

        def ended():
            self.core.uc.mem_write(target, answer)
            self.finished(out)
            self.finished(into)

        self.after(count * 8 * SECOND // 4_000_000, ended)

    def write_sio(self, offset: int, value: int) -> None:
        if offset == 0x24:
            self.outputs |= value
        elif offset == 0x14:
            if value >> 17 & 1 and self.spi_out and self.sensor:
                self.sensor.transfer(bytes(self.spi_out))
                self.spi_out.clear()
            self.levels |= value
        elif offset == 0x18:
            self.levels &= ~value
        else:
            super().write(SIO + offset, value)

    def sense(self) -> None:
        """A sample has come."""
        assert self.sensor
        before = self.sensor.interrupt()
        if self.sensor.on:
            self.sensor.sample()
        if self.sensor.interrupt() and not before and self.memory[PADS + 4 * 20 + 4] & 0x40:
            self.edges |= 8 << 20 % 8 * 4

    # --- SSI and the flash behind it: 4.10; W25Q16JV, BBh ----------------------------------------------------------

    def write_ssi(self, offset: int, value: int) -> None:
        m = self.memory
        if offset == 0x60:
            assert m[SSI + 8] == 1
            self.flash_told.append(value)
            if len(self.flash_told) == 2:
                assert m[SSI] == 1 << 21 | 31 << 16 | 3 << 8 and m[SSI + 4] == 0 and m[SSI + 0x14] == 2 and m[SSI + 0xF0] == 1
                assert m[SSI + 0xF4] == 2 << 11 | 2 << 8 | 7 << 2 | 1, "8 bits of command on one line, 28 bits and 2 clocks on two"
                assert self.flash_told[0] == 0xBB
                self.flash_continuous = self.flash_told[1] & 3 == 2  # M5 and M4 are 1 and 0
            return
        assert SSI + offset in m, f"the SSI has no register at {offset:#x}"
        assert offset == 8 or not m[SSI + 8], "the SSI is told something while it is on"
        m[SSI + offset] = value
        if offset == 8 and value == 1:
            wanted = 0x20 << 24 | 2 << 11 | 7 << 2 | 2  # no command, mode bits after 24 bits of address
            self.readable = self.flash_continuous and m[SSI + 0xF4] == wanted


def crc32_mpeg2(data: bytes) -> int:
    """2.8.1.3.1: polynomial 0x04c11db7, start 0xffffffff, nothing reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc
