"""From a folder of recordings to the nets of this app, and every figure of its model card.

    train.py DATA --work WORK        trains model.tflite and the nets of folds/, prints the figures and those of the float nets
    train.py DATA --figures          prints the figures of the nets as they are; wants no tensorflow
    train.py DATA --thresholds       prints what other thresholds would give

DATA is a folder with esc10/<class>/*.wav (names of ESC-50: <fold>-<recording>-<take>.wav), background_noise/*.wav,
speech_commands/*/*.wav and speech_other/*/*.wav, 16 kHz, int16.
The float nets stay in WORK; one that is there is not trained again.
Wants tensorflow (Keras 3) beside tinystream.  Seeds are fixed; another version of tensorflow gives other nets, much alike.

Split.  Takes of one recording never part.  Recording n of a class, in the order of its number, is held out by net n % 4; speech goes by
speaker where there is one in the name, else by file; the two long noises are cut in four.  So each recording is judged by a net that
has not heard it, and model.tflite, which has heard them all, is measured by no figure but that of the beeps.  Those are made by formula,
as are some sounds of the training: made.py.
"""

from __future__ import annotations

import argparse
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from made import made, tested
from scipy.stats import beta, chi2

from tinystream.app.definition import App, Model
from tinystream.app.planning import plan
from tinystream.app.read import load
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.replay import make_engine, replay

HERE = Path(__file__).parent
SOUNDS = ("crying_baby", "dog", "rooster", "sneezing", "crackling_fire")
LABELS = (*SOUNDS, "other")
ALERTS = ("crying_baby", "dog", "sneezing", "crackling_fire")
"""A rooster is a class of its own so that it is not taken for a baby; too little of it is heard for an alert."""
RATE_HZ, BLOCK = 16_000, 320
FRAMES, EVERY, BANDS, FLOOR_DB = 48, 12, 32, -80.0      # as app.toml says; test_app_sound_events compares
FOLDS = 4
LOUD_DB, QUIET_DB, LOUD_FRAMES = 20, -60, 8     # a frame is loud within 20 dB of its clip's loudest; a window of 8 such has the sound
ROOM_DBFS, ROOM_S = -70, 1.5    # white noise that lies under each clip, and before and after it
SNR_DB = 10     # of what is judged in noise
ROOMS = 10      # each with noise of its own, so that whole clips are counted finer than in twentieths
STEPS, BATCH, RATE, DECAY = 1200, 64, 3e-3, 3e-4
TEACHERS = 4
MADE = 60       # sounds by formula of each kind

Judge = Callable[[np.ndarray], tuple[np.ndarray, tuple[str, ...]]]
"""Of samples: probabilities [decisions, labels], and the labels of the alerts; a float net has no detector, and gives none."""


class Clip(NamedTuple):
    kind: str
    """A class of ESC-10, "speech" or "noise"."""
    recording: str
    name: str
    fold: int
    samples: np.ndarray

    @property
    def label(self) -> str:
        return self.kind if self.kind in SOUNDS else "other"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="folder with esc10, background_noise, speech_commands and speech_other")
    options.add_argument("--figures", action="store_true", help="train nothing: the figures of the nets as they are")
    options.add_argument("--thresholds", action="store_true", help="what other thresholds would give")
    options.add_argument("--work", type=Path, help="folder for the float nets")
    options.add_argument("--only", type=int, choices=range(FOLDS + 1), help="train one net, and print nothing; 4 is model.tflite")
    told = options.parse_args()
    if not (told.figures or told.thresholds or told.work):
        options.error("--figures, --thresholds, or --work and a folder")
    clips = read(told.data)
    if told.thresholds:
        for figure in thresholds(clips):
            print(f"| {figure} |")
        return
    if told.only is not None:
        trained(clips, told.only, told.work)
        return
    floats = None if told.figures else [trained(clips, fold, told.work) for fold in range(FOLDS + 1)][:FOLDS]
    for name, figure in figures(clips, floats).items():
        print(f"| {name} | {figure} |")


# --- recordings -----------------------------------------------------------------------------------------------


def read(data: Path) -> list[Clip]:
    clips = []
    for folder in sorted((data / "esc10").iterdir()):
        files = sorted(folder.glob("*.wav"))
        recordings = sorted({recording_of(file) for file in files})
        clips += [Clip(folder.name, f"{folder.name}-{recording_of(file)}", file.stem, recordings.index(recording_of(file)) % FOLDS,
                       samples_of(file)) for file in files]
    for file in sorted((data / "background_noise").glob("*.wav")):
        parts = np.array_split(samples_of(file), FOLDS)
        clips += [Clip("noise", file.stem, f"{file.stem}.{fold}", fold, part) for fold, part in enumerate(parts)]
    for file in sorted([*(data / "speech_commands").glob("*/*.wav"), *(data / "speech_other").glob("*/*.wav")]):
        speaker = file.name.split("_nohash")[0]
        clips.append(Clip("speech", speaker, file.stem, zlib.crc32(speaker.encode()) % FOLDS, samples_of(file)))
    return clips


def recording_of(file: Path) -> str:
    found = re.match(r"\d+-(\d+)-", file.name)
    assert found, f"{file.name} is not named as ESC-50 names files"
    return found[1]


def samples_of(file: Path) -> np.ndarray:
    samples, rate_hz = soundfile.read(file, dtype="int16")
    assert rate_hz == RATE_HZ and samples.ndim == 1, f"{file}: 16 kHz, one channel"
    return samples


# --- the app's own arithmetic ---------------------------------------------------------------------------------


@cache
def front() -> tuple[App, Plan]:
    """The app up to its features in dB."""
    app = load(HERE)
    app = app.model_copy(update=dict(stages=app.stages[:-2], model=None, detect=None, sinks=()))
    return app, plan(app)


def blocks(samples: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK))


def features(samples: np.ndarray) -> np.ndarray:
    """dB, [frames, bands], as the device computes them."""
    _, steps = front()
    y = Engine(steps).push(blocks(samples))[len(steps.steps) - 1].y
    return steps.steps[-1].y.real(y).astype(np.float32).reshape(-1, BANDS)


def textbook(samples: np.ndarray) -> np.ndarray:
    """The same in float64."""
    app, steps = front()
    x, y = steps.x[0], blocks(samples) * steps.x[0].scale
    for stage in app.stages:
        y, x = stage.ideal((x,), y), stage.plan(x).y
    return y


def device(fold: int, **detect: object) -> Judge:
    """The app with the net of a fold, FOLDS being its own, and other options of its detector."""
    app = load(HERE)
    detector = app.detectors[0].model_copy(update=detect)
    app = plan(app.model_copy(update=dict(model=Model(name_of(fold), labels=LABELS), detect=detector)), HERE)
    engine = make_engine(app)
    assert app.scores is not None, "it has a detector"
    scores = app.steps[app.scores]

    def judge(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        trace = replay(app, engine, samples, keep="scores")
        return scores.y.real(trace.outputs[scores.name].y).reshape(-1, len(LABELS)), tuple(event.label for event in trace.events)

    return judge


def name_of(fold: int) -> str:
    return "model.tflite" if fold == FOLDS else f"folds/{fold}.tflite"


def windows(x: np.ndarray) -> np.ndarray:
    """Of features, as stage `stack` gives them: [decisions, FRAMES, BANDS]."""
    return np.stack([x[begin : begin + FRAMES] for begin in range(0, len(x) - FRAMES + 1, EVERY)])


def loud(x: np.ndarray) -> np.ndarray:
    """Loud frames in the window that begins at each frame."""
    power_db = power(x)
    count = np.concatenate([[0], np.cumsum(power_db > max(power_db.max() - LOUD_DB, QUIET_DB))])
    return count[FRAMES:] - count[: len(count) - FRAMES]


def power(x: np.ndarray) -> np.ndarray:
    """dB of all bands together."""
    return 10 * np.log10((10 ** (x / 10)).sum(axis=-1))


# --- training -------------------------------------------------------------------------------------------------


def trained(clips: list[Clip], fold: int, work: Path) -> Judge:
    """The float net of a fold, which is trained, and written in int8 too, where it is not there yet.  fold = FOLDS: on everything."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    path = work / f"{fold}.npz"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        np.savez(path, *train(clips, fold))
    model = net()
    model.set_weights(list(np.load(path).values()))
    plain = likely(folded(model))
    return lambda samples: (plain(tf.constant(windows(textbook(samples))[..., None], tf.float32), training=False).numpy(), ())


def train(clips: list[Clip], fold: int) -> list[np.ndarray]:
    """Trains, writes the int8 net, and gives the weights.

    TEACHERS nets learn the labels, and the one that is kept what they think on average of other windows: nets that begin differently
    err differently.  Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015.
    """
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(1)
    draw = Draw([clip for clip in clips if clip.fold != fold], np.random.default_rng(1))
    teachers, model = [net(dropout=0.3) for _ in range(TEACHERS)], net()
    learn(teachers, draw, STEPS, DECAY, lambda x, y: tf.one_hot(y, len(LABELS)))
    loss = learn([model], draw, 2 * STEPS, DECAY / 10, lambda x, y: tf.add_n([tf.nn.softmax(t(x)) for t in teachers]) / TEACHERS)
    plain = folded(model)
    samples = np.concatenate([draw.batch()[0] for _ in range(8)])
    path = HERE / name_of(fold)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(int8(likely(rounded(plain, samples)), samples))
    print(f"{path.name}: {path.stat().st_size} bytes, {plain.count_params()} parameters, loss {loss:.3f}", flush=True)
    return model.get_weights()


def learn(models, draw: Draw, steps: int, decay: float, wanted) -> float:
    """Trains nets side by side on the same windows towards wanted(windows, labels), and leaves in each the running mean of its weights.

    Returns the mean loss of the last 50 steps.
    """
    import keras
    import tensorflow as tf

    optimizers = [keras.optimizers.Adam(RATE, clipnorm=1.0) for _ in models]
    means = [[tf.Variable(w) for w in model.weights] for model in models]
    for optimizer, model in zip(optimizers, models):
        optimizer.build(model.trainable_variables)

    @tf.function
    def step(x, y, keep):
        p, losses = wanted(x, y), []
        for model, optimizer, mean in zip(models, optimizers, means):
            variables = model.trainable_variables
            with tf.GradientTape() as tape:
                losses.append(tf.reduce_mean(keras.losses.categorical_crossentropy(p, model(x, training=True), from_logits=True)))
                full = losses[-1] + decay * tf.add_n([tf.nn.l2_loss(w) for w in variables if "kernel" in w.name])
            optimizer.apply_gradients(zip(tape.gradient(full, variables), variables))
            for slow, fast in zip(mean, model.weights):
                slow.assign(keep * slow + (1 - keep) * fast)
        return tf.add_n(losses) / len(models)

    losses = []
    for n in range(steps):
        for optimizer in optimizers:
            optimizer.learning_rate.assign(RATE * min(1, (n + 1) / 50) * max(0.01, 0.5 * (1 + np.cos(np.pi * n / steps))))
        x, y = draw.batch()
        losses.append(float(step(tf.constant(x / 40), tf.constant(y), tf.constant(min(0.99, (1 + n) / (10 + n)), tf.float32))))
    for model, mean in zip(models, means):
        model.set_weights([w.numpy() for w in mean])
    return float(np.mean(losses[-50:]))


def net(norms: bool = True, dropout: float = 0.0):
    """Logits of windows in units of 40 dB; biases stand where norms do not.  Nothing is padded, so the first norm holds for any offset."""
    from keras import Model as Net
    from keras import layers as L

    def rectified(x):
        return L.ReLU(6)(L.BatchNormalization(momentum=0.95)(x) if norms else x)

    x = y = L.Input((FRAMES, BANDS, 1))
    x = rectified(L.Conv2D(16, 3, strides=2, use_bias=not norms)(x))
    for width, stride in ((48, 2), (64, 2), (96, 1)):
        x = rectified(L.DepthwiseConv2D(3, strides=stride, use_bias=not norms)(x))
        x = rectified(L.Conv2D(width, 1, use_bias=not norms)(x))
    x = L.Dropout(dropout)(L.Flatten()(L.AveragePooling2D((3, 1))(x)))
    return Net(y, L.Dense(len(LABELS))(x))


def folded(model):
    """The same net of windows in dB, each norm in the convolution before it."""
    plain, layers, weights = net(norms=False), [layer for layer in model.layers if layer.weights], []
    for layer, norm in zip(layers[:-1:2], layers[1::2]):
        gamma, beta, mean, variance = norm.get_weights()
        gain = gamma / np.sqrt(variance + norm.epsilon)
        (kernel,) = layer.get_weights()
        weights += [kernel * (gain[:, None] if is_depthwise(layer) else gain), beta - mean * gain]
    weights[0] = weights[0] / 40
    plain.set_weights([*weights, *layers[-1].get_weights()])
    return plain


def rounded(plain, samples: np.ndarray):
    """A folded net with its kernels as int8 holds them, and biases that give each channel the mean over samples that it has in floats.

    A window is some 50 dB below zero on average, so what nine weights lose by rounding adds up to a shift of the whole channel.
    Source: Nagel, van Baalen, Blankevoort, Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, 4.2.
    """
    from keras import Model as Net

    coarse = net(norms=False)
    coarse.set_weights(plain.get_weights())
    for layer, other in zip(plain.layers, coarse.layers):
        if not layer.weights:
            continue
        kernel, bias = layer.get_weights()
        step = np.abs(kernel).max(axis=(0, 1, 3) if is_depthwise(layer) else tuple(range(kernel.ndim - 1)), keepdims=True) / 127
        kernel = np.rint(kernel / step) * step
        other.set_weights([kernel, bias])
        wanted, found = (Net(m.inputs, o.output).predict(samples, verbose=0) for m, o in ((plain, layer), (coarse, other)))
        other.set_weights([kernel, bias + (wanted - found).reshape(-1, len(bias)).mean(axis=0)])
    return coarse


def is_depthwise(layer) -> bool:
    """Whether the channels of its kernel are the last but one axis."""
    from keras.layers import DepthwiseConv2D

    return isinstance(layer, DepthwiseConv2D)


def likely(model):
    """Probabilities for logits."""
    import keras

    return keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]))


def int8(model, samples: np.ndarray) -> bytes:
    """The .tflite; its input counts from the floor to 0 dB."""
    import tensorflow as tf
    from tensorflow.lite.tools import flatbuffer_utils
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def representative():
        for x in (np.zeros((FRAMES, BANDS, 1)), np.full((FRAMES, BANDS, 1), FLOOR_DB), *samples):
            yield [x.astype(np.float32)[None]]

    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec((1, FRAMES, BANDS, 1), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    flat = flatbuffer_utils.convert_bytearray_to_object(bytearray(converter.convert()))
    flat.metadata, flat.signatureDefs, flat.description = [], [], b"sound events"
    for n, tensor in enumerate(flat.subgraphs[0].tensors):
        tensor.name = f"t{n}".encode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(flat))


class Draw:
    """Batches of augmented windows; all that is done to a window is done in dB, as energies add and filters multiply."""

    def __init__(self, clips: Iterable[Clip], rng: np.random.Generator) -> None:
        """Of each kind, of each recording: takes, and where in them windows may begin.  "quiet" is what lies between sounds."""
        self.rng = rng
        self.kinds: dict[str, dict[str, list[tuple[np.ndarray, np.ndarray]]]] = defaultdict(lambda: defaultdict(list))
        for clip in clips:
            x = padded(features(clip.samples))
            count = loud(x)
            if clip.label == "other":
                self.kinds[clip.kind][clip.recording].append((x, np.arange(len(count))))
                continue
            self.kinds[clip.kind][clip.recording].append((x, np.flatnonzero(count >= min(LOUD_FRAMES, count.max()))))
            if (count == 0).any():
                self.kinds["quiet"][clip.recording].append((x, np.flatnonzero(count == 0)))
        self.around = sorted(set(self.kinds) - {*SOUNDS, "speech", "quiet"})
        self.made = made(MADE, np.random.default_rng(7))
        for kind, sounds in self.made.items():
            for n, samples in enumerate(sounds):
                x = features(samples)
                self.kinds[kind][str(n)].append((x, np.flatnonzero(loud(x) >= 3)))

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 [BATCH, FRAMES, BANDS, 1] in dB, and places in LABELS."""
        y = np.where(self.rng.random(BATCH) < 0.62, self.rng.integers(len(SOUNDS), size=BATCH), len(SOUNDS))
        return np.stack([self.window(LABELS[i]) for i in y])[..., None].astype(np.float32), y

    def window(self, label: str) -> np.ndarray:
        rng, kind = self.rng, label
        if label == "other":
            around, beside = self.around[rng.integers(len(self.around))], [*self.made][rng.integers(len(self.made))]
            kind = str(rng.choice(["speech", "quiet", around, beside], p=[0.54, 0.07, 0.29, 0.1]))
        x = self.bent(self.cut(kind))
        level = power(x).max()
        noise = self.noise()
        snr_db = rng.uniform(5, 20) if rng.random() < 0.45 else rng.uniform(20, 50)
        x = 10 * np.log10(10 ** (x / 10) + 10 ** ((noise - power(noise).max() + level - snr_db) / 10))
        x = x + (rng.uniform(-10, 10) if kind == "quiet" else rng.uniform(-45, -10) - level)
        return self.wiped(np.clip(x, FLOOR_DB, 0))

    def cut(self, kind: str) -> np.ndarray:
        recordings = list(self.kinds[kind].values())
        takes = recordings[self.rng.integers(len(recordings))]
        x, begins = takes[self.rng.integers(len(takes))]
        begin = self.rng.choice(begins)
        return x[begin : begin + FRAMES]

    def noise(self) -> np.ndarray:
        """Surroundings, or the spectrogram of coloured noise."""
        rng = self.rng
        if rng.random() < 0.5:
            return self.cut(self.around[rng.integers(len(self.around))])
        colour = rng.uniform(-20, 6) * np.linspace(0, 1, BANDS) + rng.normal(0, 2, BANDS)
        return colour + 10 * np.log10(rng.gamma(3, 1 / 3, (FRAMES, BANDS)))

    def bent(self, x: np.ndarray) -> np.ndarray:
        """Slower or faster, higher or lower by up to two bands, and through another room or microphone."""
        rng, middle = self.rng, (FRAMES - 1) / 2
        x = between(x, (np.arange(FRAMES) - middle) * rng.uniform(0.85, 1.18) + middle)
        x = between(x.T, np.arange(BANDS) + rng.uniform(-2, 2)).T
        place, (tilt, cosine, sine) = np.linspace(0, 1, BANDS), rng.normal(0, 1, 3)
        return x + 6 * tilt * (place - 0.5) + 2 * cosine * np.cos(2 * np.pi * place) + 2 * sine * np.sin(2 * np.pi * place)

    def wiped(self, x: np.ndarray) -> np.ndarray:
        """SpecAugment: a stripe of bands or of frames, now and then."""
        rng = self.rng
        for axis, most in ((0, 8), (1, 6)):
            if rng.random() < 0.3:
                wide = rng.integers(1, most)
                at = rng.integers(0, x.shape[axis] - wide)
                np.moveaxis(x, axis, 0)[at : at + wide] = x.min() if rng.random() < 0.5 else x.mean()
        return x


def padded(x: np.ndarray) -> np.ndarray:
    """Silence on both sides of what is shorter than a window."""
    missing = max(0, FRAMES - len(x))
    return np.pad(x, (((missing + 1) // 2, missing // 2), (0, 0)), constant_values=FLOOR_DB)


def between(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows of x at fractional places, the outermost held."""
    at = np.clip(at, 0, len(x) - 1)
    low = np.minimum(at.astype(int), len(x) - 2)
    part = (at - low)[:, None]
    return x[low] * (1 - part) + x[low + 1] * part


# --- figures --------------------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """A clip, the probabilities of each of its windows that count, and its alerts."""

    clip: Clip
    scores: np.ndarray
    alerts: tuple[str, ...]
    seconds: float

    @property
    def windows(self) -> np.ndarray:
        """Of each the place of its most likely label."""
        return self.scores.argmax(axis=1)

    @property
    def right(self) -> int:
        return int((self.windows == LABELS.index(self.clip.label)).sum())

    @property
    def whole(self) -> bool:
        """Whether the clip's mean is right."""
        return bool(self.scores.mean(axis=0).argmax() == LABELS.index(self.clip.label))


def in_room(clip: Clip, room: int = 0) -> np.ndarray:
    """A clip with quiet before, after and under it.  In rooms after the first it begins up to a decision earlier."""
    rng, around = np.random.default_rng(zlib.crc32(clip.name.encode()) + 2 * room), round(ROOM_S * RATE_HZ)
    early = int(rng.integers(EVERY * BLOCK)) if room else 0
    x = np.pad(clip.samples.astype(np.float64), (around - early, around + early))
    x += rng.normal(0, 2**15 * 10 ** (ROOM_DBFS / 20), len(x))
    return np.clip(np.rint(x), -32768, 32767).astype(np.int16)


def in_noise(clip: Clip, clips: list[Clip], room: int = 0) -> np.ndarray:
    """A clip in a noise that its net has not heard, SNR_DB below the loud parts of it."""
    rng = np.random.default_rng(zlib.crc32(clip.name.encode()) + 2 * room + 1)
    noises = [c.samples for c in clips if c.kind == "noise" and c.fold == clip.fold]
    x = in_room(clip, room).astype(np.float64)
    noise = noises[rng.integers(len(noises))].astype(np.float64)
    begin = rng.integers(len(noise) - len(x))
    noise = noise[begin : begin + len(x)]
    energy = np.sort((blocks(x) ** 2).mean(axis=1))[::-1]
    level = energy[energy > energy[0] / 10 ** (LOUD_DB / 10)].mean()
    return np.clip(np.rint(x + noise * np.sqrt(level / 10 ** (SNR_DB / 10) / (noise**2).mean())), -32768, 32767).astype(np.int16)


def streams(clips: list[Clip]) -> list[Clip]:
    """All that is no clip of an alert, back to back: a stream for each kind and fold."""
    found = []
    for kind in sorted({clip.kind for clip in clips if clip.label == "other"}):
        for fold in range(FOLDS):
            if parts := [clip.samples for clip in clips if clip.kind == kind and clip.fold == fold]:
                found.append(Clip(kind, f"{kind}.{fold}", f"{kind}.{fold}", fold, np.concatenate(parts)))
    return found


def heard(clip: Clip, samples: np.ndarray, judge: Judge, room: int = 0) -> Heard:
    """Windows of a sound count where they hold it, by the quiet recording; those of anything else always do."""
    scores, alerts = judge(samples)
    count = loud(features(in_room(clip, room) if clip.label != "other" else samples))[::EVERY][: len(scores)]
    counted = count >= min(LOUD_FRAMES, count.max()) if clip.label != "other" else np.ones(len(count), bool)
    return Heard(clip, scores[counted], alerts, len(samples) / RATE_HZ)


def everything(clips: list[Clip], judges: list[Judge]) -> dict[str, list[Heard]]:
    """Each clip of a sound in the first room, in noise there, in each room, in noise in each; and all else."""
    sounds, told = [clip for clip in clips if clip.label != "other"], {}
    for name, rooms in (("first", range(1)), ("rooms", range(1, ROOMS + 1))):
        told[name] = [heard(c, in_room(c, room), judges[c.fold], room) for c in sounds for room in rooms]
        told[f"{name} noisy"] = [heard(c, in_noise(c, clips, room), judges[c.fold], room) for c in sounds for room in rooms]
    told["else"] = [heard(c, c.samples, judges[c.fold]) for c in streams(clips)]
    return told


def figures(clips: list[Clip], floats: list[Judge] | None = None) -> dict[str, str]:
    """Of the nets of folds/, each on what it has not heard; and of the float nets, where they have just been trained."""
    found = everything(clips, [device(fold) for fold in range(FOLDS)])
    clean, rest, told = found["first"], found["else"], {}
    for label in SOUNDS:
        told[label] = of_label([h for h in clean if h.clip.kind == label])
    told["all that are told"] = of_label([h for h in clean if h.clip.kind in ALERTS])
    told[f"the same at {SNR_DB} dB"] = of_label([h for h in found["first noisy"] if h.clip.kind in ALERTS])
    told["all five"] = of_label(clean)
    told["windows of all five, right"] = bootstrap(clean, lambda h: (h.right, len(h.scores)))
    told[f"clips in {ROOMS} rooms each"] = of_rooms(found["rooms"])
    told[f"clips in {ROOMS} rooms each, at {SNR_DB} dB"] = of_rooms(found["rooms noisy"])
    for kind in sorted({h.clip.kind for h in rest}):
        told[f"else: {kind}"] = of_rest([h for h in rest if h.clip.kind == kind])
    told["else: all"] = of_rest(rest)
    told["beeps, by the four nets"] = of_beeps(device(fold) for fold in range(FOLDS))
    told["beeps, by model.tflite"] = of_beeps([device(FOLDS)])
    if floats:
        told |= beside_floats(found, everything(clips, floats))
    return told


def thresholds(clips: list[Clip]) -> list[str]:
    """For one threshold of all labels after another: of each label the clips that are told, in the first room, in noise there and in ROOMS
    rooms; clips of other sounds in those rooms that are told as it; and false alerts in all else."""
    told = []
    for threshold in (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9):
        found = everything(clips, [device(fold, threshold=threshold) for fold in range(FOLDS)])
        told.append(f"{threshold} | " + " | ".join(of_threshold(found, label) for label in ALERTS))
    return told


def of_threshold(found: dict[str, list[Heard]], label: str) -> str:
    hits = [sum(label in h.alerts for h in found[name] if h.clip.label == label) for name in ("first", "first noisy", "rooms")]
    wrong = sum(label in h.alerts for h in found["rooms"] if h.clip.label != label)
    return f"{hits[0]}, {hits[1]}, {hits[2]}; {wrong}; {sum(h.alerts.count(label) for h in found['else'])}"


def of_label(found: list[Heard]) -> str:
    right, whole = sum(h.right for h in found), sum(h.whole for h in found)
    alerted = sum(h.clip.label in h.alerts for h in found)
    wrong = sum(any(alert != h.clip.label for alert in h.alerts) for h in found)
    recordings = len({h.clip.recording for h in found})
    total = sum(len(h.windows) for h in found)
    percent = 100 * right / total
    told = share(alerted, len(found)) if {h.clip.label for h in found} <= {*ALERTS} else "not all are"
    return f"{recordings} | {right} of {total} ({percent:.0f} %) | {share(whole, len(found))} | {told} | {wrong}"


def of_rooms(found: list[Heard]) -> str:
    """Clips whose mean is right and clips with their alert; the rooms of one clip are not independent, so by recordings drawn again."""
    alerted = sum(h.clip.label in h.alerts for h in found if h.clip.kind in ALERTS)
    total = sum(h.clip.kind in ALERTS for h in found)
    wrong = sum(any(alert != h.clip.label for alert in h.alerts) for h in found)
    return (f"mean right in {sum(h.whole for h in found)} of {len(found)}, {bootstrap(found, lambda h: (h.whole, 1))}; "
            f"alert in {alerted} of {total}; another in {wrong} of {len(found)}")


def of_rest(found: list[Heard]) -> str:
    right = sum(h.right for h in found)
    total, hours = sum(len(h.windows) for h in found), sum(h.seconds for h in found) / 3600
    alerts = [alert for h in found for alert in h.alerts]
    kinds = ", ".join(f"{alerts.count(label)} {label}" for label in ALERTS if label in alerts) or "none"
    low, high = (chi2.ppf(0.025, 2 * len(alerts)) / 2 if alerts else 0.0), chi2.ppf(0.975, 2 * len(alerts) + 2) / 2
    return (f"{right} of {total} ({100 * right / total:.1f} %) | {len(alerts)} in {3600 * hours:.0f} s | "
            f"{low / hours:.0f} to {high / hours:.0f} | {kinds}")


def of_beeps(judges: Iterable[Judge]) -> str:
    """Of the beeps that no net was trained with, what is told, each judged by each net."""
    told = [judge(samples)[1] for judge in judges for samples in tested().values()]
    kinds = [label for labels in told for label in {*labels}]
    which = ", ".join(f"{kinds.count(label)} {label}" for label in ALERTS if label in kinds) or "none"
    return f"alert in {sum(map(bool, told))} of {len(told)}: {which}"


def bootstrap(found: list[Heard], of: Callable[[Heard], tuple[int, int]]) -> str:
    """The share of what is right, `of` giving hits and trials, and its interval when recordings are drawn again."""
    groups: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for h in found:
        groups[h.clip.recording] += of(h)
    table = np.array(list(groups.values()))
    again = table[np.random.default_rng(0).integers(len(table), size=(10_000, len(table)))].sum(axis=1)
    low, high = np.percentile(again[:, 0] / again[:, 1], [2.5, 97.5])
    right, total = table.sum(axis=0)
    return f"{100 * right / total:.1f} % ({100 * low:.0f} to {100 * high:.0f})"


def share(hits: int, trials: int) -> str:
    """With its exact 95 % interval (Clopper-Pearson)."""
    low = beta.ppf(0.025, hits, trials - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, trials - hits) if hits < trials else 1.0
    return f"{hits} of {trials} ({100 * low:.0f} to {100 * high:.0f} %)"


def beside_floats(found: dict[str, list[Heard]], floats: dict[str, list[Heard]]) -> dict[str, str]:
    """The same windows and clips by the float nets, on features in float64."""
    names = {"first": "all five", "first noisy": f"at {SNR_DB} dB", "rooms": f"{ROOMS} rooms each",
             "rooms noisy": f"{ROOMS} rooms each, at {SNR_DB} dB", "else": "else"}
    return {f"int8 and float, {title}": of_both(found[name], floats[name]) for name, title in names.items()}


def of_both(found: list[Heard], floats: list[Heard]) -> str:
    total = sum(len(h.scores) for h in found)
    right, other = (100 * sum(h.right for h in some) / total for some in (found, floats))
    same = sum(int((a.windows == b.windows).sum()) for a, b in zip(found, floats))
    apart = sum(float(np.abs(a.scores - b.scores).sum()) for a, b in zip(found, floats)) / total / len(LABELS)
    wholes = [sum(h.whole for h in some) for some in (found, floats)]
    clips = f"{wholes[0]} and {wholes[1]} of {len(found)}" if found[0].clip.label != "other" else "no clips"
    return f"{right:.2f} % and {other:.2f} % | {100 * same / total:.2f} % of {total} | {apart:.4f} | {clips}"


if __name__ == "__main__":
    main()
