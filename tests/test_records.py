"""Do records of the C come out of the Python reader as they went in, whatever the line does to them?"""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystream.emit.compiler import SANITIZERS, WARNINGS, compiler
from tinystream.emit.templates import templates
from tinystream.io.records import LONGEST, Alert, Broken, Hello, Overrun, Reader, SelfTest, Status, decode

ENCODER = """
#include <stdio.h>
#include "ts_record.h"

/* Records come in as a length and bytes, of which the first five are kind and sequence; frames go out. */
int main(void)
{
    int length;
    while ((length = getchar()) != EOF) {
        struct ts_record record;
        uint8_t frame[TS_RECORD_BYTES + 5];
        record.count = 0;
        for (int i = 0; i < length; i++) {
            ts_put(&record, (uint64_t)getchar(), 1);
        }
        fwrite(frame, 1, ts_frame_record(&record, frame), stdout);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    (folder / "encoder.c").write_text(ENCODER)
    flags = (*WARNINGS, *SANITIZERS, f"-I{templates() / 'firmware'}")
    program = compiler().build([folder / "encoder.c"], folder / "encoder", *flags)

    def encode(*records: bytes) -> bytes:
        given = b"".join(bytes([len(record)]) + record for record in records)
        return subprocess.run([str(program)], input=given, capture_output=True, check=True).stdout

    return encode


def crc16(raw: bytes) -> int:
    """CRC-16/IBM-3740 by the definition: the remainder of a division of polynomials, bit by bit."""
    register = 0xFFFF
    for byte in raw:
        for bit in range(7, -1, -1):
            top = register >> 15 ^ byte >> bit & 1
            register = (register << 1 & 0xFFFF) ^ 0x1021 * top
    return register


def framed(record: bytes) -> bytes:
    """The frame by a library and by the definition."""
    return b"\0" + cobs.encode(record + crc16(record).to_bytes(2, "little")) + b"\0"


def overrun(sequence: int, late: int = 1) -> bytes:
    return bytes([4]) + sequence.to_bytes(4, "little") + (160).to_bytes(8, "little") + late.to_bytes(4, "little") + bytes(4)


def test_the_check_value_of_the_catalogue():
    assert crc16(b"123456789") == 0x29B1


def test_a_frame_of_c_is_that_of_the_library(encoder):
    rng = np.random.default_rng(1)
    records = [b"", b"\0", b"\0" * 240, b"\1" * 240, *(rng.integers(0, 3, n).astype(np.uint8).tobytes() for n in range(1, 241))]
    records += [rng.integers(0, 256, n).astype(np.uint8).tobytes() for n in rng.integers(1, 241, 100)]
    assert encoder(*records) == b"".join(map(framed, records))


def test_a_record_longer_than_there_is_room_ends_there(encoder):
    assert encoder(b"x" * 255) == framed(b"x" * 240)


def test_each_kind_of_record_by_hand():
    texts = b"a_board\0an_app\0yes\0no\0"
    about = (8).to_bytes(8, "big") + (64_000_000).to_bytes(4, "little") + (16_000).to_bytes(4, "little") + (3).to_bytes(4, "little")
    body = bytes([1, 3]) + (0x1234).to_bytes(4, "little") + about + (160).to_bytes(4, "little") + np.float64(0.5).tobytes()
    hello = decode(cobs_of(bytes([1, 7, 0, 0, 0]) + body + np.int32(-128).tobytes() + texts))
    want = Hello(7, "watchdog", 0x1234, "0000000000000008", 64_000_000, 16_000 / 3, 160, 0.5, -128, "a_board", "an_app", ("yes", "no"))
    assert hello == want
    assert decode(cobs_of(bytes([2, 8, 0, 0, 0, 1]))) == SelfTest(8, True)
    assert decode(cobs_of(bytes([2, 8, 0, 0, 0, 0, 2, 1]) + b"mel\0")) == SelfTest(8, False, "mel", 258)
    sample, score = (2**40).to_bytes(8, "little"), np.int32(-7).tobytes()
    alert = bytes([3, 9, 0, 0, 0, 1]) + sample + bytes([1, 0]) + score + bytes(range(8)) + b"ja, genau" + b"\0"
    assert decode(cobs_of(alert)) == Alert(9, True, 2**40, 1, -7, "0001020304050607", "ja, genau")
    assert decode(cobs_of(overrun(10, 5))) == Overrun(10, 160, 5, 0)
    numbers = np.array([1, 2, 3, 4, 5], np.uint32).tobytes() + np.array([4_000, 1_000], np.uint64).tobytes() + (1000).to_bytes(4, "little")
    assert decode(cobs_of(bytes([5, 11, 0, 0, 0]) + (320).to_bytes(8, "little") + numbers)) == Status(11, 320, 1, 2, 3, 4, 5, 4.0, 0.25)


def cobs_of(record: bytes) -> bytes:
    return framed(record).strip(b"\0")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"\5ab", "COBS"),
        (cobs.encode(b"abc"), "too few"),
        (cobs.encode(overrun(1) + b"\0\0"), "CRC"),
        (cobs_of(b"\x63\0\0\0\0"), "kind 99"),
        (cobs_of(bytes([4, 0, 0, 0, 0, 1])), "kind 4 with 6 bytes"),
        (cobs_of(bytes([1, 0, 0, 0, 0, 9]) + bytes(60)), "version 9"),
    ],
)
def test_what_is_no_record_is_told_why(frame, why):
    if why == "COBS":
        with pytest.raises(Broken):
            decode(frame)
    else:
        with pytest.raises(Broken, match=why):
            decode(frame)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_noise_never_stops_the_reader(noise):
    reader = Reader()
    records = list(reader.push(noise + framed(overrun(0)) + noise + framed(overrun(1))))
    assert [r.sequence for r in records][-1:] == [1] and Overrun(0, 160, 1, 0) in records


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 30), max_size=20))
def test_records_do_not_depend_on_how_the_bytes_come_in(cuts):
    raw = b"".join(framed(overrun(i)) for i in range(5))
    reader, records, at = Reader(), [], 0
    for n in [*cuts, len(raw)]:
        records += reader.push(raw[at : at + n])
        at += n
    assert [r.sequence for r in records] == list(range(5)) and not reader.broken and not reader.missing


def test_a_flipped_bit_costs_one_record_and_is_counted():
    frames = [framed(overrun(i)) for i in range(4)]
    for bit in range(8 * len(frames[1])):
        hit = bytearray(frames[1])
        hit[bit // 8] ^= 1 << bit % 8
        reader = Reader()
        records = list(reader.push(frames[0] + bytes(hit) + frames[2] + frames[3]))
        assert [r.sequence for r in records] == [0, 2, 3] and reader.missing == 1, bit


def test_a_node_that_starts_again_is_not_four_billion_lost_records():
    reader = Reader()
    list(reader.push(b"".join(framed(overrun(i)) for i in (5, 6, 9, 2))))
    assert reader.missing == 2 + 2


def test_noise_without_an_end_takes_no_memory():
    reader = Reader()
    for _ in range(1000):
        list(reader.push(b"\x55" * 1000))
    assert len(reader._rest) <= LONGEST
    assert [r.sequence for r in reader.push(framed(overrun(3)))] == [3]
