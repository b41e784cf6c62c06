"""How fast is a replay on this machine, against what people use today, on the same work?

    python benchmarks/host.py [--minutes 10] [--repeat 3]

Prints, for one core, CPU seconds and the realtime factor (seconds of audio for a second of work) of the best of the
repeats; peers run in the same process, in turn with us, so that a busy machine slows all of them.

wake word: the legacy micro front end at 100 Hz and the bundled model at 33 Hz, over the bundled recordings in a loop.
    python, native    replay() with the two engines
    peer, default     pymicro-features, then the model by the interpreter with its default (XNNPACK) kernels
    peer, reference   the same with the interpreter's reference kernels, which give the bits of a microcontroller
okay nabu: the microWakeWord model that the package pymicro-wakeword ships, front end and net.
    peer              pymicro-wakeword itself, which runs the net by TensorFlow Lite's C library
keywords: float MFCC by scipy (40 ms, hop 20 ms, 10 coefficients), then MLPerf Tiny's keyword net (2.66 M products) ten times a
    second by the interpreter; against this project's integer MFCC and the same net.  Needs the net: --kws FILE.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy import fft
from scipy.signal import get_window

from tinystream import App, Microphone, Model
from tinystream.app.planning import plan, plan_file
from tinystream.io.recording import read_recording
from tinystream.plan.plan import Plan
from tinystream.run.replay import make_engine, replay
from tinystream.stages import Mfcc, MicroFrontend, Quantize, Stack

ROOT = Path(__file__).parents[1]
RATE_HZ = 16_000
Work = Callable[[np.ndarray], int]      # samples -> decisions made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--kws", type=Path, default=ROOT.parent / "shared/data/models/mlperf_tiny/kws_ref_model_int8.tflite")
    told = options.parse_args()
    samples = audio(round(told.minutes * 60 * RATE_HZ))
    print(f"{told.minutes:g} min of audio, best of {told.repeat}, one core of {processor()}, Python {platform.python_version()}\n")
    compare("wake word", wake_word_works(), samples, told.repeat)
    compare("okay nabu", okay_nabu_works(), samples, told.repeat)
    if told.kws.exists():
        compare("keywords", keyword_works(told.kws), samples, told.repeat)
    else:
        print(f"keywords: left out, there is no {told.kws} (--kws names the net)")


def compare(title: str, works: dict[str, Work], samples: np.ndarray, repeat: int) -> None:
    """One table; `x peer` is our speed over the fastest of the peers that do the same work."""
    best = dict.fromkeys(works, float("inf"))
    decisions = {}
    for _ in range(repeat):
        for name, work in works.items():
            began = time.process_time()
            decisions[name] = work(samples)
            best[name] = min(best[name], time.process_time() - began)
    seconds = len(samples) / RATE_HZ
    fastest = min(best[name] for name in works if name.startswith("peer"))
    print(f"{title:<34} {'CPU s':>8} {'x real time':>12} {'decisions':>10} {'x best peer':>12}")
    for name in works:
        print(f"  {name:<32} {best[name]:>8.3f} {seconds / best[name]:>12.0f} {decisions[name]:>10} {fastest / best[name]:>12.2f}")
    print()


# --- the wake word --------------------------------------------------------------------------------------------


def wake_word_works() -> dict[str, Work]:
    app = plan_file(ROOT / "apps/wake_word")
    works = ours(app)
    model = ROOT / "apps/wake_word/model.tflite"
    works["peer, default kernels"] = wake_word_peer(model, reference=False)
    works["peer, reference kernels"] = wake_word_peer(model, reference=True)
    return works


def ours(app: Plan) -> dict[str, Work]:
    def work(name: str) -> Work:
        engine = make_engine(app, name)
        last = app.features if app.scores is None else app.scores
        return lambda samples: replay(app, engine, samples, keep="scores").count(app.steps[last].name)

    return {"native": work("native"), "python": work("python")}


def wake_word_peer(model: Path, reference: bool) -> Work:
    from pymicro_features import MicroFrontend

    run, scale, zero = interpreter(model, reference)

    def work(samples: np.ndarray) -> int:
        front, raw, window, decisions = MicroFrontend(), samples.tobytes(), np.full((101, 40), zero, np.int8), 0
        since = 0
        for i in range(0, len(raw) - 319, 320):
            features = front.process_samples(raw[i : i + 320]).features
            if not features:
                continue
            window = np.roll(window, -1, axis=0)
            window[-1] = np.clip(np.rint(np.asarray(features, np.float32) / scale) + zero, -128, 127)
            since += 1
            if since >= 101 and (since - 101) % 3 == 0:
                run(window)
                decisions += 1
        return decisions

    return work


def okay_nabu_works() -> dict[str, Work]:
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures
    from pymicro_wakeword import Model as Builtin

    word, front = MicroWakeWord.from_builtin(Builtin.OKAY_NABU), MicroWakeWordFeatures()
    net = Path(word.model_path.decode())
    app = App(
        name="okay_nabu",
        source=Microphone(rate_hz=RATE_HZ, block_ms=10),
        stages=[MicroFrontend(), Quantize(rule="micro_wake_word"), Stack(frames=word.stride, every=word.stride)],
        model=Model(net.name),
    )

    def peer(samples: np.ndarray) -> int:
        word.reset()
        front.reset()
        frames, raw = 0, samples.tobytes()
        for i in range(0, len(raw) - 319, 320):
            for features in front.process_streaming(raw[i : i + 320]):
                word.process_streaming(features)
                frames += 1
        return frames // word.stride

    return {**ours(scored(plan(app, net.parent))), "peer, pymicro-wakeword": peer}


# --- keywords -------------------------------------------------------------------------------------------------


def keyword_works(net: Path) -> dict[str, Work]:
    app = App(
        name="keywords",
        source=Microphone(rate_hz=RATE_HZ, block_ms=20),
        stages=[Mfcc(length_ms=40, bands=40, low_hz=20, high_hz=4000, coefficients=10), Stack(frames=49, every=5)],
        model=Model(net.name),
    )
    works = ours(scored(plan(app, net.parent)))
    works["peer, default kernels"] = keyword_peer(net, reference=False)
    works["peer, reference kernels"] = keyword_peer(net, reference=True)
    return works


def scored(app: Plan) -> Plan:
    """The plan with its last step as what is counted: there is no detector here."""
    return replace(app, features=len(app.steps) - 1)


def keyword_peer(net: Path, reference: bool) -> Work:
    run, scale, zero = interpreter(net, reference)
    window, weights = get_window("hann", 640), mel_weights(40, 20, 4000, 1024)

    def work(samples: np.ndarray) -> int:
        frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::320]
        cepstra = []
        for i in range(0, len(frames), 500):      # in parts that stay in the cache
            power = np.abs(fft.rfft(frames[i : i + 500].astype(np.float32) / 32768 * window.astype(np.float32), 1024)) ** 2
            cepstra.append(fft.dct(np.log(power @ weights + 1e-10), norm="ortho")[:, :10])
        features = np.concatenate(cepstra)
        counts = np.clip(np.rint(features / scale) + zero, -128, 127).astype(np.int8)
        decisions = 0
        for end in range(49, len(counts) + 1, 5):
            run(counts[end - 49 : end])
            decisions += 1
        return decisions

    return work


def mel_weights(bands: int, low_hz: float, high_hz: float, size: int) -> np.ndarray:
    """HTK triangles, [bins, bands], float32."""
    mels = np.linspace(*(2595 * np.log10(1 + np.array([low_hz, high_hz]) / 700)), bands + 2)
    here = 2595 * np.log10(1 + np.arange(size // 2 + 1) * RATE_HZ / size / 700)[:, None]
    rise, fall = (here - mels[:-2]) / (mels[1] - mels[0]), (mels[2:] - here) / (mels[1] - mels[0])
    return np.clip(np.minimum(rise, fall), 0, 1).astype(np.float32)


# --- what both need -------------------------------------------------------------------------------------------


def interpreter(model: Path, reference: bool) -> tuple[Callable[[np.ndarray], np.ndarray], float, int]:
    """(run one input, scale, zero) of a model in the interpreter that is installed, on one thread."""
    try:
        from tflite_runtime.interpreter import Interpreter, OpResolverType
    except ImportError:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    net = Interpreter(str(model), num_threads=1, experimental_op_resolver_type=kind)
    net.allocate_tensors()
    x, y = net.get_input_details()[0], net.get_output_details()[0]

    def run(values: np.ndarray) -> np.ndarray:
        net.set_tensor(x["index"], values.reshape(x["shape"]))
        net.invoke()
        return net.get_tensor(y["index"])

    return run, *x["quantization"]


def audio(count: int) -> np.ndarray:
    """The bundled recordings, again and again."""
    paths = sorted((ROOT / "recordings").glob("*.flac"))
    return np.resize(np.concatenate([read_recording(p, rate_hz=Fraction(RATE_HZ), channels=1).samples for p in paths]), count)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
