"""Does the benchmark of the firmware say what is promised, and does it notice a promise that is not kept?"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bare import use_cache
from shared import shared

from tinystream.firmware.cross import cross_compiler

pytest.importorskip("unicorn")

ROOT = Path(__file__).parents[1]
FILE = ROOT / "benchmarks/mcu.py"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@pytest.fixture(scope="module")
def mcu():
    spec = importlib.util.spec_from_file_location("mcu", FILE)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "mcu", module)  # dataclasses look there
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def kept(mcu):
    """A row of KWS that keeps every promise to the last byte."""
    return mcu.Row(
        "kws", "cortex-m4", "gcc", "-O2", macs=2_656_768, instructions=9_000_000, code=41_300, constants=24_400, weights=24_400,
        arena=16_400, state=0, block=490, variables=24_000, stack=300,
    )  # fmt: skip


def test_an_emulator_that_is_slower_than_promised_is_told_once_it_has_run_for_long_enough(mcu):
    assert mcu.Speed(200_000_000, 2.0).misses() == []
    (words,) = mcu.Speed(200_000_000, 2.1).misses()
    assert words == "200 million instructions emulated and counted, 95 million a second, the bar is 100"
    assert mcu.Speed(1_000_000, 2.0).misses() == []


def test_a_promise_that_is_just_kept_is_not_missed(mcu, kept):
    assert list(mcu.misses(kept)) == []
    assert (kept.beyond_weights, kept.ram) == (41_300, 24_300)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(instructions=9_000_001), "9,000,001 instructions, the bar is 9,000,000"),
        (dict(arena=16_401), "16,401 bytes of arena, the bar is 16,400"),
        (dict(code=41_301), "41,301 bytes of flash beyond the weights, half of TFLM's is 41,300"),
        (dict(stack=301), "24,301 bytes of RAM, TFLM's is 24,300"),
    ],
)
def test_a_promise_that_is_not_kept_is_named(mcu, kept, change, words):
    row = replace(kept, **change)
    assert list(mcu.misses(row)) == [f"kws on cortex-m4 by gcc -O2: {words}"]
    assert list(mcu.misses(replace(row, core="cortex-m0"))) == [], "promises are for the Cortex-M4"


def test_it_measures_a_model_and_its_exit_code_says_whether_a_bar_is_missed():
    shared("data", "models", "tflm", "micro_speech_quantized.tflite")
    compiler = cross_compiler().name
    told = ["--model", "micro_speech", "--core", "cortex-m4", "--compiler", compiler]
    as_json, as_table = run(*told, "--json"), run(*told, "--by-function", "--listing", "micro_speech_push")
    (row,) = json.loads(as_json.stdout)
    assert (row["model"], row["core"], row["compiler"], row["macs"]) == ("micro_speech", "cortex-m4", compiler, 336_000)
    assert row["macs"] < row["instructions"] < 10 * row["macs"] and row["weights"] < row["constants"] < row["weights"] + 4000
    assert f"{row['instructions']:,}" in as_table.stdout and "fully_connected" in as_table.stdout and "push" in as_table.stdout
    assert as_json.returncode == as_table.returncode == int("missed: " in as_json.stderr), as_json.stderr


def test_a_model_that_is_not_here_is_left_out(tmp_path):
    done = run("--model", "kws", "--compiler", cross_compiler().name, TINYSTREAM_SHARED=str(tmp_path))
    assert done.returncode == 0 and "kws: left out" in done.stderr and not done.stdout


def run(*told: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, FILE, *told], capture_output=True, text=True, env=environment)
