"""TFLM's example person_detection: a grey image of 96 x 96 pixels, to no person, person.

The file tells nothing of how an image becomes its input; it is known by its shape, 96 x 96 int8 to 2 classes, or by --kind.  A pixel p of
0 (black) to 255 (white) is the count p - 128.  The example answers for each image by itself, with the greater of the two scores.

Source: TensorFlow Lite Micro, examples/person_detection (model_settings.h, image_provider.cc, detection_responder.cc).
"""

from __future__ import annotations

from tinystream.app.importers.imported import Imported, Nearness
from tinystream.app.importers.source import Source, Wishes, shape
from tinystream.app.importers.template import Row, Table, app_name, printable
from tinystream.errors import TinystreamError

SIDE = 96
CLASSES = ("no_person", "person")
QUIET_S = 10    # so that who stays is told of once in a while, not with each image


def fits(source: Source) -> bool:
    return source.is_model and source.model.x.dims == (SIDE, SIDE, 1) and source.model.y.size == len(CLASSES)


def read(source: Source, wishes: Wishes) -> Imported:
    if not source.is_model:
        raise TinystreamError(f"{source.name} is no .tflite file, and person_detect is one", "leave --kind out")
    x, y = source.model.x, source.model.y
    if x.dims != (SIDE, SIDE, 1):
        raise TinystreamError(f"{source.name} wants {shape(x)}, and person_detect a grey image of {SIDE} x {SIDE}", "leave --kind out")
    classes = [printable(label, "a label") for label in wishes.labels or CLASSES]
    if len(classes) != y.size:
        what = f"{source.name} gives {y.size} scores, and {len(classes)} labels are known: {', '.join(classes)}"
        raise TinystreamError(what, "--label NAME for each, in their order")
    name = wishes.name or app_name(source.path.stem, "person_detect")
    return Imported(
        kind="person_detect",
        heeds=frozenset({"labels"}),
        name=name,
        says=f"Alert when a camera sees a {classes[-1]}.",
        origin=source.name,
        credit="TFLM person_detection, known by its shape",
        tables=[
            Table("[source]", [Row("kind", "camera"), Row("width", SIDE), Row("height", SIDE),
                               Row("black", -1, "so that a pixel p is the count p - 128"), Row("white", 1),
                               Row("interval_s", 1, "the heartbeat: an image a second")]),
            Table("[model]", [Row("file", f"{name}.tflite"), Row("labels", classes)]),
            Table("[detect]", [Row("kind", "smoothed"), Row("labels", classes[-1:]),
                               Row("threshold", 0.5, "the greater of two scores"),
                               Row("quiet_s", QUIET_S, "from one alert to the next")]),
        ],
        model=source.data,
        near=Nearness(
            features="the counts that the example's image_provider gives, for the same pixels.  Cutting and scaling what a camera sees is "
                     "left to the camera's driver, as there.",
            scores="the same bits as TFLM's reference kernels.",
            events=f"each image is judged by itself, as there; from one alert to the next are {QUIET_S} s, where the example lights its "
                   "lamp anew for each image.",
        ),
    )
