"""Are recordings of other programs read as what they say they are: axes, units, rates, labels, and what is missing?"""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import cbor2
import numpy as np
import pytest
from made_recordings import CAMERA, IMU, MICROPHONE, G, acquisition, counts, records, resting, signed, write_json, write_sds
from PIL import Image
from scipy.io import savemat
from shared import shared

from tinystream.errors import RecordingError
from tinystream.io.recording import find_recordings, read_as
from tinystream.io.wanted import How, Wanted


def refused(path, wanted=IMU, **how):
    with pytest.raises(RecordingError) as e:
        read_as(path, wanted, How(**how))
    assert e.value.help, "an error without a way out"
    return str(e.value)


# --- Edge Impulse


def test_an_acquisition_is_converted_from_its_unit_to_the_apps(tmp_path):
    x = resting()
    got = read_as(write_json(tmp_path / "a.json", acquisition((x * G).tolist(), units="m/s2")), IMU)
    assert got.samples.tolist() == counts(x * G / G) and got.rate_hz == 100
    assert got.notes == ("unsigned", "converted from m/s2 to g")


def test_cbor_is_the_same_recording_as_json(tmp_path):
    what = acquisition(resting().tolist())
    (tmp_path / "a.cbor").write_bytes(cbor2.dumps(what))
    a, b = read_as(tmp_path / "a.cbor", IMU), read_as(write_json(tmp_path / "a.json", what), IMU)
    assert np.array_equal(a.samples, b.samples) and (a.rate_hz, a.notes) == (b.rate_hz, b.notes)


@pytest.mark.parametrize("name", ["a.json", "a.cbor"])
def test_a_signature_is_right_wrong_or_not_checked(tmp_path, monkeypatch, name):
    monkeypatch.setenv("KEY", "secret")
    monkeypatch.setenv("OTHER", "another")
    what = acquisition(resting().tolist(), alg="HS256")
    path = tmp_path / name
    path.write_bytes(signed(cbor2.dumps(what) if name.endswith("cbor") else json.dumps(what).encode(), "secret"))
    assert "signature right" in read_as(path, IMU, How(key_env="KEY")).notes
    assert "signed, not checked: --hmac-key-env NAME checks it" in read_as(path, IMU).notes
    assert "its signature is wrong" in refused(path, key_env="OTHER")
    assert "has no such variable" in refused(path, key_env="ABSENT")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"ac:87:a3", b"ac:87:a4"))
    assert "its signature is wrong" in refused(path, key_env="KEY")


def test_a_signature_survives_other_spaces_and_no_signature_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY", "secret")
    compact = json.dumps(acquisition(resting().tolist(), alg="HS256"), separators=(",", ":"))
    (tmp_path / "a.json").write_text(json.dumps(json.loads(signed(compact.encode(), "secret")), indent=2))
    assert "signature right" in read_as(tmp_path / "a.json", IMU, How(key_env="KEY")).notes
    assert "is unsigned, and a key is given" in refused(write_json(tmp_path / "b.json", acquisition([[0, 0, 1]])), key_env="KEY")
    assert "in a way that is unknown here: RS256" in refused(
        write_json(tmp_path / "c.json", acquisition([[0, 0, 1]], alg="RS256")), key_env="KEY"
    )


def test_audio_is_flat_and_of_16_bits(tmp_path):
    x = [0, 1, -1, 32767, -32768] * 10
    path = write_json(tmp_path / "a.json", acquisition(x, 0.0625, "wav", "audio"))
    got = read_as(path, MICROPHONE)
    assert got.samples.tolist() == x and got.rate_hz == 16000
    rounded = write_json(tmp_path / "b.json", acquisition(x, 0.0624, "wav", "audio"))
    assert "its interval_ms means 16025.6 Hz: taken as 16000 Hz" in read_as(rounded, MICROPHONE).notes
    assert "no 16-bit integers" in refused(write_json(tmp_path / "c.json", acquisition([0.5], 0.0625, "wav", "audio")), MICROPHONE)


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        ({"interval_ms": 0}, "'interval_ms' is 0, not a time"),
        ({"interval_ms": "10"}, "'interval_ms' is of type str"),
        ({"interval_ms": None}, "'interval_ms' is absent"),
        ({"interval_ms": 10**400}, "'interval_ms' is a number of many digits"),
        ({"sensors": []}, "'sensors' is of type list, not a list of at least one"),
        ({"sensors": [{"name": 7}]}, "sensor 0 has a name or units that are no text"),
        ({"sensors": ["accX"]}, "sensor 0 is of type str"),
        ({"values": {"a": 1}}, "'values' is of type dict"),
        ({"values": [[0, 0, 1], [0, 1]]}, "sample 1 has 2 values for 3 sensors"),
        ({"values": [[0, 0, 1], [0, 1, True]]}, "sample 1, value 2 is of type bool"),
        ({"values": [[0, 0, 10**400]]}, "sample 0, value 2 is a number of many digits"),
        ({"values": [["Ref-BINARY-image/jpeg (1024 bytes)"] * 3]}, "refers to an image"),
        ({"values": []}, "holds no samples"),
    ],
)
def test_what_is_wrong_in_an_acquisition_is_named(tmp_path, payload, what):
    assert what in refused(write_json(tmp_path / "a.json", acquisition([[0, 0, 1]], **payload)))


def test_what_is_no_acquisition_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    (tmp_path / "b.json").write_text('{"payload": {"interval_ms": 1e999}}')
    (tmp_path / "c.json").write_text("[1, 2]")
    (tmp_path / "d.cbor").write_bytes(b"\x9b\x7f" + b"\xff" * 7)
    (tmp_path / "e.cbor").write_bytes(b"\x81" * 100_000)
    assert "is no JSON: nested too deeply" in refused(tmp_path / "a.json")
    assert "'sensors' is absent" in refused(tmp_path / "b.json")
    assert "the file is of type list" in refused(tmp_path / "c.json")
    assert "is no CBOR" in refused(tmp_path / "d.cbor") and "is no CBOR" in refused(tmp_path / "e.cbor")


def test_a_folder_gives_acquisitions_and_no_other_json(tmp_path):
    a = write_json(tmp_path / "a.json", acquisition([[0, 0, 1]]))
    write_json(tmp_path / "a.truth.json", [])
    write_json(tmp_path / "manifest.json", {"type": "micro"})
    assert find_recordings([tmp_path]) == [a]


def test_the_label_of_an_export_is_known(tmp_path):
    (tmp_path / "training").mkdir()
    path = write_json(tmp_path / "training/idle.1.json", acquisition(resting().tolist()))
    label = {"type": "label", "label": "idle"}
    write_json(tmp_path / "info.labels", {"version": 1, "files": [{"path": "training/idle.1.json", "name": "idle.1", "label": label}]})
    assert read_as(path, IMU).label == "idle"
    (tmp_path / "info.labels").write_text("{")
    assert "info.labels cannot be read" in refused(path)


def test_values_that_are_missing_are_refused_or_filled_in_every_format(tmp_path):
    x = resting(60)
    x[30, 1] = np.nan
    filled = x.copy()
    filled[30, 1] = x[29, 1]
    write_json(tmp_path / "a.json", acquisition([[None if np.isnan(cell) else cell for cell in row] for row in x.tolist()]))
    (tmp_path / "b.cbor").write_bytes(cbor2.dumps(acquisition(x.tolist())))
    np.save(tmp_path / "c.npy", x)
    savemat(tmp_path / "d.mat", dict(samples=x))
    floats = "".join(f"\n  - {{value: {axis}, type: double, unit: G}}" for axis in "xyz")
    write_sds(tmp_path / "e.0.sds", records(x, 20), floats)
    for name in ("a.json", "b.cbor", "c.npy", "d.mat", "e.0.sds"):
        assert "not a finite number" in refused(tmp_path / name), name
        got = read_as(tmp_path / name, IMU, How(gaps="hold"))
        assert got.samples.tolist() == counts(filled) and "1 missing value filled by the value before" in got.notes, name
        assert read_as(tmp_path / name, IMU, How(gaps="linear")).samples[30].tolist() != got.samples[30].tolist(), name


# --- SDS


def test_sds_values_are_scaled_into_the_apps_unit(tmp_path):
    x = np.array(counts(resting(300)), np.int16)
    got = read_as(write_sds(tmp_path / "arm.idle.sds", records(x, 20)), IMU)
    assert np.array_equal(got.samples, x) and (got.rate_hz, got.label, got.notes) == (100, "idle", ())
    content = "\n  - {value: z, type: float, unit: m/s^2}\n  - {value: t, type: uint8_t}"
    content += "\n  - {value: y, type: int32_t, scale: 0.5, offset: -1, unit: mg}"
    rows = np.array([(G, 9, 2002), (-G, 8, 0)] * 8, [("z", "<f4"), ("t", "u1"), ("y", "<i4")])
    wanted = Wanted(Fraction(100), ("g",) * 2, (1 / 8192,) * 2, ("y", "z"))
    got = read_as(write_sds(tmp_path / "b.0.sds", records(rows, 4), content), wanted)
    assert got.samples[:2].tolist() == [[8192, 8192], [-8, -8192]]
    assert got.notes == ("taken by name: y, z (it has z, t, y)", "y converted from mg to g", "z converted from m/s^2 to g")


def test_sds_without_a_frequency_is_measured_by_its_timeslots(tmp_path):
    x = np.array(counts(resting(400)), np.int16)
    got = read_as(write_sds(tmp_path / "a.0.sds", records(x, 16, ms=9.99), told="tick-frequency: 1000"), IMU)
    assert got.notes[-1].startswith("its time stamps measure 100.") and got.rate_hz == 100
    other = read_as(write_sds(tmp_path / "b.0.sds", records(x, 16, ms=9), told="frequency: 100"), IMU)
    assert "it says 100 Hz, its time stamps measure 111.1" in other.notes[0]


def test_sds_records_that_were_lost_are_missing_samples(tmp_path):
    x = np.array(counts(resting(400)), np.int16)
    whole = records(x, 20)
    path = write_sds(tmp_path / "a.0.sds", [*whole[:7], *whole[9:]])
    assert "has 1 gap in its time stamps, 40 samples missing, the longest 0.6 s before record 7" in refused(path)
    got = read_as(path, IMU, How(gaps="hold"))
    assert len(got.samples) == 400 and np.array_equal(got.samples[180:], x[180:]) and (got.samples[140:180] == x[139]).all()
    late = [(tick + 15 * (i == 8), body) for i, (tick, body) in enumerate(whole)]
    assert np.array_equal(read_as(write_sds(tmp_path / "b.0.sds", late), IMU).samples, x), "a late record is not a lost one"


def test_sds_timeslots_may_wrap(tmp_path):
    x = np.array(counts(resting(400)), np.int16)
    wrapped = [(tick % 2**32, body) for tick, body in records(x, 20, begin=2**32 - 1000)]
    assert np.array_equal(read_as(write_sds(tmp_path / "a.0.sds", wrapped), IMU).samples, x)


def test_a_cut_last_record_of_sds_is_told(tmp_path):
    x = np.array(counts(resting(100)), np.int16)
    path = write_sds(tmp_path / "a.0.sds", records(x, 20))
    path.write_bytes(path.read_bytes()[:-5])
    got = read_as(path, IMU)
    assert len(got.samples) == 80 and got.notes == ("its last record, 4, is cut short and left out",)
    path.write_bytes(b"\xff" * 8 + path.read_bytes())
    assert "is damaged: at byte 0 a record of 4294967295 bytes" in refused(path)


def test_sds_audio_is_exact(tmp_path):
    x = np.arange(-3200, 3200, dtype=np.int16).reshape(-1, 2)
    audio = "\n  - audio: {channels: 2, bit-depth: 16, format: pcm}"
    path = write_sds(tmp_path / "mic.yes.sds", records(x, 160, ms=1 / 16), audio, "sample-frequency: 16000")
    assert np.array_equal(read_as(path, MICROPHONE, How(channel="1")).samples, x[:, 1])
    assert "has 2 channels, the app reads 1" in refused(path, MICROPHONE)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("\n  - {value: x, type: 'uint32_t:1'}", "of type 'uint32_t:1', which is not read"),
        ("\n  - {value: x}", "of type ''"),
        (" []", "content: tuple should have at least 1 item"),
        (" [", "is no YAML"),
        ("\n  - {value: x, type: int16_t, scale: .nan}", "content.0.scale"),
        ("\n  - {value: x, type: int16_t, dim-x: 7}", "bytes are no whole samples of 14 bytes"),
        ("\n  - audio: {channels: 1, bit-depth: 12}", "audio of 12 bits as pcm is not read"),
        ("\n  - image: {pixel_format: RAW8, width: 1, height: 1, stride_bytes: 1}", "holds images"),
    ],
)
def test_what_is_wrong_in_a_description_is_named(tmp_path, content, what):
    x = np.array(counts(resting(100)), np.int16)
    assert what in refused(write_sds(tmp_path / "a.0.sds", records(x, 20), content))


def test_sds_without_a_description_is_refused(tmp_path):
    path = write_sds(tmp_path / "a.0.sds", records(np.zeros((20, 3), np.int16), 20))
    (tmp_path / "a.sds.yml").unlink()
    assert "a.sds.yml does not exist" in refused(path)


def test_the_recording_of_the_sds_project_is_read():
    wanted = Wanted(Fraction(16600), ("g",) * 3, (4 / 32768,) * 3, ("x", "y", "z"))
    got = read_as(shared("data/imu/sds/Test_In.0.sds"), wanted)
    assert got.samples.shape == (369 * 166, 3) and got.samples[0].tolist() == counts(np.array([1.040, 1.709, 1.409]))
    assert got.notes == ()


# --- MATLAB, Parquet


def test_matlab_variables_are_channels(tmp_path):
    x = resting()
    savemat(tmp_path / "a.mat", dict(samples=x, fs=100.0, name="pump"))
    savemat(tmp_path / "b.mat", dict(z=x[:, 2], x=x[None, :, 0], y=x[:, 1], RPM=[[1797]], short=[1.0, 2], t=np.arange(200) / 100))
    savemat(tmp_path / "c.mat", dict(samples=np.array(counts(x), np.int16).T, fs=100))
    savemat(tmp_path / "d.mat", dict(samples=x, fs=100), do_compression=True)
    for name in "abcd":
        got = read_as(tmp_path / f"{name}.mat", IMU)
        assert got.samples.tolist() == counts(x) and got.rate_hz == 100, name
    assert "shorter variables are left out: short" in read_as(tmp_path / "b.mat", IMU).notes
    assert "taken by name: x, y, z (it has z, x, y)" in read_as(tmp_path / "b.mat", IMU).notes


def test_matlab_files_that_are_no_recording_are_refused(tmp_path):
    savemat(tmp_path / "a.mat", dict(a=dict(b=1), c="text"))
    (tmp_path / "b.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n")
    savemat(tmp_path / "c.mat", dict(samples=np.arange(300, dtype=np.int32).reshape(100, 3)))
    savemat(tmp_path / "d.mat", dict(samples=resting(), fs=-1))
    assert "holds no array of numbers" in refused(tmp_path / "a.mat")
    assert "version 7.3, which is not read\n   = help: save('name.mat'" in refused(tmp_path / "b.mat")
    assert "'samples_0' holds int32" in refused(tmp_path / "c.mat")
    assert read_as(tmp_path / "c.mat", IMU, How(counts=True)).samples[5].tolist() == [15, 16, 17]
    assert "fs = -1 is no rate" in refused(tmp_path / "d.mat")


def test_parquet_columns_are_found_by_name(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    x = resting()
    fields = [pyarrow.field(f"acc_{axis}", pyarrow.float32(), metadata={"unit": "mg"}) for axis in "zyx"]
    fields += [pyarrow.field("time", pyarrow.timestamp("us")), pyarrow.field("label", pyarrow.string())]
    columns = [*(x[:, i] * 1000 for i in (2, 1, 0)), np.arange(200) * 10_000, ["idle"] * 200]
    table = pyarrow.table([pyarrow.array(c, f.type) for c, f in zip(columns, fields)], pyarrow.schema(fields))
    write_table(table, tmp_path / "a.parquet")
    got = read_as(tmp_path / "a.parquet", IMU)
    assert np.abs(got.samples - counts(x)).max() <= 1 and got.rate_hz == 100
    assert got.notes == ("taken by name: x from acc_x, y from acc_y, z from acc_z (it has acc_z, acc_y, acc_x)", "converted from mg to g")


def test_without_pyarrow_parquet_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert "needs pyarrow\n   = help: pip install 'tinystream[parquet]'" in refused(tmp_path / "a.parquet")


# --- images


@pytest.mark.parametrize("ending", ["png", "bmp", "pgm"])
def test_a_grey_image_is_one_frame_exactly(tmp_path, ending):
    x = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    Image.fromarray(x).save(tmp_path / f"a.{ending}")
    got = read_as(tmp_path / f"a.{ending}", CAMERA)
    assert got.samples.dtype == np.uint8 and np.array_equal(got.samples, x[None])
    assert got.notes == ("it does not say its rate: taken as 1 Hz",)


def test_a_folder_of_images_is_a_stream_in_the_order_of_numbers(tmp_path):
    for i in (10, 2, 1):
        Image.fromarray(np.full((6, 8), i, np.uint8)).save(tmp_path / f"img{i}.png")
    assert find_recordings([tmp_path]) == [tmp_path]
    assert read_as(tmp_path, CAMERA).samples[:, 0, 0].tolist() == [1, 2, 10]
    assert "is an image, the app's source is no camera" in refused(tmp_path / "img1.png")
    (tmp_path / "a.wav").write_bytes(b"x")
    assert find_recordings([tmp_path]) == [tmp_path / "a.wav"], "pictures beside recordings are about them"


def test_colour_becomes_grey_and_another_size_is_refused_or_resized(tmp_path):
    x = np.zeros((12, 16, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    Image.fromarray(x).save(tmp_path / "a.png")
    assert "a.png is 16x12, the app's camera gives 8x6\n   = help: --resample" in refused(tmp_path / "a.png", CAMERA)
    got = read_as(tmp_path / "a.png", CAMERA, How(resample=True))
    assert (got.samples == 76).all() and "made grey from RGB" in got.notes[0] and "resized from 16x12 to 8x6" in got.notes[1]


def test_arrays_of_frames_are_read(tmp_path):
    x = np.arange(144, dtype=np.uint8).reshape(3, 6, 8)
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "b.npz", samples=x, rate_hz=1)
    assert np.array_equal(read_as(tmp_path / "a.npy", CAMERA).samples, x) and np.array_equal(read_as(tmp_path / "b.npz", CAMERA).samples, x)
    np.save(tmp_path / "c.npy", x[:, :5])
    assert "c.npy holds uint8 of shape 3x5x8, the app's camera gives 8x6" in refused(tmp_path / "c.npy", CAMERA)


def test_the_images_of_the_person_detector_are_read():
    wanted = Wanted(Fraction(1), ("",), (1.0,), dtype="uint8", frame=(96, 96))
    assert read_as(shared("data/images"), wanted).samples.shape == (2, 96, 96)
