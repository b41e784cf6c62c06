"""TFLM's example micro_speech: 49 frames of 40 features of a second, to silence, unknown, yes, no.

The file tells nothing of its front end; it is known by its shape, 1960 values to 4 classes, or by --kind.  The front end is that of
audio_preprocessor_int8.tflite, which comes with it: a frame each 20 ms, counts (256 v + 333) / 666 - 128.  RecognizeCommands, of
the example's earlier releases, decides.

Source: TensorFlow Lite Micro, examples/micro_speech (micro_model_settings.h, audio_preprocessor.py, recognize_commands.h).
"""

from __future__ import annotations

from tinystream.app.importers.imported import Imported, Nearness
from tinystream.app.importers.recognise import Recognise
from tinystream.app.importers.source import Source, Wishes, shape
from tinystream.app.importers.template import Row, Table, app_name, printable
from tinystream.errors import TinystreamError

FRAMES, BANDS, STEP_MS, WINDOW_MS = 49, 40, 20, 30
CLASSES = ("silence", "unknown", "yes", "no")
EVERY = 5       # frames: 100 ms, about what the example's boards take for a score

def fits(source: Source) -> bool:
    return source.is_model and source.model.x.size == FRAMES * BANDS and source.model.y.size == len(CLASSES)


def read(source: Source, wishes: Wishes) -> Imported:
    if not source.is_model:
        raise TinystreamError(f"{source.name} is no .tflite file, and micro_speech is one", "leave --kind out")
    x, y = source.model.x, source.model.y
    if x.size != FRAMES * BANDS:
        raise TinystreamError(f"{source.name} wants {shape(x)}, and micro_speech {FRAMES} frames of {BANDS} features", "leave --kind out")
    classes = [printable(label, "a label") for label in wishes.labels or CLASSES]
    if len(classes) != y.size:
        raise TinystreamError(f"{source.name} gives {y.size} scores, and {len(classes)} labels are known: {', '.join(classes)}",
                              "--label NAME for each, in their order")
    name = wishes.name or app_name(source.path.stem, "micro_speech")
    recognise = Recognise(classes, EVERY * STEP_MS, window_ms=1000, thresholds=[200] * len(classes), suppression_ms=1500, minimum=3)
    return Imported(
        kind="micro_speech",
        heeds=frozenset({"labels"}),
        name=name,
        says=recognise.says,
        origin=source.name,
        credit="TFLM micro_speech, known by its shape",
        tables=[
            Table("[source]", [Row("kind", "microphone"), Row("rate_hz", 16_000),
                               Row("block_ms", STEP_MS, "the heartbeat: one feature frame")]),
            Table("[[stage]]", [Row("kind", "micro_frontend", f"{BANDS} log-mel bands of {WINDOW_MS} ms, noise reduction, gain control"),
                                Row("tables", "signal", "as audio_preprocessor_int8.tflite has them; without, as earlier releases")]),
            Table("[[stage]]", [Row("kind", "quantize"), Row("rule", "micro_wake_word", "256 / 666, rounded: micro_speech's, too")]),
            Table("[[stage]]", [Row("kind", "stack"), Row("frames", FRAMES, "1 s"),
                                Row("every", EVERY, f"a score each {EVERY * STEP_MS} ms")]),
            Table("[model]", [Row("file", f"{name}.tflite"), Row("labels", classes)]),
            recognise.detector,
        ],
        model=source.data,
        near=Nearness(
            features="the same bits as TFLM's audio_preprocessor_int8.tflite.  Earlier releases of the example had the legacy micro front "
                     "end, from which about 1 of 140 values differs.",
            scores="the same bits as TFLM's reference kernels, for the same features.",
            events=f"{recognise.near}  The original scores as often as its processor can, so its means are over more scores or fewer.",
        ),
    )
