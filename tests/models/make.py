"""Recurrent models as TensorFlow converts them: a GRU that is called step by step, and Keras layers that are unrolled over time.

    python tests/models/make.py         # needs tensorflow-cpu; 2.21 made the files that lie here

Weights are random: what is tested is the form that the converter gives them, and their arithmetic.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
VALUES, UNITS, STEPS = 8, 10, 5
RNG = np.random.default_rng(1)


class StreamingGru(tf.Module):
    """One step a call; what it remembers is a variable that starts with values of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.of_x, self.bias = normal(VALUES, 3 * UNITS), normal(3 * UNITS)
        self.of_gates, self.of_new, self.of_y = normal(UNITS, 2 * UNITS), normal(UNITS, UNITS), normal(UNITS, 4)
        self.h = tf.Variable(tf.tanh(normal(1, UNITS)), trainable=False, name="h")

    @tf.function(input_signature=[tf.TensorSpec([1, VALUES], tf.float32, name="x")])
    def step(self, x):
        h, from_x = self.h.read_value(), tf.matmul(x, self.of_x) + self.bias
        gates = tf.sigmoid(from_x[:, : 2 * UNITS] + tf.matmul(h, self.of_gates))
        update, reset = gates[:, :UNITS], gates[:, UNITS:]
        new = tf.tanh(from_x[:, 2 * UNITS :] + tf.matmul(reset * h, self.of_new))
        h = update * h + (1 - update) * new
        self.h.assign(h)
        return tf.matmul(h, self.of_y)


def normal(*shape: int):
    return tf.constant(RNG.normal(0, 0.5, shape).astype(np.float32))


def unrolled(layer) -> bytes:
    inputs = tf.keras.layers.Input([STEPS, VALUES], batch_size=1)
    model = tf.keras.Sequential([inputs, layer(UNITS, unroll=True), tf.keras.layers.Dense(4)])
    return quantised(tf.lite.TFLiteConverter.from_keras_model(model), [1, STEPS, VALUES])


def streaming() -> bytes:
    gru = StreamingGru()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(gru, folder, signatures=gru.step)
        return quantised(tf.lite.TFLiteConverter.from_saved_model(folder), [1, VALUES])


def quantised(converter, shape: list[int]) -> bytes:
    """int8 throughout, variables too."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([RNG.uniform(-1, 1, shape).astype(np.float32)] for _ in range(200))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.experimental_enable_resource_variables = True
    converter._experimental_variable_quantization = True
    return converter.convert()


if __name__ == "__main__":
    tf.keras.utils.set_random_seed(1)
    (HERE / "streaming_gru.tflite").write_bytes(streaming())
    (HERE / "unrolled_gru.tflite").write_bytes(unrolled(tf.keras.layers.GRU))
    (HERE / "unrolled_lstm.tflite").write_bytes(unrolled(tf.keras.layers.LSTM))
