"""Is each kind of damage refused in its own words, in no time?  The fixed part of what tests/fuzz_model.py does by chance."""

from __future__ import annotations

import struct
import time

import flatbuffers
import pytest
from fuzz_model import outcome, run, seeds
from operator_model import INT8, flowing, numbers, one_operator
from streaming_model import Graph, streaming_model
from tiny_model import ints, offsets, table, tensor, tiny_model

from tinystream.plan.flatbuffer import Table
from tinystream.plan.plan import Plan


def patched(slots: list[tuple[str, int]], value: bytes, data: bytes | None = None) -> bytes:
    """The tiny model with other bytes where the slots lead; a slot is ("table" or the index of one in a vector, its number)."""
    out = bytearray(data or tiny_model())
    at = Table.root(bytes(out))
    for how, slot in slots[:-1]:
        at = at.table(slot) if how == "table" else [*at.tables(slot)][int(how)]
    how, slot = slots[-1]
    place = at._at(slot) if how == "number" else at._vector(slot, 1)[0] + 4 * int(how)
    out[place : place + len(value)] = value
    return bytes(out)


def tensor_of(index: int, *slots: tuple[str, int]) -> list[tuple[str, int]]:
    return [("0", 2), (str(index), 0), *slots]


def bare_file(raws: list[tuple[int, int]], version: int = 3) -> bytes:
    """A model whose buffers say where they lie behind it."""
    b = flatbuffers.Builder(1024)
    made = []
    for offset, size in raws:
        b.StartObject(3)
        b.PrependUint64Slot(1, offset, 0)
        b.PrependUint64Slot(2, size, 0)
        made.append(b.EndObject())
    graph = table(b, {0: ("offset", offsets(b, [tensor(b, [1, 4], INT8, 0, "x", [1.0], [0])])), 1: ("offset", ints(b, [0]))})
    parts = {slot: ("offset", offsets(b, members)) for slot, members in {2: [graph], 4: made}.items()}
    b.Finish(table(b, {0: ("uint32", version), **parts}), file_identifier=b"TFL3")
    return bytes(b.Output())


def dense(scales=(0.02,), zeros=(0,), axis=0, x_scale=0.05, y_scale=0.05, y_zero=0, weight_type=INT8, raw: bytes = bytes(12)) -> bytes:
    weights = ([3, 4], weight_type, raw, list(scales), list(zeros), axis)
    return one_operator("FULLY_CONNECTED", [flowing(1, 4, scale=x_scale), weights], [flowing(1, 3, scale=y_scale, zero=y_zero)], 8)


def in_a_circle() -> bytes:
    g = Graph()
    g.inputs = [g.flow("x", 1, 4)]
    for name in ("a", "b"):
        g.flow(name, 1, 4)
    g.operator("ADD", ["x", "b"], "a", 11)
    g.operator("ADD", ["x", "a"], "b", 11)
    g.outputs = ["b"]
    return streaming_model(g)


def a_slice_of_a_variable() -> bytes:
    """A streaming model in which what is cut into pieces is marked as a variable of an operator's own."""
    g = Graph()
    g.inputs = [g.flow("x", 1, 2, 3)]
    g.concatenate("window", g.read("v", 1, 4, 3), "x")
    g.slice("kept", "window", 2, 4)
    g.assign("v", "kept")
    g.slice("y", "window", 1, 2)
    g.outputs = ["y"]
    g.tensors["window"] = (*g.tensors["window"], 0, True)
    return streaming_model(g)


DAMAGE = {
    "an older schema": (lambda: patched([("number", 0)], struct.pack("<I", 2)), "model.tflite is of schema version 2; 3 is read"),
    "no schema": (lambda: bare_file([(0, 0)], version=0), "is of schema version 0"),
    "weights behind the model": (lambda: bare_file([(0, 0), (4096, 64)]), "buffer 1 lies behind the model, at byte 4096"),
    "a negative dimension": (lambda: patched(tensor_of(0, ("1", 0)), struct.pack("<i", -4)), "tensor 0 has the shape [1, -4, 5, 1]"),
    "huge dimensions": (
        lambda: patched(tensor_of(0, ("1", 0)), struct.pack("<ii", 2**31 - 1, 2**31 - 1)),
        "tensor 0 has the shape [1, 2147483647, 2147483647, 1]",
    ),
    "a buffer smaller than its tensor": (lambda: patched(tensor_of(1, ("0", 0)), struct.pack("<i", 9)), "has 40 bytes of int8"),
    "a buffer that is not there": (lambda: patched(tensor_of(1, ("number", 2)), struct.pack("<I", 77)), "tensor 1 names buffer 77 of 3"),
    "an operator's code that is not there": (
        lambda: patched([("0", 2), ("0", 3), ("number", 1)], struct.pack("<I", 0x7FFFFFF0)), "refers to byte"
    ),
    "a tensor that is not there": (lambda: patched([("0", 2), ("0", 3), ("0", 1)], struct.pack("<i", 99)), "tensor 99 of 5 is referred to"),
    "a scale of 0": (lambda: dense(x_scale=0.0), "only int8 or int16 with one scale and zero flows"),
    "a scale that is no number": (lambda: dense(x_scale=float("nan")), "has no sound scale"),
    "an infinite scale": (lambda: dense(y_scale=float("inf")), "has no sound scale"),
    "a scale next to 0": (lambda: dense(y_scale=1e-30), "has a scale beyond 8.67e-19 to 1.15e+18"),
    "a weight scale of 0": (lambda: dense(scales=(0.02, 0.0, 0.02), zeros=(0, 0, 0)), "has a weight scale of 0"),
    "a zero that is no int8": (lambda: dense(y_zero=128), "of int8 has the zero 128"),
    "weights that are not symmetric": (lambda: dense(zeros=(5,)), "has weights whose zero is not 0"),
    "scales of other channels": (lambda: dense(scales=(0.02, 0.03), zeros=(0, 0)), "has 2 weight scales for 3 channels"),
    "weights of 4 bits": (lambda: dense(weight_type=17, raw=bytes(6)), "of type int4"),
    "words as weights": (lambda: dense(weight_type=5), "of type string"),
    "an axis out of range": (
        lambda: one_operator("CONCATENATION", [flowing(1, 4), flowing(1, 4)], [flowing(1, 8)], 10, {0: ("int32", 7)}), "has axis 7 of 2"
    ),
    "a reduction over no axis there is": (lambda: one_operator("MEAN", [flowing(1, 4), numbers(9)], [flowing(1)], 27), "has no axes"),
    "a variable in place of a value": (a_slice_of_a_variable, "is a variable that lives from call to call"),
    "an input too many": (
        lambda: one_operator("NEG", [flowing(1, 4), flowing(1, 4)], [flowing(1, 4)]), "reads 2 tensors that are computed, more or fewer"
    ),
    "operators in a circle": (in_a_circle, "reads a tensor that nothing before it computes"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_in_its_own_words(name):
    make, says = DAMAGE[name]
    began = time.perf_counter()
    said = outcome(make())
    assert isinstance(said, str), "it compiles"
    assert says in said
    assert time.perf_counter() - began < 1


def chain(operators: int) -> bytes:
    g = Graph()
    g.inputs = [g.flow("x", 1, 4)]
    last = "x"
    for n in range(operators):
        last = g.operator("ABS", [last], g.flow(f"y{n}", 1, 4))
    g.outputs = [last]
    return streaming_model(g)


def test_hundreds_of_operators_take_seconds_not_minutes():
    began = time.perf_counter()
    assert isinstance(outcome(chain(400)), Plan)
    assert time.perf_counter() - began < 30


def test_changes_by_chance_compile_or_are_refused():
    found = run(7, 0, 1200, jobs=1)
    assert found.failures == []
    assert found.compiled > 100, "the changes are too wild"
    assert len(found.refusals) > 40, "the changes are too tame"


def test_every_seed_compiles_or_is_refused_before_it_is_changed():
    refused = {name for name, data in seeds() if isinstance(outcome(data), str)}
    assert not refused & {"wake_word", "tiny", "pad", "split", "svdf above"}
