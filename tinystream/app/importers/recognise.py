"""TensorFlow's RecognizeCommands as the detector `smoothed`: the mean of the last scores, a threshold, a pause.

The original, at each score, t in ms, scores as 0 .. 255:

    mean     = floor of the mean of the scores of t - window .. t, both ends included; nothing before there are `minimum` of them
    top      = the class with the greatest mean
    alert    = mean(top) > threshold, and top is another class than that of the last alert, or that is more than `suppression` ago

With a score each step_ms, a window holds n = floor(window / step) + 1 of them.  floor(mean) > threshold is sum >= (threshold + 1) n,
which is the threshold (threshold + 1) / 256 of `smoothed`, to the last count; above 1/2 the class is the top, as scores add up to 1.

Source: TensorFlow, micro_speech's recognize_commands.cc; SiliconLabs/mltk, cpp/shared/apps/audio_classifier/recognize_commands.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinystream.app.importers.template import Row, Table
from tinystream.errors import TinystreamError

QUIET_CLASSES = ("silence", "unknown")


@dataclass(frozen=True)
class Recognise:
    """What the original is told; step_ms is from one score to the next, thresholds are one a class, 0 to 255."""

    classes: Sequence[str]
    step_ms: int
    window_ms: int
    thresholds: Sequence[int]
    suppression_ms: int
    minimum: int

    @property
    def labels(self) -> list[str]:
        """The classes that alert: not silence, unknown, what begins with _, nor what no mean is above."""
        found = [label for label, threshold in zip(self.classes, self.thresholds)
                 if label not in QUIET_CLASSES and not label.startswith("_") and threshold < 255]
        if not found:
            raise TinystreamError(f"no class may alert: {', '.join(self.classes)}", "--label NAME for each class")
        return found

    @property
    def says(self) -> str:
        words = [f'"{label}"' for label in self.labels]
        return f"Alert when someone says {' or '.join([', '.join(words[:-1]), words[-1]] if len(words) > 1 else words)}."

    @property
    def mean_of(self) -> int:
        return self.window_ms // self.step_ms + 1 if self.minimum else 1

    @property
    def quiet_ms(self) -> int:
        """The first whole number of steps that is more than the suppression."""
        return (self.suppression_ms // self.step_ms + 1) * self.step_ms

    @property
    def detector(self) -> Table:
        limits = {label: (threshold + 1) / 256 for label, threshold in zip(self.classes, self.thresholds) if label in self.labels}
        least = min(threshold for label, threshold in zip(self.classes, self.thresholds) if label in limits)
        rows = [Row("kind", "smoothed"), Row("labels", self.labels), Row("mean_of", self.mean_of, f"scores, of {self.window_ms} ms")]
        if len(set(limits.values())) == 1:
            rows.append(Row("threshold", next(iter(limits.values())), f"a mean above {least} of 255: ({least} + 1) / 256"))
        else:
            rows += [Row(f"threshold.{quoted(label)}", limit) for label, limit in limits.items()]
        return Table("[detect]", [
            *rows, Row("quiet_s", self.quiet_ms / 1000, f"from one alert to the next; more than {self.suppression_ms} ms"),
        ])

    @property
    def near(self) -> str:
        """How near its alerts are to the original's."""
        twice = "after an alert every class is quiet; the original lets another class alert at once"
        low = [str(t) for t in self.thresholds if t < 127]
        top = f"; with a threshold of {low[0]}, below one half, a class can alert here that is not the greatest" if low else ""
        first = f", where the original is content with {self.minimum}" if self.minimum else ""
        return (f"mean and threshold are the original's to the count, for a score each {self.step_ms} ms; {twice}{top}.  The first alert "
                f"can come with the {ordinal(self.mean_of)} score{first}.")


def ordinal(n: int) -> str:
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def quoted(label: str) -> str:
    """A key of TOML."""
    return label if label.isascii() and label.replace("_", "").replace("-", "").isalnum() else f'"{label}"'
