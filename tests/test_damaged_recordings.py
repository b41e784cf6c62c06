"""Does damage of any kind give one error in our words, or a recording, and never anything else?  By chance, with fixed seeds."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable

import cbor2
import numpy as np
import pytest
from made_recordings import CAMERA, IMU, acquisition, counts, records, resting, write_sds
from PIL import Image
from scipy.io import savemat

from tinystream.errors import RecordingError
from tinystream.io.recording import read_as
from tinystream.io.truth import find_truth
from tinystream.io.wanted import How

TIMES = 300
INTERESTING = [
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"[",
    b"{",
    b'"',
    b",",
    b"\n",
    b"nan",
    b"null",
    b"\x80",
]


def mutated(data: bytes, by: random.Random) -> bytes:
    """One to four changes: a byte, a cut, a piece twice, a piece of another place, or something that parsers dislike."""
    out = bytearray(data)
    for _ in range(by.randint(1, 4)):
        at = by.randrange(len(out) + 1) if by.random() < 0.5 else by.randrange(min(len(out), 256) + 1)
        size = by.choice([1, 2, 4, 16, 100])
        match by.randrange(6):
            case 0 if at < len(out):
                out[at] = by.randrange(256)
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = out[at : at + size]
            case 3:
                other = by.randrange(len(out) + 1)
                out[at : at + size] = out[other : other + size]
            case 4:
                del out[at:]
            case _:
                out[at : at + by.choice([0, 1, 4])] = by.choice(INTERESTING)
    return bytes(out)


def table() -> bytes:
    rows = "".join(f"{i * 10},{x:.4f},{y:.4f},{z:.4f}\n" for i, (x, y, z) in enumerate(resting(60)))
    return ("timestamp,accX [g],accY [g],accZ [g]\n" + rows).encode()


def dates() -> bytes:
    rows = "".join(
        f'"{i}","2026-01-02 12:00:{i // 100:02}.{i % 100:02}0",{x:.4f},{y:.4f},{z:.4f}\n' for i, (x, y, z) in enumerate(resting(60))
    )
    return ('"date","x","y","z"\n' + rows).encode()


def matlab() -> bytes:
    savemat(file := io.BytesIO(), dict(samples=resting(60), fs=100.0))
    return file.getvalue()


def packed() -> bytes:
    savemat(file := io.BytesIO(), dict(samples=resting(60), fs=100.0), do_compression=True)
    return file.getvalue()


def parquet() -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(pyarrow.table(dict(zip("xyz", resting(60).T))), file := io.BytesIO())
    return file.getvalue()


def array() -> bytes:
    np.savez(file := io.BytesIO(), samples=resting(60), rate_hz=100)
    return file.getvalue()


def image(kind: str) -> bytes:
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(file := io.BytesIO(), kind)
    return file.getvalue()


KINDS: dict[str, Callable[[], bytes]] = {
    "a.json": lambda: json.dumps(acquisition(resting(60).tolist())).encode(),
    "a.cbor": lambda: cbor2.dumps(acquisition(resting(60).tolist())),
    "a.csv": table,
    "b.csv": dates,
    "a.mat": matlab,
    "b.mat": packed,
    "a.parquet": parquet,
    "a.npz": array,
    "a.png": lambda: image("PNG"),
    "a.bmp": lambda: image("BMP"),
    "a.pgm": lambda: image("PPM"),
    "a.jpg": lambda: image("JPEG"),
}


def read_or_refused(path, how: How) -> str:
    wanted = CAMERA if path.suffix in (".png", ".bmp", ".pgm", ".jpg") else IMU
    try:
        got = read_as(path, wanted, how)
    except RecordingError as e:
        assert e.help and len(str(e)) < 2000, "an error that a person can read, with a way out"
        return "refused"
    assert got.samples.dtype == wanted.dtype and len(got.samples) and got.rate_hz > 0
    return "read"


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_recording_is_read_or_refused(tmp_path, name):
    whole, by, outcomes = KINDS[name](), random.Random(name), []
    (tmp_path / name).write_bytes(whole)
    assert read_or_refused(tmp_path / name, How()) == "read"
    for _ in range(TIMES):
        (tmp_path / name).write_bytes(mutated(whole, by) or b"x")
        outcomes.append(read_or_refused(tmp_path / name, How(gaps=by.choice(["refuse", "hold", "linear", "keep"]))))
    print({what: outcomes.count(what) for what in set(outcomes)})
    assert outcomes.count("refused") > TIMES / 10, "the damage did not reach what is read"


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("part", ["a.0.sds", "a.sds.yml"])
def test_damaged_sds_is_read_or_refused(tmp_path, part):
    path, by = write_sds(tmp_path / "a.0.sds", records(np.array(counts(resting(60)), np.int16), 10)), random.Random(part)
    whole = (tmp_path / part).read_bytes()
    for _ in range(TIMES):
        (tmp_path / part).write_bytes(mutated(whole, by) or b"x")
        read_or_refused(path, How(gaps=by.choice(["refuse", "hold", "linear", "keep"])))


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        (
            "a.truth.json",
            b'[{"wav_file": "a.wav", "sample_rate": 16000, "length_sec": 9, "detection_windows": [[1, 2]], "labels": ["yes"]}]',
        ),
        ("a.truth.csv", b"start_s,end_s,label\n1,2,yes\n3.5,4,no\n"),
        ("a.txt", b"1.0\t2.0\tyes\n3.5\t4\tno\n\\\t100\t200\n"),
    ],
)
def test_damaged_labels_are_read_or_refused(tmp_path, name, whole):
    by = random.Random(name)
    for _ in range(TIMES):
        (tmp_path / name).write_bytes(mutated(whole, by))
        try:
            find_truth(tmp_path / "a.wav", tmp_path / name)
        except RecordingError as e:
            assert e.help
