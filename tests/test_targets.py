"""Is each target what its ecosystem takes?  Each is built as it is built there, fed a recording, and checked by what tools there are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from command import APP, KITCHEN, ROOT, tinystream

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import WARNINGS, compilers
from tinystream.emit.emit import sources, write
from tinystream.emit.host import write_stream
from tinystream.emit.pair import pair
from tinystream.emit.targets import TARGETS, target_texts, write_target
from tinystream.errors import BuildError, TinystreamError
from tinystream.io.recording import read_recording
from tinystream.plan.plan import Plan, plan_stage, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.replay import blocks_of
from tinystream.stages.frame import AUDIO
from tinystream.stages.gate import Gate

LIBRARIES = [name for name, target in TARGETS.items() if target.library]
COMPILERS = {c.name: c for c in compilers()}
SAYS = '"quoted", it\'s */ ]]> </description> & <b> $(shell,false) ${HOME} @x@ %s \\ # a: - é 日本\nsecond\tline??/'
SAID = SAYS.replace("\n", " ").replace("\t", " ")
STRICT = [*WARNINGS, "-Wunused-function", "-Wredundant-decls", "-Wshadow", "-Wmissing-prototypes"]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_file(APP)


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Plan:
    """An app like the first, by another name, that is harder to convince."""
    folder = tmp_path_factory.mktemp("other")
    text = (APP / "app.toml").read_text().replace('"wake_word"', '"second"').replace("threshold = 2.4", "threshold = 6.0")
    (folder / "app.toml").write_text(text)
    shutil.copy(APP / "model.tflite", folder)
    return plan_file(folder)


@pytest.fixture(scope="module")
def heard() -> np.ndarray:
    """13 s of a recording, in which the word is said twice."""
    return read_recording(KITCHEN, rate_hz=Fraction(16000), channels=1).samples.reshape(-1)[: 13 * 16000]


@pytest.fixture(scope="module")
def events(plan, heard) -> list[tuple[int, int, int]]:
    """(block, label, score) as numpy has them."""
    found = events_of(plan, heard)
    assert len(found) == 2
    return found


@pytest.fixture(scope="module")
def apart(plan, heard, tmp_path_factory) -> bytes:
    """What every step gives of the recording where kernels and tables have files of their own."""
    folder = tmp_path_factory.mktemp("apart")
    told = run(compilers()[0].build(write_stream(plan, folder), folder / "stream", "-std=c11", "-O2"), input=heard.tobytes()).stdout
    assert len(told) > 500_000
    return told


def events_of(plan: Plan, samples: np.ndarray) -> list[tuple[int, int, int]]:
    fired = Engine(plan).push(*blocks_of(plan, samples))[plan.detector]
    return [(int(when), *map(int, y.reshape(-1))) for when, y in zip(fired.when, fired.y)]


def lines_of(plan: Plan, events: list[tuple[int, int, int]]) -> list[dict[str, object]]:
    """What the example of the CMake target prints."""
    scale = plan.steps[plan.detector].y.scale
    return [{"sequence": i, "label": plan.labels[y], "score": score * scale, "block": b} for i, (b, y, score) in enumerate(events)]


def run(*command: object, **options) -> subprocess.CompletedProcess:
    done = subprocess.run([str(part) for part in command], capture_output=True, **options)
    assert done.returncode == 0, done.stdout.decode()[-3000:] + done.stderr.decode()[-3000:]
    return done


def needs(tool: str) -> str:
    if not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    return tool


# --- the pair -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "compiler, flags", [("gcc", "-O0"), ("gcc", "-O2 -fno-inline"), ("gcc", "-O3 -flto"), ("clang", "-O2"), ("zig", "-Os")]
)
def test_every_step_of_the_pair_gives_what_it_gives_in_files_apart(plan, heard, apart, compiler, flags, tmp_path):
    """With its tables beside the code, a compiler knows more than it does of the sources that other tests hold against numpy."""
    if compiler not in COMPILERS:
        pytest.skip(f"needs {compiler}")
    harness = write_stream(plan, tmp_path / "apart")[0].read_text()
    write({**pair(plan), "stream.c": harness}, tmp_path / "pair")
    program = COMPILERS[compiler].build([tmp_path / "pair/stream.c"], tmp_path / "stream", *WARNINGS, *flags.split())
    assert run(program, input=heard.tobytes()).stdout == apart


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("core", ["host", "clang", "cortex-m0", "cortex-m4"])
def test_the_pair_compiles_without_a_warning(plan, core, level, tmp_path):
    write(pair(plan), tmp_path)
    compiler = {"host": ["gcc"], "clang": ["clang"]}.get(core) or ["arm-none-eabi-gcc", "-mthumb", f"-mcpu={core}"]
    needs(compiler[0])
    run(*compiler, *STRICT, level, "-c", tmp_path / "wake_word.c", "-o", tmp_path / "app.o")


def test_zig_compiles_the_pair_for_a_bare_core_without_a_warning(plan, tmp_path):
    if "zig" not in COMPILERS:
        pytest.skip("needs the ziglang package")
    write(pair(plan), tmp_path)
    flags = ["-target", "thumb-freestanding-none", "-mcpu=cortex_m4", "-ffreestanding", "-O2"]
    COMPILERS["zig"].build([tmp_path / "wake_word.c"], tmp_path / "app.o", *STRICT, *flags, "-c")


def test_all_that_the_pair_shows_to_a_linker_begins_with_its_name(plan, tmp_path):
    write(pair(plan), tmp_path)
    run(needs("gcc"), "-std=c11", "-O2", "-c", tmp_path / "wake_word.c", "-o", tmp_path / "app.o")
    fields = [row.split() for row in run(needs("nm"), "-g", tmp_path / "app.o").stdout.decode().splitlines()]
    assert {name for *_, kind, name in fields if kind != "U"} == {"wake_word_push", "wake_word_reset"}
    assert {name for *_, kind, name in fields if kind == "U"} <= {
        "memcpy",
        "memmove",
        "memset",
        "__stack_chk_fail",
        "_GLOBAL_OFFSET_TABLE_",
    }


def test_the_pair_is_two_files_that_include_nothing_of_ours(plan):
    texts = pair(plan)
    assert set(texts) == {"wake_word.c", "wake_word.h"}
    assert re.findall(r'#include "(.*)"', "".join(texts.values())) == ["wake_word.h"]
    assert "TS_GROUPS\n" not in texts["wake_word.c"] and "ts_dot" not in texts["wake_word.c"], "what the form rules out is left out"
    lines = texts["wake_word.c"].splitlines()
    for part in ("kernels", "app", "tables"):
        at = int(re.search(rf"{part} +from line (\d+)", texts["wake_word.c"])[1])
        assert lines[at - 1].startswith(f"/* ======== {part} ="), f"the head says where its {part} are"
    assert "\n\n\n" not in texts["wake_word.c"] and "\t" not in texts["wake_word.c"]


def test_kernels_of_a_stage_of_ones_own_are_in_the_pair_and_not_under_our_licence(tmp_path):
    from own_stages.halve import Halve

    text = pair(plan_stage("halved", Halve(), AUDIO))["halved.c"]
    assert text.index("SPDX-SnippetEnd") < text.index("static void ts_halve(") < text.index("======== app")
    assert text.count("int64_t ts_rshift(") == 1
    write(pair(plan_stage("halved", Halve(), AUDIO)), tmp_path)
    compilers()[0].build([tmp_path / "halved.c"], tmp_path / "halved.o", *STRICT, "-c")


BOTH = """
#include <stdio.h>
#include "second.h"
#include "wake_word.h"

int main(void)
{
    static int16_t x[WAKE_WORD_BLOCK];
    struct ts_event e;
    wake_word_reset();
    second_reset();
    while (fread(x, sizeof x, 1, stdin) == 1) {
        if (wake_word_push(x, &e)) printf("first %d %d %d\\n", (int)e.block, (int)e.label, (int)e.score);
        if (second_push(x, &e)) printf("second %d %d %d\\n", (int)e.block, (int)e.label, (int)e.score);
    }
    return 0;
}
"""


@pytest.mark.parametrize("compiler, flags", [("gcc", "-O0"), ("gcc", "-O2 -flto"), ("clang", "-O2"), ("gcc", "-x c++")])
def test_two_apps_with_kernels_of_different_versions_live_in_one_image(plan, other, heard, events, compiler, flags, tmp_path):
    """The second one's structs have grown: where a linker took one kernel for both, one app would read the other's members."""
    if compiler not in COMPILERS or (flags == "-x c++" and not shutil.which("g++")):
        pytest.skip(f"needs {compiler}")
    newer = pair(other)["second.c"]
    for kind in ("stack", "conv_2d", "smoothed", "micro_frontend_state"):
        assert f"struct ts_{kind} {{\n" in newer
        newer = newer.replace(f"struct ts_{kind} {{\n", f"struct ts_{kind} {{\n    int64_t added[3];\n")
    newer = newer.replace("TS_KERNELS_VERSION 1\n", "TS_KERNELS_VERSION 2\n").replace("TS_KERNELS_VERSION != 1", "TS_KERNELS_VERSION != 2")
    write({**pair(plan), **pair(other), "second.c": newer, "main.c": BOTH}, tmp_path)
    language = flags.split() if flags == "-x c++" else ["-std=c11", *flags.split()]
    link = [] if flags == "-x c++" else flags.split()
    for name in ("wake_word", "second", "main"):
        given = language if name == "main" else ["-std=c11", "-O2", *link]
        no_sign = ["-Wno-missing-field-initializers"] if name == "second" else []
        COMPILERS[compiler].build([tmp_path / f"{name}.c"], tmp_path / f"{name}.o", *given, "-Wall", "-Wextra", "-Werror", *no_sign, "-c")
    objects = [tmp_path / f"{name}.o" for name in ("main", "wake_word", "second")]
    program = COMPILERS[compiler].build(objects, tmp_path / "both", *link)
    said = [row.split() for row in run(program, input=heard.tobytes()).stdout.decode().splitlines()]
    assert [tuple(map(int, row[1:])) for row in said if row[0] == "first"] == events
    assert [tuple(map(int, row[1:])) for row in said if row[0] == "second"] == events_of(other, heard) != events


# --- what does not belong together ----------------------------------------------------------------------------


def refusal(texts: dict[str, str], source: str, folder: Path) -> str:
    write(texts, folder)
    with pytest.raises(BuildError) as refused:
        compilers()[0].build([folder / source], folder / "app.o", "-std=c11", "-c")
    return str(refused.value)


@pytest.mark.parametrize("target", ["pair", "sources"])
def test_kernels_of_another_version_are_a_compile_error_that_says_so(plan, target, tmp_path):
    texts = target_texts(plan, target)
    file = "ts_fixed.h" if target == "sources" else "wake_word.c"
    assert texts[file].count("TS_KERNELS_VERSION 1") == 1
    texts[file] = texts[file].replace("TS_KERNELS_VERSION 1", "TS_KERNELS_VERSION 2")
    assert "the kernels beside it are of another tinystream version" in refusal(texts, "wake_word.c", tmp_path)


@pytest.mark.parametrize("target", LIBRARIES)
def test_a_library_has_no_kernels_that_could_be_mixed(plan, target):
    texts = target_texts(plan, target)
    assert sorted(Path(name).name for name in texts if name.endswith((".c", ".h")) and "example" not in name) == [
        "wake_word.c",
        "wake_word.h",
    ]
    assert "TS_KERNELS_VERSION != 1" in texts["src/wake_word.c"]


@pytest.mark.parametrize("source", ["wake_word.c", "wake_word_tables.c"])
def test_a_header_of_another_definition_is_a_compile_error_that_says_so(plan, source, tmp_path):
    older = replace(plan, digest="0123456789abcdef" * 4)
    texts = {**sources(plan), "wake_word.h": sources(older)["wake_word.h"]}
    assert "wake_word.h is of another definition than this file" in refusal(texts, source, tmp_path)


def test_headers_with_different_events_are_a_compile_error_that_says_so(plan, other, tmp_path):
    newer = (
        pair(other)["second.h"]
        .replace("TS_EVENT_VERSION 1", "TS_EVENT_VERSION 2")
        .replace("TS_EVENT_VERSION != 1", "TS_EVENT_VERSION != 2")
    )
    main = '#include "wake_word.h"\n#include "second.h"\nint main(void) { return 0; }\n'
    texts = {**pair(plan), "second.h": newer, "main.c": main}
    assert "different events. Emit both again" in refusal(texts, "main.c", tmp_path)


def test_a_core_with_an_int_of_16_bits_is_refused(plan, tmp_path):
    if "zig" not in COMPILERS:
        pytest.skip("needs the ziglang package")
    write(pair(plan), tmp_path)
    with pytest.raises(BuildError, match="8-bit AVR"):
        flags = ["-target", "avr-freestanding-none", "-mcpu=atmega328p", "-ffreestanding", "-std=c11", "-c"]
        COMPILERS["zig"].build([tmp_path / "wake_word.c"], tmp_path / "app.o", *flags)


# --- CMake ----------------------------------------------------------------------------------------------------


def cmake(source: Path, build: Path, *options: str) -> str:
    run(needs("cmake"), "-S", source, "-B", build, *options)
    return run("cmake", "--build", build).stderr.decode()


def test_the_cmake_project_builds_without_a_warning_and_gives_the_events_of_replay(plan, heard, events, tmp_path):
    write_target(plan, "cmake", tmp_path / "lib")
    flags = "-Wall -Wextra -Wconversion -pedantic -std=c11"
    assert cmake(tmp_path / "lib", tmp_path / "b", f"-DCMAKE_C_FLAGS={flags}") == ""
    said = run(tmp_path / "b/wake_word_example", input=heard.tobytes()).stdout.decode().splitlines()
    assert [json.loads(row) for row in said] == lines_of(plan, events)


def test_the_cmake_project_takes_clang(plan, tmp_path):
    needs("clang")
    write_target(plan, "cmake", tmp_path / "lib")
    cmake(tmp_path / "lib", tmp_path / "b", "-DCMAKE_C_COMPILER=clang", f"-DCMAKE_C_FLAGS={shlex.join(WARNINGS)}")


def test_the_cmake_project_takes_zig(plan, heard, events, tmp_path):
    pytest.importorskip("ziglang")
    write_target(plan, "cmake", tmp_path / "lib")
    zig = f"-DCMAKE_C_COMPILER={sys.executable};-m;ziglang;cc"
    cmake(tmp_path / "lib", tmp_path / "b", zig, f"-DCMAKE_C_FLAGS={shlex.join(WARNINGS)}")
    said = run(tmp_path / "b/wake_word_example", input=heard.tobytes()).stdout.decode().splitlines()
    assert [json.loads(row) for row in said] == lines_of(plan, events)


def test_the_cmake_project_is_part_of_a_cpp_project(plan, heard, events, tmp_path):
    needs("g++")
    write_target(plan, "cmake", tmp_path / "own/wake_word")
    texts = {
        "CMakeLists.txt": "cmake_minimum_required(VERSION 3.13)\nproject(own C CXX)\nadd_subdirectory(wake_word)\n"
        "add_executable(own main.cpp)\ntarget_link_libraries(own PRIVATE tinystream::wake_word)\n",
        "main.cpp": '#include <cstdio>\n#include "wake_word.h"\nint main() { int16_t x[WAKE_WORD_BLOCK]; ts_event e; wake_word_reset();\n'
        '  while (fread(x, sizeof x, 1, stdin) == 1) if (wake_word_push(x, &e)) printf("%d %d\\n", int(e.block), int(e.score)); }\n',
    }
    write(texts, tmp_path / "own")
    cmake(tmp_path / "own", tmp_path / "b", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wconversion -pedantic -Werror", "-DCMAKE_UNITY_BUILD=ON")
    assert run(tmp_path / "b/own", input=heard.tobytes()).stdout.decode() == "".join(f"{b} {score}\n" for b, _, score in events)
    assert not (tmp_path / "b/wake_word/wake_word_example").exists(), "the example is built where the library is the whole project"


def test_the_cmake_project_is_cross_compiled(plan, tmp_path):
    needs("arm-none-eabi-gcc")
    write_target(plan, "cmake", tmp_path / "lib")
    toolchain = {"CMAKE_SYSTEM_NAME": "Generic", "CMAKE_C_COMPILER": "arm-none-eabi-gcc", "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY"}
    flags = f"-DCMAKE_C_FLAGS=-mcpu=cortex-m4 -mthumb -O2 {shlex.join(WARNINGS)}"
    cmake(tmp_path / "lib", tmp_path / "b", *(f"-D{k}={v}" for k, v in toolchain.items()), flags)
    assert (tmp_path / "b/libtinystream_wake_word.a").exists()


# --- Arduino --------------------------------------------------------------------------------------------------


def sketch(plan: Plan, folder: Path) -> Path:
    """The example of the Arduino library as a program of this computer."""
    needs("g++")
    write_target(plan, "arduino", folder / "lib")
    (example,) = (folder / "lib/examples").rglob("*.ino")
    assert example.parent.name == example.stem, "a sketch lies in a folder of its name"
    (folder / "main.cpp").write_text("#include <Arduino.h>\nSerialPort Serial;\nint main() { setup(); for (;;) loop(); }\n")
    core = ["-I", ROOT / "tests/arduino_core", "-I", folder / "lib/src"]
    run("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-c", folder / f"lib/src/{plan.name}.c", "-o", folder / "lib.o")
    cpp = ["g++", "-std=gnu++11", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", *core]
    run(*cpp, "-include", "Arduino.h", "-x", "c++", example, folder / "main.cpp", "-x", "none", folder / "lib.o", "-o", folder / "sketch")
    return folder / "sketch"


def test_the_arduino_sketch_hears_what_replay_hears(plan, heard, events, tmp_path):
    said = run(sketch(plan, tmp_path), input=heard.tobytes()).stdout.decode()
    assert said == "".join(f"computer: {score * plan.steps[plan.detector].y.scale:.2f}\r\n" for _, _, score in events)


def test_the_arduino_library_keeps_the_rules_of_its_specification(plan):
    """Fields, their values and files: the library specification, and what arduino-lint asks for in its strict mode."""
    texts = target_texts(replace(plan, says=SAYS), "arduino")
    fields = dict(row.split("=", 1) for row in texts["library.properties"].splitlines())
    assert set(fields) == {
        *["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures", "includes"]
    }
    assert all(value and value == value.strip() for value in fields.values())
    assert fields["name"] == "wake_word" and re.fullmatch(r"[a-zA-Z0-9][\w .-]{0,62}", fields["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+(\+[0-9a-f]{8})?", fields["version"])
    assert fields["category"] == "Data Processing" and fields["sentence"] == SAID != fields["paragraph"]
    assert {"src/wake_word.h", "README.md", "LICENSE.txt", "examples/wake_word/wake_word.ino"} <= set(texts)
    for row in texts["keywords.txt"].splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD1|KEYWORD2|LITERAL1)", row), row
    assert "WAKE_WORD_BLOCK\tLITERAL1" in texts["keywords.txt"]


def test_examples_serve_apps_with_several_inputs_and_none_to_tell_of(tmp_path):
    """Such plans have no detector: push answers false, and the score has no scale."""
    axes = Signal((20, 3), "int16", Fraction(80), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))
    two = replace(AUDIO, rate_hz=Fraction(80), sample_hz=Fraction(12800))
    steps = [replace(Gate(open_db=-30).plan(x), name=f"gate{i}", sources=(-1 - i,)) for i, x in enumerate((axes, two))]
    both = plan_steps("both", (axes, two), steps)
    assert run(sketch(both, tmp_path), input=bytes(2 * 3 * (axes.bytes + two.bytes))).stdout == b""
    write_target(both, "cmake", tmp_path / "cmake")
    cmake(tmp_path / "cmake", tmp_path / "b", f"-DCMAKE_C_FLAGS={shlex.join(WARNINGS)}")
    assert run(tmp_path / "b/both_example", input=bytes(1000)).stdout == b""


# --- PlatformIO -----------------------------------------------------------------------------------------------


def test_the_platformio_manifest_says_what_is_there(plan):
    texts = target_texts(replace(plan, says=SAYS), "platformio")
    told = json.loads(texts["library.json"])
    assert told["description"] == SAID and told["name"] == "wake_word" and re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{8}", told["version"])
    assert {f"{told['build']['srcDir']}/wake_word.c", f"{told['build']['includeDir']}/{told['headers']}"} <= set(texts)
    assert all(re.fullmatch(r"[a-z\d\-_+. ]{1,50}", word) for word in told["keywords"])


def test_platformio_packs_it(plan, tmp_path):
    pio = needs("pio")
    write_target(replace(plan, says=SAYS), "platformio", tmp_path / "lib")
    quiet = {**os.environ, "PLATFORMIO_CORE_DIR": str(tmp_path / "core"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    run(pio, "pkg", "pack", tmp_path / "lib", "-o", tmp_path / "lib.tar.gz", env=quiet)
    assert "src/wake_word.c" in run("tar", "tzf", tmp_path / "lib.tar.gz").stdout.decode()


# --- Zephyr ---------------------------------------------------------------------------------------------------

ZEPHYR = """
cmake_minimum_required(VERSION 3.13)
project(zephyr_app C)
# What cmake/modules/extensions.cmake of Zephyr does by these names, as far as a library of C needs it.
add_library(zephyr_interface INTERFACE)
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT_LIBRARY ${name})
    add_library(${name} STATIC)
    target_link_libraries(${name} PUBLIC zephyr_interface)
    set_property(GLOBAL APPEND PROPERTY ZEPHYR_LIBS ${name})
endmacro()
function(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGV})
endfunction()
function(zephyr_include_directories)
    target_include_directories(zephyr_interface INTERFACE ${ARGV})
endfunction()
add_subdirectory(module)
add_executable(app main.c)
get_property(libraries GLOBAL PROPERTY ZEPHYR_LIBS)
target_link_libraries(app PRIVATE ${libraries} zephyr_interface)
"""
MAIN = """
#include "wake_word.h"

int main(void)
{
    static int16_t x[WAKE_WORD_BLOCK];
    struct ts_event event;
    wake_word_reset();
    return wake_word_push(x, &event);
}
"""


def test_the_zephyr_module_is_found_by_its_files(plan, tmp_path):
    write_target(plan, "zephyr", tmp_path)
    told = yaml.safe_load((tmp_path / "zephyr/module.yml").read_text())
    assert set(told) == {"name", "build"} and set(told["build"]) == {"cmake", "kconfig"} and told["name"] == "tinystream_wake_word"
    assert (tmp_path / told["build"]["cmake"] / "CMakeLists.txt").is_file() and (tmp_path / told["build"]["kconfig"]).is_file()


def test_kconfig_has_a_symbol_for_the_app_and_runs_nothing(plan, tmp_path):
    """Kconfig's strings can call a shell; a description must not get there."""
    kconfiglib = pytest.importorskip("kconfiglib")
    write_target(replace(plan, says=f"$(shell,touch {tmp_path}/ran) {SAYS}"), "zephyr", tmp_path)
    read = kconfiglib.Kconfig(str(tmp_path / "Kconfig"), warn_to_stderr=False)
    (node,) = read.syms["TINYSTREAM_WAKE_WORD"].nodes
    assert read.warnings == [] and node.item.type == kconfiglib.BOOL and list(read.unique_defined_syms) == [node.item]
    assert node.help.startswith(f"$(shell,touch {tmp_path}/ran) {SAID}"[:200]) and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("wanted", [True, False])
def test_the_zephyr_module_builds_where_it_is_configured(plan, wanted, tmp_path):
    write_target(plan, "zephyr", tmp_path / "module")
    write({"CMakeLists.txt": ZEPHYR, "main.c": MAIN if wanted else "int main(void) { return 0; }\n"}, tmp_path)
    cmake(tmp_path, tmp_path / "b", *["-DCONFIG_TINYSTREAM_WAKE_WORD=y"] * wanted)
    assert (tmp_path / "b/module/libtinystream_wake_word.a").exists() is wanted
    run(tmp_path / "b/app")


# --- ESP-IDF --------------------------------------------------------------------------------------------------

ESP_IDF = """
cmake_minimum_required(VERSION 3.13)
project(idf C)
function(idf_component_register)
    cmake_parse_arguments(told "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
    add_library(component STATIC ${told_SRCS})
    target_include_directories(component PUBLIC ${told_INCLUDE_DIRS})
endfunction()
add_subdirectory(components/wake_word)
add_executable(app main.c)
target_link_libraries(app PRIVATE component)
"""


def test_the_esp_idf_component_builds(plan, tmp_path):
    write_target(plan, "esp_idf", tmp_path / "components/wake_word")
    write({"CMakeLists.txt": ESP_IDF, "main.c": MAIN}, tmp_path)
    cmake(tmp_path, tmp_path / "b", "-DCMAKE_C_FLAGS=-std=gnu17 -Wall -Wextra -Werror")
    run(tmp_path / "b/app")


def test_the_esp_idf_manifest_is_one(plan, tmp_path):
    write_target(replace(plan, says=SAYS), "esp_idf", tmp_path)
    told = yaml.safe_load((tmp_path / "idf_component.yml").read_text())
    assert (
        told["description"] == SAID
        and re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{8}", told["version"])
        and told["dependencies"] == {"idf": ">=5.0"}
    )
    run(needs("compote"), "manifest", "lint", tmp_path)


# --- CMSIS ----------------------------------------------------------------------------------------------------


def test_the_cmsis_pack_describes_what_is_there(plan, tmp_path):
    write_target(replace(plan, says=SAYS), "cmsis", tmp_path)
    package = ET.parse(tmp_path / "tinystream.wake_word.pdsc").getroot()
    assert [package.findtext(tag) for tag in ("vendor", "name", "description")] == ["tinystream", "wake_word", SAID]
    assert (tmp_path / package.findtext("license")).is_file()
    (release,) = package.iterfind("releases/release")
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{8}", release.get("version")) and release.text == f"Definition {plan.digest}"
    (component,) = package.iterfind("components/component")
    assert re.fullmatch(r"\d+\.\d+\.\d+", component.get("Cversion")), "a component's version has no part for a build"
    files = {file.get("category"): file.get("name") for file in component.iterfind("files/file")}
    assert files["include"].endswith("/") and all((tmp_path / name).exists() for name in files.values())
    run(needs("gcc"), *STRICT, "-I", tmp_path / files["include"], "-c", tmp_path / files["source"], "-o", tmp_path / "app.o")


def test_a_cmsis_component_has_a_name_of_32_characters_at_most(plan):
    texts = target_texts(replace(plan, name="a" * 63), "cmsis")
    (component,) = ET.fromstring(texts[f"tinystream.{'a' * 63}.pdsc"]).iterfind("components/component")
    assert component.get("Csub") == "a" * 32


def test_the_csolution_layer_describes_what_is_there(plan, tmp_path):
    write_target(replace(plan, says=SAYS), "cmsis", tmp_path)
    (layer,) = yaml.safe_load((tmp_path / "wake_word.clayer.yml").read_text()).values()
    (group,) = layer["groups"]
    assert layer["description"] == SAID and set(group) == {"group", "language-C", "add-path", "files"}
    paths = [entry["file"] for entry in group["files"]] + group["add-path"]
    assert all((tmp_path / path).exists() for path in paths)


# --- all of them ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_the_manifest_tells_what_was_emitted_and_the_same_every_time(plan, target, tmp_path):
    written = write_target(plan, target, tmp_path / "a")
    texts = {path.relative_to(tmp_path / "a").as_posix(): path.read_bytes() for path in written}
    (name,) = [name for name in texts if name.lower().endswith("manifest.json")]
    told = json.loads(texts.pop(name))
    assert told["sha256"] == {path: hashlib.sha256(text).hexdigest() for path, text in texts.items()}
    assert (told["app"], told["definition"], told["target"]) == ("wake_word", plan.digest, target)
    assert (told["ram_bytes"], told["table_bytes"]) == (plan.ram_bytes, plan.table_bytes)
    again = write_target(plan_file(APP), target, tmp_path / "b")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
    assert write_target(plan, target, tmp_path / "a") == written, "a folder is written again in its place"
    assert not any(str(ROOT).encode() in text or str(tmp_path).encode() in text for text in texts.values())


@pytest.mark.parametrize("target", TARGETS)
def test_no_hole_of_a_template_is_left_open(plan, target):
    for name, text in target_texts(plan, target).items():
        assert "${" not in text and "NAME" not in name, name
        assert text.endswith("\n") and "\r" not in text, name


def test_a_library_wants_a_folder_of_its_own(plan, other, tmp_path):
    write_target(plan, "cmake", tmp_path / "build")
    for app, target in ((other, "cmake"), (plan, "zephyr")):
        with pytest.raises(TinystreamError, match="build already holds wake_word for cmake") as refused:
            write_target(app, target, tmp_path / "build")
        assert str(tmp_path / f"{app.name}_{target}") in refused.value.help
    (tmp_path / "site").mkdir()
    for text in ('{"name": "a web app"}', "[]", "\xff not json"):
        (tmp_path / "site/MANIFEST.json").write_text(text)
        with pytest.raises(TinystreamError, match=r"site already holds a MANIFEST\.json of something else"):
            write_target(plan, "cmake", tmp_path / "site")
        assert [path.name for path in (tmp_path / "site").iterdir()] == ["MANIFEST.json"]


def test_pairs_of_several_apps_share_a_folder(plan, other, tmp_path):
    names = {path.name for app in (plan, other) for path in write_target(app, "pair", tmp_path)}
    assert names == {f"{app}.{end}" for app in ("wake_word", "second") for end in ("c", "h", "manifest.json")}


# --- the command ----------------------------------------------------------------------------------------------


def test_emit_says_what_was_written_and_what_to_do_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = tinystream("emit", APP, "-o", "my lib")
    assert done.code == 0 and done.out.splitlines() == [f"my lib/wake_word.{end}" for end in ("c", "h", "manifest.json")]
    assert re.match(r"wake_word as one \.c and one \.h: 3 files, 5482 B of RAM, 35948 B of tables\.  Next:\n    cc ", done.err)
    assert "--target" in (said := tinystream("emit", "--help").out) and all(name in said for name in TARGETS)


@pytest.mark.parametrize("target", ["pair", "sources", "cmake"])
def test_the_next_command_works_as_it_is_told(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needs("cmake")
    done = tinystream("emit", APP, "-t", target, "-o", "my lib")
    run("sh", "-c", done.err.splitlines()[-1])


@pytest.mark.parametrize("typed, meant", [("cmak", "cmake"), ("esp-idf", "esp_idf"), ("Arduino", "arduino"), ("", "pair")])
def test_an_unknown_target_is_refused_with_the_nearest_first(typed, meant, tmp_path):
    done = tinystream("emit", APP, "-t", typed, "-o", tmp_path / "out")
    assert (
        done.code == 1 and done.out == "" and done.err.startswith(f"error: there is no target '{typed}'\n   = help: --target {meant}; or ")
    )
    assert all(name in done.err for name in TARGETS) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", ["pair", "arduino"])
def test_a_folder_that_cannot_be_written_is_named(target, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file/inside", Path("/proc/none")):
        done = tinystream("emit", APP, "-t", target, "-o", out)
        assert done.code == 1 and f"error: {out} cannot be written: " in done.err
