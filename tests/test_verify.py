"""Does verify notice what differs, on whichever engine, and does a certificate hold only while all that it says is so?"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bare import need_qemu, use_cache
from command import APP, KITCHEN, RATE_HZ, RECORDINGS, ROOT, WORKSHOP, Done, samples, tinystream, write_sound

from tinystream.app.planning import plan_file
from tinystream.cli import __doc__ as exit_codes
from tinystream.emit.emit import emit
from tinystream.errors import TinystreamError
from tinystream.firmware import cross
from tinystream.firmware import image as image_module
from tinystream.firmware.certificate import Certificate, of_itself, read
from tinystream.firmware.cross import cross_compilers
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine, Fired
from tinystream.run.verify import Compared, verify

pytest.importorskip("unicorn")
pytest.importorskip("elftools")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """Three seconds in which the word is said: every step has something to say."""
    return write_sound(tmp_path_factory.mktemp("sound") / "short.wav", samples(KITCHEN)[int(4.5 * RATE_HZ) : int(7.5 * RATE_HZ)])


def proved(*arguments: object) -> dict[str, Any]:
    """What an identical verification says, in JSON."""
    done = tinystream("verify", *arguments, "--json")
    assert (done.code, done.err) == (0, ""), done.err
    facts = json.loads(done.out)
    assert facts["identical"] is True
    return facts


# --- identical ------------------------------------------------------------------------------------------------

CORTEX_M = ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"]


def test_the_wake_word_is_identical_on_five_cores_from_pip_alone():
    facts = proved(APP, RECORDINGS, "--core", ",".join(CORTEX_M), "--compiler", "zig")
    assert facts["engines"] == ["python", "native", *(f"{core} (zig -O2)" for core in CORTEX_M)]
    plain = proved(APP, RECORDINGS)
    assert {**plain, "engines": facts["engines"]} == facts and plain["engines"] == ["python", "native"] and plain["events"] >= 4


def test_the_wake_word_is_identical_on_cortex_m55_and_risc_v():
    """By gcc, too: test_emulate."""
    need_qemu("cortex-m55")
    need_qemu("rv32imac")
    facts = proved(APP, RECORDINGS, "--core", "m55,m55+nomve,rv32imac", "--compiler", "zig")
    assert facts["engines"][2:] == ["cortex-m55 (zig -O2)", "cortex-m55+nomve (zig -O2)", "rv32imac (zig -O2)"]


def test_every_compiler_at_every_level_gives_the_same_digests(sound, tmp_path):
    if "gcc" not in cross_compilers():
        pytest.skip(f"needs {cross.INSTALL['gcc']}")
    levels = ["-Os", "-O2", "-O3"]
    facts = proved(
        APP, sound, "--core", "m4", "--compiler", "zig,gcc", "--optimise", ",".join(levels), "--certificate", tmp_path / "c.json"
    )
    expected = [f"cortex-m4 ({compiler} {level})" for compiler in ("zig", "gcc") for level in levels]
    assert facts["engines"][2:] == expected and facts["events"] == 1
    engines = [engine.spec.name for engine in read(tmp_path / "c.json").engines]
    assert engines == facts["engines"]


def test_an_app_on_duty_is_verified_in_its_windows(sound, tmp_path):
    shutil.copytree(APP, tmp_path / "app")
    swap(tmp_path / "app/app.toml", "[source]", "[duty]\non_s = 0.5\nevery_s = 1\n\n[source]")
    facts = proved(tmp_path / "app", sound, "--core", "m4", "--jobs", 1)
    assert facts["values"]["quantize"] == 3 * (50 - 2) * 40, "three windows, each with a start of its own"


def test_what_is_found_does_not_depend_on_the_processes(sound, tmp_path):
    other = write_sound(tmp_path / "other.wav", samples(WORKSHOP)[:RATE_HZ])
    one, three = (proved(APP, sound, other, "--core", "m4", "--jobs", jobs) for jobs in (1, 3))
    assert one == three and one["recordings"] == 2


def test_cores_may_be_named_in_every_way_and_each_runs_once(sound):
    facts = proved(APP, sound, "--core", "m4, cortex-m4", "--core", "m3", "--optimise", "O3", "--jobs", 1)
    assert facts["engines"][2:] == ["cortex-m4 (zig -O3)", "cortex-m3 (zig -O3)"]


# --- different ------------------------------------------------------------------------------------------------


def firmware_with(monkeypatch, change) -> None:
    """Only the firmware's C is changed, after it was written; native keeps what emit gives."""

    def changed(plan: Plan, folder: Path):
        written = emit(plan, folder)
        change(plan, folder)
        return written

    monkeypatch.setattr(image_module, "emit", changed)


def swap(path: Path, right: str, wrong: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert right in text, f"{path.name} does not read as it did: take another token"
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")


def step_of(kind: str) -> str:
    return next(step.name for step in plan_file(APP).steps if step.kind == kind)


@pytest.mark.parametrize(
    ("kernel", "right", "wrong"),
    [
        ("ts_quantize.h", "ts_sat8(", "(int8_t)1 + ts_sat8("),
        ("ts_depthwise_conv_2d.h", "k->y_zero", "k->y_zero + 1"),
        ("ts_smoothed.h", "most - k->offset", "most + k->offset + 1"),
    ],
)
@pytest.mark.parametrize("core", ["cortex-m0", "rv32imac"])
def test_a_broken_kernel_of_the_firmware_is_told_at_its_step(sound, monkeypatch, core, kernel, right, wrong):
    need_qemu(core)
    firmware_with(monkeypatch, lambda plan, folder: swap(folder / kernel, right, wrong))
    step = step_of(kernel.removeprefix("ts_").removesuffix(".h"))
    done = tinystream("verify", APP, sound, "--core", core, "--compiler", "zig", "--jobs", 1)
    assert (done.code, done.out) == (3, "")
    what = rf"error: wake_word differs on {re.escape(str(sound))}: step {step}, output \d+ \(block \d+\), index \[[\d, ]+\]: "
    assert re.search(rf"{what}python -?\d+, {core} \(zig -O2\) -?\d+\n", done.err), done.err
    assert f"   = help: the first step that differs is '{step}'; native agrees with python\n" in done.err


def test_a_wrong_table_is_told_with_both_values(sound, monkeypatch):
    plan = plan_file(APP)
    at = next(i for i, step in enumerate(plan.steps) if step.kind == "depthwise_conv_2d")
    step = plan.steps[at]
    bias = step.tables["bias"]
    wrong = replace(step, tables={**step.tables, "bias": np.where(np.arange(bias.size) == 0, bias + 4000, bias).astype(bias.dtype)})
    other = Engine(replace(plan, steps=tuple(wrong if i == at else s for i, s in enumerate(plan.steps))))
    expected = verify(plan, Engine(plan), other, samples(sound), Compared())
    assert expected and expected.step == step.name

    def change(plan: Plan, folder: Path) -> None:
        path = folder / f"{plan.name}_tables.c"
        text = path.read_text(encoding="utf-8")
        table = re.search(rf"{plan.name}_{step.name}_bias\[\d+\] = {{\s*", text)
        assert table and text.startswith(str(bias[0]), table.end())
        path.write_text(text[: table.end()] + str(bias[0] + 4000) + text[table.end() + len(str(bias[0])) :], encoding="utf-8")

    firmware_with(monkeypatch, change)
    done = tinystream("verify", APP, sound, "--core", "m3,m7", "--compiler", "zig", "--jobs", 1, "--json")
    facts = json.loads(done.out)
    assert done.code == 3 and facts == dict(
        identical=False, recording=str(sound), step=step.name, index=list(expected.index), block=expected.block,
        values=list(expected.values), engine="cortex-m3 (zig -O2)",
    )  # fmt: skip
    for core in ("cortex-m3", "cortex-m7"):
        assert expected.what.replace(", python ", f", {core} (zig -O2) ") in done.err


class Said:
    """An engine that gives what it is told to."""

    def __init__(self, name: str, fired: dict[int, Fired]):
        self.name, self.fired = name, fired

    def reset(self) -> None:
        pass

    def push(self, *x: np.ndarray, want: set[int] | None = None) -> dict[int, Fired]:
        return self.fired


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (7, 3, (1, 3)),     # the later step differs earlier
        (3, 7, (0, 3)),
        (5, 5, (0, 5)),     # at once: the cause comes before its consequence
    ],
)  # fmt: skip
def test_the_first_difference_is_that_of_the_earliest_block_then_of_the_earliest_step(first, second, expected):
    plan = plan_file(APP)
    when = np.arange(10)
    right = {i: Fired(when, np.zeros((10, *step.y.shape), step.y.dtype)) for i, step in enumerate(plan.steps)}
    wrong = {i: Fired(when, fired.y.copy()) for i, fired in right.items()}
    for i, block in ((0, first), (1, second)):
        wrong[i].y[block:] = 1
    found = verify(plan, Said("a", right), Said("b", wrong), np.zeros(1600, np.int16), Compared())
    assert found and (found.step, found.block) == (plan.steps[expected[0]].name, expected[1])


def test_an_output_too_many_is_a_difference_at_its_block():
    plan = plan_file(APP)
    right = {i: Fired(np.arange(4), np.zeros((4, *step.y.shape), step.y.dtype)) for i, step in enumerate(plan.steps)}
    more = right | {2: Fired(np.array([0, 1, 2, 3, 8]), np.zeros((5, *plan.steps[2].y.shape), plan.steps[2].y.dtype))}
    for a, b in ((right, more), (more, right)):
        found = verify(plan, Said("a", a), Said("b", b), np.zeros(1600, np.int16), Compared())
        assert found and (found.step, found.block) == (plan.steps[2].name, 8)


def test_the_exit_code_of_a_difference_is_documented():
    assert "3: `verify` found a difference" in (exit_codes or "")


# --- certificates ---------------------------------------------------------------------------------------------

SHORT = 19_200  # samples: enough for each step to give something but the detector


@pytest.fixture
def certified(sound, tmp_path, monkeypatch) -> dict[str, Any]:
    """The certificate c.json of a Cortex-M4 for a second of sound, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(APP, "app")
    write_sound(Path("short.wav"), samples(sound)[:SHORT])
    done = tinystream("verify", "app", "short.wav", "--core", "m4", "--compiler", "zig", "--jobs", 1, "--certificate", "c.json")
    assert done.code == 0 and done.out.startswith("identical: "), done.err
    return json.loads(Path("c.json").read_text(encoding="utf-8"))


def check(*recordings: object, app: object = "app") -> Done:
    return tinystream("verify", app, *(recordings or ["short.wav"]), "--check", "c.json", "--jobs", 1)


def refused(*recordings: object, app: object = "app") -> str:
    """What a check says that must fail; it has nothing on standard output."""
    done = check(*recordings, app=app)
    assert (done.code, done.out) == (3, "") and done.err.startswith("error: c.json no longer holds: "), done
    return done.err


def reseal(data: dict[str, Any]) -> None:
    """Write it as its author would, or as somebody who knows how."""
    made = Certificate.model_validate_json(json.dumps(data | {"seal": ""}))
    Path("c.json").write_text(json.dumps(data | {"seal": made.right_seal}), encoding="utf-8")


def test_a_certificate_says_what_was_proved_and_holds(certified, sound):
    plan, facts = plan_file(APP), proved("app", "short.wav")
    assert (certified["app"], certified["definition"]) == ("wake_word", plan.digest)
    assert [engine["engine"] for engine in certified["engines"]] == ["python", "native", "cortex-m4"]
    assert certified["engines"][2]["compiler_version"] == cross_compilers()["zig"].version
    heard = certified["recordings"]["short.wav"]
    assert heard["samples"] == SHORT and heard["blocks"] == SHORT // 160 and list(heard["steps"]) == [step.name for step in plan.steps]
    assert {name: step["values"] for name, step in heard["steps"].items()} == facts["values"]
    assert certified["compared"] == sum(facts["values"].values())
    done = check()
    assert (done.code, done.err) == (0, "") and done.out.startswith("holds: ") and "cortex-m4 (zig -O2)" in done.out
    shutil.copyfile("short.wav", "renamed.wav")
    write_sound(Path("more.wav"), np.zeros(RATE_HZ, np.int16))
    assert check("renamed.wav", "more.wav").code == 0, "the bytes count, not the name; others do no harm"
    as_json = tinystream("verify", "app", "short.wav", "--check", "c.json", "--jobs", 1, "--json")
    assert (as_json.code, json.loads(as_json.out)) == (0, {"holds": True, "problems": []})


def leaves(value: Any, path: tuple[Any, ...] = ()):
    """Every place of a JSON document that holds no other."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


def changed(data: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(data))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def test_a_change_of_any_field_is_noticed_by_the_seal(certified):
    other = {bool: lambda v: not v, int: lambda v: v + 1, str: lambda v: v[:-1] + chr(ord(v[-1]) ^ 1), type(None): lambda v: "0"}
    plan, found = plan_file(APP), list(leaves(certified))
    assert len(found) > 70
    for path in found:
        value = certified
        for key in path:
            value = value[key]
        changed_to = "keep" if path == ("reading", "gaps") else other[type(value)](value)
        Path("c.json").write_text(json.dumps(changed(certified, path, changed_to)), encoding="utf-8")
        if path == ("format",):
            with pytest.raises(TinystreamError, match="is a certificate of format 2, this version reads 1"):
                read(Path("c.json"))
        else:
            assert "the certificate was changed after it was written" in "".join(of_itself(read(Path("c.json")), plan)), path


def test_a_certificate_from_before_there_were_units_and_gaps_holds(certified):
    older = {key: value for key, value in certified["reading"].items() if key in ("resample", "channel", "counts")}
    Path("c.json").write_text(json.dumps(certified | {"reading": older}), encoding="utf-8")
    assert not list(of_itself(read(Path("c.json")), plan_file(APP)))


STEPS = ("recordings", "short.wav", "steps")
RESEALED = {
    "app": (("app",), "other", "app was 'other', is 'wake_word'"),
    "definition": (("definition",), "0" * 64, "definition was '0000"),
    "kernels": (("kernels",), 99, "kernels was '99', is '"),
    "compared": (("compared",), 5, "compared says 5, its recordings have "),
    "bytes": (("recordings", "short.wav", "sha256"), "0" * 64, "recording short.wav has changed: "),
    "samples": (("recordings", "short.wav", "samples"), 7, f"short.wav: 7 samples then, {SHORT} now (python, native, cortex-m4 (zig -O2))"),
    "blocks": (("recordings", "short.wav", "blocks"), 7, f"short.wav: 7 blocks then, {SHORT // 160} now"),
    "outputs": ((*STEPS, "quantize", "outputs"), 7, "short.wav: step quantize gives other outputs than were certified (python, native, "),
    "values": ((*STEPS, "quantize", "values"), 7, "short.wav: step quantize gives other outputs"),
    "digest": ((*STEPS, "stack", "sha256"), "0" * 64, "short.wav: step stack gives other outputs"),
    "other step": ((*STEPS, "more"), dict(outputs=0, values=0, sha256="0"), "short.wav: the certificate has other steps than the app"),
    "core": (("engines", 2, "engine"), "cortex-m99", "cortex-m99 (zig -O2) cannot be asked: no core is called 'cortex-m99' here"),
    "compiler": (("engines", 2, "compiler"), "icc", "cortex-m4 (icc -O2) cannot be asked: no compiler for Cortex-M is called 'icc' here"),
    "level": (("engines", 2, "optimise"), "-O9", "cortex-m4 (zig -O9) cannot be asked: no level of optimisation is called '-O9' here"),
    "version": (
        ("engines", 2, "compiler_version"),
        "zig 0.1",
        "cortex-m4 (zig -O2) was made with compiler version 'zig 0.1', here it is '",
    ),
    "emulator": (("engines", 2, "emulator"), "bochs", "cortex-m4 (zig -O2) was made with emulator 'bochs', here it is 'unicorn "),
    "native": (("engines", 1, "compiler_version"), "gcc 1", "native was made with compiler version 'gcc 1', here it is '"),
    "definition's engine": (("engines", 0, "engine"), "native", "python is not among its engines"),
}


def test_what_is_no_longer_so_is_named_though_the_seal_fits(certified):
    for path, value, words in RESEALED.values():
        reseal(changed(certified, path, value))
        assert words in refused(), path
    reseal(changed(certified, ("reading", "channel"), "5"))
    done = check()
    assert done.code == 1 and "has no channel '5'" in done.err


def test_everything_that_no_longer_holds_is_told_at_once(certified):
    data = changed(certified, ("compared",), 5)
    data = changed(data, ("engines", 2, "emulator"), "bochs")
    reseal(changed(data, (*STEPS, "stack", "sha256"), "0" * 64))
    said = refused()
    assert all(words in said for words in ("compared says 5", "emulator 'bochs'", "step stack gives other"))
    as_json = tinystream("verify", "app", "short.wav", "--check", "c.json", "--jobs", 1, "--json")
    facts = json.loads(as_json.out)
    assert as_json.code == 3 and facts["holds"] is False and len(facts["problems"]) == 3


def test_another_app_and_other_recordings_are_named(certified):
    definition = Path("app/app.toml")
    swap(definition, "threshold = 2.4", "threshold = 2.5")
    assert f"definition was '{certified['definition']}', is '" in refused()
    swap(definition, "threshold = 2.5", "threshold = 2.4")
    assert check().code == 0
    x = samples(Path("short.wav"))
    x[100] += 1
    write_sound(Path("short.wav"), x)
    assert "recording short.wav has changed" in refused()
    write_sound(Path("more.wav"), x)
    assert "recording short.wav is missing" in refused("more.wav")


def test_firmware_that_differs_now_is_told_by_value(certified, monkeypatch):
    step = step_of("depthwise_conv_2d")
    firmware_with(monkeypatch, lambda plan, folder: swap(folder / "ts_depthwise_conv_2d.h", "k->y_zero", "k->y_zero + 1"))
    assert re.search(rf"short.wav: step {step}, output \d+ \(block \d+\), .* python -?\d+, cortex-m4 \(zig -O2\) -?\d+\n", refused())


def test_a_compiler_that_is_not_here_any_more_is_named(certified, monkeypatch):
    monkeypatch.setattr("tinystream.firmware.cross.cross_compilers", lambda riscv: {})
    assert "cortex-m4 (zig -O2) cannot be asked: no zig compiler for Cortex-M here" in refused()


def test_other_tools_are_noted(certified):
    reseal(changed(certified, ("tools", "numpy"), "1.0"))
    done = check()
    assert done.code == 0 and f"note: certified with numpy 1.0, checked with {np.__version__}\n" in done.err


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "app": 7}', "\x00"])
def test_what_is_no_certificate_is_refused(certified, text):
    Path("c.json").write_text(text)
    done = check()
    assert (done.code, done.out) == (1, "") and "error: c.json is not a certificate" in done.err and "= help: " in done.err


# --- mistakes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "what", "first"),
    [
        (["--core", "cortex-m44"], "no core is called 'cortex-m44' here", "cortex-m4,"),
        (["--core", "m4,rv32"], "no core is called 'rv32' here", "rv32imac,"),
        (["--core", "m4", "--compiler", "gc"], "no compiler is called 'gc' here", "gcc,"),
        (["--core", "m4", "--optimise", "-O22"], "no level of optimisation is called '-O22' here", "-O2,"),
    ],
)
def test_an_unknown_name_lists_those_there_are_the_nearest_first(sound, options, what, first):
    done = tinystream("verify", APP, sound, *options)
    assert (done.code, done.out) == (1, "") and f"error: {what}\n   = help: one of {first}" in done.err


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--compiler", "zig"], "--compiler and --optimise are for the cores that --core names"),
        (["--optimise", "-O3"], "--compiler and --optimise are for the cores that --core names"),
        (["--check", "c.json", "--core", "m4"], "--check takes engines and the way to read"),
        (["--check", "c.json", "--certificate", "d.json"], "--check takes engines and the way to read"),
        (["--check", "c.json", "--resample"], "--check takes engines and the way to read"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(sound, options, what):
    done = tinystream("verify", APP, sound, *options)
    assert done.code == 2 and what in " ".join(done.err.split())


def test_a_certificate_that_cannot_be_written_is_refused_before_any_work(certified, monkeypatch):
    monkeypatch.setattr("tinystream.firmware.prove.Proving.hear", lambda *_: pytest.fail("work was done"))
    before = Path("short.wav").read_bytes()
    for where in ("app", "short.wav/c.json", "/proc/none/c.json"):
        done = tinystream("verify", "app", "short.wav", "--certificate", where)
        assert done.code == 1 and f"error: {where} cannot be written: " in done.err and "--certificate another file" in done.err
    assert "would overwrite the recording short.wav" in tinystream("verify", "app", "short.wav", "--certificate", "short.wav").err
    assert Path("short.wav").read_bytes() == before


def test_the_page_of_the_docs_shows_the_commands_that_there_are():
    text = (ROOT / "docs/verify.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z]+", tinystream("verify", "--help").out))
    assert set(re.findall(r"`(--[a-z]+)", text)) <= options and {"--core", "--certificate", "--check"} <= set(re.findall(r"--[a-z]+", text))
