"""Are the figures of boards and parts read strictly, found by name, and used between their points and not beyond?"""

from __future__ import annotations

import doctest
import shutil
from importlib import import_module
from itertools import pairwise
from math import exp, hypot, log

import pytest

from tinystream.emit.templates import templates
from tinystream.power.battery import find_pack
from tinystream.power.board import IN_30_C, INFERENCE, BoardPower, find_board_power
from tinystream.power.feed import find_feed, find_way
from tinystream.power.figure import SPREAD, Figure, Table
from tinystream.power.files import PowerError
from tinystream.power.interval import Interval, apart, exactly, together
from tinystream.power.parts import FOLDERS, Battery, Harvester, Radio, Sensor, find_part, part_names, usual_sensor
from tinystream.power.radio import find_alert, lora_air_s

WITH_CURRENTS = sorted(path.parent.name for path in (templates() / "boards").glob("*/power.toml"))
READABLE = [name for name in WITH_CURRENTS if (templates() / "boards" / name / "board.toml").is_file()]


def test_there_are_boards_and_parts_enough_and_each_is_read():
    assert len(WITH_CURRENTS) >= 22 and len(READABLE) >= 20
    for name in READABLE:
        assert find_board_power(name).name == name
    least = {Sensor: 18, Radio: 12, Battery: 8, Harvester: 3}
    for kind in FOLDERS:
        assert len(part_names(kind)) >= least.get(kind, 1)
        assert all(find_part(kind, name).name == name for name in part_names(kind))


@pytest.mark.parametrize("name", READABLE)
def test_a_board_names_parts_that_there_are(name):
    board = find_board_power(name)
    if board.default.radio:
        find_alert(board.default.radio, 20)
    for kind, sensor in board.default.sensor.items():
        assert kind in find_part(Sensor, sensor).feeds
        assert usual_sensor(kind, {"microphone": 16_000, "imu": 100}[kind], board.mode[0].capture, sensor).name == sensor
    find_feed(board, find_pack("lipo"))


@pytest.fixture
def changed(tmp_path):
    """A board of the user's own, with one line of its power.toml replaced."""

    def change(old: str, new: str) -> BoardPower:
        folder = tmp_path / "nucleo_u575zi"
        shutil.copytree(templates() / "boards/nucleo_u575zi", folder, dirs_exist_ok=True)
        text = (folder / "power.toml").read_text(encoding="utf-8")
        assert old in text
        (folder / "power.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
        return find_board_power(f"{folder}/")

    return change


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('status = "datasheet"', 'status = "hearsay"', "mode.0.run.status: "),
        ('source = "ST STM32U575 datasheet, table 39', '#source = "', "mode.0.run.source: field required"),
        ("[1e6, 180], [2e6, 220]", "[2e6, 180], [1e6, 220]", "points go up along their first value"),
        ("[[16e6, 100], [160e6, 1004]]", "[[16e6, 100], [160e6, 9000]]", "mode 'smps' may draw as much idle as running"),
        ("value = 975, range = [550, 1500]", "value = 975, range = [1000, 1500]", "does not hold value = 975"),
        ("retains_bytes = 786_432", "retains_bytes = 786_432\nretains_kb = 768", "retains_kb: extra inputs"),
        ("rail_v = 1.8", "rail_v = 3.8", "rail_v = 3.8 is not from min_v"),
        ("[1e6, 180]", "[1e6, -180]", "mode.0.run.points.0.1: input should be greater than or equal to 0"),
        ("min_v  = 1.71", "min_v  = ", "is not TOML"),
    ],
)
def test_a_board_that_says_what_it_cannot_mean_is_refused_with_file_and_key(changed, old, new, said):
    with pytest.raises(PowerError) as refused:
        changed(old, new)
    assert "power.toml" in refused.value.what and said in refused.value.what, refused.value.what


def test_a_board_of_the_users_needs_currents(tmp_path):
    shutil.copytree(templates() / "boards/nucleo_u575zi", tmp_path / "nucleo_u575zi")
    (tmp_path / "nucleo_u575zi/power.toml").unlink()
    with pytest.raises(PowerError, match=r"nucleo_u575zi/power.toml: no such file or directory"):
        find_board_power(f"{tmp_path}/nucleo_u575zi")


def test_a_name_that_is_not_there_gets_all_that_are_the_nearest_first():
    with pytest.raises(PowerError) as refused:
        find_board_power("nucleo_u575")
    assert refused.value.what == "no board with currents is called 'nucleo_u575' here" and refused.value.help.startswith("nucleo_u575zi, ")
    assert all(name in refused.value.help for name in READABLE)
    with pytest.raises(PowerError) as refused:
        find_part(Sensor, "mp34dt5")
    assert refused.value.help.startswith("mp34dt05, ") and "bme280" in refused.value.help
    with pytest.raises(PowerError, match="no battery is called 'foo' here"):
        find_pack("3xFOO")


@pytest.mark.parametrize("spec", ["0xAA", "25xAA", "-1xAA", "2x", "xAA", "", "AA AA", "lipo:0mAh", "lipo:1200", "2xAA:"])
def test_a_battery_that_is_none_is_refused(spec):
    with pytest.raises(PowerError):
        find_pack(spec)


def test_a_battery_is_cells_and_kind_and_its_capacity_where_it_is_told():
    assert find_pack("2xAA") == find_pack(" 2 x aa ") == find_pack("2xalkaline_aa") and find_pack("2xAA").volts == 2.5
    assert find_pack("18650").cell.name == "li_ion_18650"
    large = find_pack("lipo:2500mAh")
    assert large.capacity_mah == find_pack("lipo").capacity_mah * 2.5 and large.name == "lipo of 2500 mAh"
    assert large.self_discharge_ua(20).values == pytest.approx((find_pack("lipo").self_discharge_ua(20) * 2.5).values)
    small_load, large_load = find_pack("lipo").usable(3.0, 400, 1, 20)[0], large.usable(3.0, 1000, 1, 20)[0]
    assert large_load.nominal == pytest.approx(2.5 * small_load.nominal), "a larger cell bears as much more"


def test_usable_capacity_falls_where_the_board_stops_early_with_load_pulses_and_cold():
    coin = find_pack("cr2032")
    full, notes = coin.usable(2.0, 0.19, 10, 20)
    assert full == Interval(200, 225, 240) and notes == []
    part, notes = coin.usable(2.7, 2, 22.5, 0)
    cut, load, pulse, cold = (0.9 + 0.75) / 2, (0.85 + 0.6) / 2, (1.0 + 0.91) / 2, 0.85
    assert part.nominal == pytest.approx(225 * cut * load * pulse * cold)
    assert notes == ["the board stops at 2.7 V a cell: 82% of the capacity is given above"]
    assert part.high <= 240 and part.low > 0
    assert coin.usable(2.0, 0.19, 10, 0)[0].low == pytest.approx(225 * 0.85 * exp(-hypot(log(225 / 200), log(0.85 / 0.7)))), (
        "the loss may be twice"
    )
    assert find_pack("2xAA").usable(1.0, 0.1, 1, 20)[0] == find_pack("AA").usable(0.5, 0.1, 1, 20)[0], "the same current through both"
    at_20, at_40 = (find_pack("2xAA").self_discharge_ua(t).nominal for t in (20, 40))
    assert at_20 == pytest.approx(0.03 * 2_500_000 / 8766) and at_40 == pytest.approx(4 * at_20)


def test_a_clock_between_two_figures_is_interpolated_and_one_beyond_them_is_refused():
    board = find_board_power("nucleo_u575zi")
    mode = board.find_mode(None)
    assert board.run_ua(mode, 55e6, 25).nominal == 3050 * INFERENCE.nominal
    assert board.run_ua(mode, 59.5e6, 25).nominal == (3050 + 3950) / 2 * INFERENCE.nominal
    assert mode.run.between(59.5e6) == (55e6, 64e6) and mode.run.between(64e6) is None
    for clock_hz in (8e6, 200e6):
        with pytest.raises(PowerError, match="its tables are from 16 MHz to 160 MHz"):
            board.run_ua(mode, clock_hz, 25)
    with pytest.raises(PowerError, match="its tables are for 64 MHz alone"):
        board = find_board_power("arduino_nano_33_ble")
        board.run_ua(board.find_mode(None), 32e6, 25)


def test_a_data_sheets_run_table_is_raised_by_what_inference_draws_more_and_a_measured_one_is_not():
    board = find_board_power("ek_ra6m4")
    assert board.run_ua(board.find_mode(None), 200e6, 25).nominal == 24_300
    board = find_board_power("nucleo_u575zi")
    found = board.run_ua(board.find_mode(None), 160e6, 25)
    assert found.values == pytest.approx((10_500 * 1.04, 10_500 * 1.25, 10_500 * 1.45))
    board = find_board_power("apollo4_evb")
    found = board.run_ua(board.find_mode(None), 192e6, 25)
    assert found.nominal == 768 * 1.25 and found.high == pytest.approx(768 * 1.25 * exp(hypot(log(2), log(1.45 / 1.25)))), (
        "and its own range"
    )


def test_sleep_follows_its_table_over_temperature_and_grows_by_3_1_in_30_degrees_beyond():
    (state,) = (s for s in find_board_power("nucleo_u575zi").sleep if s.name == "stop3_all")
    assert [state.current(t).nominal for t in (25, 55, 85)] == [3.9, 12.0, 42.5]
    assert state.current(-5).nominal == pytest.approx(3.9 / IN_30_C) and state.current(115).nominal == pytest.approx(42.5 * IN_30_C)
    currents = [state.current(t).nominal for t in range(-40, 120, 5)]
    assert currents == sorted(currents)


def test_the_sleep_is_the_cheapest_that_keeps_the_ram():
    board = find_board_power("nucleo_u575zi")
    assert [board.sleep_for(n, 25).name for n in (8_192, 8_193, 65_537)] == ["stop3_8k", "stop3_64k", "stop3_all"]
    with pytest.raises(PowerError, match="keeps 786432 B of RAM asleep, the app has 786433 B"):
        board.sleep_for(786_433, 25)


def test_intervals_multiply_by_their_ratios_and_add_together_or_apart():
    x, y = Interval(5, 10, 20), Interval(2, 4, 6)
    product = x * y
    assert product.nominal == 40
    assert product.low == pytest.approx(40 * exp(-((2 * log(2) ** 2) ** 0.5)))
    assert product.high == pytest.approx(40 * exp((log(2) ** 2 + log(1.5) ** 2) ** 0.5))
    assert (x / y).nominal == 2.5 and (x / y * y).low < x.low, "a doubt is not undone by dividing it away"
    assert together([x, y]) == Interval(7, 14, 26)
    assert apart([x, y]).values == pytest.approx((14 - (25 + 4) ** 0.5, 14, 14 + (100 + 4) ** 0.5))
    assert exactly(3) * x == x * 3 and Interval(0, 0, 3) * x == Interval(0, 0, 60)
    assert (Interval(0, 2, 3) * x).values == pytest.approx((0, 20, 20 * exp((log(2) ** 2 + log(1.5) ** 2) ** 0.5)))


def test_a_figure_without_a_range_has_that_of_its_status():
    told = dict(value=100, source="a test")
    assert Figure(status="unverified", **told).interval == Interval(50, 100, 200)
    assert Figure(status="exact", **told).interval == exactly(100)
    assert Figure(status="datasheet", range=(90, 100), **told).interval == Interval(90, 100, 100)
    assert Table(status="measured", source="a test", points=[(1, 10), (3, 30)]).at(2).values == pytest.approx(
        tuple(20 * f for f in (SPREAD["measured"][0], 1, SPREAD["measured"][1]))
    )


@pytest.mark.parametrize("factor, milliseconds", [(7, 71.9), (8, 133.6), (9, 246.8), (10, 452.6), (11, 987.1), (12, 1810.4)])
def test_time_on_air_of_33_bytes_is_that_of_semtechs_formula(factor, milliseconds):
    assert round(1000 * lora_air_s(33, factor, 125_000), 1) == milliseconds
    assert find_alert(f"lorawan_sx1276:sf{factor}", 20).air_s == lora_air_s(33, factor, 125_000)


@pytest.mark.parametrize(
    "spec, payload, said",
    [
        ("lorawan_sx1262:sf10", 52, "a payload of 52 bytes does not fit lorawan_sx1262 at SF10: it takes 0 to 51"),
        ("lorawan_sx1262", 20, "needs a spreading factor from sf7 to sf12, none is named"),
        ("lorawan_sx1262:sf6", 20, "'sf6' is none"),
        ("ble_advertise:sf7", 20, "has no spreading factor"),
        ("ble_advertise", 25, "a payload of 25 bytes does not fit ble_advertise: it takes 0 to 24"),
        ("ble_advertise", -1, "a payload of -1 bytes does not fit"),
        ("wifi", 20, "no radio is called 'wifi' here"),
    ],
)
def test_an_alert_that_cannot_be_sent_is_refused(spec, payload, said):
    with pytest.raises(PowerError) as refused:
        find_alert(spec, payload)
    assert said in refused.value.what


def test_an_alert_of_more_bytes_or_a_slower_rate_never_takes_less():
    for name in part_names(Radio):
        radio = find_part(Radio, name)
        specs = [f"{name}:sf{f}" for f in range(7, 13)] if radio.lora else [name]
        for spec in specs:
            charges = [find_alert(spec, n).charge_uc for n in (0, 20, 51 if radio.lora else radio.max_bytes)]
            for some, more in pairwise(charges):
                assert all(a <= b for a, b in zip(some.values, more.values)), f"{spec}: {some}, {more}"
    by_factor = [find_alert(f"lorawan_sx1262:sf{f}", 20).charge_uc.nominal for f in range(7, 13)]
    assert by_factor == sorted(by_factor)


def test_a_battery_that_does_not_fit_the_pins_goes_through_a_regulator():
    u575, esp32, pico2 = (find_board_power(name) for name in ("nucleo_u575zi", "esp32_s3", "raspberry_pi_pico2"))
    assert find_feed(u575, find_pack("2xAA"))[0].name == "direct"
    feed, notes = find_feed(u575, find_pack("lipo"))
    assert feed.name == "tps63900" and "1.71 to 3.6" in notes[0]
    assert find_feed(esp32, find_pack("lipo"))[0].name == "ap2112", "the board's own"
    feed, notes = find_feed(esp32, find_pack("2xAA"))
    assert feed.name == "tps63900" and notes, "an LDO makes no 3.3 V of 3 V"
    assert find_feed(pico2, find_pack("2xAA"))[0].name == "rt6150"
    with pytest.raises(PowerError, match=r"gives 4.2 V when it is new, the pins of nucleo_u575zi take 3.6 V"):
        find_feed(u575, find_pack("lipo"), find_way("direct"))
    with pytest.raises(PowerError, match=r"ap2112 needs 3.55 V to make 3.3 V, 2 x alkaline_aa gives 3.2 V"):
        find_feed(esp32, find_pack("2xAA"), find_way("ap2112"))
    with pytest.raises(PowerError, match="makes more volts, not less"):
        find_feed(u575, find_pack("2xAA"), find_way("tps61099"))
    with pytest.raises(PowerError, match=r"takes 5\.5 V"):
        find_feed(pico2, find_pack("4xAA"), find_way("rt6150"))


def test_an_ldo_passes_the_current_on_and_a_converter_the_power():
    u575, l4r5 = find_board_power("nucleo_u575zi"), find_board_power("nucleo_l4r5zi")
    ldo = find_feed(u575, find_pack("lipo"), find_way("tps7a02"))[0]
    buck = find_feed(u575, find_pack("lipo"), find_way("tps62840"))[0]
    assert ldo.from_rail(exactly(1000)).nominal == 1000 and buck.from_rail(exactly(1000)).nominal == pytest.approx(1000 * 1.8 / 3.7)
    assert ldo.losses_ua(exactly(1000)).nominal == 0.025
    assert buck.losses_ua(exactly(880)).nominal == pytest.approx(0.06 + 880 * (1 / 0.88 - 1))
    two_cells, _ = find_feed(l4r5, find_pack("2xAA"))
    assert two_cells.chip(l4r5.find_mode("ldo"), exactly(24_100)).nominal == 24_100, "P ~ V: the current does not depend on the voltage"
    assert two_cells.chip(l4r5.find_mode("smps"), exactly(11_070)).nominal == pytest.approx(11_070 * 3.0 / 2.5)


@pytest.mark.parametrize("name", ["battery", "board", "counts", "traces", "figure", "harvest", "interval", "radio"])
def test_the_examples_in_docstrings_are_true(name):
    done = doctest.testmod(import_module(f"tinystream.power.{name}"))
    assert done.failed == 0
