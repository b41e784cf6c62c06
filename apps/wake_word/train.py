"""Train the wake-word net "computer": recordings in, int8 .tflite and the figures of its model card out.

    train.py bank      --data DATA --work WORK                       clips and features, once
    train.py fit       --data DATA --work WORK --hold 0 --out f0     one net, fold 0 held out (--hold -1: none)
    train.py export    --work WORK --out f0                          int8 .tflite of it
    evaluate.py        --data DATA --work WORK f0:0 f1:1 ...         figures of int8 models, each on the fold it has not heard

Wants tensorflow (Keras 3), scipy, soundfile, tinystream; espeak-ng, flite and apt-get for more speech (av for G.722 prompts).
"""

import argparse
import os
import pickle
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import augment
import corpus
import numpy as np

WINDOW, STRIDE = 101, 3  # frames a decision sees, frames between decisions
KERNELS = (5, 9, 9, 13)  # in decisions: 1 + 4 + 8 + 8 + 12 = 33 columns of 3 frames fill the window
WORDS, OTHERS = 24, 56  # of a batch
HEAD = 12.0  # logits the int8 output can tell apart: -12 .. 12


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("command", choices=("bank", "fit", "export"))
    options.add_argument("--data", help="folder that holds audio/")
    options.add_argument("--work", required=True, help="folder for caches, weights and models")
    options.add_argument("--out", default="model", help="name of the net inside the work folder")
    options.add_argument("--hold", type=int, default=0, help="fold that is not trained on; -1: train on all")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--steps", type=int, default=2400)
    options.add_argument("--made", type=int, default=1, help="synthetic words of each batch")
    options.add_argument("--width", type=int, default=64)
    options.add_argument("--processes", type=int, default=1, help="for the bank")
    told = options.parse_args()
    {"bank": bank, "fit": fit, "export": export}[told.command](told)


def bank(told):
    """The feature bank, from the work folder when it is there."""
    cache = Path(told.work) / f"bank_{told.seed}.pickle"
    if not cache.exists():
        begun = time.time()
        made = augment.build(corpus.load(told.data, told.work, told.seed), told.seed, told.processes)
        cache.write_bytes(pickle.dumps(made, protocol=5))
        print(f"bank: {len(made['words'])} words, {sum(map(len, made['streams'])) / 360e3:.1f} h of others, {time.time() - begun:.0f} s")
    return pickle.loads(cache.read_bytes())


def net(frames, width):
    """Logits [batch, decisions, 1, 1] of [batch, frames, 1, 40] in 0..1; nothing is padded, so columns of overlapping windows agree."""
    from keras import Model
    from keras import layers as L

    x = y = L.Input((frames, 1, 40))
    x = L.Conv2D(48, (5, 1), strides=(STRIDE, 1), use_bias=False, name="front")(x)
    x = L.ReLU(6)(L.BatchNormalization(momentum=0.98, name="front_norm")(x))
    for k, size in enumerate(KERNELS):
        x = L.DepthwiseConv2D((size, 1), use_bias=False, name=f"time{k}")(x)
        x = L.BatchNormalization(momentum=0.98, name=f"time{k}_norm")(x)
        x = L.Conv2D(width, 1, use_bias=False, name=f"mix{k}")(x)
        x = L.SpatialDropout2D(0.05)(L.ReLU(6)(L.BatchNormalization(momentum=0.98, name=f"mix{k}_norm")(x)))
    return Model(y, L.Conv2D(1, 1, name="score")(x))


def fit(told):
    """Train one net and leave the average of its weights in the work folder."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(told.seed)
    draw = Draw(bank(told), told.hold, np.random.default_rng(told.seed), told.made)
    model, mean = net(None, told.width), net(None, told.width)
    mean.set_weights(model.get_weights())
    optimizer, trained = keras.optimizers.Adam(2e-3), model.trainable_variables

    @tf.function(reduce_retracing=True)
    def step(x):
        with tf.GradientTape() as tape:
            z = tf.nn.avg_pool1d(model(x, training=True)[:, :, 0, :], 3, 1, "VALID")[:, :, 0]
            loss, parts = objective(tf, z)
            loss += 1e-5 * tf.add_n([tf.nn.l2_loss(w) for w in trained if len(w.shape) == 4])
        optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained))
        return parts

    @tf.function(reduce_retracing=True)
    def average(keep):
        for slow, fast in zip(mean.weights, model.weights):
            slow.assign(keep * slow + (1 - keep) * fast)

    logits = tf.function(lambda x: mean(x, training=False)[:, :, 0, 0], reduce_retracing=True)
    begun = time.time()
    for n in range(1, told.steps + 1):
        optimizer.learning_rate.assign(2e-3 * min(1, n / 100) * max(0.01, 0.5 * (1 + np.cos(np.pi * n / told.steps))))
        parts = step(tf.constant(draw.batch()))
        average(tf.constant(min(0.995, (1 + n) / (10 + n)), tf.float32))
        if n % 400 == 0 and n < told.steps * 0.97:
            found = draw.mine(lambda x: logits(tf.constant(x)).numpy())
            print(
                f"{told.out} {n} {time.time() - begun:.0f} s  loss {np.round([p.numpy() for p in parts], 3)}  "
                f"hard places {found}  held-out words {draw.held(lambda x: logits(tf.constant(x)).numpy())}",
                flush=True,
            )
    mean.save_weights(Path(told.work) / f"{told.out}.weights.h5")


def objective(tf, z):
    """The loss of scores [batch, decisions], words first, and its three parts.

    A word must be heard once, anywhere; what is not within 0.7 s of that best place must be quiet, and so must all of the others,
    the loudest eight decisions above all.
    """
    word, other = z[:WORDS], z[WORDS:]
    best = tf.argmax(word, 1, output_type=tf.int32)
    far = tf.cast(tf.abs(tf.range(tf.shape(z)[1])[None] - best[:, None]) > 22, tf.float32)
    heard = tf.reduce_mean(tf.nn.softplus(1 - tf.reduce_max(word, 1)))
    early = tf.reduce_sum(tf.nn.softplus(word) * far) / (tf.reduce_sum(far) + 1)
    top = tf.nn.softplus(1 + tf.math.top_k(other, 8).values)
    quiet = tf.reduce_mean(top) + 0.5 * tf.reduce_mean(tf.nn.softplus(other))
    return heard + 0.5 * early + 1.5 * quiet, (heard, early, quiet)


class Draw:
    """Batches out of the bank, without the fold that is held out; remembers the hard places of the streams."""

    def __init__(self, bank, hold, rng, made):
        self.rng, self.made, self.bank = rng, made, bank
        keep = bank["word_part"] != hold
        self.words = {kind: np.flatnonzero(keep & (bank["word_kind"] == kind)) for kind in ("word", "made")}
        self.out = np.flatnonzero(~keep & (bank["word_kind"] == "word"))
        use = np.flatnonzero(bank["stream_part"] != hold)
        self.streams = [bank["streams"][k] for k in use]
        self.kinds = {kind: np.flatnonzero(bank["stream_kind"][use] == kind) for kind in np.unique(bank["stream_kind"])}
        self.found, self.hard, self.weight = {}, [], np.zeros(0)

    def batch(self):
        """float32 [WORDS + OTHERS, FRAMES, 1, 40] in 0..1, the words first, with stripes of time and frequency wiped out."""
        made = self.made if len(self.words["made"]) else 0
        words = self.bank["words"][
            np.concatenate([self.rng.choice(self.words["word"], WORDS - made), self.rng.choice(self.words["made"], made)])
        ]
        share = {"keyword": 0.42, "package": 0.24, "read": 0.16, "near": 0.18}
        places = [self.hard[k] for k in self.rng.choice(len(self.hard), 20, p=self.weight)] if self.hard else []
        for kind in self.rng.choice([*share], OTHERS - len(places), p=[*share.values()]):
            places.append((self.rng.choice(self.kinds[kind]), None))
        others = np.stack([self.cut(*p) for p in places])
        return wiped(self.rng, np.concatenate([words, others]))[:, :, None, :].astype(np.float32) / 255

    def cut(self, stream, at):
        """FRAMES of a stream from a random place on (one in four from its very start, the front end fresh), or around the frame `at`."""
        x = self.streams[stream]
        low, high = 0, len(x) - augment.FRAMES
        if at is None and self.rng.random() < 0.25:
            high = 0
        elif at is not None:
            low, high = np.clip([at - augment.FRAMES + 10, at - WINDOW - 10], 0, high)
        begin = int(self.rng.integers(low, max(low, high) + 1))
        return x[begin : begin + augment.FRAMES]

    def mine(self, logits):
        """Look through a third of the streams for the places that score most; returns how many are known by now."""
        for k in self.rng.choice(len(self.streams), len(self.streams) // 3, replace=False):
            x, self.found[k] = self.streams[k], []
            z = logits(padded(x)[None, :, None, :].astype(np.float32) / 255)[0, : (len(x) - WINDOW) // STRIDE + 1]
            while z.max() > -3.0:
                t = int(z.argmax())
                self.found[k].append((float(z[t]), (k, t * STRIDE + WINDOW)))
                z[max(0, t - 33) : t + 34] = -99
        found = sorted((place for places in self.found.values() for place in places), reverse=True)[:3000]
        self.hard = [place for _, place in found]
        odds = np.array([1 + np.exp(min(z, 1.0)) for z, _ in found])
        self.weight = odds / odds.sum()
        return len(found)

    def held(self, logits):
        """Share of the held-out augmented words whose best logit is below 0 and below 2."""
        if not len(self.out):
            return None
        some = self.out[::4]
        best = np.concatenate(
            [logits(self.bank["words"][some[k : k + 100]][:, :, None, :].astype(np.float32) / 255).max(1) for k in range(0, len(some), 100)]
        )
        return f"{(best < 0).mean():.3f} {(best < 2).mean():.3f}"


def padded(x):
    """Frames filled up with zeros to a multiple of 500, so that few shapes are traced."""
    return np.pad(x, ((0, -len(x) % 500), (0, 0)))


def wiped(rng, x):
    """SpecAugment: up to two stripes each way set to zero."""
    x = x.copy()
    for one in x:
        for _ in range(2):
            if rng.random() < 0.5:
                wide = rng.integers(1, 7)
                at = rng.integers(0, 40 - wide)
                one[:, at : at + wide] = 0
            if rng.random() < 0.5:
                wide = rng.integers(1, 13)
                at = rng.integers(0, len(one) - wide)
                one[at : at + wide] = 0
    return x


def export(told):
    """The int8 .tflite of a trained net: norms folded, input in units of 1/25.6 count, output a logit of -HEAD .. HEAD."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = net(None, told.width)
    model.load_weights(Path(told.work) / f"{told.out}.weights.h5")
    data, rng = bank(told), np.random.default_rng(told.seed)
    plain, scale = folded(model, told.width), 26 / 255

    def samples():
        yield [np.zeros((1, WINDOW, 1, 40), np.float32)]
        yield [np.full((1, WINDOW, 1, 40), 26, np.float32)]
        for k in range(500):
            x = data["words"][rng.integers(len(data["words"]))] if k % 2 else data["streams"][rng.integers(len(data["streams"]))]
            begin = rng.integers(len(x) - WINDOW + 1)
            yield [(x[begin : begin + WINDOW, None, :] * scale).astype(np.float32)[None]]

    function = tf.function(lambda x: plain(x, training=False)).get_concrete_function(tf.TensorSpec((1, WINDOW, 1, 40), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = Path(told.work) / f"{told.out}.tflite"
    path.write_bytes(tidied(converter.convert()))
    print(f"{path}: {path.stat().st_size} bytes, {plain.count_params()} parameters")


def folded(model, width):
    """The same net with every norm inside the convolution before it, its input in 0..26."""
    from keras import Model
    from keras import layers as L

    x = y = L.Input((WINDOW, 1, 40))
    x = L.ReLU(6)(L.Conv2D(48, (5, 1), strides=(STRIDE, 1), name="front")(x))
    for k, size in enumerate(KERNELS):
        x = L.DepthwiseConv2D((size, 1), name=f"time{k}")(x)
        x = L.ReLU(6)(L.Conv2D(width, 1, name=f"mix{k}")(x))
    plain = Model(y, L.Conv2D(1, 1, name="score")(x))
    for layer in plain.layers:
        if not layer.weights:
            continue
        weights = model.get_layer(layer.name).get_weights()
        if layer.name != "score":
            norm = model.get_layer(layer.name + "_norm")
            gamma, beta, mean, variance = norm.get_weights()
            gain = gamma / np.sqrt(variance + norm.epsilon)
            kernel = weights[0] * (gain[None, None, :, None] if layer.name.startswith("time") else gain)
            weights = [kernel / (26 if layer.name == "front" else 1), beta - mean * gain]
        layer.set_weights(weights)
    return plain


def tidied(flat):
    """The .tflite with short tensor names, no metadata, and an output scale of HEAD/128 about zero.

    Only the last convolution's requantisation depends on the output scale, and that is worked out when the model is loaded.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(flat))
    model.metadata, model.signatureDefs, model.description = [], [], b"computer"
    graph = model.subgraphs[0]
    for k, tensor in enumerate(graph.tensors):
        tensor.name = f"t{k}".encode()
    assert len(graph.outputs) == 1, "one logit"
    out = graph.tensors[graph.outputs[0]].quantization
    out.scale, out.zeroPoint, out.min, out.max = np.array([HEAD / 128], np.float32), np.array([0]), None, None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


if __name__ == "__main__":
    main()
