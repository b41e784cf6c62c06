"""Is the simulated current what the estimate adds up, at every moment and in every file?"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from bare import use_cache
from command import APP, KITCHEN, samples, tinystream, write_sound
from test_power import CELL, LISTENER, MICROPHONE, MOTION, RADIO, WATCHER, board, counted, cycles, exact

from tinystream.app.planning import plan_file
from tinystream.power.battery import Pack, find_pack
from tinystream.power.board import find_board_power
from tinystream.power.counts import Counts, count_runs
from tinystream.power.cycles import counted_cycles
from tinystream.power.estimate import Setup, estimate
from tinystream.power.feed import find_way
from tinystream.power.files import PowerError
from tinystream.power.meters import write_current
from tinystream.power.parts import Regulator, Storage, usual_sensor
from tinystream.power.plot import plot_timeline
from tinystream.power.radio import alert_by, find_alert
from tinystream.power.timeline import IDLE, READ, SLEEP, WAKE, Timeline, timeline
from tinystream.power.timeline import RADIO as ON_AIR
from tinystream.run.native import Native
from tinystream.run.replay import make_engine

pytestmark = pytest.mark.filterwarnings("error:constrained_layout")
LDO = Regulator(name="ldo", says="a test", converts="ldo", quiescent_ua=exact(7), min_v=1, max_v=6, dropout_v=0.2)
BUCK = Regulator(name="buck", says="a test", converts="buck", quiescent_ua=exact(7), efficiency=exact(0.8), min_v=1, max_v=6)
TANK = Storage(name="tank", says="a test", capacity_f=1, max_v=5, resistance_ohm=exact(1), leakage_ua=exact(4))
STREAM = Setup(board("smps", 2.4, quiescent_ua=11), Pack(CELL, 2), MICROPHONE, alert_by(RADIO, 20))
LOOKS = Setup(board("smps", 2.0), Pack(CELL, 2), MOTION, alert_by(RADIO, 20), TANK, LDO)


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        yield


@pytest.fixture(scope="module")
def heard() -> Counts:
    plan = plan_file(APP)
    return count_runs(plan, Native(plan), [samples(KITCHEN)])


def drawn(counts: Counts, setup: Setup, **of_kind: float) -> tuple[Timeline, float]:
    """The timeline, and what a meter shows of the estimate's sum."""
    told = cycles(counts, **of_kind) if of_kind else counted_cycles(counts.plan, setup.board.board)
    found = estimate(counts, told, setup)
    return timeline(counts, told, found), found.total_ua.nominal - found.group_ua("self-discharge").nominal


def wired(name: str, radio: str, regulator: str | None = None, battery: str = "2xAA") -> Setup:
    where = find_board_power(name)
    sensor = usual_sensor("microphone", 16_000, where.find_mode(None).capture, where.default.sensor.get("microphone"))
    return Setup(where, find_pack(battery), sensor, find_alert(radio, 20), None, find_way(regulator) if regulator else None)


# --- the same sum ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setup",
    [
        wired("nucleo_u575zi", "wifi_mqtt"),
        wired("esp32_s3", "ble_advertise", "tps63900"),
        replace(wired("nucleo_l4r5zi", "lorawan_sx1262:sf7"), mode="ldo", clock_hz=120e6, temperature_c=40.0),
    ],
    ids=lambda setup: setup.board.name,
)
def test_the_mean_of_a_stream_is_the_sum_of_its_terms(heard, setup):
    line, total = drawn(heard, setup)
    assert len(line.alerts_s) == 4 and line.mean_ua == pytest.approx(total, rel=1e-5)
    assert line.seconds == pytest.approx(heard.listened_s) and np.all(np.diff(line.edges_s) > 0)


@pytest.mark.parametrize("setup", [LOOKS, replace(LOOKS, regulator=BUCK), replace(LOOKS, regulator=None)], ids=["ldo", "buck", "direct"])
def test_the_mean_of_looks_at_a_fifo_is_the_sum_of_their_terms(tmp_path, setup):
    counts = counted(tmp_path, WATCHER, seconds=30)  # three whole cycles
    line, total = drawn(counts, setup, biquad=100_000)
    assert line.mean_ua == pytest.approx(total, rel=1e-6)


def test_the_mean_of_a_stream_in_windows_is_the_sum_of_its_terms(tmp_path):
    (tmp_path / "app.toml").write_text(LISTENER + "[duty]\non_s = 1\nevery_s = 4\n")
    plan = plan_file(tmp_path / "app.toml")
    counts = count_runs(plan, make_engine(plan, "python"), [np.repeat(np.int16([20_000, 0]), [8500, 3500])])
    assert counts.by_step == {"gate": 300, "biquad": 250}
    setup = replace(STREAM, sensor=MICROPHONE.model_copy(update=dict(standby_ua=exact(20), start_s=exact(0.25))))
    line, total = drawn(counts, setup, gate=2000, biquad=8000)
    assert line.mean_ua == pytest.approx(total, rel=1e-6)


def test_more_work_longer_listening_and_heat_never_draw_less(heard, tmp_path):
    by_clock = [drawn(heard, replace(wired("nucleo_u575zi", "wifi_mqtt"), temperature_c=t))[0] for t in (0.0, 25.0, 50.0)]
    counts = counted(tmp_path, LISTENER)
    by_work = [drawn(counts, STREAM, gate=gate, biquad=8000)[0] for gate in (0, 2000, 9000)]
    for lines in (by_clock, by_work):
        for less, more in pairwise(lines):
            edges_s = np.linspace(0, less.seconds, 50)
            assert np.all(less.means(edges_s) <= more.means(edges_s) + 1e-6)


# --- at every moment ------------------------------------------------------------------------------------------


def test_a_block_is_computed_step_by_step_and_then_the_core_idles(tmp_path):
    line, _ = drawn(counted(tmp_path, LISTENER), replace(STREAM, alert=None), gate=2000, biquad=8000)
    others = 0.8 * 300 + 500 + 11  # capture, sensor, the rest of the board
    moments = [(0.0001, "gate", 800), (0.0005, "biquad", 800), (0.005, IDLE, 160), (0.0103, "biquad", 800), (2.0001, "gate", 800)]
    for time_s, state, core_ua in [*moments, (2.0005, IDLE, 160)]:  # the gate is closed by then
        at = line.at(np.array([time_s]))[0]
        assert line.states[line.state[at]] == state and line.current_ua[at] == pytest.approx(core_ua + others), time_s
    edges_ms = 1000 * line.edges_s[:4]
    assert edges_ms == pytest.approx([0, 0.2, 1.0, 10.0]), "2000 and 8000 cycles at 10 MHz"
    assert np.all(line.listening)


def test_work_that_takes_longer_than_a_block_makes_the_next_ones_late(tmp_path):
    line, total = drawn(counted(tmp_path, LISTENER, loud_s=0.03), replace(STREAM, alert=None), gate=2000, biquad=180_000)
    biquad = line.states.index("biquad")
    begins = line.edges_s[:-1][line.state == biquad]
    assert begins == pytest.approx([0.0002, 0.0184, 0.0366]), "18.2 ms of work a block while it is loud"
    assert line.mean_ua == pytest.approx(total, rel=1e-6)


def test_between_looks_it_sleeps_and_wakes_up_to_read_the_fifo(tmp_path):
    line, _ = drawn(counted(tmp_path, WATCHER, seconds=30), LOOKS, biquad=100_000)
    asleep_ua = 5 + 10 + 4 + 3 + 7  # the chip, sensor and radio in standby, the tank, the regulator
    moments = [(5.0, SLEEP, False), (10.0005, WAKE, True), (10.004, READ, True), (10.006, "biquad", True), (10.0335, WAKE, True)]
    for time_s, state, listening in moments:  # 2 µC a wake-up at 1 mA; 5 ms on the bus; 10 ms of work; the second read is due at 33.3 ms
        at = line.at(np.array([time_s]))[0]
        assert line.states[line.state[at]] == state and line.listening[at] == listening, time_s
    assert line.current_ua[line.at(np.array([5.0]))[0]] == pytest.approx(asleep_ua)
    assert line.current_ua[line.at(np.array([9.7]))[0]] == pytest.approx(asleep_ua + 390), "the sensor starts half a second before"
    assert line.current_ua[line.at(np.array([9.4]))[0]] == pytest.approx(asleep_ua)
    waking = line.state == line.states.index(WAKE)
    assert (waking & ~np.concatenate([[False], waking[:-1]])).sum() == 3 * 20 * 3, (
        "three looks of two seconds, ten blocks a second, three reads"
    )


def test_an_alert_draws_its_charge_at_the_radios_peak_once_its_block_is_done(heard):
    setup = wired("nucleo_u575zi", "wifi_mqtt")
    line, without = drawn(heard, setup)[0], drawn(heard, replace(setup, alert=None))[0]
    on_air = line.state == line.states.index(ON_AIR)
    radio = setup.alert.radio
    begins = line.edges_s[:-1][on_air & ~np.concatenate([[False], on_air[:-1]])]
    assert begins == pytest.approx(line.alerts_s)
    block_s = 0.01
    assert np.all(line.alerts_s > heard.alerts * block_s) and np.all(line.alerts_s < (heard.alerts + 1) * block_s)
    more_uc = line.charge_uc[-1] - without.charge_uc[-1] - radio.standby_ua.value * line.seconds
    assert more_uc == pytest.approx(4 * setup.alert.charge_uc.nominal * setup.alert.attempts.nominal, rel=1e-5)
    assert line.current_ua.max() == pytest.approx(without.current_ua.max() + radio.peak_ma.value * 1000 + radio.standby_ua.value, rel=1e-6)


# --- files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line(heard) -> Timeline:
    return drawn(heard.between(600, 900), wired("nucleo_u575zi", "ble_advertise"))[0]


@pytest.mark.parametrize("rate_hz", [50, 1000, 30_000])
def test_no_charge_is_lost_in_a_ppk2_file_and_its_lines_mark_the_work(line, tmp_path, rate_hz):
    write_current(line, tmp_path / "a.csv", "ppk2", rate_hz)
    header, *rows = (tmp_path / "a.csv").read_text().splitlines()
    assert header == "Timestamp(ms),Current(uA),D0,D1,D2,D3,D4,D5,D6,D7" and len(rows) == 3 * rate_hz
    table = np.array([row.split(",") for row in rows], float)
    assert table[:, 0] == pytest.approx(np.arange(len(rows)) * 1000 / rate_hz) and table[:, 1].mean() == pytest.approx(
        line.mean_ua, rel=1e-5
    )
    assert np.all(table[:, 4] == 1) and np.all(table[:, 5:] == 0), "it always listens; the other lines are not driven"
    if rate_hz == 30_000:
        computing = np.array(line.computing)[line.state]
        busy = np.diff(line.edges_s)[computing].sum() / line.seconds
        assert table[:, 2].mean() == pytest.approx(busy, rel=0.03)
        on_air = np.diff(line.edges_s)[line.state == line.states.index(ON_AIR)].sum()
        assert on_air and table[:, 3].sum() / rate_hz == pytest.approx(on_air, abs=2 / rate_hz)


def test_a_joulescope_file_adds_charge_and_energy_up(line, tmp_path):
    write_current(line, tmp_path / "a.csv", "joulescope", 1000)
    header, *rows = (tmp_path / "a.csv").read_text().splitlines()
    assert header == "time,current,voltage,power,charge,energy" and len(rows) == 3000
    table = np.array([row.split(",") for row in rows], float)
    assert table[:, 0] == pytest.approx(np.arange(1, 3001) / 1000) and np.all(table[:, 2] == line.volts)
    assert table[-1, 4] == pytest.approx(line.mean_ua * 3 / 1e6, rel=1e-5)
    assert table[:, 4] == pytest.approx(np.cumsum(table[:, 1]) / 1000, rel=1e-4)
    assert table[:, 3] == pytest.approx(table[:, 1] * line.volts, rel=1e-4) and table[:, 5] == pytest.approx(
        table[:, 4] * line.volts, rel=1e-4
    )


@pytest.mark.parametrize(
    "meter, rate_hz, said",
    [
        ("ppk3", 1000, "no format 'ppk3'"),
        ("ppk2", 0, "cannot be sampled at 0 Hz"),
        ("ppk2", 2e6, "at 2e+06 Hz"),
        ("ppk2", 0.1, "are 0 samples"),
    ],
)
def test_what_no_meter_writes_is_refused(line, tmp_path, meter, rate_hz, said):
    with pytest.raises(PowerError) as refused:
        write_current(line, tmp_path / "a.csv", meter, rate_hz)
    assert said in refused.value.what and not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", ["png", "svg"])
def test_the_same_timeline_gives_the_same_picture(line, tmp_path, end):
    pytest.importorskip("matplotlib")
    for name in "ab":
        plot_timeline(tmp_path / f"{name}.{end}", line, 0.01, "a title")
    first, second = ((tmp_path / f"{name}.{end}").read_bytes() for name in "ab")
    assert first == second and len(first) > 10_000
    if end == "svg":
        text = first.decode()
        for words in ("a title", "micro_frontend", "alert", "mA", "of all charge", "the block that takes longest"):
            assert words in text, words
        assert "<dc:date>" not in text


def test_an_app_on_duty_that_computes_little_is_drawn_too(tmp_path):
    pytest.importorskip("matplotlib")
    line, _ = drawn(counted(tmp_path, WATCHER, seconds=30), LOOKS, biquad=100_000)
    plot_timeline(tmp_path / "a.svg", line, 0.1, "looks")
    text = (tmp_path / "a.svg").read_text()
    assert all(words in text for words in (SLEEP, READ, "biquad"))


# --- as a user meets it ---------------------------------------------------------------------------------------


def test_the_command_writes_the_files_beside_the_table(tmp_path):
    pytest.importorskip("matplotlib")
    recording = write_sound(tmp_path / "a.wav", samples(KITCHEN)[:32_000])
    wired_so = ("--board", "nucleo_u575zi", "--battery", "2xAA", "--rate", 1000)
    files = [tmp_path / f"a.{end}" for end in ("csv", "svg", "png")]
    done = tinystream("power", APP, *wired_so, "--json", *(x for file in files for x in ("--timeline", file)), recording)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    rows = np.loadtxt(files[0], delimiter=",", skiprows=1)
    shown = found["total_ua"]["nominal"] - found["groups"]["self-discharge"]["nominal"]
    assert rows[:, 1].mean() == pytest.approx(shown, rel=1e-4) and len(rows) == 2000
    assert files[1].read_text().startswith("<?xml") and files[2].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "options, said",
    [
        (("--timeline", "a.jpg"), "a.jpg: no timeline ends in '.jpg'\n   = help: a name that ends in .csv, .png or .svg"),
        (("--timeline", "a.csv", "--format", "ppk"), "there is no format 'ppk' for a current\n   = help: ppk2, joulescope"),
        (("--timeline", "a.csv", "--rate", "0"), "a current cannot be sampled at 0 Hz"),
        (("--timeline", "no/folder/a.csv"), "no/folder/a.csv cannot be written: no such file or directory"),
        (("--timeline", "a.csv", "--sweep", "clock"), "a timeline is of one setting, and a sweep tries several"),
        (("--plot", "a.png"), "--plot draws a sweep, and none is asked for"),
    ],
)
def test_a_mistake_is_told_with_what_to_say_instead(options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = write_sound(tmp_path / "second.wav", samples(KITCHEN)[:16_000])
    done = tinystream("power", APP, "--board", "nucleo_u575zi", "--battery", "2xAA", *options, recording)
    assert done.code == 1 and done.out == "" and said in done.err, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["second.wav"]


def test_without_matplotlib_a_picture_is_refused_with_what_brings_it_and_a_csv_is_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    recording = write_sound(tmp_path / "second.wav", samples(KITCHEN)[:16_000])
    common = ("power", APP, "--board", "nucleo_u575zi", "--battery", "2xAA", recording, "--timeline")
    done = tinystream(*common, tmp_path / "a.png")
    assert done.code == 1 and "matplotlib, which is not here\n   = help: pip install 'tinystream[report]'" in done.err
    assert tinystream(*common, tmp_path / "a.csv").code == 0
