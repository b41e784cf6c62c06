"""Are labels that other programs keep beside a recording its truth?"""

from __future__ import annotations

from pathlib import Path

import pytest
from made_recordings import acquisition, write_json
from shared import shared

from tinystream.errors import RecordingError
from tinystream.io.truth import find_truth, truth_path


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refused(file: Path) -> str:
    with pytest.raises(RecordingError) as e:
        find_truth(Path("a.wav"), file)
    assert e.value.help
    return str(e.value)


def test_a_label_track_beside_a_recording_is_its_truth(tmp_path):
    written(tmp_path / "a.txt", "1.000000\t1.600000\tyes\n\\\t100.0\t4000.0\n4\t4\tno\n")
    truth = find_truth(tmp_path / "a.wav")
    assert truth.windows == ((1, 1.6), (4, 4.001)) and truth.labels == ("yes", "no") and truth.length_s is None


@pytest.mark.parametrize("text", ["", "notes on this recording\n", "0.1 0.2\n", "1\t2\t3\n4\t5\t6\n", "nan\t2\tx\n"])
def test_another_text_beside_a_recording_is_none(tmp_path, text):
    written(tmp_path / "a.txt", text)
    assert truth_path(tmp_path / "a.wav") is None


def test_a_text_is_not_the_truth_of_itself(tmp_path):
    assert truth_path(written(tmp_path / "a.txt", "1\t2\tx\n")) is None


@pytest.mark.parametrize("name", ["a.truth.csv", "a_truth.csv", "a.labels.csv"])
@pytest.mark.parametrize("text", ["start_s,end_s,label\n1,2,yes\n", "label,begin,end\nyes,1,2\n", '"start","stop","class"\n1,2,"yes"\n\n'])
def test_a_table_of_labels_is_truth(tmp_path, name, text):
    written(tmp_path / name, text)
    truth = find_truth(tmp_path / "a.wav")
    assert (truth.windows, truth.labels) == (((1, 2),), ("yes",))


SPANS = [{"label": "up", "startIndex": 0, "endIndex": 99}, {"label": "down", "startIndex": 100, "endIndex": 149}]


@pytest.mark.parametrize("where", ["info.labels", "structured_labels.labels"])
def test_several_labels_of_edge_impulse_are_windows_in_seconds(tmp_path, where):
    path = write_json(tmp_path / "updown.3.json", acquisition([[0, 0, 1]] * 150, interval_ms=20))
    assert find_truth(path) is None
    one = {"path": "testing/updown.3.json", "label": {"type": "multi-label", "labels": SPANS}}
    structured = {"version": 1, "type": "structured-labels", "structuredLabels": {"updown.3.json": SPANS}}
    write_json(tmp_path / where, {"version": 1, "files": [one]} if where == "info.labels" else structured)
    truth = find_truth(path)
    assert (truth.windows, truth.labels, truth.rate_hz) == (((0, 2), (2, 3)), ("up", "down"), 50)
    (tmp_path / where).write_text((tmp_path / where).read_text().replace("149", "-1"))
    with pytest.raises(RecordingError, match="one that is no span of samples"):
        find_truth(path)


def test_labels_may_be_left_out(tmp_path):
    assert find_truth(Path("a.wav"), written(tmp_path / "t.csv", "start_s,end_s\n1,2\n")).labels == ()
    assert find_truth(Path("a.wav"), written(tmp_path / "t.txt", "1\t2\n")).windows == ((1, 2),)


def test_mplerf_truth_comes_first(tmp_path):
    written(tmp_path / "a.txt", "1\t2\tyes\n")
    written(tmp_path / "a.truth.json", '[{"wav_file": "a.wav", "detection_windows": [[3, 4]]}]')
    assert find_truth(tmp_path / "a.wav").windows == ((3, 4),)


def test_labels_that_cannot_be_are_refused_by_their_line(tmp_path):
    assert "t.txt, line 2: 5 to 4 s is no span" in refused(written(tmp_path / "t.txt", "1\t2\tx\n5\t4\tx\n"))
    assert "t.txt, line 1: no start and end" in refused(written(tmp_path / "t.txt", "one\ttwo\tx\n"))
    assert "t.csv, line 2: no start and end" in refused(written(tmp_path / "t.csv", "start_s,end_s\n1\n"))
    assert "t.csv has no columns start_s and end_s, but a, b" in refused(written(tmp_path / "t.csv", "a,b\n1,2\n"))
    assert "cannot be read: no such file" in refused(tmp_path / "u.csv")
    (tmp_path / "v.txt").write_bytes(b"1\t2\t\xff\n")
    assert "v.txt is not text" in refused(tmp_path / "v.txt")


def test_the_truth_of_a_shared_stream_is_read():
    truth = find_truth(shared("data/streams/alexa_stream.wav"))
    assert truth.windows[:2] == ((2, 3), (4.1261, 6.4261)) and truth.labels[:2] == ("speech", "alexa")
