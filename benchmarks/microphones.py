"""How many microphones can one core of this machine listen to, with an app each?

    python benchmarks/microphones.py [APP] [--streams 1 5 20 40] [--seconds 20] [--engine native]

Each stream is what a node runs: an engine with the detectors of a Watch, block after block as they would come, in one process.  Prints
CPU seconds for a second of sound and how many streams fill a core; whether all give the events of a replay is checked, too.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.io.recording import find_recordings, read_recording
from tinystream.node.watch import Watch
from tinystream.run.replay import blocks_of, make_engine, replay

ROOT = Path(__file__).parents[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("app", type=Path, nargs="?", default=ROOT / "apps/wake_word")
    options.add_argument("--streams", type=int, nargs="+", default=[1, 5, 20, 40])
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--engine", choices=["native", "python", "auto"], default="native")
    told = options.parse_args()
    app, plan = load(told.app), plan_file(told.app)
    rate_hz = plan.x[0].sample_hz
    assert rate_hz, "an app of sound"
    blocks = blocks_of(plan, sound(round(told.seconds * rate_hz), rate_hz, plan.x[0].channels))[0]
    seconds = len(blocks) / float(plan.x[0].rate_hz)
    wanted = [(e.label, e.score, e.sample) for e in replay(plan, make_engine(plan, told.engine), blocks.reshape(-1)).events]
    print(f"{plan.name}, {told.engine} engine, {seconds:g} s of sound a stream in blocks of {1000 / float(plan.x[0].rate_hz):g} ms")
    for streams in told.streams:
        watches = [Watch(app, plan, make_engine(plan, told.engine)) for _ in range(streams)]
        heard: list[list] = [[] for _ in watches]
        began = time.process_time()
        for block in blocks:
            for watch, events in zip(watches, heard):
                events += watch.push(block[np.newaxis])
        cpu_s = time.process_time() - began
        assert all([(e.label, e.score, e.sample) for e in events] == wanted for events in heard), "a stream differs from a replay"
        each = cpu_s / seconds / streams
        print(f"{streams:4} streams: {1000 * each:.2f} ms CPU for a second of each, so {1 / each:.0f} on a core")


def sound(count: int, rate_hz: Fraction, channels: int) -> np.ndarray:
    """The bundled recordings, in a loop."""
    x = np.concatenate([read_recording(path, rate_hz=rate_hz, channels=1).samples for path in find_recordings([ROOT / "recordings"])])
    x = np.resize(x.reshape(-1), count)
    return x if channels == 1 else np.repeat(x[:, None], channels, axis=1)


if __name__ == "__main__":
    main()
