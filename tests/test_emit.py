"""Is the generated C fit to ship?  The files of apps/wake_word as an embedded compiler, a linker and a person see them."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from examples import MODULES, example

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import WARNINGS, compilers
from tinystream.emit.emit import comment, emit, string
from tinystream.emit.host import write_stream
from tinystream.io.recording import read_recording
from tinystream.plan.plan import Plan, Wiring, plan_stage, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.replay import blocks_of
from tinystream.stages.frame import AUDIO, Frame
from tinystream.stages.gate import Gate
from tinystream.stages.log import Log
from tinystream.stages.mel import Mel
from tinystream.stages.spectrum import Spectrum

ROOT = Path(__file__).parents[1]
COMPILERS = {c.name: c for c in compilers()}
FREE = ("-ffreestanding", "-fno-sanitize=undefined")
BARE = {
    "cortex-m4": ("-target", "thumb-freestanding-none", "-mcpu=cortex_m4", *FREE),
    "cortex-m0plus": ("-target", "thumb-freestanding-none", "-mcpu=cortex_m0plus", "-mfloat-abi=soft", *FREE),
    "riscv32": ("-target", "riscv32-freestanding-none", *FREE),
}
HELPERS = r"mem(cpy|move|set)|__aeabi_\w+|__(u?div|u?mod|mul|ashl|ashr|lshr|clz)\w*[sd]i[234]"
"""All that the C may ask of its surroundings: four functions of memory, and what a core cannot do in an instruction."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_file(ROOT / "apps/wake_word")


@pytest.fixture(scope="module")
def folder(plan, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wake_word")
    emit(plan, out)
    return out


@pytest.fixture(scope="module")
def heard(plan) -> tuple[bytes, str]:
    """Seconds of a recording, loud noise after them; and the digest of all that numpy makes of them."""
    samples = read_recording(ROOT / "recordings/kitchen.flac", rate_hz=Fraction(16000), channels=1).samples.reshape(-1)[:96000]
    noise = np.random.default_rng(1).integers(-32768, 32768, 8000).astype(np.int16)
    x = blocks_of(plan, np.concatenate([samples, noise]))[0]
    fired = Engine(plan).push(x)
    assert all(len(f.when) > 100 for i, f in fired.items() if i != plan.detector)
    return x.tobytes(), digest((i, t, y.tobytes()) for i, f in fired.items() for t, y in zip(f.when.tolist(), f.y))


def digest(outputs) -> str:
    """Of (step, block, bytes), in the order of blocks and steps."""
    text = hashlib.sha256()
    for step, block, y in sorted(outputs, key=lambda o: (o[1], o[0])):
        text.update(f"{step} {block} ".encode() + y)
    return text.hexdigest()


def digest_of_stream(plan: Plan, raw: bytes) -> str:
    outputs, at = [], 0
    while at < len(raw):
        step, block = np.frombuffer(raw, np.int32, 2, at).tolist()
        size = plan.steps[step].y.bytes if step >= 0 else 12
        if step >= 0:
            outputs.append((step, block, raw[at + 8 : at + 8 + size]))
        at += 8 + size
    return digest(outputs)


def symbols(object_file: Path, *flags: str) -> dict[str, tuple[int, str]]:
    """(size, type) by name, as nm tells them."""
    if not shutil.which("nm"):
        pytest.skip("needs nm")
    found = {}
    for line in subprocess.run(["nm", "-S", *flags, object_file], capture_output=True, text=True, check=True).stdout.splitlines():
        fields = line.split()
        found[fields[-1]] = (int(fields[1], 16) if len(fields) == 4 else 0, fields[-2])
    return found


# --- compilers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_compiler_and_level_gives_the_bits_of_numpy(plan, heard, compiler, level, tmp_path):
    sources = write_stream(plan, tmp_path)
    extra = ("-fstrict-aliasing", "-flto") if level == "-O3" and compiler != "zig" else ("-fstrict-aliasing",)
    program = COMPILERS[compiler].build(sources, tmp_path / "stream", *WARNINGS, level, *extra)
    done = subprocess.run([program], input=heard[0], capture_output=True, check=True)
    assert digest_of_stream(plan, done.stdout) == heard[1]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.rpartition(".")[2])
def test_every_kernel_compiles_without_a_warning_where_all_is_inlined(module, tmp_path):
    """With constants known, a compiler looks further: it once saw a pointer that began before its table."""
    stage, signals = example(module, 0)
    emit(plan_stage("warned", stage, *signals), tmp_path)
    for level in ("-O2", "-Os", "-O3"):
        compilers()[0].build([tmp_path / "warned.c"], tmp_path / "warned.o", *WARNINGS, level, "-c")


@pytest.mark.parametrize("target", BARE)
def test_bare_cores_compile_it_without_a_library(plan, folder, target, tmp_path):
    if "zig" not in COMPILERS:
        pytest.skip("needs the ziglang package")
    for name in ("wake_word", "wake_word_tables"):
        flags = [*WARNINGS, *BARE[target], "-Os", "-c"]
        COMPILERS["zig"].build([folder / f"{name}.c"], tmp_path / f"{name}.o", *flags)
    asked = [n for n, (_, kind) in symbols(tmp_path / "wake_word.o").items() if kind == "U" and not n.startswith("wake_word_")]
    assert [n for n in asked if not re.fullmatch(HELPERS, n)] == []
    assert [n for n in asked if re.search(r"[fd]2|2[fd]|_[fd](add|sub|mul|div|cmp)|[sd]f[23]", n)] == [], "floating point"


def test_the_ram_in_the_header_is_that_of_a_32_bit_core(plan, folder, tmp_path):
    if "zig" not in COMPILERS:
        pytest.skip("needs the ziglang package")
    COMPILERS["zig"].build([folder / "wake_word.c"], tmp_path / "app.o", *BARE["cortex-m4"], "-O0", "-c")
    found = symbols(tmp_path / "app.o")
    assert found["arena"][0] == plan.arena_bytes
    assert sum(size for size, kind in found.values() if kind in "bBdD") == plan.ram_bytes
    assert re.search(rf"#define WAKE_WORD_RAM_BYTES +{plan.ram_bytes} ", (folder / "wake_word.h").read_text())


def test_it_asks_for_nothing_but_memory_functions(folder, tmp_path):
    compilers()[0].build([folder / "wake_word.c"], tmp_path / "app.o", "-std=c11", "-O2", "-c")
    found = symbols(tmp_path / "app.o")
    asked = {n for n, (_, kind) in found.items() if kind == "U" and not n.startswith("wake_word_")}
    assert asked <= {"memcpy", "memmove", "memset", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
    assert {n for n, (_, kind) in found.items() if kind.isupper() and kind != "U"} == {"wake_word_push", "wake_word_reset"}


def test_no_float_is_written_but_the_scale_of_the_score(folder):
    for path in folder.glob("*.[ch]"):
        code = re.sub(r"/\*.*?\*/|#define WAKE_WORD_SCORE_SCALE.*", "", path.read_text(), flags=re.S if path.suffix == ".c" else 0)
        code = re.sub(r'/\*.*?\*/|"[^"\n]*"', "", code, flags=re.S)
        assert not re.search(r"\b(float|double|malloc|printf|goto|setjmp)\b|\d\.\d", code), path.name


def test_the_header_is_fit_for_cpp(folder, tmp_path):
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    (tmp_path / "main.cpp").write_text(
        '#include "wake_word.h"\nstatic const char *const labels[] = WAKE_WORD_LABELS;\n'
        "int main() { int16_t x[WAKE_WORD_BLOCK] = {}; ts_event event; wake_word_reset();\n"
        "  return wake_word_push(x, &event) ? labels[event.label][0] : WAKE_WORD_LABEL_COUNT - int(sizeof labels / sizeof *labels); }\n"
    )
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", f"-I{folder}"]
    for name in ("wake_word", "wake_word_tables"):
        compilers()[0].build([folder / f"{name}.c"], tmp_path / f"{name}.o", "-std=c11", "-c")
    objects = [tmp_path / "wake_word.o", tmp_path / "wake_word_tables.o"]
    subprocess.run(["g++", *flags, tmp_path / "main.cpp", *objects, "-o", tmp_path / "main"], check=True)
    assert subprocess.run([tmp_path / "main"]).returncode == 0


def test_two_apps_live_in_one_image(plan, folder, tmp_path):
    other = replace(plan_stage("doorbell", Frame(length_ms=30, hop_ms=20), AUDIO))
    shutil.copytree(folder, tmp_path / "both")
    emit(other, tmp_path / "both")
    (tmp_path / "both/main.c").write_text(
        '#include "wake_word.h"\n#include "doorbell.h"\n'
        "int main(void) { static int16_t x[160]; struct ts_event event; wake_word_reset(); doorbell_reset();\n"
        "  return wake_word_push(x, &event) || doorbell_push(x, &event); }\n"
    )
    sources = sorted((tmp_path / "both").glob("*.c"))
    assert len(sources) == 5
    program = compilers()[0].build(sources, tmp_path / "main", *WARNINGS)
    assert subprocess.run([program]).returncode == 0


def test_kernels_of_another_version_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "old")
    header = tmp_path / "old/ts_fixed.h"
    header.write_text(re.sub(r"(TS_KERNELS_VERSION) (\d+)", r"\1 999", header.read_text()))
    with pytest.raises(Exception, match="Emit this file again"):
        compilers()[0].build([tmp_path / "old/wake_word.c"], tmp_path / "app.o", "-std=c11", "-c")


# --- the text -------------------------------------------------------------------------------------------------


def test_emitted_text_is_the_same_every_time_and_names_no_machine(plan, folder, tmp_path):
    emit(plan_file(ROOT / "apps/wake_word"), tmp_path)
    texts = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert texts == {p.name: p.read_bytes() for p in folder.iterdir()}
    assert not any(str(ROOT).encode() in text for text in texts.values())


def test_only_the_kernels_that_are_used_are_copied(plan, folder):
    included = {n for p in folder.iterdir() for n in re.findall(r'#include "(\w+\.h)"', p.read_text())}
    assert {p.name for p in folder.glob("*.h")} == included | {"wake_word.h"}
    assert {f"ts_{s.kind}.h" for s in plan.steps} <= included
    assert "ts_spectrum.h" not in included


def test_it_reads_well(folder):
    for path in (folder / "wake_word.c", folder / "wake_word.h"):
        text = path.read_text()
        assert "\t" not in text and "\n\n\n" not in text and not re.search(r" +$", text, re.M), path.name
        assert max(map(len, text.splitlines())) <= 140
    source = (folder / "wake_word.c").read_text()
    union = re.search(r"static union \{\n(.*?)\n\}", source, re.S)[1].splitlines()
    calls = [line for line in source.splitlines() if line.strip().startswith("TS_DONE")]
    for lines in (union, calls):
        assert len({line.index("/*") for line in lines}) == 1, "comments stand in one column"
    assert "/* 13x64 int8 at 33.33 Hz */" in source


def test_the_header_tells_what_its_user_must_know(plan, folder):
    defines = dict(re.findall(r"#define WAKE_WORD_(\w+) +(.*?) *(?:/\*.*)?\n", (folder / "wake_word.h").read_text()))
    assert defines == {
        "BLOCK": "160",
        "SAMPLE_HZ": "16000",
        "BLOCK_US": "10000",
        "RAM_BYTES": str(plan.ram_bytes),
        "STEPS": str(len(plan.steps)),
        "SCORE_SCALE": repr(plan.steps[plan.detector].y.scale),
        "LABEL_COUNT": "1",
        "LABELS": '{ "computer" }',
        "DEFINITION": f'"{plan.digest}"',
        "DEFINITION_32": f"0x{plan.digest[:8]}u",
    }


def test_several_inputs_and_channels_have_macros_of_their_own(tmp_path):
    axes = Signal((20, 3), "int16", Fraction(80), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))
    two = replace(AUDIO, rate_hz=Fraction(80), sample_hz=Fraction(12800))
    steps = [replace(Gate(open_db=-30).plan(x), name=f"gate{i}", sources=(-1 - i,)) for i, x in enumerate((axes, two))]
    emit(plan_steps("both", (axes, two), steps), tmp_path)
    text = (tmp_path / "both.h").read_text()
    for line in ("BLOCK_X0 +60 ", "CHANNELS_X0 +3 ", "SAMPLE_HZ_X0 +1600 ", "BLOCK_X1 +160 ", "SAMPLE_HZ_X1 +12800 ", "BLOCK_US +12500 "):
        assert re.search(f"#define BOTH_{line}", text), line
    assert "both_push(const int16_t x0[BOTH_BLOCK_X0], const int16_t x1[BOTH_BLOCK_X1], struct ts_event *event)" in text
    compilers()[0].build([tmp_path / "both.c"], tmp_path / "both.o", *WARNINGS, "-c")


ODD = ["*/ int x; /*", "/* nested", "ends with a backslash \\", "what??/ trigraph", "ends with ??/", "a\nb\tc\0d", "**//",
       "é ü 日本 \u202e right to left", '%s "quoted"', "*", "/"]


@pytest.mark.parametrize("words", ODD)
def test_no_word_of_a_person_breaks_the_c(words, tmp_path):
    plan = replace(plan_stage("odd", Frame(length_ms=10), AUDIO), says=words, labels=(words, "b"))
    plan = replace(plan, steps=(replace(plan.steps[0], says=words),))
    emit(plan, tmp_path)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "odd.h"\nint main(void) { static const char *const labels[] = ODD_LABELS;\n'
        "  static int16_t x[ODD_BLOCK]; struct ts_event event; odd_reset(); fputs(labels[0], stdout);\n"
        "  return odd_push(x, &event) + (int)(sizeof labels / sizeof *labels) - 2; }\n"
    )
    program = compilers()[0].build([tmp_path / n for n in ("main.c", "odd.c", "odd_tables.c")], tmp_path / "main", *WARNINGS)
    said = subprocess.run([program], capture_output=True, check=True).stdout
    assert said == words.encode().split(b"\0")[0]


def test_comments_and_strings_hold_what_they_are_given():
    assert comment("a  b\n*/ /* c") == "a b * / / * c"
    assert string('"\\?é\n') == '"\\"\\\\\\?é\\012"'


# --- steps that share memory ----------------------------------------------------------------------------------


def test_a_fence_stands_between_any_two_steps_and_before_the_first(plan, folder):
    body = (folder / "wake_word.c").read_text().partition("wake_word_push(")[2]
    order = re.findall(r"\b(TS_FENCE|TS_DONE|ts_\w+)\(", body)
    assert order[0] == "TS_FENCE"
    assert [w for w in order[1::2] if not w.startswith("ts_")] == []
    assert set(order[2::2]) == {"TS_DONE"}
    assert len(order) == 1 + 2 * len(plan.steps)


def test_names_of_harness_variables_are_free_for_stages(tmp_path):
    """`after`, `outputs`, `values`: what a person may call a stage must not meet a word of the host's harness."""
    from tinystream.run.native import Native

    wiring = Wiring()
    names = ["after", "outputs", "wanted", "output", "blocks", "event_", "labels"]
    for name in names:
        wiring.add(Gate(open_db=-60).plan(AUDIO), [-1], name)
    plan = plan_steps("harness", (AUDIO,), wiring.steps)
    x = np.full((3, *AUDIO.shape), 9999, np.int16)
    assert all(len(f.when) == 3 for f in Native(plan).push(x).values())


def test_several_tables_of_equal_content_are_stored_once(tmp_path):
    wiring = Wiring()
    a = wiring.add(Frame(length_ms=10).plan(AUDIO), [-1])
    b = wiring.add(Frame(length_ms=10).plan(AUDIO), [-1])
    for i in (a, b):
        power = wiring.add(Spectrum().plan(wiring.steps[i].y), [i])
        bands = wiring.add(Mel(bands=5).plan(wiring.steps[power].y), [power])
        wiring.add(Log().plan(wiring.steps[bands].y), [bands])
    plan = plan_steps("twins", (AUDIO,), wiring.steps)
    emit(plan, tmp_path)
    arrays = re.findall(r"^extern const (\w+)_t \w+\[(\d+)\];", (tmp_path / "twins_tables.h").read_text(), re.M)
    assert len(arrays) == sum(len(s.tables) for s in wiring.steps) // 2
    assert sum(np.dtype(t).itemsize * int(n) for t, n in arrays) == plan.table_bytes
