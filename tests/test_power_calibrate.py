"""Does a measured trace give a board's currents back, and is what cannot be one refused at its line?"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from command import APP, WORKSHOP, samples, tinystream, write_sound
from test_power import MICROPHONE, MOTION, WATCHER, board, counted, cycles, exact

from tinystream.power.battery import find_pack
from tinystream.power.board import BoardPower, find_board_power
from tinystream.power.calibrate import calibrate, level, write_board
from tinystream.power.estimate import Setup, estimate
from tinystream.power.files import PowerError
from tinystream.power.meters import write_current
from tinystream.power.timeline import timeline
from tinystream.power.traces import Measured, read_trace

STEADY = """
name = "steady"
[source]
kind = "microphone"
rate_hz = 1_000
block_ms = 10
[[stage]]
kind = "biquad"
type = "highpass"
cutoff_hz = 10
order = 2
"""
DUTY = '[duty]\non_s = 0.5\nevery_s = 2\n[[stage]]\nkind = "biquad"'


def with_currents(told: BoardPower, run: float, idle: float, capture: float, sleep: float) -> BoardPower:
    """The board with other currents, at the voltage that it has."""
    values = told.model_dump()
    values["mode"][0]["run"]["points"] = [(10e6, run)]
    values["mode"][0]["idle"]["points"] = [(10e6, idle)]
    values["mode"][0]["capture"]["pdm"] = exact(capture).model_dump()
    values["sleep"][0]["current_ua"]["points"] = [(25, sleep)]
    return BoardPower(**values)


def traced(folder: Path, text: str, kind: str, told: Setup, true: BoardPower, noise_ua: float = 0.0, rate_hz: float = 20_000):
    """What a PPK2 would show of the board with its true currents; the plan and the trace."""
    counts = counted(folder, text, seconds=8)
    spent = cycles(counts, biquad=20_000)
    line = timeline(counts, spent, estimate(counts, spent, replace(told, board=true)))
    path = folder / "trace.csv"
    write_current(line, path, "ppk2", rate_hz)
    if noise_ua:
        rows = path.read_text().splitlines()
        noise = np.random.default_rng(7).normal(0, noise_ua, len(rows))
        cells = [row.split(",", 2) for row in rows[1:]]
        rows[1:] = [f"{t},{max(0, float(ua) + n):.3f},{rest}" for (t, ua, rest), n in zip(cells, noise)]
        path.write_text("\n".join(rows) + "\n")
    return counts, spent, path


def setup(**more) -> Setup:
    return Setup(board(more.pop("kind", "ldo"), 3.0), find_pack("2xAA"), more.pop("sensor", MICROPHONE), **more)


@pytest.mark.parametrize("kind", ["ldo", "smps"])
@pytest.mark.parametrize("noise_ua", [0, 150])
def test_the_currents_of_a_trace_come_back(tmp_path, kind, noise_ua):
    """Run 2600 instead of 1000, idle 300 and capture 450 instead of 200 and 300, which is the same ratio; sensor 500."""
    told = setup(kind=kind)
    true = with_currents(told.board, run=2600, idle=300, capture=450, sleep=9)
    counts, spent, path = traced(tmp_path, STEADY, kind, told, true, noise_ua)
    found = calibrate(told, counts.plan, read_trace(path), volts=told.pack.volts)
    by_name = {change.what.split(" ")[0]: change for change in found.changes}
    for name, value, before in (("run", 2600, 1000), ("idle", 300, 200), ("capture", 450, 300)):
        after = by_name[name].after
        assert by_name[name].before.nominal == before and after.low <= value <= after.high
        assert after.nominal == pytest.approx(value, rel=0.02 if noise_ua else 1e-4)
    high, low = found.levels.high.current_ua, found.levels.low.current_ua
    scale = 3.0 / told.pack.volts if kind == "smps" else 1.0
    assert high.nominal == pytest.approx(3050 * scale + 500, rel=2e-3) and low.nominal == pytest.approx(750 * scale + 500, rel=2e-3)
    assert (high.width > 0) == (low.width > 0) == bool(noise_ua), "what repeats exactly has no interval, what is noisy has one"
    assert found.levels.busy == pytest.approx(20_000 / 10e6 * 100, abs=0.006)
    after, real = (estimate(counts, spent, replace(told, board=b)) for b in (found.board, true))
    assert after.days.nominal == pytest.approx(real.days.nominal, rel=0.02 if noise_ua else 1e-4)


@pytest.mark.parametrize("drift", [0, 20], ids=["white noise", "noise that lasts"])
def test_nine_of_ten_intervals_hold_the_true_current(drift):
    """Also where neighbours are not independent, but for the few stretches that there are."""
    generator, held, times = np.random.default_rng(3), 0, 300
    begins = np.arange(0, 40_000, 100)
    for _ in range(times):
        noise = generator.normal(0, 50, 40_000)
        if drift:
            noise += np.repeat(generator.normal(0, drift, 400), 100)
        trace = Measured(Path("trace"), "", "", np.arange(40_000) / 1e4, 1000 + noise, np.zeros(40_000, bool), None)
        found = level(trace, begins, begins + 40, "high").current_ua
        held += found.low <= 1000 <= found.high
    print(f"{held / times:.1%} of the intervals hold the true current, 90 % are told")
    assert 0.86 <= held / times <= 0.94


def test_windows_off_duty_tell_what_sleep_draws(tmp_path):
    told = setup()
    true = with_currents(told.board, run=1500, idle=250, capture=375, sleep=40)
    text = STEADY.replace('[[stage]]\nkind = "biquad"', DUTY)
    counts, _, path = traced(tmp_path, text, "ldo", told, true)
    found = calibrate(told, counts.plan, read_trace(path))
    assert found.levels.off and found.levels.off.intervals == 3
    assert [round(change.after.nominal) for change in found.changes] == [1500, 250, 375, 40]
    state = found.board.sleep_for(100, 25)
    assert state.current_ua.status == "measured" and state.current(25).nominal == pytest.approx(40)


def test_beside_a_fifo_the_time_between_blocks_is_sleep(tmp_path):
    """Reads of the FIFO are 10 % of that time, and no sleep."""
    told = setup(sensor=MOTION)
    true = with_currents(told.board, run=1500, idle=250, capture=375, sleep=40)
    always = re.sub(r"\[duty\]\non_s.*\nevery_s.*\n", "", WATCHER)
    counts, _, path = traced(tmp_path, always, "ldo", told, true)
    found = calibrate(told, counts.plan, read_trace(path))
    assert [(c.what, round(c.after.nominal)) for c in found.changes] == [("run current at 10 MHz", 1500), ("sleep current, stop", 40)]


def test_a_meter_in_the_chip_s_own_supply_does_not_see_the_sensor(tmp_path):
    told = setup()
    true = with_currents(told.board, run=2600, idle=300, capture=450, sleep=9)
    unheard = MICROPHONE.model_copy(update=dict(current_ua=MICROPHONE.current_ua.model_copy(update=dict(points=((1, 0), (48_000, 0))))))
    counts, _, path = traced(tmp_path, STEADY, "ldo", replace(told, sensor=unheard), true)
    changes = calibrate(told, counts.plan, read_trace(path), "chip").changes
    assert [round(c.after.nominal) for c in changes] == [2600, 300, 450]
    with pytest.raises(PowerError, match=r"measured at 4\.5 V, nucleo_u575zi takes 2 to 3\.6 V"):
        calibrate(told, counts.plan, read_trace(path), volts=4.5)
    expensive = MICROPHONE.model_copy(
        update=dict(current_ua=MICROPHONE.current_ua.model_copy(update=dict(points=((1, 4e3), (48_000, 4e3)))))
    )
    with pytest.raises(PowerError, match="750 µA were measured where the rest alone draws 4,000 µA") as error:
        calibrate(replace(told, sensor=expensive), counts.plan, read_trace(path))
    assert "--metered chip" in error.value.help


def test_bursts_are_left_out_and_counted(tmp_path):
    """A radio's 10 mA for 1.5 ms in five of 800 times between blocks would raise idle by 1 %."""
    told = setup()
    counts, _, path = traced(tmp_path, STEADY, "ldo", told, told.board)
    trace = read_trace(path)
    quiet = calibrate(told, counts.plan, trace)
    current = trace.current_ua.copy()
    for block in (100, 200, 300, 400, 500):
        current[block * 200 + 100 : block * 200 + 130] += 10_000
    loud = calibrate(told, counts.plan, replace(trace, current_ua=current))
    assert loud.levels.low.left_out == 5 and quiet.levels.low.left_out == 0 == loud.levels.high.left_out
    assert [c.after for c in loud.changes] == pytest.approx([c.after for c in quiet.changes]) or all(
        a.after.nominal == pytest.approx(b.after.nominal, rel=1e-6) for a, b in zip(loud.changes, quiet.changes)
    )


def test_what_was_measured_is_written_as_a_board_that_can_be_read(tmp_path):
    told = setup()
    counts, _, path = traced(tmp_path, STEADY, "ldo", told, told.board)
    found = calibrate(
        replace(told, board=find_board_power("nucleo_u575zi"), clock_hz=160e6, alert=None), counts.plan, read_trace(path), "chip"
    )
    write_board(found.board, tmp_path / "nucleo_u575zi")
    again = find_board_power(f"{tmp_path / 'nucleo_u575zi'}/")
    assert again.model_dump(exclude={"board"}) == found.board.model_dump(exclude={"board"})
    assert again.mode[0].run.points == ((160e6, pytest.approx(found.changes[0].after.nominal, rel=1e-5)),)
    assert read_trace(path).digest in again.mode[0].run.source and again.mode[0].run.status == "measured"
    assert again.mode[1:] == find_board_power("nucleo_u575zi").mode[1:], "what was not measured stays"
    with pytest.raises(PowerError, match="a folder 'other' cannot hold the board 'nucleo_u575zi'"):
        write_board(found.board, tmp_path / "other")


# --- formats -----------------------------------------------------------------------------------------------------


def rows(n: int = 3000, every: int = 100, high: int = 20) -> list[tuple[int, float, int]]:
    """0.1 ms, µA, marker: 2000 µA for 2 of 10 ms, else 500."""
    return [(i, 2000.0 if i % every < high else 500.0, int(i % every < high)) for i in range(n)]


FORMATS = {
    "ppk2": ("Timestamp(ms),Current(uA),D0,D1", lambda i, ua, m: f"{i / 10:g},{ua:.3f},{m},0"),
    "ppk2_digits": ("Timestamp(ms),Current(uA),D0-D7", lambda i, ua, m: f"{i / 10:g},{ua:.3f},{m}0000000"),
    "joulescope": ("#time,current,voltage,power,gpi0", lambda i, ua, m: f"{i / 1e4:.4f},{ua / 1e6:g},3.1,{ua * 3.1e-6:g},{m}"),
    "any": ("time [s];current [mA];marker", lambda i, ua, m: f"{i / 1e4:.4f};{ua / 1000:g};{m}"),
    "library": ("Current (uA),rx timestamp (us),board timestamps (ms),marker", lambda i, ua, m: f"{ua:g},{i * 100},{i // 10},{m}"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_of_meters_give_one_trace(tmp_path, name):
    header, row = FORMATS[name]
    path = tmp_path / "trace.csv"
    path.write_text("\n".join([header, *(row(*r) for r in rows())]) + "\n\n")
    found = read_trace(path)
    assert found.sample_s == pytest.approx(1e-4) and len(found.time_s) == 3000
    assert np.allclose(found.current_ua, [ua for _, ua, _ in rows()]) and found.high.tolist() == [bool(m) for *_, m in rows()]
    assert found.volts == (pytest.approx(3.1) if name == "joulescope" else None)
    assert found.meter == {"ppk2": "ppk2", "ppk2_digits": "ppk2", "joulescope": "joulescope"}.get(name, "csv")


def log(freq: str | None = "10k", output: str = "current", stamps: bool = False) -> str:
    lines = ["PowerShield > ack volt 3000m", f"PowerShield > ack output {output}", "PowerShield > ack format ascii_dec"]
    lines += [f"PowerShield > ack freq {freq}"] if freq else []
    for i, ua, m in rows():
        if stamps and i % 1000 == 0:
            lines.append(f"TimeStamp: {i // 10000}s {i // 10 % 1000:03}ms, buff 01%")
        if i % 100 in (0, 20):
            lines.append(f"event {i // 10} {'ris' if m else 'fal'}")
        lines.append(f"{round(ua / 10):04}-05")
    return "\n".join([*lines, "summary beg", "end"]) + "\n"


@pytest.mark.parametrize("freq, stamps", [("10k", False), (None, True)])
def test_the_log_of_an_lpm01a_is_read_by_its_frequency_or_by_its_time_stamps(tmp_path, freq, stamps):
    path = tmp_path / "lpm.log"
    path.write_text(log(freq, stamps=stamps))
    found = read_trace(path)
    assert (found.meter, found.volts) == ("lpm01a", 3.0) and found.sample_s == pytest.approx(1e-4)
    assert np.allclose(found.current_ua, [ua for _, ua, _ in rows()]) and found.high.tolist() == [bool(m) for *_, m in rows()]


PPK2 = "Timestamp(ms),Current(uA),D0\n0,500,0\n0.1,500,1\n"


@pytest.mark.parametrize(
    "text, said",
    [
        (PPK2 + "0.2,-3.5,0\n", r":4: a current of -3.5 cannot be"),
        (PPK2 + "0.2,nan,0\n", r":4: a current of nan cannot be"),
        (PPK2 + "0.2,inf,0\n", r":4: a current of inf cannot be"),
        (PPK2 + "0.1,500,0\n", r":4: time does not go on: 0.0001 s comes after 0.0001 s"),
        (PPK2 + "0.2,5OO,0\n", r":4: '5OO' is no current"),
        (PPK2 + "0.2,500\n", r":4: the line has 2 columns, its marker would be number 3"),
        (PPK2 + "\n0.2,500,0\n", r":4: '' is no time"),
        (PPK2 + "0.2,500,-\n", r":4: the digital lines were not recorded"),
        (PPK2 + "0.2,500,7\n", r":4: a marker of 7 cannot be"),
        (PPK2.replace("uA", "mW"), r":1: 'Current\(mW\)' is no current: its unit is none of A, mA, uA or nA"),
        (PPK2.replace("(uA)", ""), r":1: 'Current' does not say its unit"),
        (PPK2.replace(",D0", ",x"), r":1: no column of the header is a marker: Timestamp\(ms\), Current\(uA\), x"),
        (PPK2.replace("Current", "Power"), r":1: no column of the header is a current"),
        ("0,500,0\n0.1,500,1\n", r":1: numbers stand where the names and units of the columns belong"),
        ("Timestamp(ms),Current(uA),D0\n", r":2: there are no samples"),
        (log(output="energy"), r":1: the meter told an energy, no current"),
        (log().replace("ack output current", ""), r":1: the log does not say what was measured"),
        (log(None), r":1: neither the frequency nor two time stamps are told"),
        (re.sub("event .*\n", "", log()), r":1: the log has no marker"),
        (re.sub("event .* ris\n", "", log()), r":1: the log has only edges of the marker that fall"),
        (log().replace("0050-05", "005-05", 1), r":\d+: '005-05' is no sample of the meter"),
        (log().replace("0050-05", "-050-05", 1), r":\d+: '-050-05' is no sample of the meter"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_measured_current_is_refused_at_its_line(tmp_path, text, said):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(PowerError, match=re.escape(str(path)) + said):
        read_trace(path)


def test_a_line_far_behind_is_named_rightly(tmp_path, monkeypatch):
    monkeypatch.setattr("tinystream.power.traces.AT_ONCE", 100)
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(["Timestamp(ms),Current(uA),D0", *(f"{i / 10:g},{-1 if i == 777 else 500},0" for i in range(1000))]))
    with pytest.raises(PowerError, match=":779: a current of -1 cannot be"):
        read_trace(path)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda r: [(i, ua, 0) for i, ua, _ in r], "the marker never changes, it is always low"),
        (lambda r: r[:1500], "the marker rises 14 times, 20 blocks are needed"),
        (lambda r: [(2 * i, ua, m) for i, ua, m in r], "the marker rises every 20 ms, a block of steady is 10 ms"),
        (lambda r: [(i * 50, ua, i % 2) for i, ua, _ in r], "most times that the marker is high last less than 3 samples"),
        (lambda r: [(i, ua, 1 - m) for i, ua, m in r], "500 µA were measured where the rest alone draws 1,200 µA: no run current is left"),
        (lambda r: [(i, 1800 - ua / 5, m) for i, ua, m in r], "may draw as much idle as running, at 10 MHz, by the trace"),
    ],
)  # fmt: skip
def test_a_marker_that_is_not_that_of_the_app_is_refused(tmp_path, change, said):
    header, row = FORMATS["ppk2"]
    path = tmp_path / "trace.csv"
    path.write_text("\n".join([header, *(row(*r) for r in change(rows()))]))
    counts = counted(tmp_path, STEADY)
    with pytest.raises(PowerError, match=said):
        calibrate(setup(), counts.plan, read_trace(path), "chip")


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "trace.jls").write_bytes(bytes(range(256)))
    with pytest.raises(PowerError, match="is no text: a meter's own format"):
        read_trace(tmp_path / "trace.jls")
    with pytest.raises(PowerError, match="no such file or directory"):
        read_trace(tmp_path / "nothing.csv")
    (tmp_path / "trace.csv").write_text(PPK2)
    with pytest.raises(PowerError, match="no column of the header is the marker 'D5'") as error:
        read_trace(tmp_path / "trace.csv", "D5")
    assert error.value.help == "--marker d0"


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        yield


def test_the_command_tells_before_and_after_and_writes_a_board(tmp_path):
    """The timeline that it writes of a board, measured, is that board again."""
    sound = write_sound(tmp_path / "heard.wav", samples(WORKSHOP)[:32_000])
    trace = tmp_path / "trace.csv"
    common = ("power", APP, "--board", "nrf52840_dk", "--battery", "2xAA", "--radio", "none", sound)
    volts = find_pack("2xAA").volts
    assert tinystream(*common, "--timeline", trace, "--rate", 20_000).code == 0
    done = tinystream(*common, "--calibrate", trace, "--trace-volts", volts, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    for figure in found["figures"]:
        assert figure["after"]["status"] == "measured" and figure["before"]["status"] == "secondary"
        assert figure["after"]["nominal"] == pytest.approx(figure["before"]["nominal"], rel=0.01), figure["what"]
    assert found["days"]["after"]["nominal"] == pytest.approx(found["days"]["before"]["nominal"], rel=0.01)
    assert found["busy"]["measured"] == pytest.approx(found["busy"]["before"]["nominal"], rel=0.02)
    out = tmp_path / "nrf52840_dk"
    done = tinystream(*common, "--calibrate", trace, "--trace-volts", volts, "--write", out)
    assert done.code == 0 and max(map(len, done.out.splitlines())) <= 100 and f"--board {out}/ takes it" in done.err
    assert re.search(r"^life, days +[\d.]+ \(.*\) +[\d.]+ \(.*\)", done.out, re.MULTILINE)
    again = tinystream("power", APP, "--board", f"{out}/", "--battery", "2xAA", "--radio", "none", "--json", sound)
    assert json.loads(again.out)["days"] == found["days"]["after"]


@pytest.mark.parametrize(
    "options, said",
    [
        (("--marker", "D1"), "--marker is of a measured trace, and none is named"),
        (("--trace-volts", 3), "--trace-volts is of a measured trace, and none is named"),
        (("--write", "x"), "--write is of a measured trace, and none is named"),
        (("--calibrate", "nothing.csv"), "nothing.csv: no such file or directory"),
        (("--calibrate", "nothing.csv", "--metered", "sensor"), "a meter cannot stand at 'sensor'"),
    ],
)  # fmt: skip
def test_options_without_a_trace_are_refused(options, said):
    done = tinystream("power", APP, "--board", "nrf52840_dk", "--battery", "2xAA", *options, WORKSHOP)
    assert done.code == 1 and said in done.err and done.out == ""
