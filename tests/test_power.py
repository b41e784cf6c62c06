"""Does the sum of an app's currents agree with sums worked out by hand, and does more never cost less?"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from command import APP, KITCHEN, WORKSHOP, samples

from tinystream.app.planning import plan_file
from tinystream.power.battery import Pack, find_pack
from tinystream.power.board import BoardPower, board_names, find_board_power
from tinystream.power.counts import Counts, count_runs, poisson
from tinystream.power.estimate import Setup, StepCycles, estimate
from tinystream.power.figure import Figure, Table
from tinystream.power.files import PowerError
from tinystream.power.interval import Interval, exactly
from tinystream.power.parts import Battery, LoRa, Radio, Regulator, Sensor, Storage, find_part, usual_sensor
from tinystream.power.radio import alert_by, find_alert
from tinystream.run.engine import Engine
from tinystream.run.native import Native

LISTENER = """
name = "listener"
[source]
kind = "microphone"
rate_hz = 1_000
block_ms = 10
[[stage]]
kind = "gate"
open_db = -20
of = "peak"
[[stage]]
kind = "biquad"
type = "highpass"
cutoff_hz = 10
order = 2
"""

WATCHER = """
name = "watcher"
[source]
kind = "imu"
rate_hz = 100
axes = ["x", "y", "z"]
range_g = 4
block_ms = 100
[duty]
on_s = 2
every_s = 10
[[stage]]
kind = "biquad"
type = "highpass"
cutoff_hz = 10
order = 2
"""


def exact(value: float) -> Figure:
    return Figure(value=value, status="exact", source="a test")


def line(*points: tuple[float, float]) -> Table:
    return Table(points=points, status="exact", source="a test")


def board(kind: str, at_v: float, min_v: float = 2.0, quiescent_ua: float | None = None) -> BoardPower:
    """10 MHz; 1000 µA running, 200 idle, 300 more while PDM is collected; 5 asleep at 25 °C, 2 µC to wake up."""
    real = find_board_power("nucleo_u575zi")
    core = dict(run=line((10e6, 1000)), idle=line((10e6, 200)), capture=dict(pdm=exact(300), serial=exact(0)))
    sleep = dict(name="stop", retains_bytes=100_000, current_ua=line((25, 5)), wake_s=exact(0), wake_charge_nc=exact(2000))
    return BoardPower(
        board=real.board.model_copy(update=dict(clock_hz=10_000_000)),
        says="a test",
        supply=dict(min_v=min_v, max_v=3.6, rail_v=at_v),
        mode=(dict(name="only", kind=kind, at_v=at_v, **core),),
        sleep=(sleep,),
        quiescent_ua=quiescent_ua and exact(quiescent_ua),
    )


CELL = Battery(
    name="cell", says="1000 mAh; 10 µA of self-discharge at 20 °C", capacity_mah=exact(1000), cell_v=1.5, max_v=1.6, end_v=1.0,
    cut_off=line((1.0, 1.0), (1.6, 0.4)), load=line((0.001, 1), (1000, 1)), pulse=line((0.001, 1), (1000, 1)),
    temperature=line((-20, 0.5), (20, 1), (85, 1)), self_discharge_percent_year=exact(8.766),
)  # fmt: skip
AT_25 = 10 * sqrt(2)  # µA of self-discharge, which doubles each 10 °C
MICROPHONE = Sensor(
    name="microphone", says="a test", feeds=("microphone",), capture="pdm", current_ua=line((1, 500), (48_000, 500)),
    standby_ua=exact(0), start_s=exact(0),
)  # fmt: skip
MOTION = Sensor(
    name="motion", says="a test", feeds=("imu",), capture="serial", current_ua=line((1, 400), (1000, 400)), standby_ua=exact(10),
    start_s=exact(0.5), fifo=12, sample_bytes=2, bus_hz=96_000,
)  # fmt: skip
RADIO = Radio(name="radio", says="a test", charge_uc=exact(5000), max_bytes=20, peak_ma=exact(10), standby_ua=exact(3), loss=exact(0.2))


def counted(tmp_path, text: str, loud_s: float = 1, seconds: float = 4) -> Counts:
    """A replay of a recording whose first seconds are loud."""
    path = tmp_path / "app.toml"
    path.write_text(text)
    plan = plan_file(path)
    rate = int(plan.x[0].sample_hz)
    x = np.zeros((int(seconds * rate), *plan.x[0].shape[1:]), np.int16)
    x[: int(loud_s * rate)] = 20_000
    return count_runs(plan, Engine(plan), [x])


def cycles(counts: Counts, **of_kind: Interval | float) -> dict[str, StepCycles]:
    intervals = {kind: value if isinstance(value, Interval) else exactly(value) for kind, value in of_kind.items()}
    return {step.name: StepCycles(intervals[step.kind], "exact", "a test") for step in counts.plan.steps}


def as_table(found) -> dict[str, float]:
    return {term.name: term.current_ua.nominal for term in found.terms}


# --- counts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [Engine, Native])
def test_what_lies_behind_a_gate_runs_while_the_gate_is_open(tmp_path, engine):
    (tmp_path / "app.toml").write_text(LISTENER)
    plan = plan_file(tmp_path / "app.toml")
    x = np.zeros(4000, np.int16)
    x[1000:2000] = 20_000
    counts = count_runs(plan, engine(plan), [x, x[:2000]])
    assert counts.by_step == {"gate": 600, "biquad": 200} and counts.blocks == 600 and counts.listened_s == 6
    assert counts.rate_hz("gate") == 100 and counts.rate_hz("biquad") == pytest.approx(200 / 6)
    assert counts.over_time("biquad", 100).tolist() == [0, 100, 0, 0, 0, 100]
    assert counts.over_time("biquad", 150).tolist() == [50, 50, 0, 100]
    part = counts.between(150, 350)
    assert part.blocks == 200 and part.by_step == {"gate": 200, "biquad": 50} and part.over_time("biquad", 50).tolist() == [50, 0, 0, 0]
    assert counts.busiest_block({"gate": 10, "biquad": 7}) == 17


def test_what_runs_behind_a_gate_is_as_doubtful_as_the_times_that_it_opened(tmp_path):
    (tmp_path / "app.toml").write_text(LISTENER)
    plan = plan_file(tmp_path / "app.toml")
    x = np.zeros(100_000, np.int16)
    for second in (3, 20, 50, 70):
        x[1000 * second : 1000 * second + 500] = 20_000
    counts = count_runs(plan, Engine(plan), [x])
    assert counts.rate("gate") == exactly(100), "whatever is heard"
    assert counts.rate("biquad").values == pytest.approx(tuple(2 * n / 4 for n in (1.366, 4, 9.154)), abs=1e-3), "four times half a second"
    found = estimate(counts, cycles(counts, gate=2000, biquad=8000), GATED)
    (term,) = (t for t in found.terms if t.name == "biquad")
    assert term.current_ua.high / term.current_ua.nominal == pytest.approx(9.154 / 4, abs=1e-3)
    always = count_runs(plan, Engine(plan), [np.full(4000, 20_000, np.int16)])
    assert always.rate("biquad").high == 100, "it cannot be more open than open"


def test_between_the_windows_of_a_duty_cycle_nothing_runs(tmp_path):
    counts = counted(tmp_path, WATCHER, seconds=25)
    assert counts.blocks == 250 and counts.by_step == {"biquad": 20 + 20 + 20} and counts.listened_s == 6
    assert counts.rate_hz("biquad") == 10, "of the time in which it listens"


def test_engines_count_the_same_on_the_wake_word():
    plan = plan_file(APP)
    x = [samples(WORKSHOP)]
    by = [count_runs(plan, engine(plan), x) for engine in (Engine, Native)]
    assert by[0].by_step == by[1].by_step and by[0].by_step["micro_frontend"] == 1613
    assert by[0].by_step["detect"] < by[0].by_step["conv_2d"] < 1613 / 3, "a score each third block, once the window is full"
    assert by[0].alerts.tolist() == by[1].alerts.tolist()


@pytest.mark.parametrize("events, low, high", [(0, 0, 2.996), (1, 0.051, 4.744), (4, 1.366, 9.154), (10, 5.425, 16.962)])
def test_the_interval_of_a_count_is_that_of_tables_of_poissons_distribution(events, low, high):
    assert poisson(events).values == pytest.approx((low, events, high), abs=6e-4)


def test_forty_seconds_without_an_alert_leave_two_hundred_an_hour_possible(tmp_path):
    counts = replace(counted(tmp_path, LISTENER, seconds=40), alerts=np.empty(0, np.int64))
    assert (counts.alert_rate_hz * 3600).values == pytest.approx((0, 0, 269.6), abs=0.1)


# --- three budgets by hand ------------------------------------------------------------------------------------


def test_a_stream_of_sound_on_two_cells_term_by_term(tmp_path):
    counts = counted(tmp_path, LISTENER)  # gate 100 times a second, biquad 25 times
    # currents of the chip were told at 2.4 V, two cells give 3 V: its converter takes 0.8 of them
    setup = Setup(board("smps", 2.4), Pack(CELL, 2), MICROPHONE, alert_by(RADIO, 20), alerts_per_day=864)
    found = estimate(counts, cycles(counts, gate=2000, biquad=8000), setup)
    assert as_table(found) == pytest.approx(
        {
            "gate": 0.8 * 1000 * 100 * 2000 / 10e6,  # 16
            "biquad": 0.8 * 1000 * 25 * 8000 / 10e6,  # 16
            "idle while capturing": 0.8 * 200 * (1 - 0.04),  # 153.6
            "capture by pdm": 0.8 * 300,
            "sensor microphone": 500,
            "alerts by radio": 5000 * 1.25 * 0.01,  # one in 100 s, one in five lost
            "radio between alerts": 3,
            "self-discharge": AT_25,
        }
    )
    total = 16 + 16 + 153.6 + 240 + 500 + 62.5 + 3 + AT_25
    assert found.total_ua.nominal == pytest.approx(total) and found.days.nominal == pytest.approx(1_000_000 / total / 24)
    assert found.busy.nominal == pytest.approx(0.04) and found.longest_block == pytest.approx(10_000 / 100_000)
    doubtful = [term.name for term in found.terms if term.current_ua.width]
    assert doubtful == ["biquad"], "exact figures leave no doubt, but of how often a gate opens"


def test_looks_at_a_motion_sensor_through_an_ldo_term_by_term(tmp_path):
    counts = counted(tmp_path, WATCHER, seconds=25)  # 2 s of 10; ten blocks a second of 30 values, three reads of the FIFO each
    ldo = Regulator(name="ldo", says="a test", converts="ldo", quiescent_ua=exact(7), min_v=1, max_v=6, dropout_v=0.2)
    tank = Storage(name="tank", says="a test", capacity_f=1, max_v=5, resistance_ohm=exact(1), leakage_ua=exact(4))
    setup = Setup(board("smps", 2.0), Pack(CELL, 2), MOTION, storage=tank, regulator=ldo)
    found = estimate(counts, cycles(counts, biquad=100_000), setup)
    assert as_table(found) == pytest.approx(
        {
            "biquad": 1000 * 0.2 * 10 * 100_000 / 10e6,  # 20
            "reading the FIFO": 200 * 0.2 * (100 * 3 * 2 * 8 / 96_000),  # 2
            "stop": 5 * (0.2 * 0.9 + 0.8),  # 4.9
            "wake-ups from stop": 2 * (0.2 * 10 * 3 + 0.1),  # 12.2
            "sensor motion": 400 * 0.25,  # 0.2, and 0.5 s of 10 to start
            "sensor in standby": 10 * 0.75,
            "storage": 4,
            "regulator ldo": 7,
            "self-discharge": AT_25,
        }
    )
    assert found.total_ua.nominal == pytest.approx(20 + 2 + 4.9 + 12.2 + 107.5 + 4 + 7 + AT_25)
    assert found.usable_mah.nominal == pytest.approx(1000 * (1 - 0.1)), "it stops at 2.2 V, 1.1 a cell"


def test_alerts_that_were_heard_in_windows_come_as_much_seldomer(tmp_path):
    counts = replace(counted(tmp_path, WATCHER, seconds=25), alerts=np.array([3, 115]))  # two in 6 s of listening
    setup = Setup(board("smps", 3.0), Pack(CELL, 2), MOTION, alert_by(RADIO, 20))
    found = estimate(counts, cycles(counts, biquad=100_000), setup)
    assert found.alerts_per_day.nominal == pytest.approx(2 / 6 * 0.2 * 86_400)
    assert as_table(found)["alerts by radio"] == pytest.approx(2 / 6 * 0.2 * 5000 * 1.25)


def test_sound_on_one_cell_through_a_converter_in_the_heat_with_lorawan_term_by_term(tmp_path):
    counts = counted(tmp_path, LISTENER)
    boost = Regulator(name="boost", says="a test", converts="boost", quiescent_ua=exact(10), efficiency=exact(0.8), min_v=0.7, max_v=5.5)
    lora = LoRa(transmit_ua=exact(40_000), receive_ua=exact(10_000), receive_windows_s=exact(0.1))
    radio = RADIO.model_copy(update=dict(charge_uc=None, lora=lora, loss=exact(0), standby_ua=exact(1)))
    setup = Setup(
        board("ldo", 3.0, quiescent_ua=50), Pack(CELL, 1), MICROPHONE, alert_by(radio, 20, 7),
        regulator=boost, temperature_c=55, alerts_per_day=864,
    )  # fmt: skip
    found = estimate(counts, cycles(counts, gate=2000, biquad=8000), setup)
    hot = 1 + 30 * 0.19 / 60
    passed = {
        "gate": 2 * 20 * hot,
        "biquad": 2 * 20 * hot,
        "idle while capturing": 2 * 192 * hot,
        "capture by pdm": 2 * 300,
        "sensor microphone": 2 * 500,
        "alerts by radio": 2 * 0.01 * (40_000 * 0.071936 + 10_000 * 0.1),
        "radio between alerts": 2 * 1,
        "rest of the board": 2 * 50,
    }
    by_hand = passed | {"regulator boost": 10 + sum(passed.values()) * 0.25, "self-discharge": 10 * 2**3.5}
    assert as_table(found) == pytest.approx(by_hand)
    assert found.total_ua.nominal == pytest.approx(sum(by_hand.values()))


# --- intervals ------------------------------------------------------------------------------------------------


def test_doubts_of_a_group_add_and_those_of_groups_add_as_squares(tmp_path):
    counts = counted(tmp_path, re.sub(r'kind = "gate"\n.*\n.*\n', 'kind = "dc_notch"\n', LISTENER))
    sensor = MICROPHONE.model_copy(
        update=dict(current_ua=Table(points=[(1, 500), (9e4, 500)], status="exact", spread=(0.9, 1.2), source="a test"))
    )
    setup = Setup(board("smps", 3.0), Pack(CELL, 2), sensor)
    found = estimate(counts, cycles(counts, dc_notch=Interval(1000, 2000, 3000), biquad=Interval(1750, 2000, 2250)), setup)
    assert found.group_ua("active").values == pytest.approx((10 + 17.5, 40, 30 + 22.5))
    assert found.group_ua("sensor").values == pytest.approx((450, 500, 600))
    nominal = 40 + 192 + 300 + 500 + AT_25
    assert found.total_ua.values == pytest.approx((nominal - sqrt(12.5**2 + 50**2), nominal, nominal + sqrt(12.5**2 + 100**2)))
    assert found.days.values == pytest.approx(tuple(1_000_000 / 24 / ua for ua in reversed(found.total_ua.values)))
    assert list(found.doubts) == ["sensor", "active", *list(found.doubts)[2:]]
    assert found.doubts["sensor"] == pytest.approx(150**2 / (150**2 + 25**2)) and sum(found.doubts.values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def heard() -> Counts:
    plan = plan_file(APP)
    return count_runs(plan, Native(plan), [samples(KITCHEN)])


def of_the_wake_word(heard: Counts, factor: float = 1.0) -> dict[str, StepCycles]:
    """Near to what the profile says, with a wide interval."""
    nominal = {"micro_frontend": 60_000, "conv_2d": 14_000, "detect": 300}
    told = Interval(0.8, 1, 1.3) * factor
    return {step.name: StepCycles(told * nominal.get(step.kind, 1_500), "derived", "a test") for step in heard.plan.steps}


def wired(name: str, **more) -> Setup:
    real = find_board_power(name)
    captures = real.mode[0].capture
    return Setup(real, find_pack("2xAA"), usual_sensor("microphone", 16_000, captures), find_alert("ble_advertise", 20), **more)


SLOW = ("microbit",)  # 16 MHz do not keep up with the wake word


@pytest.mark.parametrize("name", [name for name in board_names() if name not in SLOW])
def test_more_never_costs_less(heard, name):
    setup = wired(name)
    more_alerts = replace(heard, alerts=np.arange(3 * len(heard.alerts) + 1))
    hops = replace(heard, ran=tuple(np.concatenate([ran, ran[: len(ran) // 10]]) for ran in heard.ran))
    base = estimate(heard, of_the_wake_word(heard), setup)
    lorawan = [estimate(heard, of_the_wake_word(heard), replace(setup, alert=find_alert(f"lorawan_sx1262:sf{f}", 20))) for f in (7, 9, 12)]
    rising = {
        "work": [base, estimate(heard, of_the_wake_word(heard, 1.01), setup), estimate(heard, of_the_wake_word(heard, 1.5), setup)],
        "hops": [base, estimate(hops, of_the_wake_word(heard), setup)],
        "alerts": [base, estimate(more_alerts, of_the_wake_word(heard), setup)],
        "alerts told": [estimate(heard, of_the_wake_word(heard), replace(setup, alerts_per_day=n)) for n in (0, 1, 50, 5000)],
        "heat": [estimate(heard, of_the_wake_word(heard), replace(setup, temperature_c=t)) for t in (-10, 0, 25, 26, 40, 54)],
        "air time": lorawan,
        "payload": [estimate(heard, of_the_wake_word(heard), replace(setup, alert=find_alert("wifi_mqtt", n))) for n in (0, 100, 1400)],
    }
    for what, found in rising.items():
        for less, more in pairwise(found):
            for a, b in zip(less.total_ua.values, more.total_ua.values):
                assert a <= b * (1 + 1e-12), f"{name}: more {what}, {less.total_ua} to {more.total_ua}"
    assert all(0 < e.days.low < e.days.nominal < e.days.high for e in rising["work"])


def test_a_figure_from_memory_is_marked_in_every_term_that_it_went_into(heard):
    found = estimate(heard, of_the_wake_word(heard), wired("nrf5340_dk"))
    marked = {term.group for term in found.terms if term.status == "unverified"}
    assert {"active", "idle", "capture", "self-discharge"} <= marked and "sensor" not in marked
    for term in found.terms:
        assert term.sources and all(source.source for source in term.sources), term.name


def test_what_is_not_modelled_depends_on_what_is_wired(heard, tmp_path):
    without = estimate(heard, of_the_wake_word(heard), replace(wired("nucleo_u575zi"), alert=None))
    assert "alerts: no radio is named (--radio)" in without.not_modelled
    assert not any("no radio" in words for words in estimate(heard, of_the_wake_word(heard), wired("nucleo_u575zi")).not_modelled)
    gated = counted(tmp_path, LISTENER)
    assert any("while a gate is closed" in words for words in estimate(gated, cycles(gated, gate=1, biquad=1), GATED).not_modelled)


GATED = Setup(board("smps", 3.0), Pack(CELL, 2), MICROPHONE)


@pytest.mark.parametrize(
    "changed, said",
    [
        (dict(temperature_c=-60), "-60 °C is outside of what nucleo_u575zi is told for: -40 to 85 °C"),
        (dict(temperature_c=60), "60 °C is outside of what alkaline_aa works at: -18 to 54 °C"),
        (dict(clock_hz=8e6), "nucleo_u575zi has no currents for 8 MHz: its tables are from 16 MHz to 160 MHz"),
        (dict(clock_hz=300e6), "nucleo_u575zi has no currents for 300 MHz: its tables are from 16 MHz to 160 MHz"),
        (dict(mode="buck"), "no supply mode of nucleo_u575zi is called 'buck' here"),
        (dict(sensor=find_part(Sensor, "lsm6dsox")), "lsm6dsox feeds a source of kind 'imu', the app's is 'microphone'"),
        (dict(sensor=find_part(Sensor, "ics_43434")), "the app samples at 16000 Hz, ics_43434 is told for 23000 to 51600 Hz"),
        (dict(alerts_per_day=-1.0), "-1 alerts a day cannot be"),
    ],
)
def test_what_does_not_fit_is_refused(heard, changed, said):
    with pytest.raises(PowerError) as refused:
        estimate(heard, of_the_wake_word(heard), replace(wired("nucleo_u575zi"), **changed))
    assert said in refused.value.what


def test_a_core_that_does_not_keep_up_is_told_so_with_the_clock_that_is_there(heard):
    with pytest.raises(PowerError) as refused:
        estimate(heard, of_the_wake_word(heard, 3), wired("nucleo_u575zi", clock_hz=16e6))
    assert "nucleo_u575zi does not keep up at 16 MHz: 1." in refused.value.what and refused.value.help == "--clock 160MHz"


def test_people_are_told_of_what_is_interpolated_late_or_out_of_reach(heard):
    told = of_the_wake_word(heard)
    slow = estimate(heard, told, wired("nucleo_u575zi", clock_hz=17e6))
    assert any("interpolated between 16 MHz and 24 MHz" in note for note in slow.notes)
    tight = estimate(heard, of_the_wake_word(heard, 1.45), wired("nucleo_u575zi", clock_hz=16e6))
    assert any("may not keep up at 16 MHz: at the worst" in note for note in tight.notes)
    assert any("the longest block takes 1." in note for note in tight.notes) and tight.longest_block > 1
    coin = estimate(heard, told, replace(wired("nucleo_u575zi"), pack=find_pack("cr2032"), alert=find_alert("wifi_mqtt", 20)))
    assert any(note.startswith("350 mA at once is more than a cr2032 is told to give, 30 mA") for note in coin.notes)
    often = estimate(heard, told, replace(wired("nucleo_u575zi"), alert=find_alert("lorawan_sx1262:sf12", 20), alerts_per_day=5000.0))
    assert any("EU868 allows 1%" in note for note in often.notes)
