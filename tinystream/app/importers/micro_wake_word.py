"""ESPHome's microWakeWord: a manifest (JSON) that names a streaming model and how its scores become a detection.

    version 1   micro: probability_cutoff, sliding_window_average_size;                      a feature frame each 20 ms
    version 2   micro: probability_cutoff, sliding_window_size, feature_step_size (ms), …

How many frames the model takes at a time is the model's own.  The voice activity model (wake_word "vad") has another rule in the
firmware: a mean above the cutoff is voice, without a pause after it; here it alerts once as voice begins.

Source: ESPHome, components/micro_wake_word, releases 2024.7 to 2025; the manifests of esphome/micro-wake-word-models.
"""

from __future__ import annotations

from math import floor
from typing import Any, Literal

from tinystream.app.importers.imported import Imported, Nearness
from tinystream.app.importers.source import Published, Source, Wishes, content, shape
from tinystream.app.importers.template import Row, Table, app_name, printable
from tinystream.app.mistakes import near
from tinystream.detectors.micro_wake_word import MicroWakeWord
from tinystream.errors import TinystreamError

Rule = Literal["mww_2025", "mww_2024_10"]
RULES: dict[Rule, str] = {"mww_2025": "the newer firmware's", "mww_2024_10": "the older firmware's"}
BANDS = 40
WINDOW_MS = 30
FRAMES = 10        # more at a time is no streaming model
KINDS = {str: "text", int: "a whole number", float: "a number", dict: "an object"}
EXAMPLES = {"probability_cutoff": 0.97, "sliding_window_size": 5, "sliding_window_average_size": 10, "feature_step_size": 10,
            "model": '"okay_nabu.tflite"', "wake_word": '"Okay Nabu"', "type": '"micro"', "version": 2, "micro": "{…}"}


def fits(source: Source) -> bool:
    return not source.is_model or streams(source.model)


def streams(published: Published) -> bool:
    """Whether a model takes a few new feature frames and gives one probability."""
    dims = published.dims
    return len(dims) == 2 and dims[0] <= FRAMES and dims[1] == BANDS and published.y.size == 1


def read(source: Source, wishes: Wishes) -> Imported:
    if source.is_model:
        raise TinystreamError(f"{source.name} looks like a microWakeWord model; its cutoff and window stand in its manifest",
                              "name the .json that was published with it")
    manifest = Manifest(source)
    published = manifest.published(wishes)
    name = wishes.name or app_name(manifest.wake_word, source.path.stem)
    rule: Rule = wishes.rule or "mww_2025"
    frames = published.dims[0]
    voice = manifest.wake_word.lower() == "vad"
    stages = [
        Table("[[stage]]", [Row("kind", "micro_frontend", f"{BANDS} log-mel bands of {WINDOW_MS} ms, noise reduction, gain control")]),
        Table("[[stage]]", [Row("kind", "quantize"), Row("rule", "micro_wake_word", "rounded as the firmware does")]),
    ]
    if frames > 1:
        stages.append(Table("[[stage]]", [Row("kind", "stack"), Row("frames", frames, "new ones for each score: the model remembers"),
                                          Row("every", frames)]))
    return Imported(
        kind="micro_wake_word",
        heeds=frozenset({"rule", "model"}),
        name=name,
        says="Alert when somebody begins to speak." if voice else f'Alert when someone says "{manifest.wake_word}".',
        origin=source.name,
        credit=manifest.credit,
        tables=[
            Table("[source]", [Row("kind", "microphone"), Row("rate_hz", 16_000),
                               Row("block_ms", manifest.step_ms, "the heartbeat: one feature frame, feature_step_size of the manifest")]),
            *stages,
            Table("[model]", [Row("file", f"{name}.tflite"), Row("labels", ["voice" if voice else name], "one output, its probability")]),
            voice_detector(manifest, rule) if voice else detector(manifest, rule),
        ],
        model=published.data,
        near=nearness(manifest, rule, frames, voice),
        lacks=() if voice else ["the firmware's second model, which may veto a word where it hears no voice: an app has one model."],
    )


# --- the manifest -------------------------------------------------------------------------------------------------


class Manifest:
    """The manifest's facts, each checked."""

    def __init__(self, source: Source):
        self.source = source
        whole = source.manifest
        if not isinstance(whole, dict):
            raise self.wrong("is no object", '{"type": "micro", …}')
        type = self.take(whole, "type", str)
        if type != "micro":
            raise self.wrong(f'has the type "{type}"', 'only "type": "micro" is microWakeWord')
        self.version = self.take(whole, "version", int)
        if self.version not in (1, 2):
            raise self.wrong(f"has version {self.version}; 1 and 2 are known", "take the manifest of version 2")
        self.wake_word = printable(self.take(whole, "wake_word", str), f"wake_word of {source.name}")
        self.model = self.take(whole, "model", str)
        micro = self.take(whole, "micro", dict)
        self.cutoff = self.take(micro, "probability_cutoff", float, "micro")
        if not 0 < self.cutoff < 1:
            raise self.wrong(f"has probability_cutoff = {self.cutoff:g}, which is not between 0 and 1", '"probability_cutoff": 0.97')
        self.window_key = "sliding_window_size" if self.version == 2 else "sliding_window_average_size"
        self.window = self.within(micro, self.window_key, 1, 255)
        self.step_ms = self.within(micro, "feature_step_size", 1, WINDOW_MS - 1) if self.version == 2 else 20
        told = [f"microWakeWord version {self.version}"]
        told += [f"by {text}" for text in (whole.get("author"), whole.get("website")) if readable(text)][:1]
        languages = whole.get("trained_languages")
        if isinstance(languages, list) and languages and all(map(readable, languages)):
            told.append(f"trained on {', '.join(languages)}")
        self.credit = ", ".join(told)

    def published(self, wishes: Wishes) -> Published:
        """The model that the person names, or the manifest's, from its folder; without that, the one of the manifest's own name."""
        if wishes.model is None and "://" in self.model:
            raise self.wrong(f"names a model in the network, {self.model}", "download it, then --model FILE")
        named, renamed = self.source.path.parent / self.model, self.source.path.with_suffix(".tflite")
        path = wishes.model or (renamed if renamed.exists() and not named.exists() else named)
        if wishes.model is None and not path.exists():
            help = f"put {self.model} beside it, or --model FILE"
            raise self.wrong(f"names the model {self.model}, and there is no such file", help)
        found = Published.of(content(path, "--model FILE"), path.name)
        if not streams(found):
            raise TinystreamError(f"{path.name} is no microWakeWord model: it makes {shape(found.y)} of {shape(found.x)}, "
                                  f"not one probability of a few frames of {BANDS} features", "--model FILE")
        return found

    def take(self, table: dict[str, Any], key: str, kind: type, inside: str = "") -> Any:
        """A value that must be there, of its type."""
        place = f"'{key}'" + (f" in '{inside}'" if inside else "")
        if key not in table:
            close = near(key, table)
            raise self.wrong(f"has no {place}", f"did you mean '{close}'?" if close else f'"{key}": {EXAMPLES[key]}')
        found = table[key]
        fits = isinstance(found, int | float if kind is float else kind) and not isinstance(found, bool)
        if not fits:
            raise self.wrong(f"has {place} = {short(found)}, which is not {KINDS[kind]}", f'"{key}": {EXAMPLES[key]}')
        return found

    def within(self, table: dict[str, Any], key: str, low: int, high: int) -> int:
        number: int = self.take(table, key, int, "micro")
        if not low <= number <= high:
            raise self.wrong(f"has {key} = {number}, the limits are {low} to {high}", f'"{key}": {EXAMPLES[key]}')
        return number

    def wrong(self, what: str, help: str) -> TinystreamError:
        return TinystreamError(f"manifest {self.source.name} {what}", help)


def readable(text: Any) -> bool:
    return isinstance(text, str) and bool(text.strip()) and text.isprintable()


def short(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 40 else f"{text[:37]}…"


# --- what becomes of it -------------------------------------------------------------------------------------------


def detector(manifest: Manifest, rule: Rule) -> Table:
    other = next(name for name in RULES if name != rule)
    rows = [
        Row("kind", "micro_wake_word"),
        Row("probability_cutoff", manifest.cutoff, "a higher one means fewer false alarms and more misses"),
        Row("sliding_window_size", manifest.window, "scores in the mean"),
        Row("rule", rule, f"{RULES[rule]}; or {other}, {RULES[other]}"),
    ]
    return Table("[detect]", rows if manifest.step_ms == 10 else [*rows, Row("feature_step_ms", manifest.step_ms)])


def voice_detector(manifest: Manifest, rule: Rule) -> Table:
    """sum > limit of the firmware as a mean: a threshold rounded down by less than one count of the sum."""
    counts = MicroWakeWord(probability_cutoff=manifest.cutoff, sliding_window_size=manifest.window, rule=rule).least_sum()
    threshold = floor(counts / manifest.window / 256 * 1e6) / 1e6
    return Table("[detect]", [
        Row("kind", "smoothed"),
        Row("mean_of", manifest.window, "scores"),
        Row("threshold", threshold, f"a mean above {manifest.cutoff:g} as the firmware counts it: a sum of {counts} or more, in 1/256"),
        Row("clear", threshold, "one alert as voice begins; without this line one a score"),
    ])


def nearness(manifest: Manifest, rule: str, frames: int, voice: bool) -> Nearness:
    stride = manifest.step_ms * (frames - 1)
    late = f"; one that falls between two scores is told with the next, up to {stride} ms later" if stride else ""
    events = f"those of ESPHome's firmware, rule {rule}, for the same scores{late}."
    if voice:
        events = (f"an alert where the firmware's flag for voice turns on, by rule {rule}; the first {manifest.window - 1} scores after "
                  "the start never alert, where the firmware counts the missing ones as 0.")
    return Nearness(
        features="the same bits as ESPHome's firmware: the legacy micro front end (as pymicro-features builds it) and the firmware's "
                 "rounding.  pymicro-wakeword rounds by the model's scale instead, so its inputs can differ by a count.",
        scores="the same bits as TFLM's reference kernels; a device with optimised kernels may differ from those.",
        events=events,
    )
