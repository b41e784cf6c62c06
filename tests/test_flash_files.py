"""Do the files that go into a flash hold what the linker has placed there?"""

from __future__ import annotations

import doctest
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from bare import use_cache
from board_firmware import wake_word
from command import APP, tinystream

from tinystream.errors import BuildError
from tinystream.firmware import flash_files
from tinystream.firmware.board import find_board
from tinystream.firmware.flash_files import binary, intel_hex, uf2, write_flash_file
from tinystream.firmware.image import Image, Segment
from tinystream.firmware.project import build_project

NRF, PICO = find_board("nrf52840_dk"), find_board("raspberry_pi_pico")
ODD = [Segment(0x1000_00FD, bytes(range(1, 8))), Segment(0x1001_FFFF, b"ab"), Segment(0x1000_0200, b"\xff")]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_cache(monkeypatch, tmp_path_factory)
        yield build_project(wake_word(), PICO)


def objcopy(*arguments: str | Path) -> None:
    if shutil.which("arm-none-eabi-objcopy") is None:
        pytest.skip("needs arm-none-eabi-objcopy")
    subprocess.run(["arm-none-eabi-objcopy", *arguments], check=True, timeout=60)


def held(blocks: bytes) -> dict[int, int]:
    """Byte by byte what a UF2 file puts where, after its frame was looked at."""
    assert len(blocks) % 512 == 0
    there: dict[int, int] = {}
    for i in range(len(blocks) // 512):
        block = blocks[512 * i : 512 * i + 512]
        _, second, flags, address, size, number, count, family = struct.unpack_from("<8I", block)
        assert block[:4] == b"UF2\n" and second == 0x9E5D5157 and struct.unpack_from("<I", block, 508) == (0x0AB16F30,)
        assert (flags, size, number, count, family) == (0x2000, 256, i, len(blocks) // 512, 0xE48BFF56)
        assert address % 256 == 0 and not any(block[32 + 256 : 508])
        assert not there.keys() & range(address, address + 256), "a page is programmed twice"
        there |= {address + at: block[32 + at] for at in range(256)}
    return there


def test_a_hex_file_is_read_by_objcopy_as_the_program(tmp_path, program):
    write_flash_file(program, PICO, tmp_path / "wake.hex")
    objcopy("-I", "ihex", "-O", "binary", "--gap-fill=0xff", tmp_path / "wake.hex", tmp_path / "read.bin")
    write_flash_file(program, PICO, tmp_path / "wake.bin")
    assert (tmp_path / "read.bin").read_bytes() == (tmp_path / "wake.bin").read_bytes()
    objcopy("-O", "binary", program, tmp_path / "own.bin")
    own, last = (tmp_path / "own.bin").read_bytes(), max(s.address + len(s.data) for s in Image(program).segments)
    assert (tmp_path / "wake.bin").stat().st_size == last - 0x1000_0000
    for segment in Image(program).segments:
        assert own[segment.address - 0x1000_0000 :][: len(segment.data)] == segment.data


def test_a_uf2_file_holds_the_program_in_whole_pages(tmp_path, program):
    write_flash_file(program, PICO, tmp_path / "wake.uf2")
    there = held((tmp_path / "wake.uf2").read_bytes())
    for segment in Image(program).segments:
        assert bytes(there[segment.address + i] for i in range(len(segment.data))) == segment.data
    assert min(there) == 0x1000_0000, "the boot ROM begins there"


def test_segments_that_begin_and_end_anywhere(tmp_path):
    wanted = {s.address + i: byte for s in ODD for i, byte in enumerate(s.data)}
    there = held(uf2(ODD, 0xE48BFF56))
    assert there.items() >= wanted.items() and not any(there[at] for at in there.keys() - wanted.keys())
    assert sorted({at // 256 * 256 for at in wanted}) == sorted({at for at in there if at % 256 == 0})
    assert len(binary(ODD)) == 0x2_0001 - 0xFD and all(binary(ODD)[at - 0x1000_00FD] == byte for at, byte in wanted.items())
    (tmp_path / "odd.hex").write_text(intel_hex(ODD))
    objcopy("-I", "ihex", "-O", "binary", "--gap-fill=0xff", tmp_path / "odd.hex", tmp_path / "odd.bin")
    assert (tmp_path / "odd.bin").read_bytes() == binary(ODD)


@pytest.mark.parametrize("name, suffix", [("nrf52840_dk", ".hex"), ("raspberry_pi_pico", ".uf2")])
def test_build_writes_what_the_board_is_loaded_with(tmp_path, name, suffix):
    done = tinystream("build", APP, "--board", name, "--out", tmp_path)
    assert (done.code, done.out) == (0, f"{tmp_path}/wake_word.elf\n{tmp_path}/wake_word{suffix}\n"), done.err
    write_flash_file(tmp_path / "wake_word.elf", find_board(name), tmp_path / f"again{suffix}")
    assert (tmp_path / f"wake_word{suffix}").read_bytes() == (tmp_path / f"again{suffix}").read_bytes()


def test_the_example():
    assert doctest.testmod(flash_files).failed == 0


def test_a_format_that_is_not_there_is_refused(tmp_path, program):
    with pytest.raises(BuildError, match=r"'wake.img' names no format") as error:
        write_flash_file(program, PICO, tmp_path / "wake.img")
    assert ".uf2" in error.value.help
    with pytest.raises(BuildError, match="the boot loader of 'nrf52840_dk' takes no UF2 file") as error:
        write_flash_file(program, NRF, tmp_path / "wake.uf2")
    assert error.value.help == "wake.hex"
