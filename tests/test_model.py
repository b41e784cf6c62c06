"""Are compiled models what TFLM computes?  Real models against its golden outputs, TFLM itself and TFLite's reference kernels."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from shared import shared

from tinystream.errors import ModelError
from tinystream.plan.model import read_model
from tinystream.plan.operator import ALIASES
from tinystream.plan.plan import plan_model
from tinystream.run.engine import Engine
from tinystream.run.native import Native

MODELS = [
    "arm_kws/cnn_s_quantized",
    "arm_kws/dnn_s_quantized",
    "arm_kws/ds_cnn_s_quantized",
    "imu/magic_wand_charms_int8",
    "mlonmcu/micro_speech_custom",
    "mlperf_tiny/ad01_int8",
    "mlperf_tiny/ic_resnet_int8",
    "mlperf_tiny/kws_ref_model_int8",
    "mlperf_tiny/str_ww_ref_model_int8",
    "mlperf_tiny/vww_96_int8",
    "mltk/audio_example1",
    "mltk/autoencoder_example",
    "mltk/image_example1",
    "mltk/keyword_spotting_on_off",
    "mltk/tflite_micro_magic_wand",
    "mltk/tflite_micro_speech",
    "st_aed/yamnet_256_esc10_int8",
    "tflm/hello_world_int8",
    "tflm/micro_speech_quantized",
    "tflm/person_detect",
    "tflm/simple_add_model",
    "tflm/trained_lstm_int8",
]
NOT_TFLITES = {
    "tflm/person_detect",  # TFLite wants another quantized_dimension than the file has, and refuses it; TFLM does not mind
    "tflm/trained_lstm_int8",  # its int8 LSTM rounds in other places
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def path(name):
    return shared("data", "models", f"{name}.tflite")


@cache
def compiled(name):
    """(model, its plan alone)."""
    model = read_model(path(name))
    return model, plan_model(model)


def to_int8(values, tensor):
    """Float input as TFLite's QUANTIZE makes it int8; int8 stays."""
    if values.dtype == np.int8:
        return values
    scaled = values / np.float32(tensor.scale)
    return np.clip(np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5)) + tensor.zero, -128, 127).astype(np.int8)


def as_the_file_says(counts, tensor, dtype):
    """int8 of ours as an interpreter takes or gives it: as it is, or as the float32 that QUANTIZE or DEQUANTIZE sees."""
    return counts if dtype == np.int8 else ((counts.astype(np.float32) - tensor.zero) * np.float32(tensor.scale)).astype(np.float32)


def awkward(name):
    """Constant, alternating, single and random inputs, over the whole range and near the zero."""
    _, plan = compiled(name)
    rng = np.random.default_rng(3)
    blocks = []
    for s in plan.x:
        x = rng.integers(-128, 128, (9, s.size), dtype=np.int8)
        x[0], x[1], x[2], x[3] = -128, 127, s.zero, np.where(np.arange(s.size) % 2, -128, 127)
        x[4] = np.clip(rng.normal(s.zero, 6, s.size), -128, 127)
        x[5] = s.zero
        x[5, s.size // 2] = 127
        blocks.append(x.reshape(9, *s.shape))
    return blocks


def last(plan, fired):
    return fired[len(plan.steps) - 1].y


def golden(name):
    """(inputs, outputs) that TFLM gave, as int8."""
    model, plan = compiled(name)
    with np.load(shared("data", "golden_tflm", f"{name.replace('/', '__')}.npz")) as file:
        x = [to_int8(file[f"in{i}"], t).reshape(-1, *s.shape) for i, (t, s) in enumerate(zip(model.inputs, plan.x))]
        return x, file["out0"]


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_the_golden_ones_of_tflm(name):
    model, plan = compiled(name)
    x, want = golden(name)
    y = last(plan, Engine(plan).push(*x)).reshape(want.shape)
    np.testing.assert_array_equal(as_the_file_says(y, model.outputs[0], want.dtype), want)
    np.testing.assert_array_equal(last(plan, Native(plan).push(*x)).reshape(want.shape), y)


@pytest.mark.parametrize("name", MODELS)
def test_awkward_inputs_give_what_tflm_gives(name):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    model, plan = compiled(name)
    x = awkward(name)
    y = last(plan, Engine(plan).push(*x))
    np.testing.assert_array_equal(last(plan, Native(plan).push(*x)), y)
    tflm = runtime.Interpreter.from_file(str(path(name)), arena_size=1 << 22)
    for n in range(len(y)):
        for i, (block, tensor) in enumerate(zip(x, model.inputs)):
            details = tflm.get_input_details(i)
            tflm.set_input(as_the_file_says(block[n], tensor, details["dtype"]).reshape(details["shape"]), i)
        tflm.invoke()
        want = tflm.get_output(0)
        np.testing.assert_array_equal(as_the_file_says(y[n], model.outputs[0], want.dtype).ravel(), want.ravel(), err_msg=f"input {n}")


@pytest.mark.parametrize("name", sorted({*MODELS} - NOT_TFLITES))
def test_every_tensor_inside_is_that_of_tflites_reference_kernels(name):
    interpreter = reference(path(name))
    model, plan = compiled(name)
    x = [b[:6] for b in awkward(name)]
    fired, fired_in_c = Engine(plan).push(*x), Native(plan).push(*x)
    operators = [op for op in model.needed if op.kind not in ALIASES]
    overwritten = worked_over(interpreter, operators)
    assert len(overwritten) <= 4, "only what ADD and SOFTMAX read"
    for n in range(6):
        for block, tensor, details in zip(x, model.inputs, interpreter.get_input_details()):
            interpreter.set_tensor(details["index"], as_the_file_says(block[n], tensor, details["dtype"]).reshape(details["shape"]))
        interpreter.invoke()
        for i, operator in enumerate(operators):
            if operator.y.index in overwritten:
                continue
            want = interpreter.get_tensor(operator.y.index).ravel()
            np.testing.assert_array_equal(fired[i].y[n].ravel(), want, err_msg=f"{operator.label}, input {n}")
            np.testing.assert_array_equal(fired_in_c[i].y[n].ravel(), want, err_msg=f"{operator.label} in C, input {n}")


def worked_over(interpreter, operators):
    """Tensors in whose memory a later operator of the interpreter puts its own output, so that nobody can see them."""
    place = {op.y.index: interpreter.tensor(op.y.index)().__array_interface__["data"][0] for op in operators}
    return {t.index for op in operators for t in op.flowing if t.index in place and place[t.index] == place[op.y.index]}


def reference(file):
    tflite = pytest.importorskip(
        "tflite_runtime.interpreter", reason="needs tflite-runtime; what came after it rounds dense layers otherwise"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tflite.Interpreter(
            str(file), experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF, experimental_preserve_all_tensors=True
        )
    interpreter.allocate_tensors()
    return interpreter


def test_an_unrolled_recurrent_layer_is_that_of_tflites_reference_kernels():
    """TFLM does not take its FILL of a computed shape; here it is a constant."""
    tflite = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime")
    name = "arm_kws/basic_lstm_quantized_small"
    model, plan = compiled(name)
    interpreter = tflite.Interpreter(str(path(name)), experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    (x,) = awkward(name)
    y, y_in_c = (last(plan, engine(plan).push(x)) for engine in (Engine, Native))
    for n in range(len(x)):
        interpreter.set_tensor(given["index"], as_the_file_says(x[n], model.inputs[0], given["dtype"]).reshape(given["shape"]))
        interpreter.invoke()
        want = interpreter.get_tensor(made["index"]).ravel()
        np.testing.assert_array_equal(as_the_file_says(y[n], model.outputs[0], want.dtype).ravel(), want, err_msg=f"input {n}")
        np.testing.assert_array_equal(y_in_c[n], y[n])


def test_eembc_stimuli_give_the_golden_outputs():
    _, plan = compiled("mlperf_tiny/kws_ref_model_int8")
    files = sorted(shared("data", "features", "eembc_kws01").glob("*.bin"))
    x = np.stack([np.fromfile(f, np.int8).reshape(plan.x[0].shape) for f in files])
    want = np.load(shared("data", "golden_tflm", "eembc_kws01_tflm_out.npy"))
    np.testing.assert_array_equal(last(plan, Engine(plan).push(x)), want)


# --- all of them --------------------------------------------------------------------------------------------------------

COMPARED_ELSEWHERE = {
    "arm_kws/basic_lstm_quantized_small",  # above; TFLM does not take it
    "tflm/keyword_scrambled_8bit",  # test_model_int16
}
FLOAT = "is float32; only int8 models are compiled"
REFUSED = {
    "fan/fan_low_model": FLOAT,
    "imu/magic_wand_charms_float": FLOAT,
    "mlperf_tiny/kws_ref_model_float32": FLOAT,
    "tflm/hello_world_float": FLOAT,
    "tflm/audio_preprocessor_float": "have no integer kernel here: SIGNALWINDOW",
    "tflm/audio_preprocessor_int8": "have no integer kernel here: SIGNALWINDOW",
}
"""Float models run through an interpreter on the host; the audio preprocessor is the stage micro_frontend, tables = "signal"."""


def test_every_model_is_compared_or_refused_with_its_reason():
    folder = shared("data", "models")
    names = {str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.tflite")}
    elsewhere = {name for name in names if name.startswith(("micro_wake_word/", "tflm_seanet_int16/"))}  # test_variables, test_model_int16
    assert names - elsewhere == {*MODELS, *COMPARED_ELSEWHERE, *REFUSED}
    for name, reason in REFUSED.items():
        with pytest.raises(ModelError) as error:
            read_model(path(name))
        assert reason in error.value.what
        assert error.value.help
        print(f"{name}: {error.value.what[:100]}")
