"""Does the firmware of the Raspberry Pi Pico do what a replay does?  On a model of its chip, for nothing else here is one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from bare import use_cache
from board_firmware import STRICT, check_time, kitchen, on_duty, rows, told, wake_word, write_shake
from lis3dh_model import Lis3dh
from registers import check_registers
from rp2040_model import PLL, SECOND, XIP, Rp2040

from tinystream.app.planning import plan_file
from tinystream.firmware.board import find_board
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.golden import golden
from tinystream.firmware.image import Image
from tinystream.firmware.project import build_project
from tinystream.io.records import Alert, Hello, SelfTest, Status
from tinystream.run.replay import make_engine, replay

BOARD = find_board("raspberry_pi_pico")
STAGE_2 = 0x20041F01  # where the boot ROM puts it


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@cache
def twelve_bits() -> np.ndarray:
    return kitchen() & ~15


@pytest.mark.parametrize("name, optimise", [("gcc", "-O3"), ("zig", "-Os")])
def test_the_model_boots_the_firmware_and_hears_what_a_replay_hears(name, optimise):
    if name not in cross_compilers():
        pytest.skip(f"needs {name} for Cortex-M")
    compiler = cross_compilers()[name]
    chip = Rp2040(twelve_bits())
    core = chip.boot(Image(build_project(wake_word(), BOARD, compiler, optimise)))
    core.run(lambda: chip.at == len(chip.samples) and not chip.fifo, STAGE_2)
    assert chip.readable, "the second stage left the flash unreadable"
    hello, test, *rest = told(chip)
    assert isinstance(hello, Hello) and (hello.reset, hello.fault_address) == ("power", 0)
    assert (hello.board, hello.clock_hz, hello.definition) == ("raspberry_pi_pico", 96_000_000, wake_word().digest[:16])
    assert chip.sys_hz == hello.clock_hz
    assert test == SelfTest(1, True)
    events = replay(wake_word(), make_engine(wake_word()), twelve_bits()).events
    assert [(a.sample, a.label, a.score_count) for a in rest] == [(e.sample, e.label, e.score_count) for e in events]
    assert len(events) == 1 and all(isinstance(a, Alert) and not a.torn for a in rest)
    assert core.priority[11] < core.priority[20], "the UART must not keep the microphone waiting"


def test_a_reset_of_the_core_alone_starts_again_from_running_clocks_and_dma():
    """What a fault does: peripherals go on, and the ROM copies the second stage anew."""
    image = Image(build_project(wake_word(), BOARD))
    chip = Rp2040(twelve_bits()[: 160 * 5])
    chip.boot(image).run(lambda: chip.at == len(chip.samples) and not chip.fifo, STAGE_2)
    assert chip.running and chip.memory[PLL + 4] & 1 == 0
    chip.sent.clear()
    chip.at = 0
    chip.flash_told.clear()
    core = chip.boot(image)
    core.run(lambda: chip.at == len(chip.samples) and not chip.fifo, STAGE_2)
    hello, test = told(chip)
    assert hello.reset == "software" and test.passed


@pytest.mark.parametrize(
    "reasons, reset",
    [
        ({0x40064008: 1 << 16}, "pin"),
        ({0x40064008: 0}, "unknown"),
        ({0x40058008: 1, 0x4005800C: 0x7A5F0A17}, "watchdog"),  # with what the firmware has left in SCRATCH0
    ],
)
def test_the_reset_reason_is_told(reasons, reset):
    chip = Rp2040(twelve_bits()[:0])
    chip.memory |= reasons
    chip.boot(Image(build_project(wake_word(), BOARD))).run(lambda: not chip.fifo, STAGE_2)
    assert told(chip)[0].reset == reset


def test_a_dead_crystal_lights_the_led():
    chip = Rp2040(twelve_bits()[:0], crystal=False)
    chip.boot(Image(build_project(wake_word(), BOARD))).run(lambda: True, STAGE_2)
    assert chip.outputs & chip.levels == 1 << 25 and not chip.sent


def test_a_handler_that_comes_a_block_late_loses_a_block_and_no_memory():
    """The DMA goes on by itself; the buffers keep their turns."""
    image = Image(build_project(wake_word(), BOARD))
    chip = Rp2040(np.arange(160 * 12, dtype=np.int16) * 16)
    core, seen = chip.boot(image), []
    core.call(f"{wake_word().name}_push", lambda at: seen.append(np.frombuffer(core.uc.mem_read(at, 320), np.int16)))
    late = iter([1, 0, 0, 1, 0, 0, 0])  # blocks that pass unserved, by turns

    def sleeps(deep: bool) -> None:
        if chip.at >= 160 * 2 and next(late, 0) and not chip.dma_raised:
            before = chip.at
            while chip.at < before + 320:
                chip.pass_time()

    chip.sleeps = sleeps
    core.run(lambda: chip.at == len(chip.samples) and not chip.fifo, STAGE_2)
    heard = [int(block[0]) // 16 // 160 for block in seen[golden(wake_word()).blocks :]]
    assert heard == sorted(set(heard)) and heard[0] == 0 and 8 <= len(heard) < 12, "blocks in order, some lost"
    assert all(np.array_equal(np.diff(block), np.full(159, 16)) for block in seen[golden(wake_word()).blocks :])


def test_deep_sleep_lasts_so_long_with_the_pll_off_and_the_watchdog_fed():
    turns = 6
    chip = Rp2040(np.zeros(16_000 * turns, np.int16))
    chip.boot(Image(build_project(on_duty(1, 31), BOARD))).run(lambda: chip.at == len(chip.samples) and not chip.fifo, STAGE_2)
    check_time([r for r in told(chip) if isinstance(r, Status)])
    assert chip.ns / SECOND == pytest.approx(31 * (turns - 1) + 1, abs=0.2)
    assert chip.deep_ns / SECOND == pytest.approx(30 * (turns - 1), abs=0.1)
    assert chip.watchdog_s == pytest.approx(2, abs=0.01)
    assert max(np.diff(chip.fed)) / SECOND < 0.75 * chip.watchdog_s


@pytest.mark.parametrize("rate_hz, range_g, block_ms", [(400, 4, 100), (50, 8, 100)])
def test_the_accelerometer_s_rows_reach_the_app_as_they_are(tmp_path, rate_hz, range_g, block_ms):
    plan = plan_file(write_shake(tmp_path, rate_hz, range_g, block_ms))
    (x,) = plan.x
    sensor = Lis3dh(rows(20 * x.shape[0]))
    chip = Rp2040(np.zeros(0), sensor)
    core, seen = chip.boot(Image(build_project(plan, BOARD, more=STRICT))), []
    core.call(f"{plan.name}_push", lambda at: seen.append(np.frombuffer(core.uc.mem_read(at, x.size * 2), np.int16)))

    def tick() -> None:
        chip.sense()
        chip.after(int(SECOND / sensor.rate_hz) if sensor.on else SECOND // 1000, tick)

    chip.after(0, tick)
    core.run(lambda: not sensor.left and not chip.raised() and not chip.running, STAGE_2)
    heard = np.concatenate(seen[golden(plan).blocks :])
    assert heard.size > 18 * x.size and np.array_equal(heard, rows(20 * x.shape[0]).reshape(-1)[: heard.size])
    assert sensor.overruns == 0 and sensor.rate_hz == rate_hz and sensor.registers[0x23] >> 4 & 3 == {4: 1, 8: 2}[range_g]


def test_the_second_stage_is_the_same_under_every_compiler():
    stages = {bytes(Image(build_project(wake_word(), BOARD, c)).bytes_at(XIP, 256)) for c in cross_compilers().values()}
    assert len(stages) == 1


def test_registers_are_those_of_the_manufacturer_s_description():
    reset = {f"RESET_{block}": ("RESETS", "RESET", block, None) for block in ("ADC", "DMA", "IO_BANK0", "PADS_BANK0", "PLL_SYS", "SPI0")}
    check_registers(
        BOARD.folder / "board.c",
        "RP2040.svd",
        interrupts={"TIMER_IRQ": "TIMER", "DMA_IRQ": "DMA", "IO_IRQ": "IO_BANK0", "UART_IRQ": "UART0"},
        numbered={
            "DMA_READ_ADDR": {0: "CH0_READ_ADDR", 3: "CH3_READ_ADDR"},
            "DMA_WRITE_ADDR": {1: "CH1_WRITE_ADDR"},
            "DMA_COUNT": {1: "CH1_TRANS_COUNT"},
            "DMA_CTRL": {2: "CH2_AL1_CTRL"},
            "DMA_WRITE_ADDR_TRIG": {0: "CH0_AL2_WRITE_ADDR_TRIG"},
            "IO_CTRL": {0: "GPIO0_CTRL", 26: "GPIO26_CTRL"},
            "PADS": {26: "GPIO26"},
        },
        fields=reset
        | {
            "RESET_TIMER": ("RESETS", "RESET", "TIMER", None),
            "RESET_UART0": ("RESETS", "RESET", "UART0", None),
            "PLL_PD": ("PLL_SYS", "PWR", "PD", None),
            "PLL_POSTDIVPD": ("PLL_SYS", "PWR", "POSTDIVPD", None),
            "PLL_VCOPD": ("PLL_SYS", "PWR", "VCOPD", None),
            "CLOCK_ON": ("CLOCKS", "CLK_PERI_CTRL", "ENABLE", None),
            "CLK_REF_XOSC": ("CLOCKS", "CLK_REF_CTRL", "SRC", "xosc_clksrc"),
            "CLK_SYS_AUX": ("CLOCKS", "CLK_SYS_CTRL", "SRC", "clksrc_clk_sys_aux"),
            "CLK_PERI_SYS": ("CLOCKS", "CLK_PERI_CTRL", "AUXSRC", "clk_sys"),
            "CLK_ADC_PLL_SYS": ("CLOCKS", "CLK_ADC_CTRL", "AUXSRC", "clksrc_pll_sys"),
            "SLEEP_TIMER": ("CLOCKS", "SLEEP_EN1", "CLK_SYS_TIMER", None),
            "SLEEP_WATCHDOG": ("CLOCKS", "SLEEP_EN1", "CLK_SYS_WATCHDOG", None),
            "WATCHDOG_TICKS": ("WATCHDOG", "TICK", "ENABLE", None),
            "WATCHDOG_TIMER": ("WATCHDOG", "REASON", "TIMER", None),
            "HAD_POR": ("VREG_AND_CHIP_RESET", "CHIP_RESET", "HAD_POR", None),
            "HAD_RUN": ("VREG_AND_CHIP_RESET", "CHIP_RESET", "HAD_RUN", None),
            "UART_BUSY": ("UART0", "UARTFR", "BUSY", None),
            "UART_TXFF": ("UART0", "UARTFR", "TXFF", None),
            "UART_TX": ("UART0", "UARTIMSC", "TXIM", None),
            "UART_FIFOS": ("UART0", "UARTLCR_H", "FEN", None),
            "DMA_EN": ("DMA", "CH0_CTRL_TRIG", "EN", None),
            "DMA_HALFWORDS": ("DMA", "CH0_CTRL_TRIG", "DATA_SIZE", "SIZE_HALFWORD"),
            "DMA_WORDS": ("DMA", "CH0_CTRL_TRIG", "DATA_SIZE", "SIZE_WORD"),
            "DMA_INCR_READ": ("DMA", "CH0_CTRL_TRIG", "INCR_READ", None),
            "DMA_INCR_WRITE": ("DMA", "CH0_CTRL_TRIG", "INCR_WRITE", None),
            "DMA_QUIET": ("DMA", "CH0_CTRL_TRIG", "IRQ_QUIET", None),
            "DMA_BUSY": ("DMA", "CH0_CTRL_TRIG", "BUSY", None),
            "PIN_UART": ("IO_BANK0", "GPIO0_CTRL", "FUNCSEL", "uart0_tx"),
            "PIN_SPI": ("IO_BANK0", "GPIO16_CTRL", "FUNCSEL", "spi0_rx"),
            "PIN_SIO": ("IO_BANK0", "GPIO25_CTRL", "FUNCSEL", "sio_25"),
            "PIN_NULL": ("IO_BANK0", "GPIO26_CTRL", "FUNCSEL", "null"),
            "PAD_OUTPUT_OFF": ("PADS_BANK0", "GPIO26", "OD", None),
            "ADC_EN": ("ADC", "CS", "EN", None),
            "ADC_START_MANY": ("ADC", "CS", "START_MANY", None),
            "ADC_READY": ("ADC", "CS", "READY", None),
            "ADC_FIFO_EN": ("ADC", "FCS", "EN", None),
            "ADC_DREQ_EN": ("ADC", "FCS", "DREQ_EN", None),
            "ADC_EMPTY": ("ADC", "FCS", "EMPTY", None),
            "ADC_OVER": ("ADC", "FCS", "OVER", None),
            "ADC_UNDER": ("ADC", "FCS", "UNDER", None),
            "ADC_THRESH_1": ("ADC", "FCS", "THRESH", None),
            "SPI_ON": ("SPI0", "SSPCR1", "SSE", None),
            "SPI_BUSY": ("SPI0", "SSPSR", "BSY", None),
            "SPI_RECEIVED": ("SPI0", "SSPSR", "RNE", None),
            "SLEEPDEEP": ("PPB", "SCR", "SLEEPDEEP", None),
        },
    )
