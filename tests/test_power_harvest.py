"""Does a node that harvests live as long as a sum by hand says, lose what firmware would lose, and account for every joule?"""

from __future__ import annotations

import json
from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from bare import use_cache
from command import APP, WORKSHOP, samples, tinystream, write_sound

from tinystream.app.planning import plan_file
from tinystream.power.files import PowerError
from tinystream.power.harvest import Limits, Load, hearing, least, simulate, windows
from tinystream.power.store import Capacitor, Cell, find_store
from tinystream.power.sun import DAY_S, Sun, find_sun
from tinystream.run.engine import Engine
from tinystream.run.outage import Interrupted
from tinystream.run.replay import blocks_of, make_engine, replay

BLOCK_S = 0.01
CAPACITOR = Capacitor("capacitor", 0.1, 5.0, 0.0)
LIMITS = Limits(2.0, 3.0, 5.0)


def load(watts: float = 0.0, amperes: float = 0.0, blocks: int = 1000, boot: int = 0) -> Load:
    return Load(np.full(blocks, watts), np.full(blocks, amperes), (blocks,), BLOCK_S, boot_blocks=boot, boot_watts=2 * watts)


def sun(watts: float) -> Sun:
    return Sun("sun", np.zeros(1), np.array([watts]), DAY_S)


def closes(course) -> bool:
    """To rounding: a part in 10^12 of what flowed."""
    joules = course.joules
    return abs(joules.rest) <= 1e-12 * (joules.begin + joules.harvested + joules.used + joules.leaked)


# --- sums by hand ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harvested_w", [0.0, 0.002])
def test_power_fails_after_half_c_times_the_squares_over_the_net_power(harvested_w):
    """½ 0.1 (25 - 4) = 1.05 J at a net of 7 mW last 150 s, at 5 mW 210 s; back at 9 V² 0.25 J later."""
    course = simulate(CAPACITOR, load(0.007), sun(harvested_w), LIMITS, 60_000)
    lasts_s = 1.05 / (0.007 - harvested_w)
    first = course.outages[0]
    assert first.failed in (round(lasts_s / BLOCK_S), round(lasts_s / BLOCK_S) - 1) and closes(course)
    if not harvested_w:
        assert first.back is None and course.up == ((0, first.failed),) and course.joules.used == pytest.approx(1.05, abs=2e-4)
        assert course.availability == pytest.approx(lasts_s / 600, abs=1e-4)
        return
    assert first.back - first.failed == pytest.approx(0.25 / 0.002 / BLOCK_S, abs=2)
    assert first.listens == first.back, "this one boots in no time"
    assert course.outages[1].failed - first.back == pytest.approx(0.25 / 0.005 / BLOCK_S, abs=2)
    assert course.joules.spilled == course.joules.leaked == 0


def test_a_current_draws_less_power_from_a_lower_voltage():
    """i constant: C (V1 - V2) / i = 0.1 × 3 / 2 mA = 150 s."""
    course = simulate(CAPACITOR, load(0.0, 0.002), sun(0), LIMITS, 60_000)
    assert course.outages[0].failed * BLOCK_S == pytest.approx(150, rel=0.005) and closes(course)


def test_leakage_alone_empties_a_capacitor_along_an_exponential():
    """A conductance of 100 µA / 5 V: V = 5 exp(-t / RC), RC = 5000 s."""
    leaky = replace(CAPACITOR, leakage_ua=100)
    course = simulate(leaky, load(), sun(0), LIMITS, 300_000)
    assert course.joules.leaked == pytest.approx(course.joules.begin - course.joules.end) and course.joules.used == 0
    assert course.volts[-1][1] == pytest.approx(5 * np.exp(-3000 / 5000), rel=0.005) and closes(course)


def test_what_is_more_than_full_is_spilled_and_only_that():
    course = simulate(CAPACITOR, load(0.007), sun(0.010), LIMITS, 1000)
    joules = course.joules
    assert (joules.harvested, joules.used, joules.spilled) == pytest.approx((0.1, 0.07, 0.03)) and joules.end == joules.begin
    assert course.outages == () and course.availability == 1 and closes(course)


def test_it_boots_before_it_listens_and_boots_again_where_the_storage_does_not_bear_it():
    """From 3 to 2 V are 0.25 J; a boot of 10 s at 14 mW takes 0.14, the rest lasts 15.7 s at 7 mW.  One of 20 s takes more."""
    course = simulate(CAPACITOR, load(0.007, boot=1000), sun(0.001), Limits(2, 3, 3), 400_000)
    assert course.up[0][0] == 0, "what begins with enough was never off"
    second = course.outages[0]
    assert second.listens == second.back + 1000 and course.up[1][0] == second.listens
    never = simulate(CAPACITOR, load(0.007, boot=2000), sun(0.001), Limits(2, 3, 3), 400_000)
    assert len(never.up) == 1 and len(never.outages) > 3 and all(outage.listens is None for outage in never.outages) and closes(never)


def test_an_empty_one_is_charged_first_and_a_dead_one_needs_a_start():
    course = simulate(CAPACITOR, load(0.007), sun(0.010), Limits(2, 3, 0), 60_000)
    assert course.outages[0].failed == 0 and course.outages[0].back == pytest.approx(0.45 / 0.010 / BLOCK_S, abs=2)
    weak = simulate(CAPACITOR, load(0.007), replace(sun(0.010), start_w=0.011), Limits(2, 3, 0), 60_000)
    assert weak.availability == 0 and weak.joules.harvested == 0
    awake = simulate(CAPACITOR, load(0.007), replace(sun(0.010), start_w=0.011), Limits(2, 3, 2.5), 60_000)
    assert awake.availability > 0.9, "the converter runs from what is stored"


def test_the_course_does_not_depend_on_how_many_blocks_are_computed_at_once(monkeypatch):
    varying = replace(load(), watts=0.007 + 0.005 * np.sin(np.arange(1000)), amperes=np.full(1000, 1e-4), boot_blocks=7)
    day = Sun("day", np.array([0.0, 50, 100]), np.array([0.0, 0.014, 0.0]), 100.0)
    leaky = replace(CAPACITOR, farads=0.004, leakage_ua=5)
    many = simulate(leaky, varying, day, LIMITS, 50_000)
    monkeypatch.setattr("tinystream.power.harvest.AT_ONCE", 1)
    single = simulate(leaky, varying, day, LIMITS, 50_000)
    assert len(many.outages) == len(single.outages) > 3 and closes(many) and closes(single)
    assert many.availability == pytest.approx(single.availability, abs=0.002)
    assert many.joules.spilled > 0 and many.joules.used == pytest.approx(single.joules.used, rel=0.002)


def test_a_cell_holds_the_charge_times_the_mean_voltage():
    cell = Cell("cell", 10, 3.0, 4.2, 0.0)
    assert cell.joules(4.2) == pytest.approx(36 * 3.6) and cell.joules(3.0) == 0
    assert all(cell.volts(cell.joules(v)) == pytest.approx(v) for v in (3.0, 3.3, 4.2))
    course = simulate(cell, load(0.0, 0.01), sun(0), Limits(3.0, 3.5, 4.2), 400_000)
    assert course.outages[0].failed * BLOCK_S == pytest.approx(3600, rel=0.005), "10 mAh at 10 mA are an hour"


# --- how much is needed ------------------------------------------------------------------------------------------


def test_more_harvester_and_more_storage_are_never_worse_and_the_least_is_enough():
    day = Sun("day", np.array([0.0, 400, np.nextafter(400, 1e9), 1000]), np.array([0.01, 0.01, 0.0, 0.0]), 1000.0)
    node = load(0.004)

    def up(harvester: float = 1.0, storage: float = 1.0) -> float:
        return simulate(CAPACITOR.scaled(storage), node, day.scaled(harvester), LIMITS, 300_000).availability

    factors = 2.0 ** np.arange(-3, 5)
    for found in ([up(harvester=k) for k in factors], [up(storage=k) for k in factors]):
        assert found == sorted(found) and found[0] < 0.5
    enough = least(lambda k: up(k, 3) >= 0.99)
    assert enough and up(enough, 3) >= 0.99 > up(enough / 1.02, 3)
    assert least(lambda k: up(k) >= 0.99) is None, "no harvester makes a storage large enough for the night"
    store = least(lambda k: up(1.2, k) >= 0.99)
    assert store and up(1.2, store) >= 0.99 > up(1.2, store / 1.02)
    # 600 s of dark at 4 mW are 2.4 J; half of C times 21 V² holds them
    assert store * CAPACITOR.farads == pytest.approx(2.4 / 10.5, rel=0.05)
    assert least(lambda k: False) is None


# --- what is missed ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wake_word():
    plan = plan_file(APP)
    return plan, make_engine(plan), samples(WORKSHOP)[:160_000]


def test_what_is_never_interrupted_gives_exactly_a_replay_s_events(wake_word):
    plan, engine, x = wake_word
    whole = replay(plan, engine, x)
    assert whole.events, "a test without an event shows nothing"
    assert replay(plan, Interrupted(plan, engine, ((0, whole.blocks),)), x).events == whole.events
    course = simulate(CAPACITOR, load(0.007, blocks=whole.blocks), sun(0.01), LIMITS, 3 * whole.blocks)
    heard = hearing(plan, engine, [x], load(blocks=whole.blocks), course)
    assert (heard.expected, heard.missed, heard.others) == (3 * len(whole.events), (), 0)


@pytest.mark.parametrize("chunks", [[1000], [1, 499, 7, 493]])
def test_an_outage_in_the_middle_gives_exactly_the_events_of_two_replays(wake_word, chunks):
    plan, engine, x = wake_word
    step = plan.x[0].shape[0]
    first, second = replay(plan, engine, x[: 300 * step]).events, replay(plan, engine, x[450 * step :]).events
    both = Interrupted(plan, engine, ((0, 300), (450, 1000)))
    blocks, when = blocks_of(plan, x)[0], []
    for begin, count in zip(np.cumsum([0, *chunks]), chunks):
        when += both.push(blocks[begin : begin + count], want={plan.detector})[plan.detector].when.tolist()
    assert [(block + 1) * step for block in when] == [e.sample for e in first] + [e.sample + 450 * step for e in second] != []
    told = replay(plan, both, x).events
    assert [e.score_count for e in told] == [e.score_count for e in (*first, *second)]


def test_events_are_missed_by_the_outage_that_they_fall_into(wake_word):
    """Power fails a second before the first event and is back two seconds later, in the second of three passes."""
    plan, engine, x = wake_word
    whole = replay(plan, engine, x)
    block = whole.blocks + whole.events[0].sample // plan.x[0].shape[0]
    node = load(0.001, blocks=whole.blocks)
    dead = simulate(CAPACITOR, node, sun(0.002), LIMITS, 3 * whole.blocks)
    cut = replace(dead, up=((0, block - 100), (block + 100, 3 * whole.blocks)))
    heard = hearing(plan, engine, [x], node, cut)
    assert [m.block for m in heard.missed] == [block - 1 + (whole.events[0].sample % plan.x[0].shape[0] > 0)]
    assert heard.missed[0].event == whole.events[0] and heard.expected == 3 * len(whole.events)
    none = hearing(plan, engine, [x], node, replace(dead, up=()))
    assert len(none.missed) == none.expected


WATCHER = """
name = "watcher"
[source]
kind = "microphone"
rate_hz = 1_000
block_ms = 10
[duty]
on_s = 0.5
every_s = 2
[[stage]]
kind = "biquad"
type = "highpass"
cutoff_hz = 10
order = 2
"""


def test_windows_that_were_not_heard_whole_are_missed_and_a_cycle_begins_with_power(tmp_path):
    (tmp_path / "app.toml").write_text(WATCHER)
    plan = plan_file(tmp_path / "app.toml")
    node = Load(np.r_[np.full(50, 0.01), np.full(150, 0.001)], np.zeros(200), (1000,), BLOCK_S, every=200)
    course = simulate(CAPACITOR, node, sun(0.01), LIMITS, 2000)
    assert windows(plan, node, course) == (10, 0) and course.joules.used == pytest.approx(10 * (0.5 * 0.01 + 1.5 * 0.001))
    assert windows(plan, node, replace(course, up=((0, 420), (430, 2000)))) == (10, 1)
    engine = Interrupted(plan, make_engine(plan), ((0, 420), (430, 1000)))
    when = engine.push(np.zeros((1000, 10), np.int16), want={0})[0].when
    heard = [*range(50), *range(200, 250), *range(400, 420), *(430 + 200 * k + i for k in range(3) for i in range(50))]
    assert when.tolist() == heard
    assert isinstance(make_engine(plan, "python").engine, Engine)


# --- the sun, the storage and the command ----------------------------------------------------------------------------


def test_the_power_of_a_harvester_over_time(tmp_path):
    assert find_sun(None, "constant:120uW").mean_w == pytest.approx(120e-6)
    assert find_sun("indoor_pv:28", "constant:200lux").mean_w == pytest.approx(4.5e-6 * 28 * 0.85)
    day = find_sun("indoor_pv:28cm2", "day_night:200lux:6h")
    assert day.mean_w == pytest.approx(4.5e-6 * 28 * 0.85 / 4) and day.start_w == pytest.approx(15e-6)
    assert (day(np.array([0, 6 * 3600 - 1, 6 * 3600 + 1, 86_399, 86_401])) > 0).tolist() == [True, True, False, False, True]
    (tmp_path / "light.csv").write_text("time_s,power_uw\n0,0\n10,100\n20,0\n")
    drawn = find_sun(None, str(tmp_path / "light.csv"))
    assert drawn(np.array([5.0, 10.0, 25.0])) == pytest.approx([50e-6, 100e-6, 50e-6]) and drawn.mean_w == pytest.approx(50e-6)


@pytest.mark.parametrize(
    "text, said",
    [
        ("time,power\n0,1\n1,1\n", ":1: 'time,power' does not name"),
        ("time_s,power_uw\n0,1\n1,-1\n", ":3: -1 cannot be harvested"),
        ("time_s,power_uw\n0,1\n1,nan\n", ":3: nan cannot be harvested"),
        ("time_s,power_uw\n0,1\n0,2\n", ":3: time does not go on from 0"),
        ("time_s,power_uw\n5,1\n6,2\n", ":2: time does not go on from 0"),
        ("time_s,power_uw\n0,1;2\n", ":2: '0,1;2' is not a time and a value"),
        ("time_s,power_uw\n0,1\n", ": two points are the least"),
        ("time_s,power_uw\n0,0\n1,0\n", ": there is nothing to harvest"),
        ("time_s,lux\n0,1\n1,2\n", ": lux make no power without a harvester"),
    ],
)
def test_a_file_of_power_that_cannot_be_is_refused_at_its_line(tmp_path, text, said):
    (tmp_path / "light.csv").write_text(text)
    with pytest.raises(PowerError) as error:
        find_sun(None, str(tmp_path / "light.csv"))
    assert f"{tmp_path / 'light.csv'}{said}" in str(error.value)


def test_a_storage_is_a_capacitor_or_a_cell_that_can_be_charged():
    assert find_store("supercapacitor_470mf").joules(5.5) == pytest.approx(0.47 * 5.5**2 / 2)
    assert find_store("lipo:40mAh").size == 40
    with pytest.raises(PowerError, match="no storage is called 'cr2032' here"):
        find_store("cr2032")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        yield


@pytest.fixture(scope="module")
def common(tmp_path_factory):
    sound = write_sound(tmp_path_factory.mktemp("heard") / "heard.wav", samples(WORKSHOP)[:160_000])
    return ("power", APP, "--board", "nucleo_u575zi", "--radio", "none", sound, "--storage", "supercapacitor_100mf")


def test_the_command_tells_what_was_missed_and_how_much_is_needed(common):
    asked = (*common, "--harvest-trace", "constant:4mW", "--for", "20m", "--availability", 0.99)
    done = tinystream(*asked, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    joules = found["joules"]
    assert joules["begin"] + joules["harvested"] == pytest.approx(sum(joules[k] for k in ("used", "leaked", "spilled", "end")), rel=1e-5)
    assert 0.3 < found["availability"] < 0.9 and len(found["outages"]) >= 2 and found["events"]["expected"] >= 120
    assert sum(outage["missed"] for outage in found["outages"]) == len(found["events"]["missed"]) > 20
    assert 1 < found["least"]["harvester"] < found["draws_uw"] / 4000 * 1.05 and found["least"]["storage"] > 0.1
    told = tinystream(*asked)
    assert max(map(len, told.out.splitlines())) <= 100 and "least harvester" in told.out and "power fails at" in told.out
    assert tinystream(*asked, "--json").out == done.out
    assert ceil(found["boot_s"] * 100) >= 1


@pytest.mark.parametrize(
    "options, said",
    [
        (("--harvest-trace", "constant:4"), "'4' is no power and no light"),
        (("--harvest-trace", "constant:200lux"), "lux make no power without a harvester"),
        (("--harvest-trace", "day_night:200lux"), "so many hours of it"),
        (("--harvest-trace", "nothing.csv"), "nothing.csv: no such file"),
        (("--harvester", "indoor_pv:10"), "nothing says what there is to harvest"),
        (("--harvester", "indoor_pv:big", "--harvest-trace", "constant:200lux"), "'big' is no size of indoor_pv"),
        (("--harvester", "indoor_pv", "--harvest-trace", "constant:9000lux"), "told for 0 to 1000 lux"),
        (("--harvest-trace", "constant:4mW", "--battery", "2xAA"), "--battery does not go together"),
        (("--harvest-trace", "constant:4mW", "--brown-out", 4, "--restart", 3), "are not in order"),
        (("--harvest-trace", "constant:4mW", "--brown-out", 1), "below what the supply works at, 1.8 V"),
        (("--harvest-trace", "constant:4mW", "--start-volts", 9), "cannot begin with 9 V"),
        (("--harvest-trace", "constant:4mW", "--regulator", "direct"), "the pins of nucleo_u575zi take 3.6 V"),
        (("--harvest-trace", "constant:4mW", "--availability", 2), "2 is no availability"),
        (("--harvest-trace", "constant:4mW", "--for", "long"), "'long' is no time"),
        (("--for", "3d"), "--for is of a node that harvests"),
    ],
)
def test_a_mistake_is_told_with_what_to_say_instead(common, options, said):
    done = tinystream(*common, *options)
    assert done.code == 1 and said in done.err and done.out == "", done.err
