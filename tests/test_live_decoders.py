"""Do samples come out of bytes as they were meant, however these are cut, and is what is no sample told and forgotten?"""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import numpy as np
import pytest

from tinystream.app.sources import Channel, Imu, Sensor
from tinystream.errors import RecordingError
from tinystream.io.feed import frame
from tinystream.io.live.decoder import Decoder, Lost, Raw
from tinystream.io.live.detected import Detected
from tinystream.io.live.frames import LONGEST, Frames
from tinystream.io.live.lines import LONGEST as LONGEST_LINE
from tinystream.io.live.lines import Lines
from tinystream.io.live.rate import RateMeter
from tinystream.io.live.sensiml import SensiML
from tinystream.io.recording import read_as
from tinystream.io.wanted import How, wanted_of

IMU = Imu(rate_hz=100, axes=("x", "y", "z"), range_g=4, block_ms=50)
WANTED = wanted_of(IMU.signal(), IMU.columns())
ONE = Sensor(rate_hz=10, channels=(Channel(name="temperature", unit="°C", full_scale=100),))
X = np.random.default_rng(3).integers(-32768, 32768, (40, 3)).astype(np.int16)
SCALE = 4 / 32768


def lines(**how) -> Lines:
    return Lines("port", WANTED, How(**how))


def rows(decoder: Decoder, *pieces: bytes) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """All rows, and (how many came before, how many are missing) of each loss."""
    parts, lost = [np.empty((0, 3), np.int16)], []
    for piece in pieces:
        for item in decoder.push(piece):
            if isinstance(item, Lost):
                lost.append((sum(map(len, parts)), item.samples))
            else:
                parts.append(item)
    return np.concatenate(parts), lost


def text_of(x: np.ndarray, mark: str = ",", end: str = "\n") -> bytes:
    return "".join(mark.join(repr(v) for v in row) + end for row in (x * SCALE).tolist()).encode()


def cut(raw: bytes, seed: int) -> list[bytes]:
    random, pieces, at = np.random.default_rng(seed), [], 0
    while at < len(raw):
        size = int(random.integers(1, 40))
        pieces.append(raw[at : at + size])
        at += size
    return pieces


# --- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", "\t", " ", ";", ", ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n", ",\n", "  \n"])
def test_values_are_taken_whatever_stands_between_them(mark, end):
    if end == ",\n" and "," not in mark:
        pytest.skip("no row has two marks")
    assert np.array_equal(rows(lines(), text_of(X, mark, end))[0], X)


def test_a_stream_gives_what_the_same_text_gives_as_a_recording(tmp_path):
    """Names, another order, another unit, a column too many, values beyond full scale: io/axes.py and io/counts.py decide for both."""
    g = np.random.default_rng(1).normal(0, 1, (200, 3))
    g[7, 1] = 4.01
    body = [f"{1000 * i // 100},{z * 9.80665:.5f},{x * 9.80665:.5f},20.5,{y * 9.80665:.5f}" for i, (x, y, z) in enumerate(g)]
    text = "timestamp,accZ [m/s2],accX [m/s2],temp,accY [m/s2]\n" + "\n".join(body) + "\n"
    (tmp_path / "same.csv").write_text(text)
    recording = read_as(tmp_path / "same.csv", WANTED)
    for seed in range(3):
        decoder = lines()
        y, lost = rows(decoder, *cut(text.encode(), seed))
        assert np.array_equal(y, recording.samples) and not lost
        assert decoder.limited == recording.saturated == 1


@pytest.mark.parametrize("how", [{"counts": True}, {"unit": "mg"}, {"channel": "2,0,1"}])
def test_options_mean_what_they_mean_for_a_recording(tmp_path, how):
    text = "".join(f"{a},{b},{c}\n" for a, b, c in (X // 32).tolist()) if "channel" not in how else text_of(X).decode()
    (tmp_path / "same.csv").write_text(text)
    assert np.array_equal(rows(lines(**how), text.encode())[0], read_as(tmp_path / "same.csv", WANTED, How(**how)).samples)


def test_a_line_that_is_no_sample_is_one_lost_sample_at_its_place():
    parts = text_of(X).splitlines(keepends=True)
    for bad in (b"1,2", b"1,2,3,4", b"1,x,3", b"1,,3", b"nan,1,2", b"1e999,1,2", b"9" * 4000 + b",1,2", b"1_0,1,2", b"\xff\x00", b"ERR"):
        decoder = lines()
        y, lost = rows(decoder, b"".join([*parts[:10], bad + b"\n", *parts[10:]]))
        assert np.array_equal(y, X) and lost == [(10, 1)] and decoder.garbage == 1, bad


def test_comments_and_empty_lines_are_no_samples_and_no_loss():
    assert rows(lines(), b"# hello\n\n" + text_of(X[:5]) + b"\r\n// there\n" + text_of(X[5:]))[1] == []


def test_words_before_the_first_sample_are_no_gap_and_are_told_once():
    decoder = lines()
    y, lost = rows(decoder, b"Starting inertial sensor ...\nI2C ok\n" + text_of(X))
    assert np.array_equal(y, X) and not lost and decoder.garbage == 2 and len(decoder.news) == 1


def test_a_header_that_comes_again_tells_that_the_device_has_started_again():
    y, lost = rows(lines(), b"x,y,z\n" + text_of(X[:7]) + b"x,y,z\n" + text_of(X[7:]))
    assert np.array_equal(y, X) and lost == [(7, 0)]


def test_a_port_that_is_joined_inside_a_line_loses_that_line_alone():
    raw = text_of(X)
    y, lost = rows(Lines("port", WANTED, How(), joined=True), raw[3:])
    assert np.array_equal(y, X[1:]) and not lost


def test_another_number_of_columns_is_refused_as_for_a_recording_but_not_for_one_line():
    decoder = lines()
    y, _ = rows(decoder, b"1,2\n1,2\n" + text_of(X))
    assert np.array_equal(y, X)
    with pytest.raises(RecordingError, match="port has 6 channels, the app reads 3") as e:
        rows(lines(), b"1,2,3,4,5,6\n" * 5)
    assert "--channel" in e.value.help


def test_a_header_of_other_channels_is_refused_with_its_first_row():
    decoder = lines()
    assert rows(decoder, b"accX,accY,gyrZ\n")[1] == []
    with pytest.raises(RecordingError, match="no column for 'z'"):
        rows(decoder, b"1,2,3\n")


def test_a_unit_that_cannot_become_the_apps_is_refused():
    with pytest.raises(RecordingError, match="temperature in '°C', the app reads g"):
        Lines("port", WANTED, How(unit="°C"))._fit(3)


@pytest.mark.parametrize(("name", "per_s"), [("timestamp", 1000), ("timestamp", 10**6), ("time", 1), ("time_us", 10**6), ("t [ms]", 1000)])
def test_time_stamps_tell_which_samples_are_missing(name, per_s):
    def stamped(first: int, x: np.ndarray) -> bytes:
        return b"".join(f"{(first + i) * per_s / 100:.10g},".encode() + text_of(row[np.newaxis]) for i, row in enumerate(x))

    y, lost = rows(lines(), f"{name},x,y,z\n".encode() + stamped(0, X[:20]) + stamped(27, X[20:]))
    assert np.array_equal(y, X) and lost == [(20, 7)]


def test_a_clock_that_is_set_is_a_gap_of_unknown_length():
    body = [f"{t},0,0,0\n" for t in (1000, 1010, 1020, 10, 20, 10**12, 10**12 + 10)]
    assert rows(lines(), ("timestamp,x,y,z\n" + "".join(body)).encode())[1] == [(3, 0), (5, 0)]


def test_stamps_in_whole_ticks_that_are_coarser_than_a_sample_are_no_gaps():
    fast = Imu(rate_hz=1600, axes=("x", "y", "z"), range_g=4, block_ms=50)
    decoder = Lines("port", wanted_of(fast.signal(), fast.columns()), How())
    text = "timestamp,x,y,z\n" + "".join(f"{int(i / 1.6)},0,0,0\n" for i in range(500))
    y, lost = rows(decoder, text.encode())
    assert len(y) == 500 and not lost


# --- frames, raw, SensiML -------------------------------------------------------------------------------------


def test_frames_give_their_samples_and_count_what_is_lost_or_broken():
    frames = [frame(n & 0xFFFF, X[i : i + 4].tobytes()) for n, i in zip(range(65533, 65543), range(0, 40, 4))]
    for seed in range(3):
        assert np.array_equal(rows(Frames(3), *cut(b"".join(frames), seed))[0], X)
    broken = bytearray(frames[4])
    broken[5] ^= 0x10
    decoder = Frames(3)
    y, lost = rows(decoder, b"".join([*frames[:2], *frames[3:4], bytes(broken), *frames[5:]]))
    assert lost == [(8, 4), (12, 4)] and decoder.garbage == 1
    assert np.array_equal(y, np.concatenate([X[:8], X[12:16], X[20:]]))


def test_frames_whose_numbers_go_back_are_a_device_that_has_started_again():
    raw = b"".join(frame(n, X[:4].tobytes()) for n in (700, 701, 0, 1))
    assert rows(Frames(3), raw)[1] == [(8, 0)]


def test_noise_before_the_first_frame_is_joined_in_the_middle_and_no_garbage():
    decoder = Frames(3)
    assert np.array_equal(rows(decoder, frame(4, X[:8].tobytes())[5:] + frame(5, X[8:].tobytes()))[0], X[8:])
    assert decoder.garbage == 0


def test_raw_samples_may_be_cut_anywhere_but_datagrams_may_not():
    for seed in range(3):
        assert np.array_equal(rows(Raw(3), *cut(X.tobytes(), seed))[0], X)
    decoder = Raw(3, datagrams=True)
    y, lost = rows(decoder, X[:4].tobytes(), X[4:8].tobytes()[:-1], X[8:].tobytes())
    assert np.array_equal(y, np.concatenate([X[:7], X[8:]])) and lost == [(7, 1)] and decoder.garbage == 1


def described(**more) -> bytes:
    columns = {"GyroscopeX": 3, "AccelerometerX": 0, "AccelerometerY": 1, "AccelerometerZ": 2}
    return (json.dumps({"sample_rate": 100, "samples_per_packet": 1, "column_location": columns} | more) + "\r\n").encode()


@pytest.mark.parametrize("seed", range(5))
def test_sensiml_is_answered_and_its_columns_are_taken_by_their_names(seed):
    decoder = SensiML("port", WANTED, How())
    wide = np.concatenate([X, X[:, :1]], axis=1)
    assert not len(rows(decoder, b"ample_rate\r\n", *cut(described(), seed))[0])
    assert decoder.answer == b"connect" and decoder.rate_hz == 100
    y, _ = rows(decoder, *cut(described() + described() + wide.tobytes(), seed))  # two more were on their way
    assert np.array_equal(y, X)


def test_sensiml_that_starts_again_after_a_pause_is_answered_again():
    decoder = SensiML("port", WANTED, How())
    wide = np.concatenate([X, X[:, :1]], axis=1).tobytes()
    rows(decoder, described())
    decoder.answer = b""
    rows(decoder, wide[:83])
    decoder.paused()
    y, _ = rows(decoder, described(), wide)
    assert decoder.answer == b"connect" and np.array_equal(y, X)


def test_sensiml_of_another_version_is_refused():
    with pytest.raises(RecordingError, match="version 2"):
        rows(SensiML("port", WANTED, How()), described(version=2))


def test_what_a_device_sends_first_tells_how_it_writes():
    wide = np.concatenate([X, X[:, :1]], axis=1)
    for raw, kind in [
        (b"x,y,z\n" + text_of(X), Lines),
        (b"boot: ok\n" + text_of(X), Lines),
        (b"\x07oise" + b"".join(frame(n, X[i : i + 4].tobytes()) for n, i in enumerate(range(0, 40, 4)))[2:], Frames),
        (described() + wide.tobytes(), SensiML),
    ]:
        for seed in range(3):
            decoder = Detected("port", WANTED, How())
            y, _ = rows(decoder, *cut(raw, seed))
            assert isinstance(decoder.found, kind)
            assert np.array_equal(y, X if kind != Frames else X[4:])


# --- hostile --------------------------------------------------------------------------------------------------

HOSTILE = {
    "noise": lambda r: r.bytes(4096),
    "no newline": lambda r: b"1" * 4096,
    "no zero": lambda r: bytes(r.integers(1, 256, 4096, np.uint8)),
    "newlines": lambda r: b"\n" * 4096,
    "zeros": lambda r: bytes(4096),
    "numbers": lambda r: b"9" * 4000 + b",1,2\n",
    "digits": lambda r: b"1.1.1.1" * 585 + b"\n",
    "braces": lambda r: b'{"column_location":' + b"[" * 4000 + b"\n",
    "huge json": lambda r: b'{"column_location":{"x":1e999,"y":0}}\n' * 100,
    "words": lambda r: b"a,b\n" * 1000,
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("make", [Lines, Frames, SensiML, Detected])
def test_hostile_bytes_keep_no_memory_and_end_nothing(kind, make):
    random = np.random.default_rng(11)
    decoder = make(3) if make is Frames else make("p", WANTED, How())
    rows(decoder, text_of(X[:3]))
    for _ in range(100):
        for _ in decoder.push(HOSTILE[kind](random)):
            pass
    inner = getattr(decoder, "found", None) or decoder
    kept = sum(sys.getsizeof(v) for v in vars(inner).values() if isinstance(v, bytes | bytearray | str | list))
    assert kept < (LONGEST + 8192 if isinstance(decoder, Frames | Detected) else 2 * LONGEST_LINE + 4096)
    assert len(decoder.news) <= 2


@pytest.mark.parametrize("seed", range(20))
def test_lines_with_random_bytes_changed_never_fail(seed):
    random = np.random.default_rng(seed)
    raw = bytearray(b"x,y,z\n" + text_of(X) * 5)
    for at in random.integers(6, len(raw), 60):
        raw[at] = random.integers(0, 256)
    y, lost = rows(lines(), *cut(bytes(raw), seed))
    assert len(y) + len(lost) <= 5 * len(X) + 60 and len(y) > 100


# --- rate -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [99.0, 100.0, 1600.0, 16123.4])
def test_a_rate_is_measured_through_late_reads(rate):
    """Reads come every 40 ms or so, some by 0.2 s too late; what waited before the line was opened comes at once."""
    random, meter, told = np.random.default_rng(2), RateMeter(), 0
    meter.seen(500, 0.0)
    for i in range(1, 300):
        now = 0.04 * i + (0.2 if random.random() < 0.05 else random.uniform(0, 0.02))
        count = int(rate * now)
        meter.seen(count - told, now)
        told = count
        if meter.seconds < 5:
            assert meter.rate_hz is None
    assert meter.rate_hz == pytest.approx(rate, rel=0.002)


def test_a_slow_sensor_is_measured_by_ten_samples_and_memory_does_not_grow():
    meter = RateMeter()
    for i in range(9):
        meter.seen(1, 60.0 * i)
    assert meter.rate_hz is None
    for i in range(9, 30):
        meter.seen(1, 60.0 * i)
    assert meter.rate_hz == pytest.approx(1 / 60)
    for i in range(100_000):
        meter.seen(1, 1800 + i / 1000)
    assert len(meter._seen) < 1000 and meter.rate_hz == pytest.approx(1000, rel=1e-3)


def test_a_drift_is_followed():
    meter, t = RateMeter(), 0.0
    for hz in (100, 103):
        for _ in range(hz * 80):
            t += 1 / hz
            meter.seen(1, t)
    assert meter.rate_hz == pytest.approx(103, rel=1e-3)
    assert Fraction(100) != meter.rate_hz
