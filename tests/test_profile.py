"""Does a profile add up?  Against the emulator's own counts, the engine's firings, and steps that run alone."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from command import APP, KITCHEN, ROOT, samples, tinystream, write_sound

from tinystream.app.planning import plan_file
from tinystream.firmware import profile as module
from tinystream.firmware.cross import cross_compiler, cross_compilers
from tinystream.firmware.cycles import Cycles, cycle_table
from tinystream.firmware.emulated import Emulated
from tinystream.firmware.flame import flame
from tinystream.firmware.measure import measure
from tinystream.firmware.measured import HASH_DIGITS, Measured, MeasuredError, StepCycles, overridden, read_measured
from tinystream.firmware.profile import Profile, noise, profile
from tinystream.plan.plan import Duty, Plan, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.gate import Gate
from tinystream.stages.preemphasis import Preemphasis

pytest.importorskip("unicorn")
pytest.importorskip("elftools")
pytest.importorskip("capstone")

CORE = "cortex-m4"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@pytest.fixture(scope="module")
def wake_word(tmp_path_factory) -> tuple[Plan, np.ndarray, Profile]:
    """Of the bundled app: two seconds of noise, and what they take."""
    plan = plan_file(APP)
    x = noise(plan)[0][:200]
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        return plan, x, profile(plan, [x], cycle_table(CORE), cross_compiler())


def test_instructions_are_the_emulators_to_the_last_one(wake_word):
    plan, x, found = wake_word
    measured = measure(plan, [x], CORE, cross_compiler(), by_step=True)
    assert found.instructions.sum(axis=1).tolist() == measured.instructions
    by_step = {i: n for i, n in enumerate(found.instructions.sum(axis=0).tolist()) if n}
    assert by_step == dict(measured.by_step)
    assert sum(f.instructions for f in found.functions) == sum(measured.instructions)
    by_function = {name: sum(f.instructions for f in found.functions if f.function == name) for name in measured.by_function}
    assert by_function == dict(measured.by_function)
    assert found.executed == dict(measured.by_address)


@pytest.mark.parametrize("compiler", cross_compilers())
def test_marks_do_not_change_what_is_profiled(compiler, wake_word):
    """The image without them is the product's; the compilers move an instruction at the most."""
    plan, x, _ = wake_word
    plain = sum(measure(plan, [x[:40]], CORE, cross_compiler(compiler)).instructions)
    marked = sum(measure(plan, [x[:40]], CORE, cross_compiler(compiler), by_step=True).instructions)
    assert abs(marked - plain) <= 40, "less than one a block"


def test_cycles_add_up_and_keep_their_order(wake_word):
    _, _, found = wake_word
    np.testing.assert_allclose(found.blocks.sum(axis=0), sum(f.cycles.array for f in found.functions))
    for i in range(len(found.plan.steps)):
        of_functions = [f.cycles.array for f in found.functions if f.step == found.plan.steps[i].name]
        np.testing.assert_allclose(found.cycles[:, i].sum(axis=0), sum(of_functions))
    assert (found.cycles[..., 0] <= found.cycles[..., 1]).all() and (found.cycles[..., 1] <= found.cycles[..., 2]).all()
    assert (found.cycles[..., 0] >= 0).all() and (found.blocks[:, 0] >= found.instructions.sum(axis=1)).all(), "none takes less than one"
    assert found.mean.nominal <= found.worst.nominal == found.blocks[:, 1].max()
    assert all(found.step_mean(i).nominal <= found.step_worst(i).nominal for i in range(len(found.plan.steps) + 1))
    assert 1.1 < found.blocks[:, 1].sum() / found.instructions.sum() < 1.6


def test_firings_and_runs_are_those_of_the_core(wake_word):
    plan, x, found = wake_word
    fired = Emulated(plan, CORE).push(x)
    for i in range(len(plan.steps)):
        assert np.flatnonzero(found.fired[:, i]).tolist() == fired[i].when.tolist(), plan.steps[i].name
        run = found.runs[i]
        assert run >= len(fired[i].when) and (run == len(fired[i].when) or plan.steps[i].waits)
        if run:
            assert found.step_run(i).nominal * run == pytest.approx(found.cycles[:, i, 1].sum())
        assert (found.step_firing(i) is None) == (not len(fired[i].when))
    assert found.runs[0] == len(x) and found.settled == fired[plan.scores].when[0] > 0
    np.testing.assert_allclose(found.mean.array, found.blocks[found.settled :].mean(axis=0))


def test_what_is_found_does_not_depend_on_how_many_blocks_are_looked_at_together(wake_word, monkeypatch):
    plan, x, found = wake_word
    monkeypatch.setattr(module, "CHUNK", 7)
    again = profile(plan, [x], cycle_table(CORE), cross_compiler())
    np.testing.assert_array_equal(again.instructions, found.instructions)
    np.testing.assert_allclose(again.cycles, found.cycles)
    np.testing.assert_array_equal(again.fired, found.fired)


def test_the_factor_of_the_memory_multiplies_all(wake_word):
    plan, x, found = wake_word
    slow = profile(plan, [x[:30]], cycle_table(CORE), cross_compiler(), memory=Cycles(1.0, 1.5, 2.0))
    np.testing.assert_allclose(slow.cycles, found.cycles[:30] * [1.0, 1.5, 2.0])


def test_an_app_on_duty_takes_nothing_between_its_windows_and_begins_each_afresh(wake_word):
    plan, x, found = wake_word
    on, every = 115, 130
    resting = profile(replace(plan, duty=Duty(on, every)), [np.tile(x[:every], (2, 1))], cycle_table(CORE), cross_compiler())
    for begin in (0, every):
        np.testing.assert_array_equal(resting.instructions[begin : begin + on], found.instructions[:on])
        np.testing.assert_array_equal(resting.fired[begin : begin + on], found.fired[:on])
        assert not resting.cycles[begin + on : begin + every].any() and not resting.fired[begin + on : begin + every].any()
    assert resting.fired[:, plan.scores].sum() >= 2 and resting.runs[0] == 2 * on
    assert sum(f.instructions for f in resting.functions) == resting.instructions.sum() == sum(resting.executed.values())


AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))


def branches() -> Plan:
    """Two inputs, each with a gate and what follows it; neither waits for the other."""
    gate, emphasis = Gate(open_db=-20).plan(AUDIO), Preemphasis().plan(AUDIO)
    steps = [
        replace(gate, name="first", sources=(-1,)), replace(emphasis, name="after_first", sources=(0,)),
        replace(gate, name="second", sources=(-2,)), replace(emphasis, name="after_second", sources=(2,)),
    ]  # fmt: skip
    return plan_steps("branches", (AUDIO, AUDIO), steps)


@pytest.mark.parametrize("compiler", cross_compilers())
def test_a_step_behind_one_that_was_skipped_counts_as_itself(compiler):
    quiet, loud = np.zeros((6, 160), np.int16), np.full((6, 160), 20000, np.int16)
    cases = {"neither": [quiet, quiet], "first": [loud, quiet], "second": [quiet, loud], "both": [loud, loud]}
    told = {name: profile(branches(), x, cycle_table(CORE), cross_compiler(compiler)) for name, x in cases.items()}
    each = {name: found.instructions.sum(axis=0) for name, found in told.items()}
    for name, found in told.items():
        opened = [name in ("first", "both"), name in ("second", "both")]
        assert found.fired.sum(axis=0).tolist() == [6 * o for o in opened for _ in range(2)]
        assert found.runs.tolist() == [6, 6 * opened[0], 6, 6 * opened[1]]
        assert (each[name][1] > 6 * 160) == opened[0] and (each[name][3] > 6 * 160) == opened[1]
        assert each[name][0] > 6 * 160 and each[name][2] > 6 * 160, "the gates themselves always run"
    few = 6 * 20  # the jumps around what is skipped
    assert abs(each["neither"][2] - each["first"][2]) < few and abs(each["second"][3] - each["both"][3]) < few


def test_noise_is_the_same_every_time_and_makes_every_step_fire():
    plan = plan_file(APP)
    (x,), (again,) = noise(plan), noise(plan)
    np.testing.assert_array_equal(x, again)
    assert x.dtype == np.int16 and abs(x).max() <= 2**13
    fired = Engine(plan).push(x)
    assert all(len(fired[i].when) > 20 for i in range(len(plan.steps)) if i != plan.detector)


# --- measured cycles ------------------------------------------------------------------------------------------


def measured_of(found: Profile, **changed) -> dict:
    """As if the first step took twice what is estimated, and five times in its worst block."""
    first, fired = found.plan.steps[0], int(found.fired[:, 0].sum())
    cycles, most = 2 * found.step_firing(0).nominal * fired, 5 * found.step_worst(0).nominal
    steps = {first.name: dict(fired=fired, blocks=len(found.fired), cycles=cycles, most=most)}
    return (
        dict(app=found.plan.name, definition=found.plan.digest[:HASH_DIGITS], board="dk", core=CORE, clock_hz=64e6, steps=steps) | changed
    )


def read(folder: Path, plan: Plan, told: object) -> Measured:
    path = folder / "measured.json"
    path.write_text(json.dumps(told))
    return read_measured(path, plan)


def test_measured_cycles_take_the_place_of_estimates(wake_word, tmp_path):
    plan, _, found = wake_word
    changed = overridden(found, read(tmp_path, plan, measured_of(found)))
    assert changed.measured == {plan.steps[0].name}
    assert changed.step_firing(0).nominal == changed.step_firing(0).low == pytest.approx(2 * found.step_firing(0).nominal)
    assert changed.step_worst(0).high == pytest.approx(5 * found.step_worst(0).nominal)
    np.testing.assert_array_equal(changed.cycles[:, 1:], found.cycles[:, 1:])


def test_what_has_not_fired_there_stays_estimated(wake_word, tmp_path):
    plan, _, found = wake_word
    never = {"stack": dict(fired=0, blocks=50, cycles=5000, most=100)}
    changed = overridden(found, read(tmp_path, plan, measured_of(found, steps=never)))
    np.testing.assert_array_equal(changed.cycles, found.cycles)
    assert not changed.measured


def test_cycles_of_another_core_are_refused(wake_word, tmp_path):
    plan, _, found = wake_word
    for told in (measured_of(found, core="cortex-m7"), {k: v for k, v in measured_of(found, board="posix").items() if k != "core"}):
        with pytest.raises(MeasuredError, match=r"measured on a (cortex-m7|host) say nothing of a cortex-m4"):
            overridden(found, read(tmp_path, plan, told))
    known = {k: v for k, v in measured_of(found, board="qemu_mps2_an386").items() if k != "core"}
    assert read(tmp_path, plan, known).core == CORE
    unknown = {k: v for k, v in measured_of(found).items() if k != "core"}
    assert overridden(found, read(tmp_path, plan, unknown)).measured, "a board of the user's, of which nothing is known"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.update(definition="0" * 64), "was measured with definition 0000000000000000, wake_word is"),
        (lambda t: t.update(definition=t["definition"][: HASH_DIGITS - 1]), "was measured with definition"),
        (lambda t: t.update(definition=t["definition"] + "0"), "was measured with definition"),
        (lambda t: t.update(definition=""), "definition none"),
        (lambda t: t.pop("board"), "board is missing"),
        (lambda t: t.update(boards=1), "boards is not known"),
        (lambda t: t.update(clock_hz=0), "clock_hz = 0 cannot"),
        (lambda t: t.update(steps=[1]), "steps is no object"),
        (lambda t: t["steps"].update(nonsense=t["steps"]["stack"]), "has no step 'nonsense'"),
        (lambda t: t["steps"]["stack"].update(cycles=-1), r"stack.cycles = -1 cannot"),
        (lambda t: t["steps"]["stack"].update(cycles=float("nan")), r"stack.cycles = nan cannot"),
        (lambda t: t["steps"]["stack"].update(cycles=float("inf")), r"stack.cycles = inf cannot"),
        (lambda t: t["steps"]["stack"].update(cycles=True), r"stack.cycles = True cannot"),
        (lambda t: t["steps"]["stack"].update(blocks=0), r"stack.blocks = 0 cannot"),
        (lambda t: t["steps"]["stack"].update(fired=1.5), "stack.fired = 1.5 of 9 blocks cannot"),
        (lambda t: t["steps"]["stack"].update(fired=10), "stack.fired = 10 of 9 blocks cannot"),
        (lambda t: t["steps"]["stack"].update(most=301), "most = 301 in a block does not go with 300 in 9"),
        (lambda t: t["steps"]["stack"].update(most=33), "most = 33 in a block does not go with 300 in 9"),
        (lambda t: t["steps"].update(stack=7), "step 'stack' is no object"),
        (lambda t: t["steps"]["stack"].pop("most"), "most is missing"),
    ],
)
def test_measured_cycles_that_cannot_be_are_refused(change, said, tmp_path):
    plan = plan_file(APP)
    told = dict(app=plan.name, definition=plan.digest[:HASH_DIGITS], board="dk", clock_hz=64e6,
                steps={"stack": dict(fired=3, blocks=9, cycles=300, most=100)})  # fmt: skip
    assert read(tmp_path, plan, told).steps["stack"] == StepCycles(3, 9, 300, 100)
    change(told)
    with pytest.raises(MeasuredError, match=said):
        read(tmp_path, plan, told)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(MeasuredError, match="no such file"):
        read_measured(tmp_path / "none.json", plan_file(APP))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(MeasuredError, match="is not JSON"):
        read_measured(tmp_path / "broken.json", plan_file(APP))
    with pytest.raises(MeasuredError, match="the file is no object"):
        read(tmp_path, plan_file(APP), [])


# --- what people see ------------------------------------------------------------------------------------------


def test_the_picture_is_an_svg_whose_boxes_fill_their_rows(wake_word):
    _, _, found = wake_word
    svg = ElementTree.fromstring(flame(found))
    names = "{http://www.w3.org/2000/svg}"
    groups = svg.findall(f"{names}g")
    titles = [g.find(f"{names}title").text for g in groups]
    assert titles[0].startswith("wake_word: ") and titles[0].endswith("100.0 %")
    for step in found.plan.steps:
        assert any(title.startswith(f"{step.name}: ") for title in titles)
    rows: dict[str, list[tuple[float, float]]] = {}
    for g in groups:
        rect = g.find(f"{names}rect")
        rows.setdefault(rect.get("y"), []).append((float(rect.get("x")), float(rect.get("width"))))
    assert len(rows) == 3
    for boxes in rows.values():
        boxes.sort()
        assert boxes[0][0] == 10 and boxes[-1][0] + boxes[-1][1] == pytest.approx(1190, abs=0.1)
        assert all(a[0] + a[1] == pytest.approx(b[0], abs=0.02) for a, b in pairwise(boxes))


def test_the_command_tells_steps_time_and_deadlines(tmp_path):
    told = ("profile", APP, "--board", "qemu_mps2_an386")
    done = tinystream(*told, "--picture", tmp_path / "flame.svg", "--functions")
    assert done.code == 0 and done.err == ""
    for words in ("micro_frontend", "cortex-m4", "noise, as no recording is given", "at 25 MHz: ", "no block of 300 is missed", "memcpy"):
        assert words in done.out, words
    ElementTree.parse(tmp_path / "flame.svg")
    slow = tinystream(*told, "--clock", "15")
    assert "blocks are missed: " in slow.out and "at 15 MHz" in slow.out
    short = write_sound(tmp_path / "short.wav", samples(KITCHEN)[:32_000])
    asked = tinystream("profile", APP, "--core", "cortex-m33", "--recording", short, "--json", "--clock", "64")
    json_ = json.loads(asked.out)
    assert json_["cycles_are"] == "estimated" and json_["memory_factor"] == [1.0, 1.1, 1.3]
    assert json_["recording"] == str(short) and json_["blocks"] == 200
    assert sum(step["instructions"] for step in json_["steps"]) == json_["instructions"]
    assert json_["at_clock"]["high"]["lost"] == [] and 0 < json_["at_clock"]["share"][1] < 1
    front = json_["steps"][0]
    assert front["firings"] <= front["runs"] == json_["blocks"] and front["cycles_per_firing"][1] >= front["cycles_per_run"][1]


def test_the_command_shows_a_function_of_the_image():
    done = tinystream("profile", APP, "--core", "cortex-m4", "--listing", "ts_conv_2d")
    assert done.code == 0 and "push" in done.out
    other = tinystream("profile", APP, "--core", "cortex-m4", "--listing", "ts_mel")
    assert other.code == 1 and "no instruction of 'ts_mel' was executed" in other.err and "ts_conv_2d" in other.err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 1, "no board is named"),
        (["--core", "cortex-m4", "--board", "posix"], 2, "one of them"),
        (["--core", "cortex-m5"], 1, "no table of cycles for a core called 'cortex-m5'"),
        (["--board", "posix"], 1, "posix is a host, which has no table"),
        (["--board", "nowhere"], 1, "no board is called 'nowhere'"),
        (["--core", "cortex-m4", "--clock", "0"], 2, "--clock 0"),
        (["--core", "cortex-m4", "--clock", "-1"], 2, "--clock -1"),
        (["--core", "cortex-m4", "--clock", "nan"], 2, "--clock nan"),
        (["--core", "cortex-m4", "--clock", "64000000"], 2, "in MHz"),
        (["--core", "cortex-m4", "--buffers", "1"], 2, "buffers"),
        (["--core", "cortex-m4", "--optimise", "O9"], 2, "none of O1, O2, O3, Os"),
        (["--core", "cortex-m4", "--compiler", "icc"], 1, "no compiler for Cortex-M is called 'icc'"),
        (["--core", "cortex-m4", "--picture", "flame.png"], 2, "is an .svg"),
        (["--core", "cortex-m4", "--recording", "none.wav"], 1, "none.wav"),
        (["--core", "cortex-m4", "--measured", "none.json"], 1, "no such file"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, code, said):
    done = tinystream("profile", APP, *options)
    assert done.code == code and said in " ".join(done.err.replace("│", " ").split()), done.err


def test_the_example_of_the_page_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/profile.md").read_text(encoding="utf-8"), re.S)
    names: dict = {}
    exec(example, names)
    assert names["found"].plan.name == "wake_word" and names["found"].mean.nominal > 1e5


def test_the_measured_cycles_of_the_page_are_read(tmp_path):
    (text,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/profile.md").read_text(encoding="utf-8"), re.S)
    plan = plan_file(APP)
    told = json.loads(text) | dict(definition=plan.digest[:HASH_DIGITS])
    (tmp_path / "measured.json").write_text(json.dumps(told))
    assert read_measured(tmp_path / "measured.json", plan).steps["micro_frontend"].fired == 300
