"""Does each word take its own alert, and is every other alert false?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import KITCHEN

from tinystream.errors import RecordingError
from tinystream.io.truth import Truth, find_truth
from tinystream.run.judge import LATE_S, Judged, judge
from tinystream.run.trace import Event


def truth(*windows: tuple[float, float], labels: tuple[str, ...] = ()) -> Truth:
    return Truth(recording="a.wav", rate_hz=16_000, length_s=60, windows=windows, labels=labels)


def alerts(*times_s: float, label: str = "computer") -> list[Event]:
    return [Event("app", "", i, label, 1.0, 1, 0, time_s) for i, time_s in enumerate(times_s)]


@pytest.mark.parametrize(
    "times_s, missed, false_alarms",
    [
        ((), 2, 0),
        ((10.0, 21.0 + LATE_S), 0, 0),  # at the very limits
        ((9.99, 21.01 + LATE_S), 2, 2),
        ((10.5, 10.9), 1, 1),  # a word that is heard twice is heard once, and one alert is false
        ((10.5, 20.5, 20.6, 40.0), 0, 2),
    ],
)
def test_a_word_takes_the_first_alert_in_its_window_and_a_second_after(times_s, missed, false_alarms):
    assert judge(alerts(*times_s), truth((10, 11), (20, 21))) == Judged(2, missed, false_alarms)


def test_windows_that_overlap_take_an_alert_each():
    assert judge(alerts(11.2, 11.4), truth((10, 11), (11.1, 12))) == Judged(2, 0, 0)


def test_an_alert_of_another_label_is_false():
    both = truth((10, 11), (20, 21), labels=("yes", "no"))
    assert judge([*alerts(10.5, label="no"), *alerts(20.5, label="no")], both) == Judged(2, 1, 1)


def test_truth_is_found_beside_a_recording_or_in_a_file_that_names_it(tmp_path):
    beside = find_truth(KITCHEN)
    assert beside and beside.recording == "kitchen.flac" and find_truth(tmp_path / "other.wav") is None
    told = json.loads(KITCHEN.with_suffix(".truth.json").read_text())
    file = tmp_path / "all.json"
    file.write_text(json.dumps([{**told[0], "wav_file": "somewhere/else.flac"}, told[0]]))
    assert find_truth(KITCHEN, file) == beside
    for name, said in (("bath.flac", "speaks of bath.flac not at all: it has somewhere/else.flac, kitchen.flac"),):
        with pytest.raises(RecordingError) as refused:
            find_truth(Path(name), file)
        assert said in refused.value.what
    file.write_text(json.dumps(told * 2))
    with pytest.raises(RecordingError) as refused:
        find_truth(KITCHEN, file)
    assert "speaks of kitchen.flac 2 times" in refused.value.what
