"""Do blocks come whole, in order and in time from sources that run on?"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import pytest

from tinystream.app.sources import Imu
from tinystream.errors import RecordingError
from tinystream.io.live import Live, Microphone, Paced, Pipe, Tcp, TcpListener, Udp
from tinystream.io.live.decoder import Raw

X = np.random.default_rng(5).integers(-32768, 32768, 1000).astype(np.int16)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pipe_gives_whole_blocks_and_counts_what_is_left(channels):
    x = X[:999].reshape(-1, channels) if channels > 1 else X[:999]
    pipe = Pipe(io.BytesIO(x.astype("<i2").tobytes()), 64, channels)
    blocks = list(pipe)
    assert all(block.dtype == np.int16 and block.flags.writeable for block in blocks)
    assert np.array_equal(np.stack(blocks), x[: len(x) // 64 * 64].reshape(-1, *((64,) if channels == 1 else (64, 3))))
    assert pipe.left == len(x) % 64 and pipe.overruns == 0


def test_a_pipe_that_is_written_in_pieces_gives_the_same_blocks():
    reading, writing = os.pipe()
    data = X.astype("<i2").tobytes()

    def write():
        with os.fdopen(writing, "wb", buffering=0) as stream:
            for i in range(0, len(data), 333):  # no multiple of a sample
                stream.write(data[i : i + 333])
                time.sleep(0.002)

    threading.Thread(target=write).start()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        assert np.array_equal(np.concatenate(list(Pipe(stream, 50, 1))), X)


def test_a_block_is_given_before_the_next_one_is_read():
    reading, writing = os.pipe()
    os.write(writing, X[:100].astype("<i2").tobytes())
    with os.fdopen(reading, "rb") as stream:
        blocks = iter(Pipe(stream, 100, 1))
        assert np.array_equal(next(blocks), X[:100])  # would wait for ever otherwise
        os.close(writing)
        assert list(blocks) == []


def test_a_stream_that_ends_inside_a_sample_is_an_error_after_its_last_block():
    blocks = iter(Pipe(io.BytesIO(X[:10].tobytes() + b"x"), 5, 1))
    assert np.array_equal(np.concatenate([next(blocks), next(blocks)]), X[:10])
    with pytest.raises(RecordingError, match="ends inside a sample: 1 of 2 bytes"):
        next(blocks)


def test_standard_input_of_another_program_is_read():
    code = "import sys; from tinystream.io.live import Pipe; print(sum(int(b.sum()) for b in Pipe(sys.stdin.buffer, 250, 2)))"
    done = subprocess.run([sys.executable, "-c", code], input=X.astype("<i2").tobytes(), capture_output=True, check=True)
    assert int(done.stdout) == int(X.sum())


def test_a_paced_recording_comes_in_true_time_and_unchanged():
    start = time.monotonic()
    when, blocks = zip(*((time.monotonic() - start, block) for block in Paced(X, Fraction(5000), 100)), strict=True)
    assert np.array_equal(np.concatenate(blocks), X)
    assert all(t >= 0.02 * (i + 1) for i, t in enumerate(when)), "a block came before its last sample"
    assert when[-1] < 0.5, "pauses add up"


def test_a_slow_reader_of_a_paced_recording_is_an_overrun_and_loses_nothing():
    now = [0.0]
    paced = Paced(X, Fraction(1000), 100, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
    got = []
    for i, block in enumerate(paced):
        got.append(block)
        now[0] += 0.35 if i == 2 else 0.01  # block 2 takes 3.5 blocks
    assert paced.overruns == 2 and np.array_equal(np.concatenate(got), X)
    assert now[0] == pytest.approx(1.01)


def test_a_paced_recording_counts_what_fills_no_block():
    paced = Paced(X.reshape(-1, 2), Fraction(10**6), 300)
    assert [block.shape for block in paced] == [(300, 2)] and paced.left == 200


def test_a_microphone_without_its_package_or_device_says_what_is_missing():
    if find_spec("sounddevice"):
        try:
            import sounddevice

            if any(d["max_input_channels"] for d in sounddevice.query_devices()):
                pytest.skip("there is a microphone here")
        except OSError:
            pass  # the library below it is missing
    with pytest.raises(RecordingError) as e:
        next(iter(Microphone(Fraction(16000), 320)))
    assert "microphone" in str(e.value) and e.value.help


def silent(server: socket.socket) -> dict[str, Live]:
    """Sources that have nothing to give, for ever."""
    x, raw = Imu(rate_hz=100, axes=("x",), range_g=4, block_ms=50).signal(), Raw(1)
    reading, _ = os.pipe()
    return {
        "a server that sends nothing": Tcp("127.0.0.1", server.getsockname()[1], x, raw),
        "a listener without a client": TcpListener(free_port(), x, raw),
        "datagrams that do not come": Udp(free_port(), x, raw),
        "a pipe": Pipe(io.FileIO(reading), 5, 1),
        "a recording with a block of an hour": Paced(X, Fraction(1, 60), 60),
    }


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.skipif(os.name != "posix", reason="a pipe cannot be looked at")
def test_what_waits_ends_within_a_moment_when_it_is_stopped():
    server = socket.create_server(("127.0.0.1", 0))
    made = silent(server)
    got: dict[str, list] = {}
    threads = {
        name: threading.Thread(target=lambda name=name, live=live: got.update({name: list(live)}), daemon=True)
        for name, live in made.items()
    }
    for thread in threads.values():
        thread.start()
    client = server.accept()[0]
    time.sleep(0.3)
    assert all(thread.is_alive() for thread in threads.values()), "they wait"
    for live in made.values():
        live.stop()
    for thread in threads.values():
        thread.join(5)
    assert got == {name: [] for name in made}
    client.close()
    server.close()
