"""Make the transformers that tests/test_transformer.py compiles: small ones, trained a little, quantised as TFLite's converter does it.

    pip install tensorflow-cpu        # 2.21 with Keras 3.15 made the files beside this one
    python tests/models/make_transformers.py

words.tflite    16 numbers of 32 words -> which of 4 groups of words is most frequent; 2 blocks of 16 channels, 2 heads, GELU.  Dense
                layers have one scale for all weights, since the reference kernels of tflite-runtime 2.14 know no other; TFLM has no GELU.
moves.tflite    12 x 6 accelerations -> which of 4 frequencies they move at; a class token, 1 block of 16 channels, 2 heads, GELU by tanh.
                Dense layers have a scale a channel; TFLM has all of its operators.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

FOLDER = Path(__file__).parent
CHANNELS, HEADS, CLASSES = 16, 2, 4
WORDS, LENGTH = 32, 16
MOMENTS, AXES = 12, 6


class Places(layers.Layer):
    """A learned vector for each place, added."""

    def build(self, shape):
        self.vectors = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.3))

    def call(self, x):
        return x + self.vectors


class ClassToken(layers.Layer):
    """A learned vector in front of all others."""

    def build(self, shape):
        self.vector = self.add_weight(shape=(1, 1, shape[-1]), initializer=keras.initializers.RandomNormal(stddev=0.3))

    def call(self, x):
        one_each = self.vector if x.shape[0] == 1 else keras.ops.repeat(self.vector, keras.ops.shape(x)[0], axis=0)
        return keras.ops.concatenate([one_each, x], axis=1)


def gelu_by_tanh(x):
    return 0.5 * x * (1.0 + keras.ops.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def block(x, activation):
    a = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(HEADS, CHANNELS // HEADS)(a, a)
    a = layers.Dense(2 * CHANNELS, activation=activation)(layers.LayerNormalization()(x))
    return x + layers.Dense(CHANNELS)(a)


def words(batch):
    x = keras.Input((LENGTH,), batch_size=batch, dtype="int32")
    y = Places()(layers.Embedding(WORDS, CHANNELS)(x))
    for _ in range(2):
        y = block(y, "gelu")
    y = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(y))
    return keras.Model(x, layers.Dense(CLASSES, activation="softmax")(y))


def moves(batch):
    x = keras.Input((MOMENTS, AXES), batch_size=batch)
    y = block(Places()(ClassToken()(layers.Dense(CHANNELS)(x))), gelu_by_tanh)
    y = layers.LayerNormalization()(y)[:, 0]
    return keras.Model(x, layers.Dense(CLASSES, activation="softmax")(y))


def word_data(rng, count):
    label = rng.integers(0, CLASSES, count)
    group = np.where(rng.random((count, LENGTH)) < 0.4, label[:, None], rng.integers(0, CLASSES, (count, LENGTH)))
    return (group * (WORDS // CLASSES) + rng.integers(0, WORDS // CLASSES, (count, LENGTH))).astype(np.int32), label


def move_data(rng, count):
    label = rng.integers(0, CLASSES, count)
    phase = rng.uniform(0, 2 * np.pi, (count, 1, AXES)) + np.arange(MOMENTS)[None, :, None] * (0.3 + 0.5 * label[:, None, None])
    return (np.sin(phase) + rng.normal(0, 0.3, phase.shape)).astype(np.float32), label


def trained(build, x, label):
    """A model of one input at a time, which is what the converter gets, with the weights of one that was trained on many at a time."""
    many, one = build(None), build(1)
    many.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    many.fit(x, label, batch_size=64, epochs=12, verbose=2)
    one.set_weights(many.get_weights())
    return one


def converted(model, x, one_scale):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None]] for one in x[:200])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = one_scale
    if x.dtype == np.float32:
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def make(name, build, data, one_scale):
    x, label = data(np.random.default_rng(1), 4000)
    file = converted(trained(build, x, label), x, one_scale)
    (FOLDER / f"{name}.tflite").write_bytes(file)
    print(f"{name}.tflite: {len(file)} bytes")


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    make("words", words, word_data, one_scale=True)
    make("moves", moves, move_data, one_scale=False)
