"""Do blocks of samples come through a serial line that damages them, each as it was and at its time, and is what was lost counted?"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from tinystream.emit.compiler import WARNINGS, compilers
from tinystream.emit.templates import templates
from tinystream.io.feed import feed, frame

SAMPLES = 300  # longer than a group of COBS

APP = f"""
#include <stdbool.h>
#include <stdint.h>
struct ts_event {{ int none; }};
typedef int16_t ts_sample;
#define TS_SAMPLES {SAMPLES}
#define TS_ON_BLOCKS 5
#define TS_OFF_BLOCKS 3
"""

MAIN = """
#include "ts_feed.h"
#include <stdio.h>
static struct ts_feed feed;
static ts_sample buffers[2][TS_SAMPLES];
static uint32_t filled, begin;
static bool ended;
void ts_block_filled(void) { filled++; }
void ts_source_ended(void) { ended = true; }
int main(int count, char **arguments)
{
    const bool duty = count > 1 && arguments[1][0] == 'd';
    uint32_t told = 0;
    ts_feed_start(&feed, buffers);
    for (int byte; (byte = getchar()) != EOF && !ended;) {
        if (!ts_feed_has_room(&feed)) {
            feed.busy = false;                 /* the loop has slept */
        }
        ts_feed_byte(&feed, (uint8_t)byte);
        if (filled != told) {
            const uint32_t number = begin + filled - 1;
            told = filled;
            fwrite(&number, 4, 1, stdout);
            fwrite(buffers[(filled - 1) & 1], sizeof buffers[0], 1, stdout);
        }
        if (duty && filled >= TS_ON_BLOCKS) {
            ts_feed_stop(&feed);
            begin += TS_ON_BLOCKS + TS_OFF_BLOCKS;
            told = filled = 0;
            ts_feed_start(&feed, buffers);
        }
    }
    return ended ? 0 : 3;
}
"""


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """What a node takes from a line: (number of the block, its samples) each, and whether it has heard the end."""
    folder = tmp_path_factory.mktemp("feed")
    (folder / "ts_app.h").write_text(APP)
    (folder / "main.c").write_text(MAIN)
    for name in ("ts_board.h", "ts_feed.h"):
        shutil.copyfile(templates() / "firmware" / name, folder / name)
    programs = {
        waits: compilers()[0].build([folder / "main.c"], folder / f"feed{waits}", "-O1", *WARNINGS, *["-DSERIAL_WAITS"] * waits)
        for waits in (False, True)
    }

    def listen(raw: bytes, waits: bool = True, duty: bool = False):
        done = subprocess.run([str(programs[waits]), *["duty"] * duty], input=raw, capture_output=True, timeout=20)
        size = 4 + 2 * SAMPLES
        taken = [done.stdout[i : i + size] for i in range(0, len(done.stdout), size)]
        return [(int.from_bytes(t[:4], "little"), np.frombuffer(t[4:], "<i2")) for t in taken], done.returncode == 0

    return listen


@pytest.fixture(scope="module")
def blocks() -> np.ndarray:
    rng = np.random.default_rng(1)
    x = rng.integers(-32768, 32767, (40, SAMPLES), dtype=np.int16, endpoint=True)
    x[::3] >>= 12  # many zero bytes
    x[4] = 0
    x[5] = 0x0101  # none: groups are full
    return x


def right(taken, blocks) -> bool:
    return all(np.array_equal(x, blocks[number]) for number, x in taken)


def test_every_block_comes_as_it_was_sent(listener, blocks):
    taken, ended = listener(feed(blocks))
    assert [number for number, _ in taken] == list(range(len(blocks)))
    assert right(taken, blocks) and ended


def test_numbers_may_wrap(listener, blocks):
    raw = b"".join(frame(number + 65530, x.tobytes()) for number, x in enumerate(blocks)) + frame(0, b"")
    taken, ended = listener(raw, waits=False)
    assert [number for number, _ in taken] == list(range(len(blocks))) and right(taken, blocks) and ended


@pytest.mark.parametrize("lost", [[0], [7], [7, 8], [1, 2, 3], [5, 9, 10, 20, 21, 22, 23]])
def test_time_goes_on_by_the_blocks_that_are_lost(listener, blocks, lost):
    raw = b"".join(frame(i, x.tobytes()) for i, x in enumerate(blocks) if i not in lost)
    taken, ended = listener(raw)
    assert [number for number, _ in taken] == [i for i in range(len(blocks)) if i not in lost]
    assert right(taken, blocks) and not ended


def test_no_damaged_block_is_taken_for_a_good_one(listener, blocks):
    rng = np.random.default_rng(2)
    came = 0
    for i in range(60):
        raw = bytearray(feed(blocks))
        for _ in range(4):
            at = int(rng.integers(len(raw) - 20))
            match i % 4:
                case 0:
                    raw[at] ^= 1 << int(rng.integers(8))
                case 1:
                    del raw[at : at + int(rng.integers(1, 6))]
                case 2:
                    raw[at:at] = rng.integers(0, 256, 3, dtype=np.uint8).tobytes()
                case _:
                    raw[at] = 0
        taken, ended = listener(bytes(raw))
        numbers = [number for number, _ in taken]
        assert right(taken, blocks) and numbers == sorted(set(numbers)) and ended
        assert len(blocks) - 8 <= len(numbers), "a damaged byte takes its own block with it, and the next one at most"
        came += len(numbers)
    assert came < 60 * len(blocks), "nothing was damaged"


def test_a_window_begins_at_its_own_block(listener, blocks):
    taken, _ = listener(feed(blocks), duty=True)
    assert [number for number, _ in taken] == [i for i in range(len(blocks)) if i % 8 < 5] and right(taken, blocks)


def test_a_sender_that_starts_again_is_heard_again(listener, blocks):
    raw = b"".join(frame(i, x.tobytes()) for i, x in enumerate(blocks[:20]))
    taken, _ = listener(raw + feed(blocks), waits=False)
    assert len(taken) == 20 + len(blocks)
