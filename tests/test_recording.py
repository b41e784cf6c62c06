"""Are recordings read exactly, and are all that cannot be refused with the way out?"""

from __future__ import annotations

import json
import os
import struct
import sys
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from shared import shared

from tinystream.errors import RecordingError
from tinystream.io.recording import find_recordings, read_as, read_recording
from tinystream.io.truth import read_truth
from tinystream.io.wanted import How, Wanted

HZ = Fraction(16000)
RNG = np.random.default_rng(7)


def noise(n=4000, channels=1):
    x = RNG.integers(-32768, 32768, (n, channels)).astype(np.int16)
    return x[:, 0] if channels == 1 else x


def sound(path, x, rate=16000, **options):
    soundfile.write(path, x, rate, **options)
    return path


def read(path, rate_hz=HZ, channels=1, **options):
    return read_recording(path, rate_hz=rate_hz, channels=channels, **options)


def refused(path, **options):
    """What the error says, with its help."""
    with pytest.raises(RecordingError) as e:
        read(path, **options)
    assert e.value.help, "an error without a way out"
    return str(e.value)


# --- sound


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "A.WAV"])
@pytest.mark.parametrize("channels", [1, 2])
def test_16_bit_sound_is_read_exactly(tmp_path, name, channels):
    x = noise(100_001, channels)  # more than one chunk
    got = read(sound(tmp_path / name, x), channels=channels)
    assert got.samples.dtype == np.int16 and np.array_equal(got.samples, x) and got.samples.flags.c_contiguous
    assert (got.rate_hz, got.saturated, got.notes) == (HZ, 0, ())
    assert got.clipped == np.count_nonzero((x == 32767) | (x == -32768)) > 0
    assert got.seconds == 100_001 / 16000


def test_24_bits_are_rounded_half_up_and_what_exceeds_is_counted(tmp_path):
    x24 = np.array([0, 127, 128, -128, -129, 0x7FFF7F, 0x7FFF80, 0x7FFFFF, -0x800000], np.int32)
    got = read(sound(tmp_path / "a.wav", x24 << 8, subtype="PCM_24"))
    assert got.samples.tolist() == [0, 0, 1, 0, -1, 32767, 32767, 32767, -32768]
    assert (got.saturated, got.clipped) == (2, 4)
    assert "2 of 9 values exceeded full scale and were limited" in got.notes


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_are_rounded_half_up_and_what_exceeds_is_counted(tmp_path, subtype):
    x = np.array([0, 0.5, -0.5, 1.5, -1.5, 32767.4, 32767.5, 40000, -32768.5, -32769]) / 32768
    got = read(sound(tmp_path / "a.wav", x, subtype=subtype))
    assert got.samples.tolist() == [0, 1, 0, 2, -1, 32767, 32767, 32767, -32768, -32768]
    assert got.saturated == 3


def test_8_bits_are_read_exactly(tmp_path):
    x = (np.arange(-128, 128) * 256).astype(np.int16)
    assert np.array_equal(read(sound(tmp_path / "a.wav", x, subtype="PCM_U8")).samples, x)


def test_a_float_that_is_no_number_is_refused_by_its_place(tmp_path):
    path = sound(tmp_path / "a.wav", np.array([0, 0.1, np.nan, 0.2]), subtype="FLOAT")
    assert "sample 2 is not a finite number" in refused(path)


def test_a_cut_wav_says_how_many_samples_are_missing(tmp_path):
    path = sound(tmp_path / "a.wav", noise(1000, 2))
    path.write_bytes(path.read_bytes()[:-401])  # 100.25 samples of 4 bytes
    assert "101 of 1000 samples are missing" in refused(path, channels=2)


@pytest.mark.parametrize("size", [4, 11, 20, 35, 43])
def test_a_wav_cut_inside_its_header_is_refused(tmp_path, size):
    path = sound(tmp_path / "a.wav", noise())
    path.write_bytes(path.read_bytes()[:size])
    assert "a.wav" in refused(path)


def test_an_odd_chunk_before_the_samples_is_no_damage(tmp_path):
    path = sound(tmp_path / "a.wav", x := noise())
    b = path.read_bytes()
    path.write_bytes(b[:4] + struct.pack("<I", len(b) + 4) + b[8:36] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + b[36:])
    assert np.array_equal(read(path).samples, x)


def test_a_wav_of_a_stream_is_read_to_its_end_with_a_note(tmp_path):
    path = sound(tmp_path / "a.wav", x := noise())
    b = path.read_bytes()
    path.write_bytes(b[:40] + b"\xff" * 4 + b[44:])
    got = read(path)
    assert np.array_equal(got.samples, x) and "does not know its length" in got.notes[0]


def test_a_wav_whose_recorder_was_killed_is_refused(tmp_path):
    path = sound(tmp_path / "a.wav", noise())
    b = path.read_bytes()
    path.write_bytes(b[:40] + b"\0" * 4 + b[44:])
    assert "says 0 samples, yet 8000 bytes follow" in refused(path)


def test_rf64_is_read_and_checked_too(tmp_path):
    path = sound(tmp_path / "a.wav", x := noise(), format="RF64")
    assert path.read_bytes()[:4] == b"RF64" and np.array_equal(read(path).samples, x)
    path.write_bytes(path.read_bytes()[:-20])
    assert "10 of 4000 samples are missing" in refused(path)


def test_a_cut_flac_says_how_many_samples_are_missing(tmp_path):
    path = sound(tmp_path / "a.flac", noise(200_000))
    path.write_bytes(path.read_bytes()[:-100_000])
    said = refused(path)
    missing = int(said.split("cut short: ")[1].split()[0])
    print(said)
    assert 40_000 < missing < 70_000 and "of 200000 samples cannot be read" in said


@pytest.mark.parametrize(("name", "format"), [("a.wav", "FLAC"), ("a.flac", "WAV"), ("a.wav", "OGG")])
def test_content_of_another_format_than_the_name_says_is_refused(tmp_path, name, format):
    path = tmp_path / name
    soundfile.write(path, noise(), 16000, format=format)
    assert f"holds {format}, its name says {name[2:].upper()}" in refused(path)


def test_stereo_for_a_mono_app_offers_the_channel(tmp_path):
    path = sound(tmp_path / "a.wav", x := noise(channels=2))
    assert "has 2 channels, the app reads 1\n   = help: --channel 0  (of 0 to 1)" in refused(path)
    assert np.array_equal(read(path, channel=1).samples, x[:, 1])
    assert np.array_equal(read(path, channel="1,0", channels=2).samples, x[:, ::-1])
    for wrong in (2, -1, "left", ""):
        assert f"has no channel '{wrong}'" in refused(path, channel=wrong)
    assert "picks 2 of" in refused(path, channel="0,1")


def test_mono_for_three_axes_is_refused(tmp_path):
    assert "has 1 channel, the app reads 3" in refused(sound(tmp_path / "a.wav", noise()), channels=3)


# --- rates


def test_a_wrong_rate_is_refused_and_offers_to_resample(tmp_path):
    path = sound(tmp_path / "a.wav", noise(), 44100)
    assert "is at 44100 Hz, the app reads 16000 Hz\n   = help: --resample" in refused(path)
    assert read(path, rate_hz=None).rate_hz == 44100


@pytest.mark.parametrize("channels", [1, 2])
def test_resampling_keeps_a_tone_its_length_and_its_bits(tmp_path, channels):
    t = np.arange(44100) / 44100
    x = np.tile(np.round(20000 * np.sin(2 * np.pi * 1000 * t)).astype(np.int16)[:, None], channels)
    path = sound(tmp_path / "a.wav", x, 44100)
    got = read(path, resample=True, channels=channels)
    assert got.rate_hz == HZ and got.samples.shape[0] == 16000 and got.samples.dtype == np.int16
    want = 20000 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    error = np.abs(got.samples.reshape(16000, channels)[200:-200] - want[200:-200, None]).max()
    print(f"worst error {error:.1f} counts of 20000, bound 40")
    assert error < 40
    assert np.array_equal(got.samples, read(path, resample=True, channels=channels).samples)
    assert got.notes[0] == "resampled from 44100 Hz to 16000 Hz by 160/441"


def test_resampling_saturates_and_counts(tmp_path):
    square = np.where(np.arange(8000) // 50 % 2, 32767, -32768).astype(np.int16)
    got = read(sound(tmp_path / "a.wav", square, 8000), resample=True)
    assert got.saturated > 100 and got.samples.max() == 32767 and got.samples.min() == -32768
    assert got.samples[20:80].max() < 0, "wrapped around"


# --- what is no recording at all


def test_what_is_no_recording_is_refused(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "a.mp3").write_bytes(b"x")
    (tmp_path / "bare").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "text.wav").write_text("not a sound at all, but text that is long enough")
    assert "empty.wav is empty" in refused(tmp_path / "empty.wav")
    assert "unknown kind '.mp3'" in refused(tmp_path / "a.mp3")
    assert "unknown kind ''" in refused(tmp_path / "bare")
    assert "not a regular file" in refused(tmp_path / "pipe.wav")
    assert "loop.wav" in refused(tmp_path / "loop.wav")
    assert "is a folder" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "none.wav")
    assert "text.wav cannot be read" in refused(tmp_path / "text.wav")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    for path in (sound(tmp_path / "a.wav", noise()), tmp_path / "a.csv", tmp_path / "a.npy"):
        path.touch()
        path.write_bytes(path.read_bytes() or b"1,2")
        path.chmod(0)
        assert "permission denied" in refused(path)


def test_no_samples_are_refused(tmp_path):
    sound(tmp_path / "a.wav", noise(0))
    np.save(tmp_path / "a.npy", noise(0))
    (tmp_path / "a.csv").write_text("x\n")
    (tmp_path / "b.csv").write_text("timestamp,x\n\n\n")
    for name in ("a.wav", "a.npy", "a.csv", "b.csv"):
        assert "holds no samples" in refused(tmp_path / name)


# --- tables


def table(path, text):
    path.write_text(text)
    return path


def test_edge_impulse_tables_give_samples_and_rate(tmp_path):
    path = table(tmp_path / "a.csv", "timestamp,accX,accY,accZ\n0,4.22,1.88,-16.89\n16,0,-1,1\n32,2,3,4\n")
    got = read(path, rate_hz=Fraction(125, 2), channels=3, scale=1 / 1000)
    assert got.samples.tolist() == [[4220, 1880, -16890], [0, -1000, 1000], [2000, 3000, 4000]]
    assert got.notes == ()
    assert read(path, rate_hz=None, channels=3, scale=1 / 1000).rate_hz == Fraction(125, 2)


@pytest.mark.parametrize(
    "text",
    [
        "time,a\n0.00,1\n0.01,2\n0.02,3\n",
        "a;TIME_MS\n1;0\n2;10\n3;20\n",
        "timestamp\ta\n5\t1\n15\t2\n25\t3\n",
        '"time","a"\n"0","1"\n".01","2"\n"0.02","3"',
    ],
)
def test_delimiters_units_and_quotes_are_found(tmp_path, text):
    got = read(table(tmp_path / "a.csv", "\ufeff" + text.replace("\n", "\r\n")), rate_hz=None, scale=1)
    assert got.samples.tolist() == [1, 2, 3] and got.rate_hz == 100


def test_a_table_without_header_or_time_takes_the_apps_rate_and_says_so(tmp_path):
    got = read(table(tmp_path / "a.csv", "1,2\n3,4\n\n5,6\n\n"), channels=2, scale=1)
    assert got.samples.tolist() == [[1, 2], [3, 4], [5, 6]] and got.rate_hz == HZ
    assert got.notes == ("it does not say its rate: taken as 16000 Hz",)
    assert "does not say its rate" in refused(tmp_path / "a.csv", rate_hz=None, channels=2, scale=1)


@pytest.mark.parametrize(
    ("rows", "line", "column", "cell"),
    [
        ("1,2\n3,nan\n", 3, "b", "nan"),
        ("1,2\n\n-inf,4\n", 4, "a", "-inf"),
        ("1,2\n3,4\n5,fault\n", 4, "b", "fault"),
        ("1,2\n3,\n", 3, "b", ""),
        ("1,2\n1_0,4\n", 3, "a", "1_0"),
        ("1,1e999\n", 2, "b", "1e999"),
    ],
)
def test_a_cell_that_is_no_number_is_refused_by_line_and_column(tmp_path, rows, line, column, cell):
    said = refused(table(tmp_path / "a.csv", "a,b\n" + rows), channels=2, scale=1)
    assert f"a.csv, line {line}, column '{column}': '{cell}' is not a finite number" in said


@pytest.mark.parametrize("row", ["3", "3,4,5", '"3,4"', "1,5,2,5"])
def test_a_row_of_another_width_is_refused_by_its_line(tmp_path, row):
    assert "a.csv, line 3: " in refused(table(tmp_path / "a.csv", f"a,b\n1,2\n{row}\n"), channels=2, scale=1)


def test_columns_are_picked_by_name_or_number_and_others_may_hold_text(tmp_path):
    path = table(tmp_path / "a.csv", "time,x,y,label\n0,1,2,up\n1,3,4,down\n")
    said = refused(path, channels=2, scale=1)
    assert "has 3 columns, the app reads 2\n   = help: --channel x,y  (of x, y, label)" in said
    assert read(path, rate_hz=None, channels=2, channel="y, x", scale=1).samples.tolist() == [[2, 1], [4, 3]]
    assert read(path, rate_hz=None, channels=1, channel=1, scale=1).samples.tolist() == [2, 4]
    assert "column 'label': 'up'" in refused(path, channel="label")
    twins = table(tmp_path / "b.csv", "x,x\n1,2\n")
    assert "several channels 'x'" in refused(twins, channel="x")


@pytest.mark.parametrize("rate", [900, 1600])
def test_rounded_time_stamps_give_the_rate_by_regression(tmp_path, rate):
    stamps = np.round(np.arange(5000) / rate * 1000).astype(int)  # whole milliseconds: at 1600 Hz steps of 0 and 1, at 900 Hz of 1 and 2
    path = table(tmp_path / "a.csv", "timestamp,x\n" + "".join(f"{t},{t % 7}\n" for t in stamps))
    got = read(path, rate_hz=None, scale=1)
    assert abs(got.rate_hz - rate) < 0.05 and got.notes == ()
    assert read(path, rate_hz=Fraction(rate), scale=1).rate_hz == rate
    assert "--resample" in refused(path, rate_hz=Fraction(rate - 100), scale=1)


def test_a_rate_within_one_percent_of_the_apps_is_taken_as_it_with_a_note(tmp_path):
    path = table(tmp_path / "a.csv", "time,x\n" + "".join(f"{i / 99.5:.9f},{i}\n" for i in range(100)))
    assert read(path, rate_hz=Fraction(100), scale=1).notes == ("its time stamps measure 99.5 Hz: taken as 100 Hz",)
    assert "is at 99.5 Hz" in refused(path, rate_hz=Fraction(101), scale=1)


def test_gaps_are_told_and_do_not_change_the_rate(tmp_path):
    stamps = [*range(0, 5000, 10), *range(7000, 9000, 10)]
    path = table(tmp_path / "a.csv", "timestamp,x\n" + "".join(f"{t},{t}\n" for t in stamps))
    wanted = Wanted(Fraction(100), ("",), (1.0,))
    gap = "1 gap in its time stamps, 200 samples missing, the longest 2.01 s before line 502"
    said = refused(path, rate_hz=Fraction(100), scale=1)
    assert f"a.csv has {gap}\n   = help: --gaps hold or --gaps linear fills them" in said and "--gaps keep" in said
    kept, held, line = (read_as(path, wanted, How(gaps=gaps)) for gaps in ("keep", "hold", "linear"))
    assert kept.notes == (f"{gap}: later alerts come too early",) and kept.samples.tolist() == stamps
    assert held.notes == (f"{gap}: filled by the value before",)
    assert held.samples.tolist() == [*range(0, 5000, 10), *[4990] * 200, *range(7000, 9000, 10)]
    assert line.samples.tolist() == list(range(0, 9000, 10)) and "straight lines" in line.notes[0]


@pytest.mark.parametrize(
    ("stamps", "what"), [("0 10 5", "line 4: the time stamp goes back from 10 to 5"), ("3 3 3", "span no time"), ("1", "span no time")]
)
def test_time_stamps_that_give_no_rate_are_refused(tmp_path, stamps, what):
    path = table(tmp_path / "a.csv", "timestamp,x\n" + "".join(f"{t},1\n" for t in stamps.split()))
    assert what in refused(path, scale=1)


def test_two_columns_of_time_stamps_are_refused(tmp_path):
    assert "2 columns of time stamps: time, timestamp" in refused(table(tmp_path / "a.csv", "time,timestamp,x\n0,0,1\n"))


def test_values_in_another_unit_are_refused_and_single_peaks_are_counted(tmp_path):
    said = refused(table(tmp_path / "a.csv", "x\n100\n-16000\n0.5\n"))
    assert "2 of 3 values exceed full scale: they reach 16000, it is 1" in said and "--counts" in said
    got = read(table(tmp_path / "b.csv", "x\n" + "0.5\n" * 99 + "1.5\n"))
    assert (got.saturated, got.clipped, got.samples[-1]) == (1, 1, 32767)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n1\n\xff\xfe\n")
    assert "a.csv is not text: byte 4" in refused(tmp_path / "a.csv")


# --- arrays


def test_arrays_of_counts_are_read_exactly(tmp_path):
    x = noise(100, 3)
    np.save(tmp_path / "a.npy", np.asfortranarray(x))
    np.savez(tmp_path / "b.npz", x=x, rate_hz=62.5)
    np.savez_compressed(tmp_path / "c.npz", samples=x[:, 0], x=x, rate_hz=np.array([16000]))
    a, b, c = read(tmp_path / "a.npy", channels=3), read(tmp_path / "b.npz", rate_hz=None, channels=3), read(tmp_path / "c.npz")
    assert np.array_equal(a.samples, x) and "does not say its rate" in a.notes[0]
    assert np.array_equal(b.samples, x) and b.rate_hz == Fraction(125, 2)
    assert np.array_equal(c.samples, x[:, 0]) and c.rate_hz == HZ


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_of_floats_are_full_scale_one(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.array([0, 0.5, -1], dtype))
    assert read(tmp_path / "a.npy").samples.tolist() == [0, 16384, -32768]


def test_arrays_that_are_no_recording_are_refused(tmp_path):
    def saved(name, array, **others):
        path = tmp_path / name
        np.savez(path, **others) if name.endswith("z") else np.save(path, array, allow_pickle=True)
        return path

    assert "Python objects, which are not loaded" in refused(saved("a.npy", np.array([{}, []], object)))
    assert "holds int32" in refused(saved("a.npy", np.zeros(4, np.int32)))
    assert "holds complex128" in refused(saved("a.npy", np.zeros(4, complex)))
    assert "has 3 axes" in refused(saved("a.npy", np.zeros((2, 2, 2), np.int16)))
    assert "row 1 is not a finite number" in refused(saved("a.npy", np.array([0, np.inf])))
    assert "exceed full scale" in refused(saved("a.npy", np.array([100.0, 200.0])))
    assert "has no array 'samples' or 'x', but audio" in refused(saved("a.npz", None, audio=noise()))
    assert "rate_hz is not one number above 0" in refused(saved("a.npz", None, x=noise(), rate_hz=-1))
    path = saved("a.npy", noise())
    path.write_bytes(path.read_bytes()[:1000])
    assert "a.npy cannot be read" in refused(path)
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 nonsense")
    assert "b.npz cannot be read" in refused(tmp_path / "b.npz")


# --- folders and truth


def test_folders_give_all_recordings_sorted_and_each_once(tmp_path):
    for name in ("b/2.WAV", "b/1.flac", "a.csv", "c.txt", "d.json", "e.mp3", ".hidden.wav", ".cache/x.wav", "b/._2.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = find_recordings([tmp_path / "b/2.WAV", tmp_path])
    assert [p.relative_to(tmp_path).as_posix() for p in found] == ["b/2.WAV", "a.csv", "b/1.flac"]
    (tmp_path / "none").mkdir()
    with pytest.raises(RecordingError, match="none holds no recording"):
        find_recordings([tmp_path, tmp_path / "none"])
    with pytest.raises(RecordingError, match="does not exist"):
        find_recordings([tmp_path / "other.wav"])
    with pytest.raises(RecordingError, match="unknown kind"):
        find_recordings([tmp_path / "e.mp3"])


TRUTH = {"wav_file": "a.wav", "sample_rate": 16000, "length_sec": 10, "detection_windows": [[1, 1.6], [4.0, 4.7]]}


def test_truth_is_found_beside_its_recording_and_read(tmp_path):
    path = sound(tmp_path / "a.wav", noise())
    assert read(path).truth is None
    (tmp_path / "a.truth.json").write_text(json.dumps([TRUTH, TRUTH | {"labels": ["yes", "no"]}]))
    first, second = read_truth(read(path).truth)
    assert (first.recording, first.rate_hz, first.length_s, first.labels) == ("a.wav", 16000, 10, ())
    assert first.windows == ((1, 1.6), (4, 4.7)) and second.labels == ("yes", "no")


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"detection_windows": [[1, 2], [3, 3]]}, r"window 1 of a.wav, \[3, 3\], is not inside 0 to 10 s"),
        ({"detection_windows": [[1, 10.5]]}, "is not inside"),
        ({"detection_windows": [[-1, 2]]}, r"\[0\].detection_windows\[0\]\[0\]: "),
        ({"detection_windows": [[1]]}, "detection_windows"),
        ({"length_sec": "long"}, "length_sec"),
        ({"labels": ["yes"]}, "1 labels for 2 windows"),
    ],
)
def test_a_truth_that_cannot_be_is_refused(tmp_path, wrong, what):
    path = tmp_path / "a.truth.json"
    path.write_text(json.dumps([TRUTH | wrong]))
    with pytest.raises(RecordingError, match=what):
        read_truth(path)


def test_a_truth_that_is_no_json_or_not_there_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="cannot be read: no such file"):
        read_truth(tmp_path / "a.truth.json")
    (tmp_path / "a.truth.json").write_text("[{")
    with pytest.raises(RecordingError, match="JSON"):
        read_truth(tmp_path / "a.truth.json")


def test_reading_sound_does_not_import_scipy(tmp_path):
    import subprocess

    path = sound(tmp_path / "a.wav", noise())
    code = (
        "import sys; from tinystream.io.recording import read_recording\n"
        f"read_recording({str(path)!r}, rate_hz=None, channels=1); print('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_recordings_of_other_projects_are_read():
    fan = read(shared("data", "streams", "fan_stream.csv"), rate_hz=Fraction(1000), channels=3, channel="x_g,y_g,z_g", scale=4 / 32768)
    assert fan.samples.shape[1] == 3 and fan.samples[0].tolist() == [-172, 1588, 7888] and fan.saturated == 0
    spoken = find_recordings([shared("data", "audio", "micro_speech")])
    assert len(spoken) == 6 and all(read(path).rate_hz == HZ for path in spoken)
    (truth,) = read_truth(shared("data", "audio", "mlperf_sww", "sww_short_test.json"))
    assert truth.recording == "short_wav_easy10s.wav" and len(truth.windows) == 3
