"""Is every unit converted by its definition, and never by a guess?"""

from __future__ import annotations

import doctest
from fractions import Fraction

import numpy as np
import pytest
from made_recordings import IMU, acquisition, counts, resting, write_json

from tinystream.errors import RecordingError
from tinystream.io import axes, units
from tinystream.io.axes import axis
from tinystream.io.recording import read_as
from tinystream.io.units import UNITS, conversion, read_unit, split_suffix, split_unit
from tinystream.io.wanted import How, Wanted


@pytest.mark.parametrize(
    ("value", "stated", "real", "wanted"),
    [
        (9.80665, "m/s2", 1, "g"),
        (9.80665, "m/s²", 1, "g"),
        (9.80665, "M/S^2", 1, "g"),
        (1000, "mg", 1, "g"),
        (1, "G", 1, "g"),
        (1, "g", 9.80665, "m/s2"),
        (np.pi, "rad/s", 180, "dps"),
        (3, "° / s", 3, "dps"),
        (10, "rpm", 60, "dps"),
        (300, "K", 26.85, "°C"),
        (212, "F", 100, "°C"),
        (-40, "°F", -40, "C"),
        (100, "degC", 212, "°F"),
        (1, "%", 10_000, "ppm"),
        (1013.25, "mbar", 101325, "Pa"),
        (1, "klx", 1000, "lux"),
        (1, "G", 100, "uT"),
        (1, "mg", 0.1, "uT"),
        (7, "furlong", 7, "Furlong"),
    ],
)
def test_a_value_comes_into_the_wanted_unit(value, stated, real, wanted):
    step = conversion(stated, wanted)
    assert step is not None and np.isclose(value * step.factor + step.offset, real, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(("stated", "wanted"), [("K", "g"), ("m/s", "m/s2"), ("dps", "g"), ("furlong", "m"), ("lux", "%"), ("", "g")])
def test_what_is_of_another_kind_has_no_conversion(stated, wanted):
    assert conversion(stated, wanted) is None


def test_every_unit_converts_to_itself_and_back():
    for dimension, there in UNITS.items():
        for a in there:
            assert read_unit(a, dimension).dimension == dimension
            for b in there:
                one, back = conversion(a, b), conversion(b, a)
                assert np.isclose((7 * one.factor + one.offset) * back.factor + back.offset, 7)


def test_headers_are_split():
    for text in ("accX [m/s2]", "accX(m/s2)", " accX  {m/s2} "):
        assert split_unit(text) == ("accX", "m/s2")
    assert split_unit("accX") == ("accX", "") and split_unit("[g]") == ("[g]", "")
    assert split_suffix("x_g", "g") == ("x", "g") and split_suffix("acc_x", "g") == ("acc_x", "")
    assert split_suffix("temp_c", "°C") == ("temp", "c") and split_suffix("temp_c", "g") == ("temp_c", "")


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ("x X ax aX accX acc_x AccX acc-x accel_x Acceleration.X x_acc AX accelerometerX x-axis imu_acc_x", "x"),
        ("gx gX gyrX gyr_x gyroX gyroscope_x wx omega_x GyX", "gx"),
        ("mx magX mag_x magnetometer.x", "mx"),
        ("max", "max"),
        ("Temperature", "temperature"),
        ("CO2", "co2"),
        ("light_level", "lightlevel"),
    ],
)
def test_usual_names_of_an_axis_are_one(names, meant):
    assert {axis(name) for name in names.split()} == {meant}


def test_the_examples_of_the_modules_hold():
    assert not doctest.testmod(axes).failed and not doctest.testmod(units).failed


def refused(path, wanted=IMU, **how):
    with pytest.raises(RecordingError) as e:
        read_as(path, wanted, How(**how))
    return str(e.value)


def table(path, header, x):
    path.write_text(header + "\n" + "\n".join(",".join(map(str, row)) for row in x.tolist()) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["accX [mg],accY [mg],accZ [mg]", "x_mg,y_mg,z_mg", "ax (mg),ay (mg),az (mg)"])
def test_the_unit_of_a_header_is_converted_and_told(tmp_path, header):
    x = resting()
    got = read_as(table(tmp_path / "a.csv", header, x * 1000), IMU)
    assert got.samples.tolist() == counts(x) and "converted from mg to g" in got.notes


def test_every_channel_has_a_unit_and_a_scale_of_its_own(tmp_path):
    names, wanted_units, scales = ("temperature", "humidity", "co2"), ("°C", "%", "ppm"), (0.01, 0.1, 1.0)
    path = table(tmp_path / "a.csv", "Humidity,CO2 (ppm),Temperature [K]", np.array([[40.5, 700, 293.15]] * 12))
    got = read_as(path, Wanted(Fraction(1), wanted_units, scales, names))
    assert got.samples[0].tolist() == [2000, 405, 700]
    assert (
        got.notes[0]
        == "taken by name: temperature from Temperature, humidity from Humidity, co2 from CO2 (it has Humidity, CO2, Temperature)"
    )
    assert "temperature converted from K to °C" in got.notes


def test_axes_in_another_order_are_found_by_name(tmp_path):
    x = resting()
    got = read_as(table(tmp_path / "a.csv", "az,label,ay,ax", np.c_[x[:, 2], x[:, 0] * 0, x[:, 1], x[:, 0]]), IMU)
    assert got.samples.tolist() == counts(x) and got.notes[0] == "taken by name: x from ax, y from ay, z from az (it has az, label, ay, ax)"


def test_an_axis_that_is_not_there_or_there_twice_is_refused(tmp_path):
    x = resting()
    said = refused(table(tmp_path / "a.csv", "ax,ay,temp", x))
    assert "has no column for 'z': it has ax, ay, temp\n   = help: --channel 0,1,N" in said
    said = refused(table(tmp_path / "b.csv", "ax,acc_x,y,z", np.c_[x, x[:, 0]]))
    assert "has several columns for 'x': ax, acc_x\n   = help: --channel 0,2,3" in said
    got = read_as(table(tmp_path / "c.csv", "left,right,up", x), IMU)
    assert got.notes[0] == "its columns left, right, up are taken as x, y, z, in this order"
    assert read_as(table(tmp_path / "d.csv", "x,y,z", x), IMU, How(channel="z,y,x")).samples[:, 0].tolist() == counts(x[:, 2])


def test_a_unit_of_another_kind_or_an_unknown_one_is_refused_and_the_option_wins(tmp_path):
    x = resting()
    path = write_json(tmp_path / "a.json", acquisition((x * 1000).tolist(), units="lux"))
    assert "channel 'x' is illuminance in 'lux', the app reads g\n   = help: --unit g" in refused(path)
    assert read_as(path, IMU, How(unit="mg")).samples.tolist() == counts(x)
    assert read_as(path, IMU, How(unit="mg,mg,mg")).samples.tolist() == counts(x)
    unknown = write_json(tmp_path / "b.json", acquisition(x.tolist(), units="furlong"))
    assert "is in 'furlong', which is no unit that is known here" in refused(unknown)
    assert "--unit furlong is no unit" in refused(unknown, unit="furlong") and "gives 2 units for 3" in refused(unknown, unit="g,g")
    unsaid = write_json(tmp_path / "c.json", acquisition(x.tolist(), units="N/A"))
    assert read_as(unsaid, IMU).samples.tolist() == counts(x)
    integers = write_json(tmp_path / "d.json", acquisition(counts(x), units="LSB"))
    assert read_as(integers, IMU).samples.tolist() == counts(x)


# --- sick sensors


def notes(x, wanted=IMU):
    from tinystream.io.health import health

    return health(np.asarray(counts(np.asarray(x))).astype(np.int16), float(wanted.rate_hz), wanted)


def test_a_sound_sensor_has_no_notes():
    assert notes(resting(1000)) == ()


def test_a_stuck_axis_is_told():
    x = resting(1000)
    x[:, 1] = 0.25
    assert notes(x) == ("channel y is stuck at 0.25 g throughout",)
    x = resting(1000)
    x[300:500, 0] = 0.5
    assert notes(x) == ("channel x is stuck at 0.5 g for 2 s from 3 s",)
    x = resting(1000)
    x[300:390, 0] = 0.5
    assert notes(x) == (), "less than a second"


def test_a_clipped_axis_is_told_and_a_single_peak_is_not():
    x = resting(1000)
    x[100:104, 0] = x[200, 0] = 9
    x[300:303, 0] = -9
    assert notes(np.clip(x, -4, 32767 / 8192)) == ("channel x is clipped: 7 samples lie at full scale, 3 or more in a row",)


def test_axes_that_are_one_and_an_axis_without_noise_are_told():
    x = resting(1000)
    x[:, 1] = x[:, 0]
    assert notes(x) == ("channels x and y are identical",)
    x = resting(1000)
    x[:, 0] = np.arange(1000) % 2 / 100
    assert notes(x) == ("channel x has only 2 values, and no noise: its range may be far too wide, or its unit another",)


@pytest.mark.parametrize(
    ("factor", "moves", "told"),
    [
        *[(1, 0, False), (0.85, 0, False), (1.2, 0, False), (0, 0, True), (0.1, 0, True), (2, 0, True)],
        *[(0.5, 0.5, False), (2, 0.5, False), (0, 0.5, True), (3.5, 0.1, True)],
    ],
)
def test_gravity_that_is_none_is_told(factor, moves, told):
    x = resting(1000) * [1, 1, factor] + moves * np.sin(np.arange(1000) / 10)[:, None]
    said = [note for note in notes(x) if "mean acceleration" in note]
    assert bool(said) == told


def test_slow_sensors_may_stand_still():
    wanted = Wanted(Fraction(1, 60), ("ppm",), (1.0,), ("co2",))
    from tinystream.io.health import health

    assert health(np.repeat(np.int16([400, 401]), 200)[:, None], 1 / 60, wanted) == ()
