"""What becomes of a user's mistakes on the command line: one clear message, an exit code, and nothing half-written."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from brokers import Mosquitto
from command import APP, KITCHEN, RATE_HZ, WORKSHOP, Done, program, samples, tinystream, write_sound

import tinystream.emit.compiler as compiler_module
import tinystream.run.replay as replay_module
from tinystream.app.documentation import kinds
from tinystream.cli import cli
from tinystream.errors import AppError, AppErrors, DifferenceError, FirmwareError, SinkError, TinystreamError
from tinystream.plan.flatbuffer import Table
from tinystream.plan.model import OPERATOR_CODES

TOML = (APP / "app.toml").read_text(encoding="utf-8")
MODEL = (APP / "model.tflite").read_bytes()
LSTM = 16  # in TFLite's list of operators
VERBS = [command.name or command.callback.__name__ for command in cli.registered_commands] + [group.name for group in cli.registered_groups]
SINK = re.search(r"\[\[sink\]\]\n(?:[^\[\n].*\n|\n)+", TOML)[0]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that the command runs in, with a copy of the app and a second of sound."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(APP, "app")
    write_sound(Path("second.wav"), samples(KITCHEN)[:RATE_HZ])
    return tmp_path


def app(toml: str, model: bytes | None = None) -> Path:
    """An app of this text in a folder of its own."""
    folder = Path("changed")
    folder.mkdir()
    (folder / "app.toml").write_text(toml, encoding="utf-8")
    (folder / "model.tflite").write_bytes(MODEL if model is None else model)
    return folder


def refused(*arguments: object, code: int = 1) -> str:
    """The message of a command that must fail: told in our form, without output and without any new file."""
    before = files()
    done = tinystream(*arguments)
    assert (done.code, done.out) == (code, ""), done
    assert files() == before, "something was written all the same"
    return told(done) if code == 1 else done.err


def told(done: Done) -> str:
    """The message, whose form is checked: what is wrong in lower case without a full stop, then what to do."""
    what = re.search(r"^error: (.*)$", done.err, re.M)
    assert what, f"no error is told: {done.err}"
    assert not what[1][0].isupper() and not what[1].endswith("."), what[1]
    assert re.search(r"^ *= help: \S", done.err, re.M), f"no way out is told: {done.err}"
    assert "Traceback" not in done.err and "Errno" not in done.err
    return done.err


def files() -> set[Path]:
    return set(Path.cwd().rglob("*"))


# --- recordings that do not fit -------------------------------------------------------------------------------


def cut_wav(path: Path) -> None:
    whole = Path("second.wav").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def stereo(path: Path) -> None:
    write_sound(path, np.stack([np.zeros(20 * RATE_HZ, np.int16), samples(KITCHEN)[: 20 * RATE_HZ]], axis=1))


def too_short(path: Path) -> None:
    write_sound(path, np.zeros(159, np.int16))


def half_rate(path: Path) -> None:
    write_sound(path, samples(KITCHEN)[::2], RATE_HZ // 2)


BAD_RECORDINGS = {
    "cut.wav": (cut_wav, "cut.wav is cut short: ", "copy or record it again"),
    "nan.csv": (lambda p: p.write_text("0.1\nnan\n0.2\n"), "nan.csv, line 2, column '0': 'nan' is not a finite number", "--gaps hold"),
    "stereo.wav": (stereo, "stereo.wav has 2 channels, the app reads 1", "--channel 0"),
    "slow.wav": (half_rate, "slow.wav is at 8000 Hz, the app reads 16000 Hz", "--resample"),
    "folder": (Path.mkdir, "folder folder holds no recording", ".wav, .flac, .csv"),
    "none.wav": (lambda p: None, "none.wav does not exist", "check the name"),
    "song.mp3": (lambda p: p.write_bytes(b"ID3"), "song.mp3 is of an unknown kind '.mp3'", ".wav, .flac, .csv"),
    "empty.wav": (Path.touch, "empty.wav is empty", "record it again"),
    "short.wav": (too_short, "short.wav is too short: 159 samples, a block of the app is 160", "record for longer"),
    "text.flac": (lambda p: p.write_text("not a sound"), "text.flac cannot be read: format not recognised", "may be damaged"),
}


@pytest.mark.parametrize("name", BAD_RECORDINGS)
@pytest.mark.parametrize("verb", ["replay", "verify", "demo"])
def test_a_recording_that_does_not_fit_is_refused(here, name, verb):
    make, what, help = BAD_RECORDINGS[name]
    make(Path(name))
    before = files()
    done = tinystream(verb, "app", name)
    said = told(done)
    assert (done.code, done.out) == (1, "") and what in said and help in said.partition("= help: ")[2]
    assert files() == before


def test_live_input_from_a_missing_file_is_refused(here):
    assert "none.wav does not exist" in refused("run", "app", "-i", "none.wav")


def test_channel_takes_the_one_that_speaks(here):
    stereo(Path("stereo.wav"))
    silent, speaks = (tinystream("replay", "app", "stereo.wav", "--channel", i) for i in "01")
    assert silent.events == [] and speaks.events
    assert "has no channel '2'" in refused("replay", "app", "stereo.wav", "--channel", "2")


def test_resample_converts_and_says_so(here):
    half_rate(Path("slow.wav"))
    done = tinystream("replay", "app", "slow.wav", "--resample")
    assert done.code == 0 and "note: slow.wav: resampled from 8000 Hz to 16000 Hz by 2/1" in done.err


@pytest.mark.parametrize("jobs", [1, 2])
def test_events_before_a_bad_recording_are_printed(here, jobs):
    Path("nan.csv").write_text("0.1\nnan\n")
    done = tinystream("replay", "app", WORKSHOP, "nan.csv", KITCHEN, "--jobs", jobs)
    assert done.code == 1 and "not a finite number" in told(done)
    assert done.events == tinystream("replay", "app", WORKSHOP).events


def die(*_: object) -> None:
    """As the system does to a process that takes too much memory."""
    os._exit(9)


def test_a_process_that_the_system_ends_is_told(here, monkeypatch):
    monkeypatch.setattr(replay_module, "_replay_file", die)
    said = refused("replay", "app", WORKSHOP, KITCHEN, "--jobs", 2)
    assert "error: the system ended a process of the replay" in said and "= help: --jobs 1" in said


@pytest.mark.parametrize(
    "error",
    [
        TinystreamError("what", "help"),
        AppError(("stage", 2, "bands"), "what", "help"),
        AppErrors([AppError((), "what")], "error: what\n --> here"),
        SinkError("what", "help", 3, ({"label": "yes"},)),
        DifferenceError("what", "help", {"step": "mel"}),
        FirmwareError("what"),
    ],
)
def test_every_mistake_survives_the_way_from_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)
    assert {n: str(v) for n, v in vars(again).items()} == {n: str(v) for n, v in vars(error).items()}


# --- definitions and models -----------------------------------------------------------------------------------


def test_a_definition_that_is_not_there(here):
    assert "error: there is no such file\n --> nowhere" in refused("show", "nowhere")


def test_a_definition_in_another_encoding_is_shown_at_its_byte(here):
    path = Path("app/app.toml")
    path.write_bytes(TOML.replace("home/", "hôme/").encode("latin-1"))
    said = refused("show", "app")
    line = TOML[: TOML.index("home/")].count("\n") + 1
    assert f"error: byte 0xf4 is not UTF-8\n  --> app/app.toml:{line}:" in said and "save the file as UTF-8" in said


def test_a_file_that_is_no_text_is_not_shown(here):
    assert f"error: the file is not text\n --> {KITCHEN}\n" in refused("show", KITCHEN)
    Path("app/app.toml").write_bytes(b'name = "\x1b[2Jwake"\n')
    said = refused("show", "app")
    assert "\x1b" not in said and '1 | name = "·[2Jwake"\n' in said


def test_a_slip_of_toml_is_shown_where_it_is(here):
    said = refused("show", app(TOML.replace("[source]", "[source", 1)))
    assert re.search(r"error: not TOML: .*\n --> changed/app.toml:\d+:8\n", said) and "| [source\n" in said


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(here):
    changed = TOML.replace("16_000", "16_000_000").replace("frames = 101", "frmes = 101").replace('"smoothed"', '"smooth"')
    said = refused("show", app(changed))
    whats = re.findall(r"error: (.*)", said)
    assert whats == [
        "rate_hz = 16000000 is too large, the limit is 1000000",
        "unknown key 'frmes' in stage 'stack'",
        "unknown detector 'smooth'",
    ]
    assert said.count("= help: ") == 3 and "did you mean 'frames'?" in said and "did you mean 'smoothed'?" in said


def model_file_line(what: str) -> str:
    line = TOML[: TOML.index('"model.tflite"')].count("\n") + 1
    return f"error: {what}\n  --> changed/app.toml:{line}:"


def test_a_model_whose_input_the_features_do_not_fit(here):
    said = refused("show", app(TOML.replace("frames = 101", "frames = 49")))
    assert "stack gives 49x40\n" in said and "error: model wants 101x" in said and "= help: stack.frames = 101\n" in said


def test_a_model_with_an_operator_that_has_no_kernel(here):
    data = bytearray(MODEL)
    codes = list(Table.root(MODEL).tables(OPERATOR_CODES))
    convolution = next(code for code in codes if 3 in (code.integer(0, kind="b"), code.integer(3)))
    for slot in (0, 3):  # the old place of the code, and the new one
        if (at := convolution._at(slot)) is not None:
            data[at] = LSTM
    said = refused("emit", app(TOML, bytes(data)), "-o", "gen")
    assert re.search(r"error: \d+ of \d+ operators of model.tflite have no integer kernel here: LSTM \(#\d", said)


@pytest.mark.parametrize("end", [0, 6, 1000, len(MODEL) // 2])
def test_a_model_cut_short(here, end):
    said = refused("show", app(TOML, MODEL[:end]))
    assert model_file_line("the model file is damaged or not a .tflite file: ")[:-1].partition("\n")[0] in said
    assert "copy or convert it again" in said


def test_a_model_that_is_not_there(here):
    said = refused("show", app(TOML.replace('"model.tflite"', '"none.tflite"')))
    assert "error: model changed/none.tflite cannot be read: there is no such file\n" in said


# --- show -----------------------------------------------------------------------------------------------------


def test_a_broken_budget_is_exit_code_1_at_its_line_after_the_table(here):
    folder = app(re.sub(r"ram_kb\s*= \d+", "ram_kb = 1", TOML))
    line = next(i for i, text in enumerate((folder / "app.toml").read_text().split("\n"), 1) if text.startswith("ram_kb"))
    done = tinystream("show", folder)
    said = told(done)
    assert done.code == 1 and "RAM " in done.out
    assert re.search(rf"error: needs [\d.]+ kB RAM, budget 1 kB\n  --> changed/app.toml:{line}:", said)
    as_json = tinystream("show", folder, "--json")
    assert as_json.code == 1 and len(json.loads(as_json.out)["over_budget"]) == 1


def test_show_tells_the_same_in_words_and_in_json(here):
    done, table = tinystream("show", "app", "--json"), tinystream("show", "app")
    plan = json.loads(done.out)
    assert (done.code, done.err, table.code, table.err) == (0, "", 0, "") and plan["over_budget"] == []
    assert f"RAM {plan['ram_bytes']} B" in table.out and f"flash {plan['table_bytes']} B" in table.out
    for step in plan["steps"]:
        row = next(line for line in table.out.splitlines() if line.split()[:1] == [step["step"]])
        assert re.search(rf"\b{step['dtype']}\b.* {step['flash_bytes']} +{step['state_bytes']} ", row)
    assert max(map(len, table.out.splitlines())) <= 80


# --- what is written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["second.wav", "second.wav/c", "/proc/none/c"])
def test_emit_where_nothing_can_be_written(here, out):
    assert f"error: {out} cannot be written: " in refused("emit", "app", "--out", out)


@pytest.mark.parametrize("trace", ["second.wav/trace.npz", "/proc/none/trace.npz"])
def test_a_trace_where_nothing_can_be_written_is_refused_before_any_work(here, trace):
    assert f"error: {trace} cannot be written: " in refused("replay", "app", "second.wav", "--trace", trace)


def test_traces_of_several_recordings_need_a_folder(here):
    assert "cannot be written: there is a file in the way" in refused("replay", "app", "second.wav", KITCHEN, "--trace", "second.wav")


def test_a_trace_does_not_overwrite_a_recording(here):
    before = Path("second.wav").read_bytes()
    assert "would overwrite the recording second.wav" in refused("replay", "app", "second.wav", "--trace", "second.wav")
    np.savez("second.npz", samples=samples(KITCHEN)[:RATE_HZ], rate_hz=RATE_HZ)
    assert "would overwrite the recording " in refused("replay", "app", "second.npz", "--trace", ".")
    assert Path("second.wav").read_bytes() == before


def test_emit_over_an_existing_folder_gives_the_same_files_and_leaves_others_alone(here):
    first = tinystream("emit", "app", "-o", "gen")
    written = {Path(line) for line in first.out.splitlines()}
    assert first.code == 0 and written == set(Path("gen").iterdir())
    texts = {path: path.read_bytes() for path in written}
    Path("gen/mine.c").write_text("int mine;\n")
    Path("gen/wake_word.c").write_text("an older one\n")
    assert tinystream("emit", "app", "-o", "gen") == first
    assert {path: path.read_bytes() for path in written} == texts and Path("gen/mine.c").read_text() == "int mine;\n"


# --- brokers --------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_port_where_nobody_listens_is_told_before_any_work(here):
    address = f"127.0.0.1:{free_port()}"
    said = refused("replay", "app", KITCHEN, "--publish", "--broker", address)
    assert f"error: broker {address}: nobody listens there\n   = help: start a broker there, or --broker host:port" in said
    assert f"broker {address}: nobody listens there" in refused("run", "app", "-i", "second.wav", "--broker", address)


def test_a_broker_that_refuses_the_password_is_told_without_the_password(here, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSTREAM_USERNAME", "node7")
    monkeypatch.setenv("TINYSTREAM_PASSWORD", "hunter2")
    with Mosquitto(tmp_path, anonymous=False) as broker:
        said = refused("replay", "app", KITCHEN, "--publish", "--broker", f"127.0.0.1:{broker.port}")
    assert "user name or password refused" in said and "TINYSTREAM_PASSWORD" in said and "hunter2" not in said


def test_an_address_that_is_none(here):
    assert "--broker 'here:there' is not host:port" in refused("replay", "app", "second.wav", "--publish", "--broker", "here:there")


def test_a_broker_is_of_no_use_without_publish(here):
    assert "give both, or neither" in refused("replay", "app", "second.wav", "--broker", "127.0.0.1", code=2)


def test_publishing_without_a_sink_is_noted(here):
    done = tinystream("replay", app(TOML.replace(SINK, "")), "second.wav", "--publish")
    assert done.code == 0 and "note: wake_word has no sink but standard output: nothing is published" in done.err
    assert "has no sink of kind 'mqtt'" in told(tinystream("demo", "changed", "second.wav"))


# --- engines and compilers ------------------------------------------------------------------------------------


@pytest.fixture
def no_compiler(monkeypatch):
    """As on a machine without a C compiler and without the ziglang package."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler_module, "find_spec", lambda name: None)
    compiler_module.first_compiler.cache_clear()
    yield
    compiler_module.first_compiler.cache_clear()


def test_without_a_compiler_native_says_what_to_install(here, no_compiler):
    for verb in (("replay", "app", "second.wav", "--engine", "native"), ("verify", "app", "second.wav")):
        said = refused(*verb)
        assert "error: no C compiler here: neither $CC, gcc, clang nor the ziglang package" in said and "pip install ziglang" in said


def test_without_a_compiler_auto_takes_python(here, no_compiler):
    done, python = tinystream("replay", "app", WORKSHOP), tinystream("replay", "app", WORKSHOP, "--engine", "python")
    assert done.code == 0 and done.out == python.out and done.events


def test_a_compiler_that_cannot_compile_is_quoted(here, monkeypatch):
    fake = Path("fakecc").absolute()
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo fakecc 1.0 && exit\necho "stdint.h: not found" >&2; exit 1\n')
    fake.chmod(0o755)
    monkeypatch.setenv("CC", str(fake))
    compiler_module.first_compiler.cache_clear()
    try:
        said = refused("replay", "app", "second.wav", "--engine", "native")
    finally:
        compiler_module.first_compiler.cache_clear()
    assert "stdint.h: not found" in said and "--engine python needs no compiler" in said


def test_a_cache_that_cannot_be_written(here, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    said = refused("replay", "app", "second.wav", "--engine", "native")
    assert "error: /proc/none/tinystream cannot be written: " in said and "XDG_CACHE_HOME" in said


def test_an_unknown_engine_is_wrong_usage(here):
    said = refused("replay", "app", "second.wav", "--engine", "gpu", code=2)
    assert "'gpu'" in said and "'auto', 'python', 'native'" in said


# --- help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_80_columns_and_no_sentence_is_cut(here, verb):
    done = tinystream(*([verb] if verb else []), "--help")
    assert done.code == 0 and done.err == "" and done.out.startswith("Usage: ")
    assert max(map(len, done.out.splitlines())) <= 80
    if not verb:
        summaries = done.out.partition("Commands:")[2].strip().splitlines()
        assert len(summaries) == len(VERBS) and all(re.fullmatch(r" *\w+  +[^.]+\.", line) for line in summaries), summaries


def test_an_unknown_verb_is_wrong_usage(here):
    assert "No such command 'reply'" in refused("reply", code=2)


@pytest.mark.parametrize("name", [kind.name for kind in kinds()])
def test_all_that_there_is_can_be_looked_up(here, name):
    done = tinystream("stages", name)
    assert done.code == 0 and done.out.startswith(f"{name} (") and "the textbook, in float64" in " ".join(done.out.split())
    assert json.loads(tinystream("stages", name, "--json").out)["name"] == name


def test_the_lists_of_kinds_are_whole_and_an_unknown_one_is_told(here):
    listed = tinystream("stages").out + tinystream("stages", "--ops").out
    assert all(re.search(rf"^ ?{kind.name} ", listed, re.M) for kind in kinds())
    assert "did you mean 'mel'?" in refused("stages", "mell")


def test_the_schema_is_json(here):
    assert json.loads(tinystream("schema").out)["type"] == "object"


def test_the_version_is_told(here):
    assert re.fullmatch(r"tinystream \d+\.\d+\.\d+\S*\n", tinystream("--version").out)


# --- as a program ---------------------------------------------------------------------------------------------


def test_a_mistake_is_told_by_the_program_without_a_traceback(here):
    """One of all of these as a program of its own: the others run in this process."""
    with program("replay", APP, "none.wav") as run:
        out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (1, b"") and err.decode() == (
        "error: none.wav does not exist\n   = help: check the name, and the folder that you are in\n"
    )


def test_a_reader_that_leaves_early_is_no_mistake():
    with program("replay", APP, KITCHEN) as run:
        run.stdout.close()  # as `| head -0` does
        err = run.stderr.read().decode()
        assert run.wait(timeout=60) == 1
    assert "Traceback" not in err and "Broken" not in err
