"""From folders of pictures of your own to the model of this app, and how well it tells.

    train.py DATA                    trains person_detect.tflite on three quarters of the pictures, prints its figures on the others
    train.py DATA --figures          prints the figures of the model that is there on all pictures; wants no tensorflow

DATA holds person/ and no_person/ with pictures (.png, .jpg, .bmp, .pgm).  Those of one folder below these are one recording: pictures of
one scene never part between training and validation.  What lies beside such folders is a recording each.  A picture is cut to a square
about its middle and made 96 x 96 grey.

Wants tensorflow (Keras 3) and Pillow beside tinystream.  Seeds are fixed; another version of tensorflow gives another net, much alike.
"""

from __future__ import annotations

import argparse
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.stats import beta, rankdata

from tinystream.app.planning import plan_file
from tinystream.run.replay import make_engine

HERE = Path(__file__).parent
MODEL = HERE / "person_detect.tflite"
LABELS = ("no_person", "person")
SIDE = 96
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".pgm"}
VALIDATION = 4      # one recording of so many is held back
STEPS, BATCH, RATE = 3000, 32, 2e-3
BLOCKS = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1))
"""Channels and stride of each depthwise-separable convolution: MobileNet v1 with a quarter of the channels, two blocks shorter."""


class Picture(NamedTuple):
    label: int
    recording: str
    pixels: np.ndarray
    """uint8 [SIDE, SIDE], 0 is black."""

    @property
    def held_back(self) -> bool:
        return zlib.crc32(self.recording.encode()) % VALIDATION == 0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="folder with person and no_person")
    options.add_argument("--figures", action="store_true", help="train nothing: the figures of the model as it is")
    told = options.parse_args()
    pictures = read(told.data)
    if told.figures:
        print(*figures(pictures, {"int8": device(pictures)}), sep="\n")
        return
    mine, others = [p for p in pictures if not p.held_back], [p for p in pictures if p.held_back]
    for some, what in ((mine, "training"), (others, "validation")):
        if {p.label for p in some} != {0, 1}:
            options.error(f"{told.data}: {what} wants pictures of both kinds; with {VALIDATION} recordings or more of each there are")
    model = trained(mine)
    print(*figures(others, {"int8": device(others), "float": model(scaled(others), training=False).numpy()[:, 1]}), sep="\n")


def read(data: Path) -> list[Picture]:
    """All pictures below person/ and no_person/."""
    found = []
    for label, name in enumerate(LABELS):
        for path in sorted(p for p in (data / name).rglob("*") if p.suffix.lower() in ENDINGS):
            scene = path.parent if path.parent != data / name else path
            found.append(Picture(label, scene.relative_to(data).as_posix(), pixels(path)))
    return found


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        grey, side = image.convert("L"), min(image.size)
    left, top = (grey.width - side) // 2, (grey.height - side) // 2
    return np.asarray(grey.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BOX))


# --- how good it is -------------------------------------------------------------------------------------------


def device(pictures: Sequence[Picture]) -> np.ndarray:
    """Probability of a person in each picture, as the app computes it."""
    plan = plan_file(HERE)
    engine, found = make_engine(plan), []
    for picture in pictures:
        engine.reset()
        fired = engine.push(picture.pixels[None, None], want={plan.scores})
        found.append(plan.steps[plan.scores].y.real(fired[plan.scores].y).ravel()[LABELS.index("person")])
    return np.array(found)


def figures(pictures: Sequence[Picture], scores: dict[str, np.ndarray]) -> list[str]:
    """Lines of a table.  Pictures of one recording are not independent, so intervals are too narrow where a recording has many."""
    label, threshold = np.array([p.label for p in pictures]), plan_threshold()
    told = [f"{len(pictures)} pictures of {len({p.recording for p in pictures})} recordings, {label.sum()} with a person",
            "| | area under ROC | persons seen | told where nobody is |", "|---|---|---|---|"]
    for name, score in scores.items():
        seen, wrong = ((score >= threshold)[label == which] for which in (1, 0))
        told.append(f"| {name}, threshold {threshold:g} | {area(score, label):.4f} | {share(seen)} | {share(wrong)} |")
    return told


def plan_threshold() -> float:
    """Of the app's detector, as a probability."""
    plan = plan_file(HERE)
    step = plan.steps[plan.detector]
    return round(float((step.tables["limit"][0] - step.params["offset"]) / step.params["over"] * plan.steps[plan.scores].y.scale), 3)


def area(score: np.ndarray, label: np.ndarray) -> float:
    """Under the ROC: how often a picture with a person scores higher than one without; ties count half."""
    ones = int(label.sum())
    return float((rankdata(score)[label == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(label) - ones)))


def share(hits: np.ndarray) -> str:
    """With its exact 95 % interval (Clopper-Pearson)."""
    n, k = len(hits), int(hits.sum())
    low, high = beta.ppf(0.025, k, n - k + 1) if k else 0.0, beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return f"{k} of {n} ({100 * low:.0f} to {100 * high:.0f} %)"


# --- training -------------------------------------------------------------------------------------------------


def trained(pictures: Sequence[Picture]):
    """The float net, which is written in int8 too."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    rng, model = np.random.default_rng(1), net()
    kinds = [[p.pixels for p in pictures if p.label == label] for label in (0, 1)]
    optimizer, loss_of = keras.optimizers.AdamW(RATE, weight_decay=1e-3, clipnorm=1.0), keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    for n in range(STEPS):
        optimizer.learning_rate.assign(RATE * max(0.01, 0.5 * (1 + np.cos(np.pi * n / STEPS))))
        y = rng.integers(2, size=BATCH)
        x = np.stack([bent(kinds[label][rng.integers(len(kinds[label]))], rng) for label in y])
        loss = step(tf.constant(x[..., None], tf.float32), tf.constant(y))
        if n % 500 == 499:
            print(f"step {n + 1}: loss {float(loss):.3f}", flush=True)
    MODEL.write_bytes(int8(model, scaled(pictures)[:: max(1, len(pictures) // 300)]))
    print(f"{MODEL.name}: {MODEL.stat().st_size} bytes, {model.count_params()} parameters")
    return model


def scaled(pictures: Sequence[Picture]) -> np.ndarray:
    """-1 is black, 1 is white, as app.toml has it: [n, SIDE, SIDE, 1]."""
    return np.stack([p.pixels for p in pictures])[..., None].astype(np.float32) / 127.5 - 1


def bent(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One picture as another camera might see it: mirrored, nearer, aside, lighter or darker, with noise; -1 to 1."""
    side = int(SIDE * rng.uniform(0.75, 1))
    top, left = rng.integers(SIDE - side + 1, size=2)
    cut = Image.fromarray(picture[top : top + side, left : left + side]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    x = np.asarray(cut, np.float32) / 127.5 - 1
    x = x[:, :: rng.choice([-1, 1])] * rng.uniform(0.6, 1.3) + rng.uniform(-0.3, 0.3) + rng.normal(0, rng.uniform(0, 0.08), x.shape)
    return np.clip(x, -1, 1)


def net():
    import keras
    from keras import layers as L

    def normed(x):
        return L.ReLU(6)(L.BatchNormalization(momentum=0.95)(x))

    x = y = L.Input((SIDE, SIDE, 1))
    x = normed(L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x))
    for width, stride in BLOCKS:
        x = normed(L.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x))
        x = normed(L.Conv2D(width, 1, use_bias=False)(x))
    x = L.Flatten()(L.AveragePooling2D((x.shape[1], x.shape[2]))(x))
    return keras.Model(y, L.Softmax()(L.Dense(len(LABELS))(L.Dropout(0.3)(x))))


def int8(model, samples: np.ndarray) -> bytes:
    """The .tflite; its input counts from black to white."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def representative():
        for x in (np.full((SIDE, SIDE, 1), -1.0), np.full((SIDE, SIDE, 1), 1.0), *samples):
            yield [x.astype(np.float32)[None]]

    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec((1, SIDE, SIDE, 1), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


if __name__ == "__main__":
    main()
