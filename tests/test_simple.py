"""Are operators in forms that no kernel has computed as TFLM computes them: both sides repeated, scattered axes, floats in between?"""

from __future__ import annotations

import numpy as np
import pytest
from streaming_model import SCALE, ZERO, Graph, streaming_model
from test_fold import assert_is_the_interpreters

from tinystream.errors import ModelError
from tinystream.plan.model import parse_model
from tinystream.plan.plan import plan_model

UNIONS = {"ADD": 11, "SUB": 28, "MUL": 21, "MAXIMUM": 39, "MINIMUM": 39, "SQUARED_DIFFERENCE": 76}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def pair(kind: str, a: tuple, b: tuple, constant: str = "") -> Graph:
    """An operator of two tensors; `constant` names the one that is known."""
    g = Graph()
    for name, shape in (("a", a), ("b", b)):
        if name == constant:
            values = np.random.default_rng(len(shape)).integers(-128, 128, shape).astype(np.int8)
            g.tensors[name] = (shape, "int8", values, [SCALE], [ZERO])
        else:
            g.inputs.append(g.flow(name, *shape))
    same = kind in ("MAXIMUM", "MINIMUM")
    y = np.broadcast_shapes(a, b)
    g.operator(kind, ["a", "b"], g.flow("y", *y, scale=SCALE if same else 0.3, zero=ZERO), UNIONS[kind])
    g.outputs = ["y"]
    return g


def summed(kind: str, shape: tuple, axes: list[int], keep: bool) -> Graph:
    g = Graph()
    g.inputs = [g.flow("x", *shape)]
    wanted = {a % len(shape) for a in axes}
    y = [1 if n in wanted else size for n, size in enumerate(shape) if keep or n not in wanted]
    scale = SCALE if kind.startswith("REDUCE") else 0.02 if kind == "MEAN" else 0.4
    g.operator(kind, ["x", g.constant(axes)], g.flow("y", *y, scale=scale), 27, {0: ("int8", int(keep))})
    g.outputs = ["y"]
    return g


PAIRS = {
    "both repeated": (lambda: pair("MUL", (1, 6, 1, 4), (1, 1, 5, 4)), ["broadcast_to", "mul"]),
    "an outer sum": (lambda: pair("ADD", (1, 6, 1), (1, 1, 5)), ["broadcast_to", "add"]),
    "an outer difference": (lambda: pair("SUB", (1, 1, 7), (1, 6, 1)), ["broadcast_to", "add"]),
    "scattered": (lambda: pair("SUB", (2, 1, 4, 1), (2, 3, 4, 5)), ["broadcast_to", "add"]),
    "scattered squares": (lambda: pair("SQUARED_DIFFERENCE", (2, 3, 4, 5), (2, 1, 4, 1)), ["broadcast_to", "squared_difference"]),
    "both scattered": (lambda: pair("MAXIMUM", (2, 1, 4, 1), (1, 3, 1, 5)), ["broadcast_to", "broadcast_to", "maximum"]),
    "a larger constant": (lambda: pair("MUL", (1, 6, 1), (1, 1, 5), "b"), ["broadcast_to", "mul_constant"]),
    "a scattered constant": (lambda: pair("ADD", (2, 1, 4, 1), (2, 3, 4, 5), "a"), ["add_constant"]),
    "less a tensor": (lambda: pair("SUB", (1, 3, 4), (1, 2, 3, 1), "a"), ["broadcast_to", "add_constant"]),
    "limits": (lambda: pair("MINIMUM", (2, 1, 4, 1), (2, 3, 4, 5), "a"), ["limit_each"]),
    "fewer axes": (lambda: pair("ADD", (4, 5), (1, 4, 1)), ["add"]),
}


@pytest.mark.parametrize("interpreter", ["tflm", "tflite"])
@pytest.mark.parametrize("name", PAIRS)
def test_two_tensors_of_any_shapes_are_those_of_the_interpreters(name, interpreter):
    made, kinds = PAIRS[name]
    assert_is_the_interpreters(made(), kinds, interpreter)


SUMS = {
    "mean": (lambda: summed("MEAN", (1, 6, 5, 3), [1, 3], True), "mean"),
    "mean of the outer": (lambda: summed("MEAN", (2, 3, 4, 5), [0, -2], False), "mean"),
    "group": (lambda: summed("MEAN", (1, 4, 4, 2, 3), [1, 2, 4], True), "mean"),
    "sum": (lambda: summed("SUM", (1, 6, 5, 3), [3, 1], False), "sum"),
    "largest": (lambda: summed("REDUCE_MAX", (3, 6, 5, 3), [0, 2], True), "reduce_max"),
    "smallest": (lambda: summed("REDUCE_MIN", (1, 6, 5, 3), [1, -1], False), "reduce_min"),
}


@pytest.mark.parametrize("interpreter", ["tflm", "tflite"])
@pytest.mark.parametrize("name", SUMS)
def test_sums_over_scattered_axes_are_those_of_the_interpreters(name, interpreter):
    if (name, interpreter) == ("sum", "tflite"):
        pytest.skip("TFLite's int8 SUM is not TFLM's")
    made, kind = SUMS[name]
    assert_is_the_interpreters(made(), ["transpose", "mean" if kind == "sum" else kind], interpreter)


# --- floats in between ------------------------------------------------------------------------------------------------


def in_floats(*functions: str, x_zero: int = ZERO, y_scale: float = 0.2) -> Graph:
    """DEQUANTIZE, functions, QUANTIZE."""
    g = Graph()
    g.inputs = [g.flow("x", 1, 50, zero=x_zero)]
    for n, kind in enumerate(["DEQUANTIZE", *functions]):
        g.tensors[f"real{n}"] = ((1, 50), "float32", None)
        g.operator(kind, [f"real{n - 1}" if n else "x"], f"real{n}")
    g.operator("QUANTIZE", [f"real{len(functions)}"], g.flow("y", 1, 50, scale=y_scale, zero=-60))
    g.outputs = ["y"]
    return g


@pytest.mark.parametrize(
    "functions", [(), ("NEG",), ("SQUARE",), ("ABS", "SQRT"), ("SIN",), ("COS", "NEG"), ("EXP",), ("TANH",), ("RELU", "SQUARE", "NEG")]
)
def test_functions_of_dequantised_values_are_one_table(functions):
    assert_is_the_interpreters(in_floats(*functions), ["function"])


def test_a_root_of_dequantised_values_is_a_table():
    """Of what is not negative: TFLM takes a root that is no number for an integer, which means nothing."""
    assert_is_the_interpreters(in_floats("SQRT", x_zero=-128), ["function"])


def test_a_float_that_two_read_becomes_two_tables():
    g = in_floats("SQUARE")
    g.tensors["other"] = ((1, 50), "float32", None)
    g.operator("NEG", ["real1"], "other")
    g.operator("QUANTIZE", ["other"], g.flow("z", 1, 50, scale=0.3, zero=100))
    g.outputs.append("z")
    assert_is_the_interpreters(g, ["function", "function"])


def test_a_float_that_flows_between_tensors_is_refused():
    g = in_floats()
    g.tensors["sum"] = ((1, 50), "float32", None)
    g.operators[-1:] = [("ADD", ["real0", "real0"], ["sum"], 11, {}), ("QUANTIZE", ["sum"], ["y"], 0, {})]
    with pytest.raises(ModelError, match="is float32; only int8 models are compiled"):
        parse_model(streaming_model(g), "model.tflite")


def test_more_axes_than_a_kernel_has_are_refused():
    shapes = (2, 1, 2, 1, 2, 1), (1, 2, 1, 2, 1, 2)
    with pytest.raises(ModelError, match="is 6 axes; 4 at most"):
        plan_model(parse_model(streaming_model(pair("ADD", *shapes)), "model.tflite"))
