"""What becomes of a .tflite file that is damaged, or that holds what is not compiled?"""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from shared import shared
from tiny_model import tiny_model

from tinystream.errors import ModelError
from tinystream.plan.model import parse_model, read_model
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

KWS = "mlperf_tiny/kws_ref_model_int8"
STREAMING = "micro_wake_word/v2_okay_nabu"


def path(name):
    return shared("data", "models", f"{name}.tflite")


def signals(model):
    return tuple(Signal(t.dims, "int8", Fraction(30), t.scale, t.zero) for t in model.inputs)


def compile_all(data: bytes) -> list[Step]:
    model = parse_model(data, "model.tflite")
    return model.plan(*signals(model)).steps


# --- damage -------------------------------------------------------------------------------------------------------


def outcome(data: bytes) -> str:
    """ "" where it compiles, else the ModelError; anything else that is raised fails the test."""
    try:
        compile_all(data)
    except ModelError as error:
        return str(error)
    return ""


def source_bytes(name: str) -> bytes:
    return tiny_model() if name == "tiny" else path(name).read_bytes()


@pytest.mark.parametrize("name", ["tiny", "tflm/hello_world_int8", KWS, "mltk/audio_example1", "imu/magic_wand_charms_int8", STREAMING])
def test_changed_bytes_compile_or_are_refused_quickly(name):
    whole = bytearray(source_bytes(name))
    rng = np.random.default_rng(0)
    refused, slowest = 0, 0.0
    for trial in range(120):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 5))):
            # half of the changes in the last part, where the tables are; values that make wild offsets and lengths
            at = int(rng.integers(0, len(data))) if trial % 2 else len(data) - 1 - int(rng.integers(0, min(len(data), 4000)))
            data[at] = int(rng.choice([0, 1, 3, 0x7F, 0x80, 0xFF, rng.integers(0, 256)]))
        start = time.perf_counter()
        refused += outcome(bytes(data)) != ""
        slowest = max(slowest, time.perf_counter() - start)
    assert refused > 3, "the changes were too tame to test anything"
    assert slowest < 5, "a damaged file must not keep anybody waiting"


@pytest.mark.parametrize("name", ["tiny", "tflm/hello_world_int8", KWS])
def test_every_truncation_is_refused(name):
    whole = source_bytes(name)
    content = len(whole) - 16  # the last bytes may be padding
    for end in [*range(min(content, 400)), *np.linspace(0, content, 100).astype(int).tolist()]:
        said = outcome(whole[:end])
        assert said, f"the first {end} of {len(whole)} bytes compile"


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(100), b"\x08\0\0\0TFL3" + bytes(8), b"\xff\xff\xff\xffTFL3" + b"\xff" * 64])
def test_what_is_no_model_is_refused(data):
    assert "damaged" in outcome(data)


def test_a_missing_file_is_told_by_its_path(tmp_path):
    with pytest.raises(ModelError, match=r"model .*nowhere\.tflite cannot be read: there is no such file"):
        read_model(tmp_path / "nowhere.tflite")


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mlperf_tiny/kws_ref_model_float32", "tensor 'input_1' of kws_ref_model_float32.tflite is float32; only int8 models are compiled"),
        ("tflm/hello_world_float", "is float32; only int8 models are compiled"),
        ("tflm/audio_preprocessor_int8", "SIGNALWINDOW of int16 (#0)"),
    ],
)
def test_what_is_not_compiled_is_named(name, says):
    with pytest.raises(ModelError) as error:
        read_model(path(name))
    assert says in error.value.what
    assert error.value.help


def test_an_input_of_another_size_scale_or_type_is_refused_with_both_told():
    model = parse_model(tiny_model(), "model.tflite")
    x = signals(model)[0]
    with pytest.raises(
        ModelError, match=r"model\.tflite wants 4x5x1 int8 with scale 0\.5, zero -3, and is given 6x5 int8 with scale 0\.5, zero -3"
    ) as error:
        model.plan(replace(x, shape=(6, 5)))
    assert error.value.help == "stack.frames = 4"
    with pytest.raises(ModelError, match=r"is given 4x5x1 int8 with scale 0\.25, zero -3") as error:
        model.plan(replace(x, scale=0.25))
    assert error.value.help == "quantise the features with scale 0.5 and zero -3"
    with pytest.raises(ModelError, match="is given 4x5x1 int16"):
        model.plan(replace(x, dtype="int16"))
    with pytest.raises(ModelError, match="zero 4"):
        model.plan(replace(x, zero=4))


def test_a_stack_without_the_channel_axis_fits():
    model = parse_model(tiny_model(), "model.tflite")
    x = replace(signals(model)[0], shape=(4, 5), scale=0.5 * (1 + 1e-8))
    steps = model.plan(x).steps
    assert [s.kind for s in steps] == ["conv_2d"]
    assert steps[0].x[0].shape == (4, 5)
    assert steps[0].sources == (-1,)
    y = steps[0].run(steps[0].k, None, np.full((1, 4, 5), -3, np.int8))
    assert y.ravel().tolist() == [-128, -128], "an input of zeros gives the bias, which is 0"


# --- what is told -------------------------------------------------------------------------------------------------


def test_a_model_describes_itself():
    model = read_model(path(KWS))
    assert (model.name, model.file_bytes) == ("kws_ref_model_int8.tflite", path(KWS).stat().st_size)
    assert len(model.sha256) == 64
    assert [op.index for op in model.operators] == list(range(13))
    assert model.signals(Fraction(30))[0].shape == (49, 10, 1)


def test_reshapes_and_float_ends_are_no_steps():
    model = read_model(path("arm_kws/cnn_s_quantized"))
    assert [s.kind for s in model.plan(*signals(model)).steps] == ["conv_2d", "conv_2d", *["fully_connected"] * 3, "softmax"]
    assert model.inputs[0].dtype == model.outputs[0].dtype == "int8"


def test_a_depthwise_convolution_of_one_channel_is_a_convolution():
    model = read_model(path("tflm/micro_speech_quantized"))
    assert [s.kind for s in model.plan(*signals(model)).steps] == ["conv_2d", "fully_connected", "softmax"]


def test_branches_read_the_step_they_name():
    model = read_model(path("mlperf_tiny/ic_resnet_int8"))
    steps = model.plan(*signals(model)).steps
    adds = [(i, s) for i, s in enumerate(steps) if s.kind == "add"]
    assert len(adds) == 3
    assert all(len(s.sources) == 2 and max(s.sources) < i for i, s in adds)
