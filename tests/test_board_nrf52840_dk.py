"""Does the firmware of the nRF52840 DK do what a replay does?  On a model of its chip, for no hardware and no emulator of it is here."""

from __future__ import annotations

import numpy as np
import pytest
from bare import use_cache
from board_firmware import STRICT, check_time, kitchen, on_duty, rows, told, wake_word, write_shake
from board_model import Core
from lis3dh_model import Lis3dh
from nrf52840_model import SECOND, Nrf52840
from registers import check_registers

from tinystream.app.planning import plan_file
from tinystream.errors import BuildError
from tinystream.firmware.board import find_board
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.golden import golden
from tinystream.firmware.image import Image
from tinystream.firmware.project import build_project, write_project
from tinystream.io.records import Alert, Hello, SelfTest, Status
from tinystream.run.replay import make_engine, replay

BOARD = find_board("nrf52840_dk")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@pytest.mark.parametrize("name, optimise", [("gcc", "-O3"), ("zig", "-Os")])
def test_the_model_boots_the_firmware_and_hears_what_a_replay_hears(name, optimise):
    if name not in cross_compilers():
        pytest.skip(f"needs {name} for Cortex-M")
    compiler = cross_compilers()[name]
    chip = Nrf52840(kitchen(), why=4)
    core = Core(Image(build_project(wake_word(), BOARD, compiler, optimise)), chip)
    core.run(lambda: chip.at == len(chip.samples) and not chip.transmitting)
    hello, test, *rest = told(chip)
    assert isinstance(hello, Hello) and (hello.reset, hello.fault_address) == ("software", 0)
    assert (hello.board, hello.clock_hz, hello.definition) == ("nrf52840_dk", 64_000_000, wake_word().digest[:16])
    assert test == SelfTest(1, True)
    events = replay(wake_word(), make_engine(wake_word()), kitchen()).events
    assert [(a.sample, a.label, a.score_count) for a in rest] == [(e.sample, e.label, e.score_count) for e in events]
    assert len(events) == 1 and all(isinstance(a, Alert) and not a.torn for a in rest)
    assert chip.read(0x40000400) == 0, "the reset reason was not cleared, and would be told again"
    assert core.priority[29] < core.priority[2], "the UART must not keep the microphone waiting"


class Marked(Nrf52840):
    """What the marker's pin did: P1.04, set and cleared."""

    def __init__(self, samples: np.ndarray):
        super().__init__(samples)
        self.marks: list[bool] = []

    def write(self, address: int, value: int) -> None:
        if address in (0x50000808, 0x5000080C) and value == 1 << 4:
            self.marks.append(address == 0x50000808)
        super().write(address, value)


def test_with_a_marker_a_pin_is_high_while_each_block_is_processed():
    """And never for the self-test, which is no block of the source."""
    chip = Marked(kitchen()[:16_000])
    core = Core(Image(build_project(wake_word(), BOARD, more=(*STRICT, "-DTS_MARKER"))), chip)
    high: list[bool] = []
    core.call("wake_word_push", lambda at: high.append(bool(chip.marks) and chip.marks[-1]))
    core.run(lambda: chip.at == len(chip.samples) and not chip.transmitting)
    blocks = len(chip.marks) // 2
    assert blocks >= 99 and chip.marks == [True, False] * blocks
    assert high == [False] * golden(wake_word()).blocks + [True] * blocks


@pytest.mark.parametrize("why, reset", [(0, "power"), (1 | 2 | 4, "pin"), (2, "watchdog"), (8, "fault")])
def test_the_reset_reason_is_told(why, reset):
    chip = Nrf52840(kitchen()[:0], why=why)
    Core(Image(build_project(wake_word(), BOARD)), chip).run(lambda: not chip.transmitting)
    assert told(chip)[0].reset == reset


def test_deep_sleep_lasts_so_long_with_the_crystal_off_and_the_watchdog_fed():
    """A second of sound and 30 s of sleep by turns; the RTC's 24 bits wrap after 512 s."""
    turns = 20
    chip = Nrf52840(np.zeros(16_000 * turns, np.int16))
    Core(Image(build_project(on_duty(1, 31), BOARD)), chip).run(lambda: chip.at == len(chip.samples) and not chip.transmitting)
    check_time([r for r in told(chip) if isinstance(r, Status)])
    assert chip.ns / SECOND == pytest.approx(31 * (turns - 1) + 1, abs=0.2)
    assert chip.crystal_ns / SECOND < turns + 1, "the crystal ran through the deep sleep"
    assert chip.watchdog_s == pytest.approx(2, abs=0.01)
    assert max(np.diff(chip.fed)) / SECOND < 0.75 * chip.watchdog_s


@pytest.mark.parametrize("rate_hz, range_g, block_ms", [(400, 4, 100), (1344, 2, 62.5), (50, 8, 100)])
def test_the_accelerometer_s_rows_reach_the_app_as_they_are(tmp_path, rate_hz, range_g, block_ms):
    """Blocks of 40, of 84 and of 5 rows: batches of 16 end in and across blocks; the last has a batch a block."""
    plan = plan_file(write_shake(tmp_path, rate_hz, range_g, block_ms))
    (x,) = plan.x
    sensor = Lis3dh(rows(20 * x.shape[0]))
    chip = Nrf52840(np.zeros(0), sensor=sensor)
    core = Core(Image(build_project(plan, BOARD, more=STRICT)), chip)
    seen: list[np.ndarray] = []
    core.call(f"{plan.name}_push", lambda at: seen.append(np.frombuffer(core.uc.mem_read(at, x.size * 2), np.int16)))

    def tick() -> None:
        chip.sense()
        chip.after(int(SECOND / sensor.rate_hz) if sensor.on else SECOND // 1000, tick)

    chip.after(0, tick)
    core.run(lambda: not sensor.left and not chip.raised())
    heard = np.concatenate(seen[golden(plan).blocks :])
    assert heard.size > 18 * x.size and np.array_equal(heard, rows(20 * x.shape[0]).reshape(-1)[: heard.size])
    assert sensor.overruns == 0 and sensor.rate_hz == rate_hz and sensor.registers[0x23] >> 4 & 3 == {2: 0, 4: 1, 8: 2}[range_g]
    assert sensor.registers[0x23] & 0x88 == 0x88
    assert chip.crystal_ns / SECOND < 0.1, "the crystal is only for the UART"


def test_what_the_sensor_cannot_do_is_refused(tmp_path):
    with pytest.raises(BuildError, match="does not measure up to 16 g") as error:
        write_project(plan_file(write_shake(tmp_path, 400, 16, 100)), BOARD, tmp_path / "out")
    assert error.value.help == "range_g = 2 or 4 or 8"


def test_registers_are_those_of_the_manufacturer_s_description():
    check_registers(
        BOARD.folder / "board.c",
        "nrf52840.svd",
        interrupts={"UARTE_IRQ": "UARTE0", "SPIM_IRQ": "SPIM0", "GPIOTE_IRQ": "GPIOTE", "RTC_IRQ": "RTC1", "PDM_IRQ": "PDM"},
        numbered={
            "GPIO_OUTSET": {0: "OUTSET", 40: "OUTSET"},
            "GPIO_OUTCLR": {0: "OUTCLR", 40: "OUTCLR"},
            "GPIO_IN": {0: "IN", 40: "IN"},
            "GPIO_PIN_CNF": {0: "PIN_CNF0", 31: "PIN_CNF31", 32: "PIN_CNF0", 47: "PIN_CNF15"},
        },
        fields={
            "LFCLK_CRYSTAL": ("CLOCK", "LFCLKSRC", "SRC", "Xtal"),
            "LFCLK_RC": ("CLOCK", "LFCLKSRC", "SRC", "RC"),
            "RESETREAS_PIN": ("POWER", "RESETREAS", "RESETPIN", None),
            "RESETREAS_WATCHDOG": ("POWER", "RESETREAS", "DOG", None),
            "RESETREAS_SOFTWARE": ("POWER", "RESETREAS", "SREQ", None),
            "RESETREAS_LOCKUP": ("POWER", "RESETREAS", "LOCKUP", None),
            "PIN_SENSE_HIGH": ("P0", "PIN_CNF0", "SENSE", "High"),
            "UARTE_ON": ("UARTE0", "ENABLE", "ENABLE", "Enabled"),
            "UARTE_115200": ("UARTE0", "BAUDRATE", "BAUDRATE", "Baud115200"),
            "UARTE_INT_ENDTX": ("UARTE0", "INTENSET", "ENDTX", None),
            "UARTE_INT_TXSTOPPED": ("UARTE0", "INTENSET", "TXSTOPPED", None),
            "RTC_INT_OVRFLW": ("RTC1", "INTENSET", "OVRFLW", None),
            "RTC_INT_COMPARE0": ("RTC1", "INTENSET", "COMPARE0", None),
            "WDT_RUNS_ASLEEP": ("WDT", "CONFIG", "SLEEP", "Run"),
            "WDT_RELOAD": ("WDT", "RR0", "RR", "Reload"),
            "PDM_1280K": ("PDM", "PDMCLKCTRL", "FREQ", "1280K"),
            "PDM_RATIO80": ("PDM", "RATIO", "RATIO", "Ratio80"),
            "PDM_MONO": ("PDM", "MODE", "OPERATION", "Mono"),
            "PDM_LEFT_RISING": ("PDM", "MODE", "EDGE", "LeftRising"),
            "PDM_INT_STARTED": ("PDM", "INTENSET", "STARTED", None),
            "PDM_INT_END": ("PDM", "INTENSET", "END", None),
            "SPIM_ON": ("SPIM0", "ENABLE", "ENABLE", "Enabled"),
            "SPIM_4M": ("SPIM0", "FREQUENCY", "FREQUENCY", "M4"),
            "SPIM_INT_END": ("SPIM0", "INTENSET", "END", None),
        },
    )
