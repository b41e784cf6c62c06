"""Does a model without its constant channels give the same, and is everything that can go gone?"""

from __future__ import annotations

import numpy as np
import pytest
from shared import shared
from streaming_model import Graph, streaming_model
from test_model import awkward, golden, last

from tinystream.ops._prune import Search, pruned, removed
from tinystream.plan.model import Model, parse_model, read_model
from tinystream.plan.plan import plan_model
from tinystream.run.engine import Engine

CONV, DEPTHWISE, POOL, DENSE = 1, 2, 5, 8  # of the union BuiltinOptions
SAME, VALID = 0, 1


class Net(Graph):
    """A chain of layers; each is given its weights, and biases in counts of its sums."""

    def __init__(self, height: int, width: int, channels: int, zero: int = -3):
        super().__init__()
        self.inputs, self.outputs = [self.flow("x", 1, height, width, channels, scale=0.05, zero=zero)], ["x"]
        self.shape = (height, width, channels)

    def layer(self, kind, weight, bias, union, options, y_shape, zero, scale=0.05) -> Net:
        y, n = f"y{len(self.operators)}", len(self.tensors)
        weight, bias = np.asarray(weight, np.int8), np.asarray(bias, np.int32)
        self.tensors[f"w{n}"] = (weight.shape, "int8", weight, [0.02], [0])
        self.tensors[f"b{n}"] = (bias.shape, "int32", bias, [0.001], [0])
        self.operator(kind, [self.outputs[0], f"w{n}", f"b{n}"], self.flow(y, *y_shape, scale=scale, zero=zero), union, options)
        self.outputs = [y]
        return self

    def conv(self, weight, bias, padding=SAME, zero=-128, activation=1) -> Net:
        height, width, _ = self.shape
        _, kernel_height, kernel_width, _ = np.shape(weight)
        if padding == VALID:
            height, width = height - kernel_height + 1, width - kernel_width + 1
        self.shape = (height, width, len(weight))
        options = {0: ("int8", padding), 1: ("int32", 1), 2: ("int32", 1), 3: ("int8", activation)}
        return self.layer("CONV_2D", weight, bias, CONV, options, (1, *self.shape), zero)

    def depthwise(self, weight, bias, padding=SAME, zero=-128, activation=1) -> Net:
        kernel_height, kernel_width, channels = np.shape(weight)
        if padding == VALID:
            self.shape = (self.shape[0] - kernel_height + 1, self.shape[1] - kernel_width + 1, channels)
        options = {0: ("int8", padding), 1: ("int32", 1), 2: ("int32", 1), 3: ("int32", 1), 4: ("int8", activation)}
        return self.layer("DEPTHWISE_CONV_2D", np.asarray(weight)[None], bias, DEPTHWISE, options, (1, *self.shape), zero)

    def pool(self) -> Net:
        height, width, channels = self.shape
        options = {0: ("int8", VALID), 1: ("int32", 1), 2: ("int32", 1), 3: ("int32", width), 4: ("int32", height)}
        x = self.tensors[self.outputs[0]]
        y = self.flow(f"y{len(self.operators)}", 1, 1, 1, channels, scale=x[3][0], zero=x[4][0])
        self.operator("AVERAGE_POOL_2D", self.outputs, y, POOL, options)
        self.outputs, self.shape = [y], (1, 1, channels)
        return self

    def flat(self) -> Net:
        x, size = self.tensors[self.outputs[0]], int(np.prod(self.shape))
        y = self.flow(f"y{len(self.operators)}", 1, size, scale=x[3][0], zero=x[4][0])
        self.operator("RESHAPE", [self.outputs[0], self.constant([1, size])], y, 17)
        self.outputs = [y]
        return self

    def dense(self, weight, bias) -> Net:
        return self.layer("FULLY_CONNECTED", weight, bias, DENSE, {}, (1, len(weight)), 0, scale=0.2)

    def model(self) -> Model:
        return parse_model(streaming_model(self), "model.tflite")


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-50, 51, shape).astype(np.int8)


DEAD, LIT, ALIVE = -10_000_000, 10_000_000, 40  # biases: the clamp below, the clamp above, neither


def biases(*dead: int, of: int, value: int = DEAD) -> np.ndarray:
    return np.where(np.isin(np.arange(of), dead), value, ALIVE)


def outputs(model: Model, blocks: int = 60) -> np.ndarray:
    plan = plan_model(model)
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (blocks, *plan.x[0].shape), dtype=np.int8)
    x[0], x[1] = -128, 127
    return Engine(plan).push(x)[plan.outputs[0]].y


def channels(net: Net) -> list[int]:
    """Channels of each layer's output that are left; the outputs are compared."""
    before = net.model()
    after = pruned(before)
    y = outputs(before)
    assert len(np.unique(y)) > 20, "a net that is constant tests nothing"
    np.testing.assert_array_equal(outputs(after), y)
    return [op.y.shape[-1] for op in after.operators]


def test_a_dead_channel_goes_from_the_layer_that_reads_it():
    net = Net(5, 4, 2).conv(random(0, 12, 3, 3, 2), biases(0, 1, 2, 5, 7, of=12)).conv(random(1, 8, 1, 1, 12), biases(of=8)).flat()
    assert channels(net) == [8, 8, 160], "7 are alive, and go by fours; the output keeps all"


def test_a_dead_channel_goes_through_depthwise_layers_pools_and_reshapes():
    net = Net(5, 4, 2).conv(random(0, 16, 3, 3, 2), biases(*range(3, 11), of=16)).depthwise(random(1, 3, 3, 16), biases(of=16))
    assert channels(net.pool().flat().dense(random(2, 5, 16), biases(of=5))) == [8, 8, 8, 8, 5], "zeros in are the bias out"
    net = Net(5, 4, 2).conv(random(0, 16, 3, 3, 2), biases(of=16)).depthwise(random(1, 3, 3, 16), biases(*range(3, 11), of=16))
    assert channels(net.pool().flat().dense(random(2, 5, 16), biases(of=5))) == [8, 8, 8, 8, 5]


def test_a_flattened_image_loses_all_places_of_a_channel():
    net = Net(3, 2, 2).conv(random(0, 8, 3, 3, 2), biases(1, 2, 6, 7, of=8)).flat().dense(random(1, 5, 48), biases(of=5))
    assert channels(net) == [4, 24, 5]


def test_a_constant_that_is_not_the_zero_goes_only_where_no_window_reaches_outside():
    def net(padding):
        lit = Net(5, 5, 2).conv(random(0, 8, 1, 1, 2), biases(0, 1, 2, 3, of=8, value=LIT))
        return lit.conv(random(1, 4, 3, 3, 8), biases(of=4), padding)

    assert channels(net(SAME)) == [8, 4]
    assert channels(net(VALID)) == [4, 4], "its share is in the bias of the next layer"


def test_channels_that_only_a_dead_channel_reads_go_too():
    weight = random(1, 8, 1, 1, 8)
    weight[4:, ..., 4:] = 0
    weight[4:, ..., :4] = random(2, 4, 1, 1, 4)
    net = Net(3, 3, 2).conv(random(0, 8, 1, 1, 2), biases(of=8)).conv(weight, biases(0, 1, 2, 3, of=8))
    net.conv(random(3, 4, 1, 1, 8), biases(of=4))
    assert channels(net) == [4, 4, 4]


def test_the_inputs_and_outputs_of_a_model_keep_their_channels():
    net = Net(2, 2, 8).depthwise(random(0, 1, 1, 8), biases(0, 1, 2, 3, of=8)).conv(random(1, 8, 1, 1, 8), biases(4, 5, 6, 7, of=8))
    assert channels(net) == [8, 8]


def test_a_model_without_constant_channels_stays_what_it_is():
    model = Net(4, 4, 2).conv(random(0, 8, 3, 3, 2), biases(of=8)).conv(random(1, 4, 1, 1, 8), biases(of=4)).model()
    assert pruned(model) is model


@pytest.mark.parametrize("seed", range(12))
def test_no_value_leaves_its_range_and_random_nets_stay_the_same(seed):
    rng = np.random.default_rng(seed)

    def some(n):
        return rng.choice([DEAD, LIT, ALIVE, -300, 2000], n)

    net = Net(5, 4, 3, int(rng.integers(-128, 128)))
    for _ in range(3):
        n, kernel = int(rng.integers(3, 14)), int(rng.choice([1, 3]))
        net.conv(random(seed, n, kernel, kernel, net.shape[2]), some(n), SAME, int(rng.choice([-128, -128, 5])), int(rng.integers(0, 2)))
        net.depthwise(random(seed + 50, 3, 3, n), some(n), SAME, int(rng.choice([-128, -20])), int(rng.integers(0, 2)))
    model = net.pool().flat().dense(random(seed, 5, n), rng.integers(-900, 900, 5)).model()
    search, plan = Search(model), plan_model(model)
    search.follow()
    fired = Engine(plan).push(rng.integers(-128, 128, (50, *plan.x[0].shape), dtype=np.int8))
    for op, step in zip([op for op in model.needed if op.kind != "reshape"], range(len(plan.steps)), strict=True):
        y, known = fired[step].y.reshape(-1, op.y.shape[-1]), search.ranges[op.y.index]
        assert (known.low <= y.min(axis=0)).all()
        assert (y.max(axis=0) <= known.high).all()
    np.testing.assert_array_equal(outputs(pruned(model)), outputs(model))


def test_a_range_is_reached():
    model = Net(1, 1, 3, 7).conv(random(0, 6, 1, 1, 3), [ALIVE, 900, -900, 0, 5000, -5000], zero=10, activation=0).model()
    search, plan = Search(model), plan_model(model)
    search.follow()
    corners = np.array(np.meshgrid(*[[-128, 127]] * 3), np.int8).reshape(3, -1).T
    y = Engine(plan).push(corners.reshape(-1, *plan.x[0].shape))[0].y.reshape(-1, 6)
    known = search.ranges[model.outputs[0].index]
    np.testing.assert_array_equal(known.low, y.min(axis=0))
    np.testing.assert_array_equal(known.high, y.max(axis=0))


def test_half_of_visual_wake_words_goes_and_its_outputs_are_the_golden_ones():
    name = "mlperf_tiny/vww_96_int8"
    model = read_model(shared("data", "models", f"{name}.tflite"))
    smaller = pruned(model)
    before, after = plan_model(model), plan_model(smaller)
    products = [sum(step.cost.get("mac8", 0) for step in plan.steps) for plan in (before, after)]
    print(f"products {products[0]} → {products[1]}, tables {before.table_bytes} → {after.table_bytes} bytes")
    assert products[1] < 0.55 * products[0]
    assert after.table_bytes < 0.2 * before.table_bytes
    assert ("CONV_2D (#26)", 256, 24) in list(removed(model, smaller))
    x, want = golden(name)
    np.testing.assert_array_equal(last(after, Engine(after).push(*x)).reshape(want.shape), want)
    x = awkward(name)
    np.testing.assert_array_equal(last(after, Engine(after).push(*x)).ravel(), last(before, Engine(before).push(*x)).ravel())
