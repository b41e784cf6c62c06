"""TFLite UNIDIRECTIONAL_SEQUENCE_LSTM, int8 with a cell state of int16: a recurrent layer over the rows of its input.

For each row x of a sequence, with the gates g = input, forget, cell, output, and h and c as the row before has left them:

    z[g] = sat16(sat16(requant(bias[g] + sum_i weight[g, i] * (x[i] - x_zero), …))
                 + sat16(requant(sum_u recurrent[g, u] * (h[u] - h_zero), …)))
    i, f, o = sigmoid(z) in Q15,   j = tanh(z[cell]) in Q15,   z in Q12
    c = sat16(requant(f * c, …) + sat16(requant(i * j, …))), between -clip and clip where there is a clip
    h = sat8(requant(tanh(c) * o, …) + h_zero),   y = h

h and c live on from call to call, as they do in TFLM; they start at h_zero and 0.  Sigmoid and tanh are those of LOGISTIC and TANH on
int16, ops/_sigmoid.py.  Sequences of a batch are independent of each other.

Source: tflite-micro, lstm_eval.h, lstm_eval.cc, lstm_eval_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import log2

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._sigmoid import SIGMOID, interpolated
from tinystream.ops.svdf import one_scale
from tinystream.plan.fixed import quantize_multiplier, requant, sat8, sat16
from tinystream.plan.operator import Operator, Tensor
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION, CELL_CLIP, TIME_MAJOR = 0, 1, 3  # slots of UnidirectionalSequenceLSTMOptions
TANH = 4  # ActivationFunctionType
GATES = ("input", "forget", "cell", "output")
WEIGHT, RECURRENT, BIAS, HIDDEN, CELL = 1, 5, 12, 18, 19  # inputs; the first three for each gate
LEFT_OUT = {
    9: "peephole weights",
    10: "peephole weights",
    11: "peephole weights",
    16: "a projection",
    17: "a projection",
    **dict.fromkeys(range(20, 24), "layer normalisation"),
}
INPUTS = 24
Q12, Q15 = 2.0**-12, 2.0**-15


@dataclass(frozen=True, eq=False)
class UnidirectionalSequenceLstm:
    """weight is [4, units, inputs], recurrent [4, units, units], bias [4, units], for the gates input, forget, cell, output.

    x is [steps, batches, inputs] where time_major, else [batches, steps, inputs].  clip: of the cell state, real; 0 for none.
    """

    steps: int
    batches: int
    time_major: bool
    weight: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray
    weight_scale: np.ndarray
    recurrent_scale: np.ndarray
    cell_scale: float
    clip: float
    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> UnidirectionalSequenceLstm:
        check_variant(operator)
        x, time_major = operator.flow(), bool(operator.option(TIME_MAJOR, 0, "b"))
        types = {WEIGHT: "int8", RECURRENT: "int8", BIAS: "int32"}
        constants = [[operator.constant(first + g, dtype) for g in range(4)] for first, dtype in types.items()]
        (hidden, cell), rows = operator.inputs[HIDDEN : CELL + 1], x.shape[:2]
        if len(x.shape) != 3 or hidden is None or cell is None or not hidden.variable or not cell.variable:
            raise operator.refuse("has no input [batch, time, values], or no states that are variables", "convert the model again")
        batches, units = rows[time_major], operator.y.shape[-1] if operator.y.shape else 0
        shapes = [(units, x.shape[2]), (units, units), (units,)]
        fits = all(c is not None and c.shape == shape for group, shape in zip(constants, shapes) for c in group)
        sizes = operator.y.size == x.size // max(1, x.shape[2]) * units and hidden.size == cell.size == batches * units
        if not fits or not sizes or not x.size or not units:
            raise operator.refuse(f"has weights, biases or states that do not fit {x} to {operator.y}", "convert the model again")
        if not hidden.quantised or (hidden.dtype, operator.y.dtype, cell.dtype) != ("int8", "int8", "int16") or not is_power(cell):
            what = f"has states {hidden} and {cell}; int8 and a cell state of int16 whose scale is a power of two are supported"
            raise operator.refuse(what, "convert with full integer quantisation")
        weight, recurrent, bias = (np.stack([c for c in group if c is not None]) for group in constants)
        of_weight, of_recurrent = (np.array([one_scale(operator, operator.inputs[at + g]) for g in range(4)]) for at in (WEIGHT, RECURRENT))
        return cls(
            steps=rows[not time_major],
            batches=batches,
            time_major=time_major,
            weight=weight,
            recurrent=recurrent,
            bias=bias,
            weight_scale=of_weight,
            recurrent_scale=of_recurrent,
            cell_scale=cell.scale,
            clip=clip_of(operator),
            y_scale=hidden.scale,
            y_zero=hidden.zero,
        )

    def plan(self, x: Signal) -> Step:
        units, inputs = self.weight.shape[1:]
        of_x = [quantize_multiplier(product(x.scale, s) / Q12) for s in self.weight_scale]
        of_h = [quantize_multiplier(product(self.y_scale, s) / Q12) for s in self.recurrent_scale]
        weight, recurrent = self.weight.astype(np.int64), self.recurrent.astype(np.int64)
        bias = self.bias - x.zero * weight.sum(axis=2)
        fold = -self.y_zero * recurrent.sum(axis=2)
        check_sums(weight, bias, of_x)
        check_sums(recurrent, fold, of_h)
        narrowed = {"forget": Q15, "keep": Q15 * Q15 / self.cell_scale, "hidden": Q15 * Q15 / self.y_scale}
        power = round(log2(self.cell_scale)) + 12
        params = dict(batches=self.batches, steps=self.steps, inputs=inputs, units=units)
        params |= dict(next_step=self.batches if self.time_major else 1, next_batch=1 if self.time_major else self.steps)
        for name, real in narrowed.items():
            params[f"{name}_multiplier"], params[f"{name}_shift"] = quantize_multiplier(real)
        if params["hidden_shift"] > 0:
            raise ModelError(
                f"an LSTM has a hidden state of scale {self.y_scale:.3g}, whose values exceed 32 bits", "convert the model again"
            )
        params |= dict(tanh_multiplier=3 << max(0, power), tanh_shift=max(0, -power), clip=self.counted_clip(), y_zero=self.y_zero)
        multiplier, shift = zip(*of_x, *of_h)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((self.batches * self.steps, units), "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=params,
            tables=dict(
                weight=by_unit(self.weight),
                recurrent=by_unit(self.recurrent),
                bias=by_unit(bias).astype(np.int32),
                fold=by_unit(fold).astype(np.int32),
                multiplier=np.array(multiplier, np.int32),
                shift=np.array(shift, np.int8),
                sigmoid=SIGMOID,
            ),
            state=dict(hidden=np.full((self.batches, units), self.y_zero, np.int8), cell=np.zeros((self.batches, units), np.int16)),
            cost=dict(mac8=self.batches * self.steps * (weight.size + recurrent.size), requant=self.batches * self.steps * units * 11),
            says=f"LSTM of {units} units over {self.steps} steps of {inputs}",
        )

    def counted_clip(self) -> int:
        """The clip in counts of the cell state; 32768 where there is none.  Cut to int16 as TFLM does."""
        return int(min(self.clip / self.cell_scale, 32767)) if self.clip > 0 else 32768

    def ideal(self, x, blocks):
        weight, recurrent = (w * s[:, None, None] for w, s in ((self.weight, self.weight_scale), (self.recurrent, self.recurrent_scale)))
        bias = self.bias * (self.weight_scale * x[0].scale)[:, None]
        ends = -32768 * self.cell_scale, 32767 * self.cell_scale
        limit = self.clip if self.clip > 0 else np.inf
        h = np.zeros((self.batches, weight.shape[1]))
        c, found = h.copy(), []
        for block in blocks:
            rows, y = in_time(self, block), []
            for t in range(self.steps):
                i, f, j, o = (gate(gate(rows[t] @ w.T + b) + gate(h @ r.T)) for w, r, b in zip(weight, recurrent, bias))
                c = np.clip(np.clip(logistic(f) * c + np.clip(logistic(i) * np.tanh(j), *ends), *ends), -limit, limit)
                h = np.clip(np.tanh(c) * logistic(o), (-128 - self.y_zero) * self.y_scale, (127 - self.y_zero) * self.y_scale)
                y.append(h)
            found.append(np.stack(y, axis=0 if self.time_major else 1).reshape(self.batches * self.steps, -1))
        return np.stack(found)


# --- reading ------------------------------------------------------------------------------------------------------------


def check_variant(operator: Operator) -> None:
    """Only the standard layer is computed, as by TFLM."""
    if len(operator.inputs) != INPUTS:
        raise operator.refuse(f"has {len(operator.inputs)} inputs, not {INPUTS}", "convert the model again")
    for at, what in LEFT_OUT.items():
        if operator.inputs[at] is not None:
            raise operator.refuse(f"has {what}; only the standard layer, as Keras makes it, is supported", "tf.keras.layers.LSTM")
    for g, gate in enumerate(GATES):
        if any(operator.inputs[first + g] is None for first in (WEIGHT, RECURRENT, BIAS)):
            raise operator.refuse(f"has no weights or no bias of its {gate} gate", "tf.keras.layers.LSTM")
    if operator.option(ACTIVATION, 0, "b") != TANH:
        raise operator.refuse(f"has the activation {operator.option(ACTIVATION, 0, 'b')}; only TANH is supported", 'activation="tanh"')


def clip_of(operator: Operator) -> float:
    clip = float(operator.options.real(CELL_CLIP)) if operator.options else 0.0
    if not np.isfinite(clip):
        raise operator.refuse(f"has a cell clip of {clip}", "convert the model again")
    return clip


def is_power(cell: Tensor) -> bool:
    """Whether the scale is one of two, and such that the products of gates and cell fit."""
    return cell.zero == 0 and cell.scale > 0 and log2(cell.scale) == round(log2(cell.scale)) and -24 <= log2(cell.scale) <= 0


# --- planning -----------------------------------------------------------------------------------------------------------


def product(a: float, b: float) -> float:
    """Two scales, as TFLM multiplies them."""
    return float(np.float32(a) * np.float32(b))


def check_sums(weight: np.ndarray, bias: np.ndarray, multipliers: list[tuple[int, int]]) -> None:
    """Sums, shifted left, must fit 32 bits."""
    ends = [bias + 128 * sign * np.abs(weight).sum(axis=2) for sign in (-1, 1)]
    for g, (_, shift) in enumerate(multipliers):
        reach = max(int(np.abs(end[g]).max()) for end in ends)
        if reach << max(shift, 0) >= 2**31:
            raise ModelError(
                f"an LSTM's {GATES[g]} gate has a sum that may exceed 32 bits: {reach << max(shift, 0)}",
                "a bias or scale this large is a mistake of the conversion: train or convert again",
            )


def by_unit(values: np.ndarray) -> np.ndarray:
    """[gates, units, …] as [units, …, gates]: the order in which the kernel reads."""
    return np.ascontiguousarray(np.moveaxis(values, 0, -1))


# --- the definition -------------------------------------------------------------------------------------------------------

BOUND = 2.5  # counts of y, where they are as fine as two of the gates'; otherwise 0.7


def run(k, s, x):
    return run_many(k, s, x[None])[1][0]


def run_many(k, s, x):
    """The same for many blocks."""
    weight, recurrent = (w.reshape(k.units, -1, 4).transpose(2, 1, 0).astype(np.float64) for w in (k.weight, k.recurrent))
    acc = np.matmul(x.reshape(len(x), 1, -1, k.inputs).astype(np.float64), weight).astype(np.int64)  # below 2**53: exact
    gates = narrow(acc + k.bias.reshape(-1, 4).T[:, None], k.multiplier[:4, None, None], k.shift[:4, None, None])
    y = np.empty((len(x), k.batches * k.steps, k.units), np.int8)
    for n in range(len(x)):
        for t in range(k.steps):
            rows = t * k.next_step + np.arange(k.batches) * k.next_batch
            past = np.matmul(s.hidden.astype(np.float64), recurrent).astype(np.int64) + k.fold.reshape(-1, 4).T[:, None]
            z = sat16(gates[n][:, rows] + narrow(past, k.multiplier[4:, None, None], k.shift[4:, None, None]))
            i, f, o = (logistic_q15(k.sigmoid, z[g]) for g in (0, 1, 3))
            kept = requant(f * s.cell, k.forget_multiplier, k.forget_shift)  # 16 bits, as f is below 1
            taken = narrow(i * tanh_q15(k.sigmoid, 3 * z[2].astype(np.int64)), k.keep_multiplier, k.keep_shift)
            s.cell = np.clip(sat16(kept + taken).astype(np.int64), -k.clip, k.clip).astype(np.int16)
            steps = (s.cell.astype(np.int64) * k.tanh_multiplier + ((1 << k.tanh_shift) >> 1)) >> k.tanh_shift
            s.hidden = sat8(requant(tanh_q15(k.sigmoid, steps) * o, k.hidden_multiplier, k.hidden_shift) + k.y_zero)
            y[n, rows] = s.hidden
    return np.ones(len(x), bool), y


def narrow(acc, multiplier, shift) -> np.ndarray:
    """Sums to int16, in 64 bits for what comes next."""
    return sat16(requant(acc, multiplier, shift)).astype(np.int64)


def logistic_q15(table, z) -> np.ndarray:
    q = 3 * z.astype(np.int64)
    v = interpolated(table, np.abs(q), 9, 0x7FFF << 10)
    return np.where(q >= 0, v + (1 << 9), (1 << 25) - v + (1 << 9) - 1) >> 10


def tanh_q15(table, q) -> np.ndarray:
    v = interpolated(table, np.abs(q), 8, 0xFFFF << 8) - (1 << 23)
    return np.where(q >= 0, v + (1 << 7), -v + (1 << 7) - 1) >> 8


def gate(z):
    """Between the ends of Q12; beyond, a sigmoid is nearly 0 or 1, but the other part of a sum may come back."""
    return np.clip(z, -8, 8 - Q12)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def in_time(layer: UnidirectionalSequenceLstm, block: np.ndarray) -> np.ndarray:
    """[steps, batches, inputs]"""
    if layer.time_major:
        return block.reshape(layer.steps, layer.batches, -1)
    return block.reshape(layer.batches, layer.steps, -1).swapaxes(0, 1)


def _example(
    inputs, units, steps, seed, *, batches=1, time_major=False, clip=0.0, cell_scale=2.0**-11, y_zero=3, big=1.0, y_scale=1 / 128, bias=3000
):
    rng = np.random.default_rng(seed)
    weight, recurrent = (rng.integers(-127, 128, (4, units, n)).astype(np.int8) for n in (inputs, units))
    bias = rng.integers(-bias, bias, (4, units)).astype(np.int32)
    of_weight, of_recurrent = ((f * rng.uniform(0.5, 1.5, 4)).astype(np.float32).astype(np.float64) for f in (0.01 * big, 0.004))
    layer = UnidirectionalSequenceLstm(
        steps, batches, time_major, weight, recurrent, bias, of_weight, of_recurrent, cell_scale, clip, y_scale, y_zero
    )
    rows = (steps, batches, inputs) if time_major else (batches, steps, inputs)
    return layer, Signal(rows[1:] if rows[0] == 1 else rows, "int8", Fraction(30), float(np.float32(0.02)), -7)


EXAMPLES = [
    _example(5, 6, 4, 0),
    _example(7, 3, 1, 1, y_zero=-20, cell_scale=2.0**-13),
    _example(4, 5, 3, 2, batches=2, clip=0.4),
    _example(4, 5, 3, 3, batches=2, time_major=True, cell_scale=2.0**-17, y_zero=0),
    _example(6, 9, 5, 4, time_major=True, big=4.0, y_zero=-3),
    _example(8, 30, 3, 5, big=0.02, bias=900, cell_scale=2.0**-15, y_scale=2.0**-14),  # a count of y is two of the gates'
]
