"""Are recordings of other programs replayed from the command line, as the docs say, without a line of code?"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from command import ROOT, tinystream
from made_recordings import G, acquisition, counts, records, resting, signed, write_json, write_sds
from PIL import Image
from scipy.io import savemat

APP = """
name = "shake"
board = "nrf52840_dk"

[source]
kind = "imu"
rate_hz = 100
axes = ["x", "y", "z"]
range_g = 4
block_ms = 100

[[stage]]
kind = "biquad"
type = "highpass"
cutoff_hz = 1
order = 2
"""
DOCS = (ROOT / "docs/recordings.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    """A folder with an app and a recording of each kind, as the page assumes them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE_KEY", "secret")
    Path("shake").mkdir()
    Path("shake/app.toml").write_text(APP)
    x = resting(300)
    write_json(Path("idle.json"), acquisition((x * G).round(4).tolist(), units="m/s2"))
    Path("signed.json").write_bytes(signed(json.dumps(acquisition(x.tolist(), alg="HS256")).encode(), "secret"))
    write_sds(Path("arm.idle.sds"), records(np.array(counts(x), np.int16), 20))
    stamps = np.sort(np.arange(300) * 10 + np.random.default_rng(1).normal(0, 1.5, 300))
    rows = [f"{t:.2f},{a:.4f},{b:.4f},{c:.4f}\n" for t, (a, b, c) in zip(stamps, x * G)]
    Path("logger.csv").write_text("timestamp,accX [m/s2],accY [m/s2],accZ [m/s2]\n" + "".join(rows))
    Path("unsaid.csv").write_text("timestamp,accX,accY,accZ\n" + "".join(rows))
    Path("gaps.csv").write_text("timestamp,accX [m/s2],accY [m/s2],accZ [m/s2]\n" + "".join(rows[:100] + rows[130:]))
    savemat("pump.mat", dict(samples=x, fs=100.0))
    Path("frames").mkdir()
    for i in range(3):
        Image.fromarray(np.full((96, 96), i, np.uint8)).save(f"frames/{i}.png")
    return tmp_path


def commands() -> list[list[str]]:
    """Of the page's blocks of shell."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", DOCS, re.S)).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("tinystream ")]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_of_the_page_runs(command):
    done = tinystream(*command[1:], *(["--engine", "python"] if command[1] == "replay" else []))
    print(done.err)
    assert done.code == 0, done.err


@pytest.mark.parametrize("block", re.findall(r"```text\n\$ tinystream (.*?)\n(.*?)```", DOCS, re.S), ids=lambda block: block[0])
def test_what_the_page_shows_is_what_is_told(block):
    done = tinystream(*shlex.split(block[0]), "--engine", "python")
    shown = [line for line in block[1].splitlines() if line.strip()]
    assert shown and shown == [line for line in done.err.splitlines() if line.startswith(("note", "error", "   ="))]


def test_a_note_that_many_recordings_share_is_told_twice_at_most():
    for i in range(5):
        Path(f"more{i}.csv").write_text("x,y,z\n" + "".join(f"{a},{b},{c}\n" for a, b, c in resting(100)))
    done = tinystream("replay", "shake", *(f"more{i}.csv" for i in range(5)), "--engine", "python")
    told = [line for line in done.err.splitlines() if "does not say its rate" in line]
    assert told == [
        "note: more0.csv: it does not say its rate: taken as 100 Hz",
        "note: 4 more recordings: it does not say its rate: taken as 100 Hz",
    ]


def test_the_same_samples_give_the_same_trace_in_every_format(tmp_path):
    """By way of JSON, SDS and MATLAB: what comes out does not depend on where it came from."""
    from tinystream.run.trace import Trace

    digests = set()
    for name in ("signed.json", "arm.idle.sds", "pump.mat"):
        assert tinystream("replay", "shake", name, "--engine", "python", "--trace", "t.npz").code == 0
        digests.add(str(sorted(Trace.load(Path("t.npz")).digests.items())))
    assert len(digests) == 1
