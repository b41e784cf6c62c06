"""Does `tinystream power` tell terms, intervals, sources and days, the same each time, and mistakes in words?"""

from __future__ import annotations

import json
import re
import shutil

import pytest
from bare import use_cache
from command import APP, WORKSHOP, samples, tinystream, write_sound

from tinystream.app.planning import plan_file
from tinystream.cli.power import hertz
from tinystream.cli.profile import missing_tools
from tinystream.power.files import PowerError

WANTED = ("nucleo_u575zi", "nucleo_l4r5zi", "nrf52840_dk", "raspberry_pi_pico", "esp32_s3")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        yield


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Four seconds, with the word in them."""
    return write_sound(tmp_path_factory.mktemp("heard") / "heard.wav", samples(WORKSHOP)[:64_000])


@pytest.mark.parametrize("board", WANTED)
def test_terms_intervals_sources_and_days_are_told_in_a_hundred_columns(board, recording, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = tinystream("power", APP, "--board", board, "--battery", "2xAA", "--alerts-per-day", 20, recording)
    assert done.code == 0, done.err
    assert max(map(len, done.out.splitlines())) <= 100
    assert done.out.startswith(f"wake_word on {board}, ") and "not modelled: " in done.out and "unverified" in done.out
    for name in ("active", "  micro_frontend", "idle while capturing", "capture by ", "sensor ", "self-discharge", "sum"):
        assert re.search(rf"^{name}.* [\d.,]+ +[\d.,]+ +[\d.,]+ ", done.out, re.MULTILINE), name
    assert re.search(r"^life +[\d.,]+ \([\d.,]+ to [\d.,]+\) days", done.out, re.MULTILINE)
    assert re.search(r"^doubt +\d+% of its square comes from \w+", done.out, re.MULTILINE)
    for figure in ("run current at ", "cycles of a run", "idle current at ", "sensor", "capacity of a cell"):
        assert re.search(rf"^{figure}.* (measured|datasheet|derived|secondary|unverified): ", done.out, re.MULTILINE), figure


@pytest.fixture(scope="module")
def told(recording):
    return tinystream("power", APP, "--board", "nucleo_u575zi", "--battery", "2xAA", "--radio", "ble_advertise", "--json", recording)


def test_json_has_all_of_it_and_its_sums_agree(told):
    found = json.loads(told.out)
    groups = {group: sum(t["current_ua"]["nominal"] for t in found["terms"] if t["group"] == group) for group in found["groups"]}
    for group, value in groups.items():
        assert found["groups"][group]["nominal"] == pytest.approx(value, rel=1e-4)
    assert found["total_ua"]["nominal"] == pytest.approx(sum(groups.values()), rel=1e-4)
    days = found["battery"]["usable_mah"]["nominal"] * 1000 / found["total_ua"]["nominal"] / 24
    assert found["days"]["nominal"] == pytest.approx(days, rel=1e-4)
    assert sum(found["doubts"].values()) == pytest.approx(1, abs=1e-5)
    recorded, over_time = found["recorded"], found["recorded"]["over_time"]
    assert recorded["blocks"] == 400 and recorded["runs"]["micro_frontend"] == dict(total=400, per_block=1.0)
    assert recorded["runs"]["detect"]["per_block"] == pytest.approx(recorded["runs"]["detect"]["total"] / 400)
    assert over_time["window_blocks"] == 7 and over_time["runs"]["micro_frontend"] == [7] * 57 + [1]
    assert sum(over_time["runs"]["detect"]) == recorded["runs"]["detect"]["total"] and sum(over_time["alerts"]) == recorded["alerts"]
    assert found["alerts_per_day"]["nominal"] == pytest.approx(recorded["alerts"] / 4 * 86_400, rel=1e-5)
    for term in found["terms"]:
        assert term["figures"] and term["how"] and term["current_ua"]["low"] <= term["current_ua"]["nominal"] <= term["current_ua"]["high"]
        for figure in term["figures"]:
            assert figure["source"] and figure["status"] in {"exact", "measured", "datasheet", "derived", "secondary", "unverified"}
    busy = sum(
        figure["nominal"] * recorded["runs"][term["name"]]["total"] / 4 / found["clock_hz"]
        for term in found["terms"] if term["group"] == "active" for figure in term["figures"] if figure["what"] == "cycles of a run"
    )  # fmt: skip
    assert found["busy"]["nominal"] == pytest.approx(busy, rel=1e-3)


def test_the_same_recording_gives_the_same_numbers_whatever_the_engine(told, recording):
    arguments = ("power", APP, "--board", "nucleo_u575zi", "--battery", "2xAA", "--radio", "ble_advertise", "--json", recording)
    assert tinystream(*arguments).out == told.out == tinystream(*arguments, "--engine", "python").out


def test_without_an_emulator_the_counts_of_the_kernels_are_taken_and_that_is_said(told, recording, monkeypatch):
    if missing_tools():
        pytest.skip(f"a comparison with emulated cycles: {missing_tools()}")
    monkeypatch.setattr("tinystream.cli.power.missing_tools", lambda: "no unicorn here")
    done = tinystream("power", APP, "--board", "nucleo_u575zi", "--battery", "2xAA", "--radio", "ble_advertise", "--json", recording)
    assert "note: no unicorn here; cycles are estimated from counts of the kernels" in done.err
    counted, emulated = json.loads(done.out)["groups"]["active"], json.loads(told.out)["groups"]["active"]
    assert counted["low"] < emulated["nominal"] < counted["high"] and counted["high"] - counted["low"] > emulated["high"] - emulated["low"]


@pytest.mark.parametrize("board, core", [("nucleo_u575zi", "cortex-m33"), ("esp32_s3", "xtensa-lx7")])
def test_measured_cycles_take_the_place_of_estimated_ones(recording, tmp_path, board, core):
    """Also on a core that another one stands for while nothing is measured."""
    if missing_tools():
        pytest.skip(f"measured cycles are put over emulated ones: {missing_tools()}")
    step = {"fired": 98, "blocks": 100, "cycles": 100 * 50_000, "most": 55_000}
    about = dict(app="wake_word", definition=plan_file(APP).digest, board=board, core=core, clock_hz=160e6)
    path = tmp_path / "measured.json"
    path.write_text(json.dumps(about | {"steps": {"micro_frontend": step}}))
    done = tinystream("power", APP, "--board", board, "--battery", "2xAA", "--measured", path, "--json", recording)
    (term,) = (t for t in json.loads(done.out)["terms"] if t["name"] == "micro_frontend")
    (figure,) = (f for f in term["figures"] if f["what"] == "cycles of a run")
    assert figure["status"] == "measured" and str(path) in figure["source"] and term["how"].endswith(" cycles × 100 /s")
    assert figure["nominal"] == pytest.approx(50_000, rel=0.02)
    done = tinystream("power", APP, "--board", "nucleo_l4r5zi", "--battery", "2xAA", "--measured", path, recording)
    assert done.code == 1 and f"was measured on a {core}, nucleo_l4r5zi is a cortex-m4" in done.err


def test_a_battery_that_may_be_empty_too_early_breaks_the_budget_at_its_line(recording, tmp_path):
    app = tmp_path / "app"
    shutil.copytree(APP, app)
    text = (app / "app.toml").read_text(encoding="utf-8")
    (app / "app.toml").write_text(text + 'battery = "2xAA"\nbattery_days = 30\n', encoding="utf-8")
    line = text.count("\n") + 2
    assert tinystream("power", app, "--board", "apollo4_evb", recording, "--radio", "none").code == 0
    done = tinystream("power", app, "--board", "nucleo_u575zi", recording)
    assert done.code == 1 and "life " in done.out, "the table is told first"
    assert re.search(rf"error: the battery lasts [\d.]+ days at the worst .*, budget 30 days\n +--> .*app.toml:{line}:", done.err)
    assert "budget.battery_days is checked by `tinystream power`, which needs recordings" in tinystream("show", app).err


def test_a_board_or_battery_that_the_app_names_wrongly_is_shown_at_its_line(recording, tmp_path):
    app = tmp_path / "app"
    shutil.copytree(APP, app)
    text = (app / "app.toml").read_text(encoding="utf-8")
    (app / "app.toml").write_text(f'board = "nrf52840"\n{text}battery = "3xFOO"\n', encoding="utf-8")
    done = tinystream("power", app, "--battery", "2xAA", recording)
    assert done.code == 1 and "no board with currents is called 'nrf52840' here\n" in done.err and "app.toml:1:9\n" in done.err
    done = tinystream("power", app, "--board", "esp32_s3", recording)
    assert done.code == 1 and "no battery is called 'foo' here\n" in done.err and f"app.toml:{text.count(chr(10)) + 2}:11\n" in done.err


@pytest.mark.parametrize(
    "options, said",
    [
        (("--board", "nucleo_u57", "--battery", "2xAA"), "no board with currents is called 'nucleo_u57' here\n   = help: nucleo_u575zi, "),
        (("--battery", "2xAA"), "no board is named, and the app names none\n   = help: --board nrf52840_dk"),
        (("--board", "esp32_s3"), "no battery is named, and the app's budget names none\n   = help: --battery 2xAA"),
        (("--board", "esp32_s3", "--battery", "0xAA"), "'0xAA' has 0 cells, from 1 to 24"),
        (("--board", "esp32_s3", "--battery", "3xFOO"), "no battery is called 'foo' here"),
        (("--board", "esp32_s3", "--battery", "2xAA", "--clock", "fast"), "'fast' is no clock\n   = help: --clock 64MHz"),
        (("--board", "esp32_s3", "--battery", "2xAA", "--clock", "10MHz"), "its tables are from 40 MHz to 240 MHz\n"),
        (("--board", "esp32_s3", "--battery", "2xAA", "--temperature", "-60"), "-60 °C is outside of what esp32_s3 is told for"),
        (("--board", "esp32_s3", "--battery", "2xAA", "--radio", "lorawan_sx1262:sf12", "--payload", 60), "it takes 0 to 51\n"),
        (("--board", "esp32_s3", "--battery", "2xAA", "--sensor", "lsm6dsox"), "lsm6dsox feeds a source of kind 'imu'"),
        (("--board", "esp32_s3", "--battery", "2xAA", "--regulator", "ap2112"), "ap2112 needs 3.55 V to make 3.3 V"),
        (("--board", "esp32_s3", "--battery", "2xAA", "--alerts-per-day", "-3"), "-3 alerts a day cannot be"),
    ],
)
def test_a_mistake_is_told_with_what_to_say_instead(options, said, recording):
    done = tinystream("power", APP, *options, recording)
    assert done.code == 1 and done.out == "" and said in done.err, done.err


@pytest.mark.parametrize("text, hz", [("64MHz", 64e6), ("32e6", 32e6), (" 32 768 Hz ", 32_768), ("1.5GHz", 1.5e9), ("100_000", 1e5)])
def test_a_clock_is_written_as_people_write_it(text, hz):
    assert hertz(text) == hz


@pytest.mark.parametrize("text", ["", "MHz", "64 mhz", "-3MHz", "0", "64e6e", "1.2.3MHz"])
def test_what_is_no_clock_is_refused(text):
    with pytest.raises(PowerError):
        hertz(text)
