"""Are fitted numbers taken from the file that a stage names, hashed with the definition, and refused by name where they are wrong?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinystream import App, Imu
from tinystream.app.planning import plan_file
from tinystream.errors import AppErrors
from tinystream.stages import Mahalanobis

TOML = """\
name = "watch"

[source]
kind = "imu"
rate_hz = 100
axes = ["x", "y"]
range_g = 4
block_ms = 10

[[stage]]
kind = "mahalanobis"
file = "normal.json"

[detect]
kind = "limits"
threshold = 5
"""
NUMBERS = {"kind": "mahalanobis", "mean": [0.0, 1.0], "covariance": [[0.01, 0.0], [0.0, 0.04]], "about": {"recordings": 3}}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "app.toml").write_text(TOML)
    return tmp_path


def write(folder: Path, numbers: object) -> Path:
    (folder / "normal.json").write_text(numbers if isinstance(numbers, str) else json.dumps(numbers))
    return folder


def test_numbers_in_a_file_are_those_in_the_definition(folder):
    plan = plan_file(write(folder, NUMBERS))
    inline = Mahalanobis(mean=[0.0, 1.0], covariance=[[0.01, 0.0], [0.0, 0.04]])
    source = Imu(rate_hz=100, axes=["x", "y"], range_g=4, block_ms=10)
    want = App(name="watch", source=source, stages=[inline]).plan().steps[0]
    assert plan.steps[0].params == want.params
    assert all((plan.steps[0].tables[name] == table).all() for name, table in want.tables.items())


def test_the_definitions_hash_follows_the_files_bytes_and_not_its_name(folder):
    before = plan_file(write(folder, NUMBERS)).digest
    (folder / "normal.json").rename(folder / "other.json")
    (folder / "app.toml").write_text(TOML.replace("normal.json", "other.json"))
    assert plan_file(folder).digest == before
    (folder / "other.json").write_text(json.dumps(NUMBERS | {"mean": [0.0, 1.01]}))
    assert plan_file(folder).digest != before


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ("", "normal.json is not JSON"),
        ("[1, 2]", "holds no object with options"),
        ("[" * 100_000, "is nested too deeply"),
        (json.dumps(NUMBERS).replace("0.04", "NaN"), "NaN is no finite number"),
        (NUMBERS | {"kind": "kmeans"}, "holds the numbers of a stage 'kmeans', not of 'mahalanobis'"),
        (NUMBERS | {"means": [1]}, "normal.json: unknown key 'means'"),
        (NUMBERS | {"name": "x"}, "normal.json: unknown key 'name'"),
        (NUMBERS | {"file": "other.json"}, "normal.json: unknown key 'file'"),
        (NUMBERS | {"mean": "zero"}, "normal.json: mean wants"),
        (NUMBERS | {"mean": [0.0]}, "mean"),
        ({"kind": "mahalanobis", "mean": [0.0, 1.0]}, "stage 'mahalanobis' needs covariance, normal.json has none"),
        (NUMBERS | {"covariance": [[1.0, 1.0], [1.0, 1.0]]}, "covariance"),
    ],
)
def test_a_wrong_file_is_refused_at_the_line_that_names_it(numbers, said, folder):
    with pytest.raises(AppErrors) as caught:
        plan_file(write(folder, numbers))
    print(caught.value)
    assert said in str(caught.value) and "app.toml:1" in str(caught.value)


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(AppErrors, match=r"normal\.json: there is no such file"):
        plan_file(folder)


def test_what_is_said_twice_is_refused(folder):
    (folder / "app.toml").write_text(TOML.replace('file = "normal.json"', 'file = "normal.json"\nmean = [0.0, 1.0]'))
    with pytest.raises(AppErrors, match=r"'mean' is said here and in normal\.json"):
        plan_file(write(folder, NUMBERS))


def test_numbers_that_nobody_gave_are_asked_for(folder):
    (folder / "app.toml").write_text(TOML.replace('file = "normal.json"\n', ""))
    with pytest.raises(AppErrors, match="stage 'mahalanobis' needs mean and covariance"):
        plan_file(folder)
