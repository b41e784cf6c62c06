"""Is an app the same however it is spelled, and is it planned as it is written?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from own_stages.halve import Halve
from pydantic import ValidationError
from streaming_model import Graph, streaming_model
from tiny_model import tiny_model

from tinystream import App, Budget, Channel, Duty, File, Imu, Microphone, Model, Mqtt, Stdout
from tinystream.app.budget import kb, needs_recordings, over_battery, over_budget
from tinystream.app.digest import digest
from tinystream.app.planning import plan_file
from tinystream.app.read import load, located
from tinystream.app.schema import schema
from tinystream.app.secrets import resolve_secrets
from tinystream.detectors import MicroWakeWord, Smoothed
from tinystream.emit.compiler import compilers
from tinystream.errors import AppError, AppErrors
from tinystream.plan.fixed import KERNELS_VERSION
from tinystream.plan.stage import Definition
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.stages import Biquad, Concat, Frame, Gate, Mel, Quantize, Spectrum, Stack

REPOSITORY = Path(__file__).parents[1]

WAKE_WORD_TOML = """\
# Alert when someone says "yes" or "no".
name  = "wake_word"
board = "nrf52840_dk"

[source]
kind     = "microphone"
rate_hz  = 16_000
block_ms = 20                 # the heartbeat: one block in, one hop of the frame

[[stage]]
kind      = "frame"
length_ms = 30
window    = "hann"

[[stage]]
kind = "spectrum"             # power of each FFT bin

[[stage]]
kind    = "mel"
bands   = 40
low_hz  = 125
high_hz = 7_500

[[stage]]
kind   = "stack"
frames = 49                   # 1 s of context
every  = 2                    # a score every 40 ms

[model]
file   = "model.tflite"
labels = ["silence", "unknown", "yes", "no"]

[detect]
kind      = "smoothed"
labels    = ["yes", "no"]
mean_of   = 4                 # scores
threshold = 0.80
quiet_s   = 1.5               # after an alert

[[sink]]
kind  = "mqtt"
topic = "home/kitchen/{label}"

[budget]                      # `tinystream show` fails when one is exceeded
ram_kb       = 32
flash_kb     = 128
battery_days = 30
battery      = "2xAA"
"""

WAKE_WORD = App(
    name="wake_word",
    board="nrf52840_dk",
    source=Microphone(rate_hz=16_000, block_ms=20),
    stages=[Frame(length_ms=30, window="hann"), Spectrum(), Mel(bands=40, low_hz=125, high_hz=7_500), Stack(frames=49, every=2)],
    model=Model("model.tflite", labels=["silence", "unknown", "yes", "no"]),
    detect=Smoothed(labels=["yes", "no"], mean_of=4, threshold=0.80, quiet_s=1.5),
    sinks=[Mqtt("home/kitchen/{label}")],
    budget=Budget(ram_kb=32, flash_kb=128, battery_days=30, battery="2xAA"),
)

PUMP_TOML = """\
name = "pump"
description = "Watch a pump."
source = {kind = "imu", rate_hz = 1_600, axes = ["x", "y", "z"], range_g = 4, block_ms = 320}
duty = {on_s = 1.6, every_s = 64}

[[stage]]
kind = "biquad"
type = "highpass"
cutoff_hz = 10
order = 2

[[stage]]
name = "loud"
kind = "gate"
open_db = -30
from = "biquad"

[[stage]]
kind = "concat"
from = ["loud", "loud"]

[[stage]]
kind = "own_stages.halve"
times = 2
edges_hz = [1, 2.5]
mix = [1, 2]

[[sink]]
kind = "stdout"

[[sink]]
kind = "file"
path = "alerts.jsonl"
"""

PUMP = App(
    name="pump",
    description="Watch a pump.",
    source=Imu(rate_hz=1_600, axes=["x", "y", "z"], range_g=4, block_ms=320),
    duty=Duty(on_s=1.6, every_s=64),
    stages=(
        Biquad(type="highpass", cutoff_hz=10, order=2),
        Gate(name="loud", open_db=-30, from_="biquad"),
        Concat(from_=["loud", "loud"]),
        Halve(times=2, edges_hz=[1, 2.5], mix=(1, 2)),
    ),
    sinks=[Stdout(), File("alerts.jsonl")],
)

CLAP_TOML = """\
# Hear a clap.
name = "clap"

[source]
kind = "microphone"
rate_hz = 8_000
block_ms = 0.625

[[stage]]
kind = "stack"
frames = 4

[model]
file = "model.tflite"
labels = ["other", "clap"]

[detect]
kind = "smoothed"
labels = ["clap"]
threshold = 0.5
"""

CLAP = App(
    name="clap",
    source=Microphone(rate_hz=8_000, block_ms=0.625),
    stages=[Stack(frames=4)],
    model=Model("model.tflite", labels=["other", "clap"]),
    detect=Smoothed(labels=["clap"], threshold=0.5),
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.tflite").write_bytes(tiny_model(4, 5, 2, scale=2.0**-7, zero=-3))
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "app.toml").write_text(text)
    return folder / "app.toml"


# --- two spellings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "app"), [(WAKE_WORD_TOML, WAKE_WORD), (PUMP_TOML, PUMP), (CLAP_TOML, CLAP)], ids=["wake_word", "pump", "clap"]
)
def test_both_spellings_are_one_app(text, app, tmp_path):
    loaded = load(write(tmp_path, text))
    assert loaded == app
    assert loaded != app.model_copy(update={"stages": app.stages[:-1]})
    assert all(type(a) is type(b) for a, b in zip(loaded.stages, app.stages, strict=True))


def test_lists_and_whole_numbers_may_stand_for_tuples_and_floats():
    assert Microphone(rate_hz=16_000, block_ms=20) == Microphone(rate_hz=16_000, block_ms=20.0)
    assert Model("m", labels=["a"]) == Model(file="m", labels=("a",))
    assert isinstance(Imu(rate_hz=100, axes=["x"], range_g=2, block_ms=10).axes, tuple)
    with pytest.raises(ValidationError):
        Microphone(rate_hz="16000", block_ms=20)


def python_of(value) -> str:
    """An object of an app as a person would write it in Python."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(python_of, value))}]"
    if isinstance(value, Definition):
        return f"{type(value).__name__}({', '.join(f'{n}={python_of(getattr(value, n))}' for n in sorted(value.model_fields_set))})"
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("apps/*/app.toml")), ids=lambda p: p.parent.name)
def test_every_app_here_is_the_same_in_python_and_fits_the_schema(path):
    app = load(path)
    assert app.name == path.parent.name
    names = {type(entry).__name__: type(entry) for entry in (app.source, *app.stages, app.detect, *app.sinks)}
    assert eval(python_of(app), {**names, "App": App, "Model": Model, "Budget": Budget, "Channel": Channel}) == app
    jsonschema.validate(tomllib.loads(path.read_text()), schema())


def test_an_app_keeps_no_foreign_thing_in_its_lists():
    with pytest.raises(ValidationError):
        App(name="a", source=Microphone(rate_hz=8000, block_ms=10), stages=[{"kind": "frame"}])


# --- sources --------------------------------------------------------------------------------------------------


def test_a_microphone_gives_full_scale_of_one_and_an_exact_rate():
    x = Microphone(rate_hz=16_000, block_ms=0.0625 * 3).signal()
    assert (x.shape, x.dtype, x.rate_hz, x.scale, x.unit) == ((3,), "int16", Fraction(16_000, 3), 2.0**-15, "FS")
    assert x.sample_hz == 16_000


def test_an_imu_gives_a_column_an_axis():
    x = Imu(rate_hz=12.5, axes=["z", "x"], range_g=4, block_ms=160).signal()
    assert (x.shape, x.rate_hz, x.scale, x.unit, x.sample_hz) == ((2, 2), Fraction(25, 4), 4 / 32768, "g", Fraction(25, 2))
    with pytest.raises(ValidationError, match="axes names one axis twice"):
        Imu(rate_hz=12.5, axes=["x", "x"], range_g=4, block_ms=160)


@pytest.mark.parametrize(
    ("rate_hz", "block_ms", "works"),
    [(16_000, 20.03, "20"), (44_100, 20, None), (44_100, 23, "20"), (8_000, 0.01, "0.125"), (11_025, 20, "40")],
)
def test_a_block_is_a_whole_number_of_samples_and_the_help_works(rate_hz, block_ms, works):
    if works is None:
        assert Microphone(rate_hz=rate_hz, block_ms=block_ms).signal().size == 882
        return
    with pytest.raises(AppError) as caught:
        Microphone(rate_hz=rate_hz, block_ms=block_ms).signal()
    assert caught.value.path == ("block_ms",) and caught.value.help == f"block_ms = {works}"
    assert Microphone(rate_hz=rate_hz, block_ms=float(works)).signal().size > 0


# --- planning -------------------------------------------------------------------------------------------------


def test_a_stage_reads_the_one_above_or_those_it_names():
    plan = PUMP.plan()
    assert [(s.name, s.sources) for s in plan.steps] == [("biquad", (-1,)), ("loud", (0,)), ("concat", (1, 1)), ("halve", (2,))]
    assert (plan.says, plan.features, plan.scores, plan.detector, plan.labels) == ("Watch a pump.", 3, None, None, ())


def test_the_source_can_be_named():
    source = Microphone(rate_hz=8000, block_ms=10, name="ear")
    plan = App(
        name="a",
        source=source,
        stages=[Halve(name="one"), Halve(from_="source", name="two"), Halve(from_="ear"), Concat(from_=["one", "two"])],
    ).plan()
    assert [s.sources for s in plan.steps] == [(-1,), (-1,), (-1,), (0, 1)]


def test_a_model_reads_the_last_stage_and_the_detector_reads_the_model(folder):
    plan = plan_file(write(folder, CLAP_TOML))
    assert [s.name for s in plan.steps] == ["quantize", "stack", "conv_2d", "detect"]
    assert (plan.features, plan.scores, plan.detector, plan.labels) == (0, 2, 3, ("other", "clap"))
    assert plan.says == "Hear a clap."
    assert (plan.steps[0].y.scale, plan.steps[0].y.zero) == (2.0**-7, -3)
    assert plan.digest == digest(CLAP, folder)
    assert plan.steps[3].tables["label"].tolist() == [1]


def test_narrowing_before_the_stack_gives_the_same_bits_as_behind_it(folder):
    before = CLAP.plan(folder)
    behind = CLAP.model_copy(update={"stages": (Stack(frames=4), Quantize())}).plan(folder)
    assert [s.name for s in behind.steps][:2] == ["stack", "quantize"]
    assert before.ram_bytes < behind.ram_bytes
    x = np.random.default_rng(0).integers(-16384, 32768, (50, 5), np.int16)
    one, other = Engine(before).push(x), Engine(behind).push(x)
    np.testing.assert_array_equal(one[1].y, other[1].y)
    np.testing.assert_array_equal(one[3].y, other[3].y)
    assert len(one[3].y)


def test_a_quantize_that_a_person_wrote_is_the_only_one_and_may_say_its_own_scale(folder):
    stages = (Quantize(), Stack(frames=4))
    plan = CLAP.model_copy(update={"stages": stages}).plan(folder)
    assert [s.name for s in plan.steps][:2] == ["quantize", "stack"]
    with pytest.raises(AppErrors, match="scale"):
        CLAP.model_copy(update={"stages": (Quantize(scale=0.5, zero=0), Stack(frames=4))}).plan(folder)


def test_sizes_that_do_not_fit_are_told_with_the_frames_that_would(folder):
    with pytest.raises(AppErrors) as caught:
        CLAP.model_copy(update={"stages": (Stack(frames=5, every=2),)}).plan(folder)
    assert str(caught.value) == ("error: model wants 4x5 int8, stack gives 5x5\n --> app 'clap', model, file\n  = help: stack.frames = 4")


def test_the_same_number_of_values_in_another_order_is_no_fit(folder):
    wide = CLAP.model_copy(update={"source": Microphone(rate_hz=8000, block_ms=0.5), "stages": (Stack(frames=5),)})
    with pytest.raises(AppErrors, match="model wants 4x5 int8, stack gives 5x4"):
        wide.plan(folder)
    flat = CLAP.model_copy(update={"source": Microphone(rate_hz=8000, block_ms=2.5), "stages": ()})
    assert [s.name for s in flat.plan(folder).steps] == ["quantize", "conv_2d", "detect"]


@pytest.mark.parametrize("name", ["frame_past", "frame_state", "a_push", "a_reset", "int16_t", "arena", "source"])
def test_a_name_that_the_generated_c_makes_is_refused(name):
    stages = [Frame(length_ms=30), Halve(name=name, from_="source"), Halve(from_="source", name="frame_pasta")]
    with pytest.raises(AppErrors) as caught:
        App(name="a", source=Microphone(rate_hz=16_000, block_ms=20), stages=stages).plan()
    assert [e.path for e in caught.value.errors] == [("stage", 1, "name")]


def test_a_broken_stack_keeps_nothing_else_from_being_judged(folder):
    with pytest.raises(AppErrors) as caught:
        plan_file(write(folder, CLAP_TOML.replace("frames = 4", "frames = 0").replace("threshold = 0.5", "threshold = 0.5\nquiet = 1")))
    assert [e.path for e in caught.value.errors] == [("stage", 0, "frames"), ("detect", "quiet")]


def two_views(folder, model: str = "") -> Path:
    """An app whose model adds two views of one microphone, and gives the sum and its negative part."""
    g = Graph()
    g.inputs = [g.flow("a", 1, 4), g.flow("b", 1, 4, scale=0.02, zero=5)]
    g.operator("ADD", ["a", "b"], g.flow("sum", 1, 4, scale=0.1), 11)
    g.operator("RELU", ["sum"], g.flow("relu", 1, 4, scale=0.05))
    g.outputs = ["sum", "relu"]
    (folder / "model.tflite").write_bytes(streaming_model(g))
    return write(folder, TWO_VIEWS_TOML.replace("# model", model))


TWO_VIEWS_TOML = """\
name = "two"
source = {kind = "microphone", rate_hz = 8_000, block_ms = 0.5}

[[stage]]
kind = "preemphasis"

[[stage]]
name = "calm"
kind = "gate"
open_db = -90
from = "source"

[model]
file = "model.tflite"
# model

[detect]
kind = "smoothed"
threshold = 0.5
"""


def test_a_model_reads_a_stage_for_each_of_its_inputs_and_the_detector_one_output(folder):
    plan = plan_file(two_views(folder, 'from = ["preemphasis", "calm"]\noutput = 1'))
    kinds = [step.kind for step in plan.steps]
    assert kinds == ["preemphasis", "gate", "quantize", "quantize", "add", "relu", "smoothed"]
    assert [plan.steps[i].y.scale for i in plan.steps[4].sources] == pytest.approx([0.05, 0.02])
    assert [plan.steps[i].sources for i in (2, 3)] == [(0,), (1,)]
    assert plan.scores == 5
    assert plan_file(two_views(folder, 'from = ["preemphasis", "calm"]')).scores == 4


@pytest.mark.parametrize(
    ("model", "says", "help"),
    [
        ("", "model.tflite has 2 inputs, and reads 1", "from = [2 names of stages]"),
        ('from = "calm"', "model.tflite has 2 inputs, and reads 1", "from = [2 names of stages]"),
        ('from = ["calm", "clam"]', "'clam' names no stage above", "did you mean 'calm'?"),
        ('from = ["calm", "source"]\noutput = 2', "model.tflite has no output 2", "its outputs are 0 to 1"),
    ],
)
def test_a_model_that_is_not_given_what_it_reads_is_told(folder, model, says, help):
    with pytest.raises(AppErrors) as caught:
        plan_file(two_views(folder, model))
    (error,) = caught.value.errors
    assert (error.what, error.help) == (says, help)


def test_what_the_model_reads_is_part_of_the_hash(folder):
    said = [plan_file(two_views(folder, f'from = ["{a}", "{b}"]\noutput = {n}')).digest
            for a, b, n in [("calm", "calm", 0), ("calm", "preemphasis", 0), ("calm", "calm", 1)]]
    assert len(set(said)) == 3


def test_a_detector_without_a_model_reads_the_last_stage():
    source = Microphone(rate_hz=8000, block_ms=0.25)
    plan = App(name="a", source=source, detect=Smoothed(threshold=0.5)).plan()
    assert (plan.features, plan.scores, plan.detector, plan.labels) == (-1, -1, 0, ("0", "1"))
    plan = App(name="a", source=source, detect=Smoothed(threshold=0.5, classes=("off", "on"))).plan()
    assert plan.labels == ("off", "on")


def test_a_label_that_the_model_lacks_is_shown_where_it_stands(folder):
    with pytest.raises(AppErrors) as caught:
        plan_file(write(folder, CLAP_TOML.replace('labels = ["clap"]', 'labels = ["other", "clop"]')))
    assert (
        str(caught.value).replace(str(folder), "")
        == """\
error: model has no label 'clop'
  --> /app.toml:19:20
   |
19 | labels = ["other", "clop"]
   |                    ^^^^^^
   = help: did you mean 'clap'?"""
    )
    with pytest.raises(AppErrors, match="model has no label 'clop'"):
        plan_file(write(folder, CLAP_TOML.replace('labels = ["clap"]\nthreshold = 0.5', "threshold = {clop = 0.5}")))


def test_a_mistake_of_the_detector_is_shown_where_it_stands(folder):
    with pytest.raises(AppErrors) as caught:
        plan_file(write(folder, CLAP_TOML.replace("threshold = 0.5", "threshold = 80")))
    assert (
        str(caught.value).replace(str(folder), "")
        == """\
error: threshold = 80 is not a probability
  --> /app.toml:20:13
   |
20 | threshold = 80
   |             ^^
   = help: threshold = 0.80"""
    )


def test_mistakes_of_an_app_in_python_are_told_all_at_once_by_their_keys():
    app = App(
        name="a",
        source=Microphone(rate_hz=16_000, block_ms=20),
        stages=[Frame(length_ms=10), Spectrum(), Frame(length_ms=30, hop_ms=30, from_="source", name="late"), Halve(from_="spectrom")],
    )
    with pytest.raises(AppErrors) as caught:
        app.plan()
    assert (
        str(caught.value)
        == """\
error: length_ms = 10 is shorter than the block, 20 ms
 --> app 'a', stage 1 'frame', length_ms
  = help: length_ms >= 20

error: hop_ms = 30 is not a multiple of the block, 20 ms
 --> app 'a', stage 3 'late', hop_ms
  = help: source.block_ms = 30

error: 'spectrom' names no stage above
 --> app 'a', stage 4 'halve', from
  = help: did you mean 'spectrum'?"""
    )


@pytest.mark.skipif(not compilers(), reason="no C compiler")
def test_a_stage_of_ones_own_runs_alike_on_both_engines(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plan = App(
        name="own", source=Microphone(rate_hz=8000, block_ms=1), stages=[Halve(times=3), Halve(from_="source"), Stack(frames=2)]
    ).plan()
    x = np.random.default_rng(1).integers(-32768, 32768, (40, 8), np.int16)
    host, native = Engine(plan).push(x), Native(plan).push(x)
    for i in range(len(plan.steps)):
        np.testing.assert_array_equal(host[i].y, native[i].y)


# --- digest ---------------------------------------------------------------------------------------------------


def test_the_digest_is_the_one_it_was(folder):
    # a change here means that devices in the field report another definition: raise KERNELS_VERSION or say why
    assert KERNELS_VERSION != 1 or digest(App(name="a", source=Microphone(rate_hz=8000, block_ms=1)), folder) == DIGEST_OF_A


DIGEST_OF_A = "5a921ce346614320b3b85a4446d99a27e0617b6ee471482ea6ef0884ae8d9de0"


def test_everything_that_can_change_an_event_changes_the_digest_and_nothing_else_does(folder):
    first = digest(CLAP, folder)
    same = [
        {"description": "other"},
        {"board": "other"},
        {"sinks": (Stdout(),)},
        {"budget": Budget(ram_kb=1)},
        {"source": Microphone(rate_hz=8_000, block_ms=0.625)},
    ]
    other = [
        {"name": "clop"},
        {"source": Microphone(rate_hz=8_000, block_ms=1.25)},
        {"stages": (Stack(frames=5),)},
        {"stages": ()},
        {"detect": Smoothed(labels=["clap"], threshold=0.25)},
        {"detect": MicroWakeWord(probability_cutoff=0.5, sliding_window_size=1)},
        {"model": Model("model.tflite", labels=["clap", "other"])},
        {"stages": (Halve(), Stack(frames=4))},
    ]
    assert {digest(CLAP.model_copy(update=change), folder) for change in same} == {first}
    digests = [digest(CLAP.model_copy(update=change), folder) for change in other]
    assert len({first, *digests}) == 1 + len(other)
    (folder / "copy.tflite").write_bytes((folder / "model.tflite").read_bytes())
    assert digest(CLAP.model_copy(update={"model": Model("copy.tflite", labels=["other", "clap"])}), folder) == first
    (folder / "model.tflite").write_bytes(tiny_model(4, 5, 2, scale=2.0**-6, zero=-3))
    assert digest(CLAP, folder) != first


def test_the_code_of_a_stage_of_ones_own_is_in_the_digest(tmp_path):
    (tmp_path / "pack").mkdir()
    text = (REPOSITORY / "tests/own_stages/halve.py").read_text()
    program = """
from pathlib import Path
from pack.halve import Halve
from tinystream import App, Microphone
from tinystream.app.digest import digest
print(digest(App(name="a", source=Microphone(rate_hz=8000, block_ms=1), stages=[Halve()]), Path()))
"""
    said = []
    for version in (text, text + "# another\n", text):
        (tmp_path / "pack/halve.py").write_text(version)
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}", "PYTHONDONTWRITEBYTECODE": "1"}
        said.append(subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True).stdout)
    assert said[0] == said[2] != said[1]


def test_the_kernels_version_is_that_of_the_c():
    from tinystream.emit.templates import kernels_version

    assert kernels_version() == KERNELS_VERSION


# --- budget ---------------------------------------------------------------------------------------------------


def test_a_broken_budget_names_what_takes_most(folder):
    plan = CLAP.plan(folder)
    assert over_budget(plan, None) == over_budget(plan, Budget()) == over_budget(plan, Budget(ram_kb=plan.ram_bytes / 1000)) == []
    file = write(folder, CLAP_TOML + "\n[budget]\nram_kb = 0.001\nflash_kb = 0.002\nbattery_days = 3\n")
    said = str(located(file, over_budget(plan, load(file).budget))).replace(str(folder), "")
    assert f"error: needs {plan.ram_bytes} B RAM, budget 1 B\n  --> /app.toml:23:10\n" in said
    assert f"error: needs {plan.table_bytes} B of flash for tables alone, without code, budget 2 B\n  --> /app.toml:24:12\n" in said
    assert "= help: the largest table is" in said and "the state is 74 B, most of it detect (42 B)" in said
    assert needs_recordings(load(file).budget) == ["battery_days"] and needs_recordings(Budget(ram_kb=1)) == []


def test_a_battery_must_last_at_the_low_end_of_its_estimate():
    budget = Budget(battery_days=30)
    assert over_battery(None, 1, 2) == over_battery(Budget(), 1, 2) == over_battery(budget, 30, 50) == []
    (error,) = over_battery(budget, 29.9, 50)
    assert error.path == ("budget", "battery_days")
    assert error.what == "the battery lasts 29.9 days at the worst and 50 most likely, budget 30 days"


def test_figures_never_look_smaller_than_they_are():
    assert [kb(n) for n in (999, 1000, 32_000, 32_001, 41_234)] == ["999 B", "1 kB", "32 kB", "32.1 kB", "41.3 kB"]


# --- secrets --------------------------------------------------------------------------------------------------


def test_a_secret_is_only_known_where_it_is_used(tmp_path):
    app = load(
        write(tmp_path, PUMP_TOML + '[[sink]]\nkind = "mqtt"\ntopic = "${SITE}/{label}"\nusername = "me"\npassword = "${MQTT_PASSWORD}"\n')
    )
    sink = app.sinks[2]
    ready = resolve_secrets(sink, {"SITE": "plant", "MQTT_PASSWORD": "hunter2"})
    assert ready.topic == "plant/{label}" and ready.password == "hunter2"
    assert "hunter2" not in repr(app) + repr(ready) + str(sink)
    assert sink.topic == "${SITE}/{label}"
    with pytest.raises(AppError, match="environment variable MQTT_PASSWORD is not set, which password of sink 'mqtt' needs"):
        resolve_secrets(sink, {"SITE": "plant"})


@pytest.mark.parametrize("password", ["hunter2", "${hunter2", "${}", "x${MQTT_PASSWORD}", "${A}${B}", "${hunter 2}", ""])
def test_a_secret_written_out_is_refused_in_python_too(password):
    with pytest.raises(AppError, match="password is a secret") as caught:
        App(name="a", source=Microphone(rate_hz=8000, block_ms=1), sinks=[Mqtt("t", username="me", password=password)])
    assert "hunter" not in str(caught.value)


# --- schema ---------------------------------------------------------------------------------------------------


def test_the_schema_lets_the_apps_through():
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    json.dumps(made)
    for text in (WAKE_WORD_TOML, PUMP_TOML, CLAP_TOML):
        jsonschema.validate(tomllib.loads(text), made)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "clap"', ""),
        ('name = "clap"', 'name = "Clap"'),
        ("frames = 4", "frame = 4"),
        ("frames = 4", "frames = 0"),
        ("frames = 4", 'frames = "4"'),
        ('"stack"', '"stuck"'),
        ('"microphone"', '"frame"'),
        ("rate_hz = 8_000", "rate_hz = 8.5"),
        ("threshold = 0.5", ""),
        ("[[stage]]", "[stage]"),
        ('labels = ["clap"]', "labels = [1]"),
        ('file = "model.tflite"', ""),
    ],
)
def test_the_schema_refuses_what_reading_refuses(old, new, tmp_path):
    text = CLAP_TOML.replace(old, new, 1)
    assert text != CLAP_TOML
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema())
    with pytest.raises(AppErrors):
        load(write(tmp_path, text))
