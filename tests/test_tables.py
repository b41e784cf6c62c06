"""Are tables read as people write them: other separators, dates, comments, and time stamps that are not even?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from shared import shared

from tinystream.errors import RecordingError
from tinystream.io.recording import read_as
from tinystream.io.wanted import How, Wanted

RNG = np.random.default_rng(5)
ONE = Wanted(Fraction(100), ("",), (1.0,), ("x",))
TWO = Wanted(Fraction(100), ("", ""), (0.5, 0.5), ("x", "y"))


def table(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def refused(path, wanted=ONE, **how):
    with pytest.raises(RecordingError) as e:
        read_as(path, wanted, How(**how))
    assert e.value.help, "an error without a way out"
    return str(e.value)


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n0.5,1\n1.5,2\n",
        "x;y\n0,5;1\n1,5;2\n",
        "x\ty\n0,5\t1\n1,5\t2\n",
        "x\ty\n0.5\t1\n1.5\t2\n",
        "x y\n0.5   1\n1.5 2\n",
        "# made by a logger\n# x,y\n0.5,1\n# paused\n1.5,2\n",
        "% 2026\n0.5,1\n\n1.5,2\n",
        "sep=;\nx;y\n0,5;1\n1,5;2\n",
        '"x","y"\n"0.5","1"\n"1.5","2"\n',
        "x, y\n0.5, 1\n1.5, 2\n",
        '"x","y"\n"1",0.5,1\n"2",1.5,2\n',
        ",x,y\n0,0.5,1\n1,1.5,2\n",
        "Unnamed: 0,x,y\n0,0.5,1\n1,1.5,2\n",
    ],
)
def test_tables_as_people_write_them(tmp_path, text):
    assert read_as(table(tmp_path / "a.csv", text), TWO).samples.tolist() == [[1, 2], [3, 4]]


def test_thousands_with_commas_are_refused_by_their_line(tmp_path):
    assert "line 2, column 'x': '1,234.5'" in refused(table(tmp_path / "a.csv", "x;y\n1,234.5;2\n"), TWO)


@pytest.mark.parametrize(
    ("header", "step"),
    [("timestamp", 10), ("time", 0.01), ("Time [ms]", 10), ("time_us", 10_000), ("t (s)", 0.01), ("timestamp_ns", 10**7), ("millis", 10)],
)
def test_the_column_of_time_says_its_unit(tmp_path, header, step):
    rows = "".join(f"{i * step:.12g},{i}\n" for i in range(50))
    got = read_as(table(tmp_path / "a.csv", f"{header},x\n{rows}"), ONE)
    assert (got.rate_hz, got.notes, len(got.samples)) == (100, (), 50)


def test_time_stamps_in_another_unit_than_usual_are_taken_so_where_that_fits(tmp_path):
    path = table(tmp_path / "a.csv", "timestamp,x\n" + "".join(f"{1700000000000000 + i * 10_000},{i}\n" for i in range(50)))
    assert read_as(path, ONE).notes == ("its time stamps are taken as us: so they fit the app's rate",)
    assert "is at 0.1 Hz, the app reads 70 Hz" in refused(path, Wanted(Fraction(70), ("",), (1.0,)))
    said = table(tmp_path / "b.csv", "timestamp_ms,x\n" + "".join(f"{i * 10_000},{i}\n" for i in range(50)))
    assert "is at 0.1 Hz" in refused(said)


@pytest.mark.parametrize("zone", ["", "Z", "+02:00"])
@pytest.mark.parametrize("between", [" ", "T"])
def test_dates_are_time_stamps(tmp_path, zone, between):
    rows = "".join(f'"2015-02-02{between}14:19:{i // 100:02}.{i % 100:02}0{zone}",{i}\n' for i in range(250))
    got = read_as(table(tmp_path / "a.csv", f'"date","x"\n{rows}'), ONE)
    assert got.rate_hz == 100 and got.notes == () and got.samples.tolist() == list(range(250))


def test_an_index_of_dates_is_time(tmp_path):
    got = read_as(table(tmp_path / "a.csv", ",x\n" + "".join(f"2015-02-02 00:00:00.{i:02}0,{i}\n" for i in range(90))), ONE)
    assert (got.rate_hz, got.notes) == (100, ())


def test_a_date_that_is_none_is_refused_by_its_line(tmp_path):
    rows = "2015-02-02 14:19:00,1\n2015-02-30 14:19:00,2\n"
    assert "line 3: '2015-02-30 14:19:00' is no date like the first one" in refused(table(tmp_path / "a.csv", "date,x\n" + rows))
    rows = "2015-02-02 14:19:00,1\n2015-02-02 14:19:01Z,2\n"
    assert "is no date like the first one" in refused(table(tmp_path / "b.csv", "date,x\n" + rows))


# --- time stamps that are not even


def stamped(path, stamps):
    return table(path, "timestamp,x\n" + "".join(f"{t:.4f},{i % 1000}\n" for i, t in enumerate(stamps)))


@pytest.mark.parametrize("jitter_ms", [0.5, 1, 2.5])
def test_jitter_is_measured_and_is_no_gap(tmp_path, jitter_ms):
    stamps = np.sort(np.arange(3000) * 10 + RNG.normal(0, jitter_ms, 3000))
    got = read_as(stamped(tmp_path / "a.csv", stamps), ONE)
    told = float(got.notes[0].split("stray by ")[1].split()[0])
    print(f"jitter {jitter_ms} ms rms, told {told}")
    assert abs(told - jitter_ms) < 0.15 * jitter_ms and len(got.samples) == 3000 and abs(float(got.rate_hz) - 100) < 0.01


def test_a_burst_after_a_pause_is_late_and_not_lost(tmp_path):
    stamps = np.arange(500) * 10.0
    stamps[200:206] = stamps[205]  # delivered at once
    got = read_as(stamped(tmp_path / "a.csv", stamps), ONE)
    assert len(got.samples) == 500 and not any("gap" in note for note in got.notes)


def test_rows_that_were_delivered_in_batches_have_no_gap_but_for_a_lost_batch(tmp_path):
    stamps = np.arange(1000) // 10 * 100.0
    got = read_as(stamped(tmp_path / "a.csv", stamps), ONE)
    assert got.rate_hz == 100 and len(got.samples) == 1000 and "28.7 ms rms" in got.notes[0]
    assert "1 gap in its time stamps, 10 samples missing" in refused(stamped(tmp_path / "b.csv", np.delete(stamps, np.s_[400:410])))


@pytest.mark.filterwarnings("error")
def test_giant_numbers_are_refused(tmp_path):
    assert "span 1e+297 s: they are no times" in refused(table(tmp_path / "a.csv", "timestamp,x\n0,1\n1e300,2\n"))
    assert "2 of 2 values exceed full scale: they reach 1e+308" in refused(table(tmp_path / "b.csv", "x\n1e308\n-1e308\n"))
    wanted = Wanted(Fraction(100), ("m/s2",), (0.1,), ("x",))
    assert "they reach inf" in refused(table(tmp_path / "c.csv", "x [g]\n1e308\n-1e308\n"), wanted)


@pytest.mark.parametrize("jitter_ms", [0, 2])
def test_gaps_are_counted_and_filled_where_they_are(tmp_path, jitter_ms):
    kept = np.delete(np.arange(1000), [100, 300, 301, 302, *range(700, 750)])
    stamps = np.sort(kept * 10 + RNG.normal(0, jitter_ms, len(kept)))
    path = table(tmp_path / "a.csv", "timestamp,x\n" + "".join(f"{t:.4f},{i}\n" for t, i in zip(stamps, kept)))
    assert "3 gaps in its time stamps, 54 samples missing, the longest 0.5" in refused(path)
    line = read_as(path, ONE, How(gaps="linear"))
    assert line.samples.tolist() == list(range(1000))
    held = read_as(path, ONE, How(gaps="hold")).samples
    assert len(held) == 1000 and held[100] == 99 and (held[700:750] == 699).all() and held[750] == 750
    assert read_as(path, ONE, How(gaps="keep")).samples.tolist() == kept.tolist()


def test_more_than_there_is_is_not_made_up(tmp_path):
    path = stamped(tmp_path / "a.csv", [*range(0, 1000, 10), *range(10**8, 10**8 + 1000, 10)])
    assert "the file holds only 200\n" in refused(path, gaps="hold")
    assert len(read_as(path, ONE, How(gaps="keep")).samples) == 200


@pytest.mark.parametrize("cell", ["", "nan", "NA", "null"])
def test_empty_cells_are_refused_by_their_line_or_filled_and_counted(tmp_path, cell):
    path = table(tmp_path / "a.csv", f"x,y\n{cell},1\n2,2\n{cell},{cell}\n4,6\n")
    assert f"line 2, column 'x': '{cell}' is not a finite number\n   = help: --gaps hold" in refused(path, TWO)
    assert "is not a finite number" in refused(path, TWO, gaps="keep")
    held, line = read_as(path, TWO, How(gaps="hold")), read_as(path, TWO, How(gaps="linear"))
    assert held.samples.tolist() == [[4, 2], [4, 4], [4, 4], [8, 12]] and "3 missing values filled by the value before" in held.notes
    assert line.samples.tolist() == [[4, 2], [4, 4], [6, 8], [8, 12]]
    assert "has no value at all" in refused(table(tmp_path / "b.csv", "x,y\n,1\n,2\n"), TWO, gaps="hold")
    assert "'fault' is not a finite number" in refused(table(tmp_path / "c.csv", "x,y\nfault,1\n"), TWO, gaps="hold")


def test_a_second_column_of_time_is_refused(tmp_path):
    assert "2 columns of time stamps: date, time_s" in refused(table(tmp_path / "a.csv", "date,time_s,x\n2015-02-02,0,1\n"))


def test_the_rooms_climate_of_the_shared_data_is_read():
    wanted = Wanted(Fraction(1, 60), ("°C", "%", "ppm"), (0.01, 0.1, 1.0), ("temperature", "humidity", "co2"))
    got = read_as(shared("data/environment/occupancy/datatest.txt"), wanted)
    assert len(got.samples) == 2665 and got.samples[0].tolist() == [2370, 263, 749] and got.rate_hz == Fraction(1, 60)
    assert got.notes[0].startswith("a column without a name is left out")
