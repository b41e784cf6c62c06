"""Are the bars of the validation kept, by the published rows, and would it notice if they were not?"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from shared import shared

from tinystream.cli.profile import missing_tools
from tinystream.power.interval import Interval

FILE = Path(__file__).parents[1] / "benchmarks/power.py"


@pytest.fixture(scope="module")
def power():
    """The benchmark as a module, with the published rows."""
    if missing_tools():
        pytest.skip(f"the emulator: {missing_tools()}")
    table = shared("reference", "tables", "mlperf_tiny.csv")
    shared("data", "models", "mlperf_tiny")
    spec = importlib.util.spec_from_file_location("benchmark_power", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.TABLE, module.SHARED = table, table.parents[2]
    return module


@pytest.fixture(scope="module")
def found(power):
    return power.validate(power.read_rows())


def test_latency_and_energy_of_boards_left_out_are_within_15_percent_at_the_median(found):
    for part, rows, boards in ((found.latency, 40, 5), (found.others, 40, 5), (found.energy, 18, 4), (found.currents, 80, 6)):
        error = median(abs(p.told.nominal / p.published - 1) for p in part)
        print(f"{len(part)} rows of {len({p.row.board for p in part})} boards: {error:.1%}")
        assert error <= 0.15 and len(part) >= rows and len({p.row.board for p in part}) >= boards


def test_emulated_code_takes_as_many_cycles_an_instruction_as_published_code(power, found):
    for model, told in found.per_instruction.items():
        for published in power.PUBLISHED_PER_INSTRUCTION[model]:
            print(f"{model}: {told.nominal:.2f}, published {published:.2f}")
            assert told.low <= published <= told.high and abs(told.nominal / published - 1) <= 0.2
    assert set(found.per_instruction) == set(power.MODELS) and median(found.off) <= 0.15


def test_the_slower_clock_wins_and_saves_what_was_measured_within_5_points(found):
    measured = {"U575ZI": 0.17, "H7A3ZI": 0.47, "L4R5ZI-P": 0.11}
    told = {s.board: s.savings for s in found.streamed}
    assert told.keys() == measured.keys()
    for board, saving in measured.items():
        published, estimated = told[board]
        assert published == pytest.approx(saving, abs=0.006) and estimated > 0 and abs(estimated - saving) <= 0.05


def test_stated_intervals_hold_at_least_80_percent_of_the_rows(found):
    held = sum(found.intervals)
    print(f"{held} of {len(found.intervals)}")
    assert held >= 0.8 * len(found.intervals) >= 0.8 * 140
    widths = [p.told.high / p.told.low for p in (*found.latency, *found.energy, *found.currents)]
    assert max(widths) < 3, "an interval that holds everything says nothing"


def test_what_is_told_of_a_board_does_not_come_from_its_own_rows(power):
    rows = [row for row in power.read_rows() if row.model in power.MODELS]
    slow = [replace(row, latency_s=7 * row.latency_s) if row.board == "U575ZI" else row for row in rows]
    for predict in (power.same_code, power.other_models):
        told, changed = ([p.told.nominal for p in predict(some) if p.row.board == "U575ZI"] for some in (rows, slow))
        assert len(told) >= 8 and told == pytest.approx(changed)


def test_the_bars_notice_what_misses_them(found):
    assert list(found.missed()) == []
    twice = [replace(p, told=p.told * 2) for p in found.latency]
    assert next(replace(found, latency=twice).missed()).startswith("median error of latency: ")
    narrow = [replace(p, told=Interval(p.told.nominal, p.told.nominal, p.told.nominal)) for p in found.currents]
    assert "intervals hold" in " ".join(replace(found, currents=narrow).missed())
    racing = [replace(s, told=(s.told[0], s.told[0] * 1.01)) for s in found.streamed]
    assert len(list(replace(found, streamed=racing).missed())) == 3


def test_the_page_tells_what_was_found_and_no_row(power, found):
    page, picture = power.page(found), power.picture(found)
    assert f"| {len(found.latency)} |" in page and f"{sum(found.intervals)} of {len(found.intervals)} rows" in page
    assert "What was not tested" in page and picture.count("<circle") == len(found.latency) + len(found.currents)
    assert page == power.page(power.validate(power.read_rows())), "the same table gives the same page"
