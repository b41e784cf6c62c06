"""Does what was learnt outlive a reset, a window of duty and a journey through a file, and is it the same on every engine?"""

from __future__ import annotations

import struct
import subprocess
import zlib
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from command import tinystream
from examples import CASES, example
from examples import blocks as inputs

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import compilers
from tinystream.emit.emit import sources
from tinystream.emit.host import build_stream, parse_stream
from tinystream.emit.pair import pair
from tinystream.errors import LearntError
from tinystream.plan.learnt import HEAD, Refusal, digest, learns, members
from tinystream.plan.plan import Duty, Plan, Wiring, plan_stage, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.duty import OnDuty, on_duty
from tinystream.run.engine import Engine
from tinystream.run.learnt import begin
from tinystream.run.native import Native
from tinystream.run.outage import Interrupted
from tinystream.run.replay import replay
from tinystream.run.trace import Trace, difference
from tinystream.run.verify import Compared, verify
from tinystream.stages.baseline import Baseline
from tinystream.stages.frame import Frame

TOML = """
name = "tilt"
[source]
kind = "imu"
rate_hz = 100
axes = ["x", "y", "z"]
range_g = 4
block_ms = 20
[[stage]]
kind = "baseline"
how = "covariance"
learn_s = 2
follow_s = 1
follow_below = 6.0
"""


def flat(case) -> tuple:
    return case[0], *case[1]


ENGINES = ["python", "native", "cortex-m0", "cortex-m4"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


def write(folder: Path, text: str = TOML) -> Path:
    (folder / "app.toml").write_text(text)
    return folder


@pytest.fixture
def plan(tmp_path) -> Plan:
    return plan_file(write(tmp_path))


@cache
def heard() -> np.ndarray:
    """Ten seconds of three axes whose mean drifts; [moments, axes]."""
    drift = np.linspace(0, 2000, 1000)[:, None] * [1, -1, 0.5]
    return (np.random.default_rng(5).normal(3000, 400, (1000, 3)) + drift).astype(np.int16)


def blocks(plan: Plan) -> np.ndarray:
    return heard().reshape(-1, *plan.x[0].shape)


def make(plan: Plan, name: str):
    if name in ("python", "native"):
        return (Engine if name == "python" else Native)(plan)
    pytest.importorskip("unicorn")
    pytest.importorskip("elftools")
    from tinystream.firmware.emulated import Emulated

    return Emulated(plan, name)


# --- the same everywhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_learnt_is_the_same_on_every_engine_at_every_moment(plan, name):
    ours, theirs, x = Engine(plan), make(plan, name), blocks(plan)
    for first, last in [(0, 0), (0, 1), (1, 60), (60, 100), (100, 500)]:
        if last:
            ours.push(x[first:last])
            theirs.push(x[first:last])
        assert theirs.learnt() == ours.learnt()
    theirs.forget()
    assert theirs.learnt() == Engine(plan).learnt() != ours.learnt()


@pytest.mark.parametrize("name", ENGINES)
def test_going_on_after_a_restore_is_never_having_stopped(plan, name):
    whole, x = Engine(plan), blocks(plan)
    for stop in (37, 100, 300):
        begin(plan, whole)
        wanted = whole.push(x[:stop]), whole.push(x[stop:])[0]
        begin(plan, whole)
        whole.push(x[:stop])
        other = make(plan, name)
        other.push(x[300:450])  # a life before
        other.reset()
        other.restore(whole.learnt())
        fired = other.push(x[stop:])[0]
        np.testing.assert_array_equal(fired.y, wanted[1].y)
        np.testing.assert_array_equal(fired.when + stop, wanted[1].when)
        whole.push(x[stop:])
        assert other.learnt() == whole.learnt()


@pytest.mark.parametrize("name", ENGINES)
def test_a_reset_keeps_it_and_forgetting_begins_anew(plan, name):
    engine, x = make(plan, name), blocks(plan)
    first = engine.push(x)[0]
    learnt = engine.learnt()
    engine.reset()
    assert engine.learnt() == learnt
    assert engine.push(x[:1])[0].when.tolist() == [0], "it knows what is normal from the first block on"
    begin(plan, engine)
    again = engine.push(x)[0]
    assert again.when[0] == 100 and engine.learnt() == learnt
    np.testing.assert_array_equal(again.y, first.y)


def test_what_is_not_learnt_does_not_outlive_a_reset():
    """A frame before it is reset, whatever the stage behind it has learnt."""
    audio = Signal((4,), "int16", Fraction(100), sample_hz=Fraction(400))
    wiring = Wiring()
    frame = Frame(length_ms=20, hop_ms=10).plan(audio)
    wiring.add(frame, [-1])
    wiring.add(Baseline(learn_blocks=4).plan(frame.y), [0])
    plan = plan_steps("half", (audio,), wiring.steps)
    x = np.arange(40, dtype=np.int16).reshape(10, 4)
    for engine in (Engine(plan), Native(plan)):
        engine.push(x)
        engine.reset()
        fired = engine.push(x)
        assert fired[0].when[0] == 1 and fired[1].when[0] == 1


def test_windows_of_duty_add_up(plan):
    x = blocks(plan)
    for make_engine in (Engine, Native):
        dutied = OnDuty(plan, Duty(30, 50), make_engine(plan))
        assert dutied.push(x)[0].when[0] == 160, "100 blocks are three windows of 30, and 10 of the fourth"
        alone = make_engine(plan)
        alone.push(np.concatenate([x[i : i + 30] for i in range(0, 500, 50)]))
        assert dutied.learnt() == alone.learnt()
        dutied.reset()
        assert dutied.push(x)[0].when[0] == 0
        begin(plan, dutied)
        assert dutied.push(x)[0].when[0] == 160


def test_power_that_fails_takes_it_away(plan):
    interrupted = Interrupted(plan, Engine(plan), [(0, 120), (130, 500)])
    when = interrupted.push(blocks(plan))[0].when
    assert when[:20].tolist() == list(range(100, 120)) and when[20] == 230


def test_a_first_reset_alone_is_right_on_a_board(plan, tmp_path):
    """The program calls nothing but reset and push."""
    x = blocks(plan)
    program = build_stream(plan, tmp_path, compilers()[0])
    raw = subprocess.run([program], input=x.tobytes(), capture_output=True, check=True).stdout
    when, y = parse_stream(plan, raw)[0][0]
    wanted = Engine(plan).push(x)[0]
    np.testing.assert_array_equal(when, wanted.when)
    np.testing.assert_array_equal(y, wanted.y)


def test_apps_that_learn_nothing_have_no_such_functions():
    audio = Signal((4,), "int16", Fraction(100), sample_hz=Fraction(400))
    plan = plan_stage("plain", Frame(length_ms=20, hop_ms=10), audio)
    assert not learns(plan)
    assert not any(word in text for text in sources(plan).values() for word in ("learnt", "LEARNT", "forget", "restore"))


@pytest.mark.parametrize("form", [sources, pair])
def test_the_c_of_an_app_that_learns_compiles_without_a_warning(plan, form, tmp_path):
    for name, text in form(plan).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "main.c").write_text(
        '#include "tilt.h"\nint main(void)\n{\n    static uint8_t y[TILT_LEARNT_BYTES];\n    tilt_forget();\n    tilt_reset();\n'
        "    return tilt_export(y) == sizeof y && tilt_restore(y, sizeof y) == TS_LEARNT_RESTORED ? 0 : 1;\n}\n"
    )
    files = sorted(tmp_path.glob("*.c"))
    for compiler in compilers():
        program = compiler.build(files, tmp_path / "program", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
        assert subprocess.run([program]).returncode == 0


LEARNING = [case for case in CASES if learns(plan_stage("any", *flat(example(*case))))]


@pytest.mark.parametrize(("module", "i"), LEARNING, ids=[f"{module.rpartition('.')[2]}-{i}" for module, i in LEARNING])
def test_every_stage_that_learns_learns_the_same_in_c_and_can_be_stopped_anywhere(module, i):
    stage, signals = example(module, i)
    plan = plan_stage("learns", stage, *signals)
    x = inputs(module, signals, seed=9)
    host, native = Engine(plan), Native(plan)
    parts = [0, 1, len(x[0]) // 5, len(x[0]) // 2, len(x[0])]
    for first, last in pairwise(parts):
        fired = [engine.push(*(b[first:last] for b in x))[0] for engine in (host, native)]
        assert host.learnt() == native.learnt()
        np.testing.assert_array_equal(fired[0].y, fired[1].y)
        again = Engine(plan)
        again.restore(native.learnt())
        native.forget()
        native.restore(again.learnt())
        assert native.learnt() == host.learnt()


# --- refused --------------------------------------------------------------------------------------------------


def sealed(blob: bytes, at: int, new: bytes) -> bytes:
    """The same with other bytes there, and the CRC that fits."""
    raw = blob[:at] + new + blob[at + len(new) : -4]
    return raw + zlib.crc32(raw).to_bytes(4, "little")


SPOILED = {
    Refusal.SHORT: (lambda b: b[:47], "is cut off: 47 bytes, 540 are a baseline of tilt"),
    Refusal.MAGIC: (lambda b: b"TFL3" + b[4:], "is not a baseline: it begins with b'TFL3', not b'TSLT'"),
    Refusal.VERSION: (lambda b: sealed(b, 4, b"\x02"), "is of format 2, this version reads 1"),
    Refusal.ENDING: (lambda b: sealed(b, 5, b"\x02"), "ends in a way that is not known here: 2"),
    Refusal.SIZE: (lambda b: b[:-1], "has 539 bytes, a baseline of tilt has 540"),
    Refusal.CRC: (lambda b: b[:200] + bytes([b[200] ^ 1]) + b[201:], "is damaged: its CRC-32 does not fit"),
    Refusal.DEFINITION: (lambda b: sealed(b, 12, b"\x12\x34"), "is of definition 1234"),
}


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_damaged_or_of_another_definition_is_refused_by_name_and_changes_nothing(plan, name):
    engine = make(plan, name)
    engine.push(blocks(plan)[:150])
    learnt = engine.learnt()
    engine.forget()
    engine.push(blocks(plan)[:20])
    before = engine.learnt()
    for why, (spoil, said) in SPOILED.items():
        with pytest.raises(LearntError) as told:
            engine.restore(spoil(learnt))
        assert said in told.value.what and told.value.help, why
        assert engine.learnt() == before
    longer = learnt[:8] + struct.pack("<I", len(learnt) - 48 + 8) + learnt[12:-4] + bytes(8)
    with pytest.raises(LearntError, match="has 548 bytes, a baseline of tilt has 540"):
        engine.restore(longer + zlib.crc32(longer).to_bytes(4, "little"))
    assert engine.learnt() == before
    engine.restore(learnt)
    assert engine.learnt() == learnt


def test_every_single_bit_that_flips_is_noticed(plan):
    engine = Native(plan)
    engine.push(blocks(plan)[:150])
    learnt = engine.learnt()
    for bit in range(8 * len(learnt)):
        flipped = bytearray(learnt)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LearntError):
            engine.restore(bytes(flipped))


def test_another_option_is_another_definition(plan, tmp_path):
    (tmp_path / "other").mkdir()
    other = plan_file(write(tmp_path / "other", TOML.replace("follow_s = 1", "follow_s = 2")))
    learnt = Engine(plan).learnt()
    with pytest.raises(LearntError) as told:
        Engine(other).restore(learnt)
    assert told.value.what == f"this baseline is of definition {plan.digest[:16]}, tilt is {other.digest[:16]}"
    assert told.value.help == "learn again, or take the definition that learnt it"


def test_the_bytes_are_what_their_form_says(plan):
    engine = Engine(plan)
    engine.push(blocks(plan)[:3])
    blob = engine.learnt()
    assert HEAD.unpack_from(blob) == (b"TSLT", 1, 1, 0, len(blob) - 48, bytes.fromhex(plan.digest))
    assert [m.name for m in members(plan)] == list(plan.steps[0].learnt)
    assert struct.unpack_from("<iii6q", blob, 44) == (3, 0, 0, *heard()[:6].reshape(3, 6).astype(int).sum(axis=0))
    assert int.from_bytes(blob[-4:], "little") == zlib.crc32(blob[:-4])


def test_what_is_learnt_starts_at_zero_as_ram_does(plan):
    with pytest.raises(AssertionError, match="what is learnt starts at 0"):
        replace(plan.steps[0], state=plan.steps[0].state | {"std": np.ones(6, np.int32)})


# --- replay and verify ----------------------------------------------------------------------------------------


def test_the_trace_tells_the_digest_and_keeps_it(plan, tmp_path):
    traces = [replay(plan, on_duty(plan, make(plan, name)), heard(), keep="scores") for name in ENGINES[:2]]
    engine = Engine(plan)
    engine.push(blocks(plan))
    assert [trace.learnt for trace in traces] == [digest(engine.learnt())] * 2
    traces[0].save(tmp_path / "t.npz")
    again = Trace.load(tmp_path / "t.npz")
    assert again.learnt == traces[0].learnt and difference(again, traces[1]) is None
    found = difference(again, replace(traces[1], learnt="0"))
    assert found is not None and found.step == "learnt"


@pytest.mark.parametrize("name", ENGINES[1:])
def test_verify_names_the_member_that_was_learnt_otherwise(plan, name):
    """What no output shows: the vectors before the last one, while it still learns."""
    few = heard()[:100]
    assert verify(plan, Engine(plan), make(plan, name), few, Compared()) is None

    class Wrong(Engine):
        def learnt(self) -> bytes:
            self.states[0].sum[3] += 1
            return super().learnt()

    found = verify(plan, make(plan, name), Wrong(plan), few, Compared())
    assert found is not None and found.index == (3,) and found.values[1] - found.values[0] == 1
    assert f"learnt state of step baseline, member sum[3]: {'' if name == 'native' else name}" in found.what


def test_replay_saves_what_was_learnt_and_begins_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path))
    for name, part in [("a", heard()[:400]), ("b", heard()[400:])]:
        np.save(f"{name}.npy", part)
    plan = plan_file(tmp_path)

    def learnt(*parts: np.ndarray) -> bytes:
        engine = Engine(plan)
        for part in parts:
            engine.reset()
            engine.push(part.reshape(-1, *plan.x[0].shape))
        return engine.learnt()

    apart, together = learnt(heard()[400:]), learnt(heard()[:400], heard()[400:])
    done = tinystream("replay", ".", "a.npy", "b.npy", "--counts", "--save-learnt", "new/one.bin")
    assert done.code == 0 and Path("new/one.bin").read_bytes() == apart
    assert "one.bin is of b.npy alone" in done.err and digest(apart) in done.err and "count 100" in done.err
    done = tinystream("replay", ".", "a.npy", "b.npy", "--counts", "--continue", "--save-learnt", "two.bin", "--jobs", 2)
    assert done.code == 0 and Path("two.bin").read_bytes() == together and "alone" not in done.err
    tinystream("replay", ".", "a.npy", "--counts", "--save-learnt", "a.bin")
    done = tinystream("replay", ".", "b.npy", "--counts", "--learnt", "a.bin", "--save-learnt", "three.bin", "--trace", "t.npz")
    assert done.code == 0 and Path("three.bin").read_bytes() == together
    assert Trace.load(Path("t.npz")).learnt == digest(together)


def test_a_live_run_begins_with_what_was_learnt_and_saves_it(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path))
    plan = plan_file(tmp_path)
    engine = Engine(plan)
    for part in (heard()[:300], heard()[300:]):
        engine.reset()
        engine.push(part.reshape(-1, *plan.x[0].shape))
        given = ("--learnt", "l.bin") if Path("l.bin").exists() else ()
        done = tinystream("run", ".", "--input", "-", "--save-learnt", "l.bin", *given, stdin=part.astype("<i2").tobytes())
        assert done.code == 0 and Path("l.bin").read_bytes() == engine.learnt()


def test_files_that_cannot_be_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path))
    np.save("a.npy", heard()[:400])
    assert tinystream("replay", ".", "a.npy", "--counts", "--save-learnt", "a.bin").code == 0
    Path("cut.bin").write_bytes(Path("a.bin").read_bytes()[:-20])
    for arguments, said in [
        (("--learnt", "none.bin"), "none.bin cannot be read: no such file or directory"),
        (("--learnt", "cut.bin"), "cut.bin has 520 bytes, a baseline of tilt has 540"),
        (("--learnt", "app.toml"), "app.toml is not a baseline"),
        (("--save-learnt", "a.npy"), "what was learnt would overwrite the recording a.npy"),
    ]:
        done = tinystream("replay", ".", "a.npy", "--counts", *arguments)
        assert done.code == 1 and f"error: {said}" in done.err and "help: " in done.err
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", TOML.partition("[[stage]]")[0] + '[[stage]]\nkind = "stack"\nframes = 2\n')
    for option in ("--learnt", "--save-learnt"):
        done = tinystream("replay", "other", "a.npy", "--counts", option, "a.bin")
        assert done.code == 1 and "tilt learns nothing" in done.err
    done = tinystream("replay", "other", "a.npy", "--counts")
    assert done.code == 0 and "SHA" not in done.err


def test_verify_proves_it_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path))
    np.save("a.npy", heard())
    done = tinystream("verify", ".", "a.npy", "--counts", "--certificate", "c.json")
    assert done.code == 0 and "1 step and what was learnt in 1 recording" in done.out
    assert tinystream("verify", ".", "a.npy", "--check", "c.json").code == 0
    engine = Engine(plan_file(tmp_path))
    engine.push(blocks(plan_file(tmp_path)))
    assert digest(engine.learnt()) in Path("c.json").read_text()
