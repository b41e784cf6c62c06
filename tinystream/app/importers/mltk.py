"""Silicon Labs' MLTK: a .tflite that carries its front end (fe.…) and its detector in its metadata.

    fe.…                            micro_frontend, its tables in float64 as MLTK's C computes them; quantize by ESPHome's rule,
                                    which is MLTK's, too (256 / 666), to a model that is trained on those counts
    fe.dc_notch_filter              dc_notch, before the front end
    fe.quantize_dynamic_scale       dynamic_range behind the stack, instead of quantize
    fe.sample_length_ms             frames of the stack, as many as the model's input has
    latency_ms                      stack.every: from one score to the next
    detection_threshold, …          recognise.py

What an app has no stage for is told: fe.activity_detection, which decides when the firmware asks the model, and the volume_gain
of its microphone.

Source: SiliconLabs/mltk, cpp/shared/gecko_sdk/audio_feature_generation, cpp/shared/microfrontend, cpp/shared/apps/audio_classifier.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from tinystream.app.importers.imported import Imported, Nearness
from tinystream.app.importers.mltk_parameters import parameters
from tinystream.app.importers.recognise import Recognise
from tinystream.app.importers.source import Source, Wishes, shape
from tinystream.app.importers.template import Row, Table, app_name, printable
from tinystream.errors import TinystreamError
from tinystream.stages.quantize import as_counted

SMALLEST_IMAGE = 16     # pixels a side; a shorter side is that of a signal
GAIN, LATENCY = "volume_gain", "latency_ms"
ACTIVITY = "fe.activity_detection_enable"
LN10_DIV_20 = 0.11512925465     # as MLTK writes it


def fits(source: Source) -> bool:
    return source.is_model and parameters(source.data) is not None


def read(source: Source, wishes: Wishes) -> Imported:
    held = parameters(source.data) if source.is_model else None
    if held is None:
        raise TinystreamError(f"{source.name} holds no parameters of MLTK (metadata SL_PARAMSv1)", "leave --kind out")
    told = Parameters(source, held)
    frames, bands = told.input_shape()
    classes = told.classes(wishes)
    name = wishes.name or app_name(told.text("name") or source.path.stem, source.path.stem)
    made = told.text("date")[:10]
    every = max(1, ceil(told.number(LATENCY, 100) / told.step_ms))
    recognise = Recognise(
        classes=classes,
        step_ms=every * told.step_ms,
        window_ms=told.number("average_window_duration_ms", 1000),
        thresholds=told.thresholds(len(classes)),
        suppression_ms=told.number("suppression_ms", 1500),
        minimum=told.number("minimum_count", 3),
    )
    return Imported(
        kind="mltk",
        heeds=frozenset({"labels"}),
        name=name,
        says=recognise.says,
        origin=source.name,
        credit=f"Silicon Labs MLTK{made and f', made {made}'}",
        tables=[
            Table("[source]", [
                Row("kind", "microphone"),
                Row("rate_hz", told.number("fe.sample_rate_hz")),
                Row("block_ms", told.step_ms, "the heartbeat: one feature frame, fe.window_step_ms"),
            ]),
            *told.notch,
            told.front_end(bands),
            *told.quantised(Table("[[stage]]", [
                Row("kind", "stack"),
                Row("frames", frames, f"{told.number('fe.sample_length_ms')} ms, fe.sample_length_ms"),
                Row("every", every, f"a score each {every * told.step_ms} ms, {LATENCY}"),
            ])),
            Table("[model]", [Row("file", f"{name}.tflite"), Row("labels", classes)]),
            recognise.detector,
        ],
        model=source.data,
        near=Nearness(
            features="the same bits as MLTK's own feature generator, for the same samples.",
            scores="the same bits as TFLM's reference kernels give for those features; a device with MLTK's accelerated kernels may "
                   "differ.  MLTK scores from the start, over features that are 0; here the first score comes with the first full window.",
            events=f"{recognise.near}  A device that takes longer than {recognise.step_ms} ms for a score has fewer of them in its means.",
        ),
        lacks=told.lacks,
    )


class Parameters:
    """The dictionary of a model, each value checked where it is used."""

    def __init__(self, source: Source, held: dict[str, Any]):
        self.source, self.held = source, held
        if "fe.sample_rate_hz" not in held:
            dims = [n for n in source.model.x.dims if n != 1]
            image = len(dims) > 1 and min(dims[:2]) >= SMALLEST_IMAGE
            raise TinystreamError(
                f"{source.name} wants {'images of ' if image else ''}{shape(source.model.x)}, and its parameters name no front end: "
                + ("there is no image source" if image else "nothing tells how samples become its input"),
                "only MLTK's audio models can be imported" if image else "write an app.toml for it",
            )
        self.step_ms = self.number("fe.window_step_ms", least=1)

    def number(self, key: str, other: int | None = None, least: int = 0) -> int:
        """A whole number, which MLTK may hold as a real one; `other` where it is not told."""
        found = self.held.get(key, other)
        if found is None:
            raise self.wrong(f"do not tell {key}")
        whole = isinstance(found, int | float) and not isinstance(found, bool) and np.isfinite(found) and found == int(found)
        if not whole or found < least:
            raise self.wrong(f"have {key} = {found!r}, which is not a whole number of at least {least}")
        return int(found)

    def real(self, key: str, other: float | None = None) -> float:
        """A float32 by its shortest decimal; `other` where it is not told."""
        found = self.held.get(key, other)
        if isinstance(found, bool) or not isinstance(found, int | float) or not np.isfinite(found):
            raise self.wrong(f"have {key} = {found!r}, which is not a number" if key in self.held else f"do not tell {key}")
        return float(str(np.float32(found)))

    def flag(self, key: str) -> bool:
        return bool(self.held.get(key, False))

    def text(self, key: str) -> str:
        found = self.held.get(key)
        return found if isinstance(found, str) and found.isprintable() else ""

    def wrong(self, what: str) -> TinystreamError:
        return TinystreamError(f"the MLTK parameters of {self.source.name} {what}", "export the model again")

    def classes(self, wishes: Wishes) -> list[str]:
        """What the outputs mean: the person's word, else the file's."""
        found = list(wishes.labels) or self.held.get("classes")
        count = self.source.model.y.size
        if not isinstance(found, list) or len(found) != count:
            named = len(found or ())
            raise TinystreamError(f"{self.source.name} gives {count} scores, and {named} classes are named", "--label NAME for each")
        return [printable(str(label), f"a class of {self.source.name}") for label in found]

    def thresholds(self, count: int) -> list[int]:
        """Of each class, 0 to 255."""
        found = self.held.get("detection_threshold_list") or [self.number("detection_threshold", 185)] * count
        if not isinstance(found, list) or len(found) != count or not all(isinstance(n, int) and 0 <= n <= 255 for n in found):
            raise self.wrong(f"have the thresholds {found}, not {count} of 0 to 255")
        return found

    def input_shape(self) -> tuple[int, int]:
        """(frames, bands), the same in the parameters and in the model."""
        x = self.source.model.x
        hz, bands = self.number("fe.sample_rate_hz", least=1), self.number("fe.filterbank_n_channels", least=1)
        samples, window, step = (hz * self.number(f"fe.{what}_ms") // 1000 for what in ("sample_length", "window_size", "window_step"))
        frames = (samples - window) // max(1, step) + 1
        if [n for n in x.dims if n != 1] != [n for n in (frames, bands) if n != 1]:
            raise self.wrong(f"tell {frames} frames of {bands} features, and the model wants {shape(x)}")
        if not as_counted(x.scale, x.zero):
            raise TinystreamError(
                f"{self.source.name} counts its input in steps of {x.scale:g} around {x.zero}; MLTK's int8 features count in 1 around 0",
                "train it with int8 features: frontend_dtype = np.int8",
            )
        return frames, bands

    @property
    def notch(self) -> list[Table]:
        if not self.flag("fe.dc_notch_filter_enable"):
            return []
        return [Table("[[stage]]", [Row("kind", "dc_notch"), Row("coefficient", self.real("fe.dc_notch_filter_coefficient", 0.0))])]

    def quantised(self, stack: Table) -> list[Table]:
        """The stack, with what makes int8: of each feature before it, or of a window behind it."""
        if not self.flag("fe.quantize_dynamic_scale_enable"):
            rule = Row("rule", "micro_wake_word", "256 / 666, rounded: MLTK's, too")
            return [Table("[[stage]]", [Row("kind", "quantize"), rule]), stack]
        range_db, shift = self.real("fe.quantize_dynamic_scale_range_db", 0.0), self.number("fe.log_scale_shift")
        counts = int(float(np.float32(range_db) * np.float32(1 << min(shift, 31))) * LN10_DIV_20)
        scale = 2.5 / 2**shift if self.flag("fe.log_scale_enable") else 1.0
        return [stack, Table("[[stage]]", [
            Row("kind", "dynamic_range"),
            Row("range", counts * scale, f"fe.quantize_dynamic_scale_range_db = {range_db:g}: {counts} counts of a feature"),
        ])]

    def front_end(self, bands: int) -> Table:
        rows = [
            Row("kind", "micro_frontend"),
            Row("window_ms", self.number("fe.window_size_ms")),
            Row("bands", bands),
            Row("low_hz", self.real("fe.filterbank_lower_band_limit")),
            Row("high_hz", self.real("fe.filterbank_upper_band_limit")),
            Row("noise_reduction", self.flag("fe.noise_reduction_enable")),
        ]
        if self.flag("fe.noise_reduction_enable"):
            rows += [
                Row("smoothing_bits", self.number("fe.noise_reduction_smoothing_bits")),
                *(Row(key, self.real(f"fe.noise_reduction_{key}")) for key in ("even_smoothing", "odd_smoothing", "min_signal_remaining")),
            ]
        rows.append(Row("pcan", self.flag("fe.pcan_enable")))
        if self.flag("fe.pcan_enable"):
            rows += [
                Row("pcan_strength", self.real("fe.pcan_strength")),
                Row("pcan_offset", self.real("fe.pcan_offset")),
                Row("gain_bits", self.number("fe.pcan_gain_bits")),
            ]
        rows.append(Row("log", self.flag("fe.log_scale_enable")))
        if self.flag("fe.log_scale_enable"):
            rows.append(Row("log_scale_shift", self.number("fe.log_scale_shift")))
        return Table("[[stage]]", [*rows, Row("tables", "float64", "as MLTK computes window and bands")])

    @property
    def lacks(self) -> list[str]:
        gain = self.number(GAIN, 1)
        unknown = sorted(key for key in self.held if key.startswith("fe.") and key not in KNOWN)
        return [
            *(["fe.activity_detection: MLTK's firmware scores only after the sound has suddenly risen, here each window is scored.  The "
               "scores are the same, and there can be more alerts."] if self.flag(ACTIVITY) else []),
            *([f"{GAIN} = {gain}: MLTK's firmware multiplies its microphone's samples by {gain} before the front end; here samples are "
               "taken as they are."] if gain > 1 else []),
            *(f"{key} = {self.held[key]!r}: not known here." for key in unknown if str(self.held[key]).isprintable()),
        ]


KNOWN = {f"fe.{key}" for key in (
    "sample_rate_hz", "sample_length_ms", "window_size_ms", "window_step_ms", "filterbank_n_channels", "filterbank_upper_band_limit",
    "filterbank_lower_band_limit", "noise_reduction_enable", "noise_reduction_smoothing_bits", "noise_reduction_even_smoothing",
    "noise_reduction_odd_smoothing", "noise_reduction_min_signal_remaining", "pcan_enable", "pcan_strength", "pcan_offset",
    "pcan_gain_bits", "log_scale_enable", "log_scale_shift", "fft_length", "dc_notch_filter_enable", "dc_notch_filter_coefficient",
    "quantize_dynamic_scale_enable", "quantize_dynamic_scale_range_db", "activity_detection_enable", "activity_detection_alpha_a",
    "activity_detection_alpha_b", "activity_detection_arm_threshold", "activity_detection_trip_threshold",
)}
