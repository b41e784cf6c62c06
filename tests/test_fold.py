"""Is what no input can change a constant of the plan, and the one that TFLM computes?  Models of several ends, and of uint8 ends."""

from __future__ import annotations

import numpy as np
import pytest
from streaming_model import SCALE, ZERO, Graph, streaming_model

from tinystream.errors import ModelError
from tinystream.plan.model import parse_model
from tinystream.plan.plan import plan_model
from tinystream.run.engine import Engine
from tinystream.run.native import Native


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def interpreter_of(data: bytes, name: str):
    """call(blocks) -> outputs, of TFLM or of TFLite's reference kernels; uint8 is counted from -128 on both sides."""
    if name == "tflm":
        runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
        tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 16)
        ends = [tflm.get_input_details(i) for i in range(8) if i < len(parse_model(data, "").inputs)]
        give, outputs, call = (lambda i, x: tflm.set_input(x, i)), tflm.get_output, tflm.invoke
    else:
        tflite = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime")
        reference = tflite.Interpreter(model_content=data, experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF)
        reference.allocate_tensors()
        ends, made = reference.get_input_details(), reference.get_output_details()
        give, call = (lambda i, x: reference.set_tensor(ends[i]["index"], x)), reference.invoke
        outputs = lambda i: reference.get_tensor(made[i]["index"])  # noqa: E731

    def invoke(blocks, wanted):
        for i, (block, end) in enumerate(zip(blocks, ends)):
            shifted = block.astype(np.int16) + 128 * (end["dtype"] == np.uint8)
            give(i, shifted.astype(end["dtype"]).reshape(end["shape"]))
        call()
        found = [outputs(i) for i in range(wanted)]
        return [y.astype(np.int16).ravel() - 128 * (y.dtype == np.uint8) for y in found]

    return invoke


def assert_is_the_interpreters(graph: Graph, kinds: list[str], interpreter: str = "tflm") -> None:
    """numpy, C and an interpreter agree on every output; the plan has just these steps."""
    data = streaming_model(graph)
    plan = plan_model(parse_model(data, "model.tflite"))
    assert [step.kind for step in plan.steps] == kinds
    rng = np.random.default_rng(2)
    x = [rng.integers(-128, 128, (20, *s.shape), dtype=np.int8) for s in plan.x]
    for block in x:
        block[0], block[1] = -128, 127
    host, native, invoke = Engine(plan).push(*x), Native(plan).push(*x), interpreter_of(data, interpreter)
    for n in range(20):
        for i, want in enumerate(invoke([block[n] for block in x], len(plan.outputs))):
            step = plan.outputs[i]
            np.testing.assert_array_equal(host[step].y[n].ravel(), want, err_msg=f"output {i}, input {n}")
            np.testing.assert_array_equal(native[step].y[n].ravel(), want, err_msg=f"output {i}, input {n}, in C")


# --- constants --------------------------------------------------------------------------------------------------------


def zeros_of_a_shape() -> Graph:
    """x + FILL(PACK(STRIDED_SLICE(SHAPE(x)), 4), 9), as a recurrent layer starts."""
    g = Graph()
    g.inputs = [g.flow("x", 1, 4)]
    g.tensors |= {"shape": ((2,), "int32", None), "batch": ((), "int32", None), "wanted": ((2,), "int32", None)}
    g.operator("SHAPE", ["x"], "shape", 55, {0: ("int8", 2)})
    begin, end, step = g.constant([0]), g.constant([1]), g.constant([1])
    g.operator("STRIDED_SLICE", ["shape", begin, end, step], "batch", 32, {4: ("int32", 1)})
    g.operator("PACK", ["batch", g.constant(4, shape=())], "wanted", 59, {0: ("int32", 2)})
    value = "value"
    g.tensors[value] = ((), "int8", np.array(9, np.int8), [SCALE], [ZERO])
    g.operator("FILL", ["wanted", value], g.flow("filled", 1, 4))
    g.operator("ADD", ["x", "filled"], g.flow("y", 1, 4, scale=0.1), 11)
    g.outputs = ["y"]
    return g


def computed_constants() -> Graph:
    """x + dense(relu(c)): two layers that see no input."""
    g = Graph()
    g.inputs = [g.flow("x", 1, 3)]
    g.tensors["c"] = ((1, 4), "int8", np.array([-90, 3, 60, 127], np.int8), [SCALE], [ZERO])
    g.operator("RELU", ["c"], g.flow("relu", 1, 4))
    g.tensors["weights"] = ((3, 4), "int8", np.arange(-60, 60, 10, np.int8), [0.02], [0])
    g.operator("FULLY_CONNECTED", ["relu", "weights"], g.flow("dense", 1, 3, scale=0.07, zero=3), 8)
    g.operator("ADD", ["x", "dense"], g.flow("y", 1, 3, scale=0.1), 11)
    g.outputs = ["y"]
    return g


def test_shape_arithmetic_is_a_constant():
    assert_is_the_interpreters(zeros_of_a_shape(), ["add_constant"], "tflite")  # TFLM takes no FILL of a computed shape


def test_operators_over_constants_are_what_their_steps_would_give():
    assert_is_the_interpreters(computed_constants(), ["add_constant"])


def test_a_filled_shape_that_is_not_the_files_is_refused():
    g = zeros_of_a_shape()
    g.tensors["filled"] = ((1, 5), *g.tensors["filled"][1:])
    with pytest.raises(ModelError, match=r"FILL \(#3\) of the model gives 4 values where the file says \[1, 5\]"):
        parse_model(streaming_model(g), "model.tflite")


@pytest.mark.parametrize("sizes", [[1 << 20, 1 << 20], [-1, 4], [1 << 30, 4]])
def test_a_constant_of_an_absurd_size_is_refused(sizes):
    g = Graph()
    g.inputs = [g.flow("x", 1, 4)]
    g.operator("FILL", [g.constant(sizes), g.constant(9, "int8", ())], g.flow("filled", 1, 4))
    g.operator("ADD", ["x", "filled"], g.flow("y", 1, 4, scale=0.1), 11)
    g.outputs = ["y"]
    with pytest.raises(ModelError, match=r"FILL \(#0\) of the model cannot be computed from its constants"):
        parse_model(streaming_model(g), "model.tflite")


# --- ends -------------------------------------------------------------------------------------------------------------


def of_bytes(y_scale: float, y_zero: int) -> Graph:
    """uint8 in, relu, uint8 out at another scale."""
    g = Graph()
    g.inputs = [g.flow("bytes", 1, 6, dtype="uint8", zero=ZERO + 128)]
    g.operator("QUANTIZE", ["bytes"], g.flow("x", 1, 6))
    g.operator("RELU", ["x"], g.flow("relu", 1, 6))
    g.operator("QUANTIZE", ["relu"], g.flow("y", 1, 6, dtype="uint8", scale=y_scale, zero=y_zero))
    g.outputs = ["y"]
    return g


def test_uint8_ends_are_the_same_values_counted_from_128_less():
    assert_is_the_interpreters(of_bytes(SCALE, ZERO + 128), ["relu"])


def test_a_uint8_end_at_another_scale_is_a_step():
    assert_is_the_interpreters(of_bytes(0.08, 10), ["relu", "requantize"])


def test_arithmetic_on_uint8_is_refused():
    g = of_bytes(SCALE, ZERO + 128)
    g.flow("x", 1, 6, dtype="uint8", zero=ZERO + 128)
    with pytest.raises(ModelError, match=r"tensor 'x' of model\.tflite is 6 uint8"):
        parse_model(streaming_model(g), "model.tflite")


def two_heads() -> Graph:
    """Two inputs; outputs: their sum, its table in place, and a part that is only moved."""
    g = Graph()
    g.inputs = [g.flow("a", 1, 6), g.flow("b", 1, 6, scale=0.02, zero=5)]
    g.operator("ADD", ["a", "b"], g.flow("sum", 1, 6, scale=0.1), 11)
    g.operator("RELU", ["sum"], g.flow("relu", 1, 6, scale=0.1))
    g.operator("RESHAPE", ["relu", g.constant([1, 2, 3])], g.flow("shaped", 1, 2, 3, scale=0.1), 17)
    g.outputs = ["sum", "shaped"]
    return g


def test_several_inputs_and_outputs_are_tflms():
    assert_is_the_interpreters(two_heads(), ["add", "relu"])


def test_an_output_is_kept_when_a_later_step_could_work_in_its_place():
    plan = plan_model(parse_model(streaming_model(two_heads()), "model.tflite"))
    assert plan.outputs == (0, 1)
    assert {b.step: b.over for b in plan.buffers} == {"add": None, "relu": None}


def test_only_the_wanted_output_is_planned_and_checked():
    g = two_heads()
    g.tensors["strange"] = ((1, 6), "float32", None)
    g.operator("CEIL", ["sum"], "strange")
    g.outputs = ["strange", "sum"]
    data = streaming_model(g)
    with pytest.raises(ModelError, match="CEIL"):
        parse_model(data, "model.tflite")
    assert [step.kind for step in plan_model(parse_model(data, "model.tflite", outputs=[1])).steps] == ["add"]
    with pytest.raises(ModelError, match=r"model.tflite has no output 2"):
        parse_model(data, "model.tflite", outputs=[2])
