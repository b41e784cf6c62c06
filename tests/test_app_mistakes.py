"""What does a person see who made a mistake?  The whole text, as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import tiny_model

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.errors import AppErrors

GOOD = """\
# Hear a clap.
name = "clap"

[source]
kind = "microphone"
rate_hz = 16_000
block_ms = 20

[[stage]]
kind = "frame"
length_ms = 30

[[stage]]
kind = "own_stages.halve"
from = "source"

[[sink]]
kind = "mqtt"
topic = "home/{label}"
"""


def refused(folder: Path, text: str | bytes, by=load) -> str:
    """What is said of a definition, with the file called app.toml."""
    file = folder / "app.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AppErrors) as caught:
        by(file)
    return str(caught.value).replace(str(file), "app.toml") + "\n"


def test_the_good_one_is_good(tmp_path):
    (tmp_path / "app.toml").write_text(GOOD)
    assert load(tmp_path).name == "clap"
    assert [s.name for s in plan_file(tmp_path).steps] == ["frame", "halve"]


# --- golden texts: what is changed in GOOD, and all that is said ------------------------------------------------

DEFINITION = {
    "a misspelt key": (
        "length_ms = 30",
        'length_ms = 30\nwindw = "hann"',
        """\
error: unknown key 'windw' in stage 'frame'
  --> app.toml:12:9
   |
12 | windw = "hann"
   |         ^^^^^^
   = help: did you mean 'window'?
""",
    ),
    "a misspelt key that is needed is told once": (
        "length_ms = 30",
        "lenght_ms = 30",
        """\
error: unknown key 'lenght_ms' in stage 'frame'
  --> app.toml:11:13
   |
11 | lenght_ms = 30
   |             ^^
   = help: did you mean 'length_ms'?
""",
    ),
    "a key like no other": (
        "length_ms = 30",
        "length_ms = 30\nxyz = 1",
        """\
error: unknown key 'xyz' in stage 'frame'
  --> app.toml:12:7
   |
12 | xyz = 1
   |       ^
   = help: keys of stage 'frame': name, from, length_ms, hop_ms, window
""",
    ),
    "a key of the app": (
        "name = ",
        'bord = "x"\nname = ',
        """\
error: unknown key 'bord' in the app
 --> app.toml:2:8
  |
2 | bord = "x"
  |        ^^^
  = help: did you mean 'board'?
""",
    ),
    "a missing key": (
        "length_ms = 30\n",
        "",
        """\
error: stage 'frame' needs 'length_ms'
 --> app.toml:9:1
  |
9 | [[stage]]
  | ^^^^^^^^^
  = help: for example length_ms = 30
""",
    ),
    "a missing kind": (
        'kind = "microphone"\n',
        "",
        """\
error: source needs 'kind'
 --> app.toml:4:1
  |
4 | [source]
  | ^^^^^^^^
  = help: sources: camera, imu, microphone, sensor
""",
    ),
    "no name": (
        'name = "clap"\n',
        "",
        """\
error: app needs 'name'
 --> app.toml:1:1
  = help: for example name = "wake_word"
""",
    ),
    "a misspelt kind": (
        '"frame"',
        '"fram"',
        """\
error: unknown stage 'fram'
  --> app.toml:10:8
   |
10 | kind = "fram"
   |        ^^^^^^
   = help: did you mean 'frame'?
""",
    ),
    "a kind like no other": (
        '"microphone"',
        '"xyz"',
        """\
error: unknown source 'xyz'
 --> app.toml:5:8
  |
5 | kind = "xyz"
  |        ^^^^^
  = help: sources: camera, imu, microphone, sensor
""",
    ),
    "text for a number": (
        "length_ms = 30",
        'length_ms = "30"',
        """\
error: length_ms wants a number, not "30"
  --> app.toml:11:13
   |
11 | length_ms = "30"
   |             ^^^^
   = help: length_ms = 30
""",
    ),
    "a broken number for a whole one": (
        "rate_hz = 16_000",
        "rate_hz = 16e3",
        """\
error: rate_hz wants a whole number, not 16000
 --> app.toml:6:11
  |
6 | rate_hz = 16e3
  |           ^^^^
  = help: rate_hz = 16000
""",
    ),
    "true for a number": (
        "rate_hz = 16_000",
        "rate_hz = true",
        """\
error: rate_hz wants a whole number, not true
 --> app.toml:6:11
  |
6 | rate_hz = true
  |           ^^^^
  = help: rate_hz = 16000
""",
    ),
    "a number for true": (
        'from = "source"',
        "quick = 1",
        """\
error: quick wants true or false, not 1
  --> app.toml:15:9
   |
15 | quick = 1
   |         ^
   = help: quick = false
""",
    ),
    "no number at all": (
        "length_ms = 30",
        "length_ms = nan",
        """\
error: length_ms wants a finite number, not nan
  --> app.toml:11:13
   |
11 | length_ms = nan
   |             ^^^
   = help: length_ms = 30
""",
    ),
    "a date": (
        "length_ms = 30",
        "length_ms = 1979-05-27",
        """\
error: length_ms wants a number, not 1979-05-27
  --> app.toml:11:13
   |
11 | length_ms = 1979-05-27
   |             ^^^^^^^^^^
   = help: length_ms = 30
""",
    ),
    "a number too small": (
        "length_ms = 30",
        "length_ms = -30",
        """\
error: length_ms = -30 is too small, it must be above 0
  --> app.toml:11:13
   |
11 | length_ms = -30
   |             ^^^
   = help: 0 < length_ms <= 60000
""",
    ),
    "a number too large": (
        'from = "source"',
        "times = 16",
        """\
error: times = 16 is too large, the limit is 15
  --> app.toml:15:9
   |
15 | times = 16
   |         ^^
   = help: 1 <= times <= 15
""",
    ),
    "a word that is not in the list": (
        "length_ms = 30",
        'length_ms = 30\nwindow = "han"',
        """\
error: window = "han" is none of "hann", "hamming", "blackman", "boxcar"
  --> app.toml:12:10
   |
12 | window = "han"
   |          ^^^^^
   = help: did you mean "hann"?
""",
    ),
    "one value of a list": (
        'from = "source"',
        "edges_hz = [\n  10,\n  '20', # here\n]",
        """\
error: edges_hz wants a number, not "20"
  --> app.toml:17:3
   |
17 |   '20', # here
   |   ^^^^
   = help: not used; a list of numbers
""",
    ),
    "neither a number nor a list": (
        'from = "source"',
        'mix = "loud"',
        """\
error: mix wants a number or a list, not "loud"
  --> app.toml:15:7
   |
15 | mix = "loud"
   |       ^^^^^^
   = help: mix = 1
""",
    ),
    "one value of a list that might be a number": (
        'from = "source"',
        'mix = [1, "loud"]',
        """\
error: mix wants a number, not "loud"
  --> app.toml:15:11
   |
15 | mix = [1, "loud"]
   |           ^^^^^^
   = help: mix = 1
""",
    ),
    "a name that C cannot bear": (
        '"clap"',
        '"Clap 2"',
        """\
error: name = "Clap 2" is no name: a letter, then letters, digits and _, all lower case
 --> app.toml:2:8
  |
2 | name = "Clap 2"
  |        ^^^^^^^^
  = help: name = "clap_2"
""",
    ),
    "a word of C": (
        '"clap"',
        '"switch"',
        """\
error: name = "switch" is a word of C
 --> app.toml:2:8
  |
2 | name = "switch"
  |        ^^^^^^^^
  = help: name = "switch_app"
""",
    ),
    "a header of C": (
        '"clap"',
        '"string"',
        """\
error: name = "string" would hide string.h of the firmware
 --> app.toml:2:8
  |
2 | name = "string"
  |        ^^^^^^^^
  = help: name = "string_app"
""",
    ),
    "a name that kernels have": (
        '"clap"',
        '"ts_clap"',
        """\
error: name = "ts_clap" begins with ts_, as the kernels do
 --> app.toml:2:8
  |
2 | name = "ts_clap"
  |        ^^^^^^^^^
  = help: name = "clap_app"
""",
    ),
    "one bracket too few": (
        "[[sink]]",
        "[sink]",
        """\
error: sink is a list of tables, not one
  --> app.toml:17:1
   |
17 | [sink]
   | ^^^^^^
   = help: [[sink]] on a line of its own
""",
    ),
    "no source": (
        GOOD[GOOD.index("[source]") : GOOD.index("[[stage]]")],
        "",
        """\
error: app needs a [source]
 --> app.toml:1:1
  = help: [source] with kind = "camera" or "imu" or "microphone" or "sensor"
""",
    ),
    "a password": (
        "topic = ",
        'username = "me"\npassword = "hunter2"\ntopic = ',
        """\
error: password is a secret and does not belong into a definition
  --> app.toml:20:12
   |
20 | password = *********
   |            ^^^^^^^^^
   = help: password = "${MQTT_PASSWORD}"
""",
    ),
    "a password that is a number": (
        "topic = ",
        "password = 1234\ntopic = ",
        """\
error: password wants text in quotes, not …
  --> app.toml:19:12
   |
19 | password = ****
   |            ^^^^
   = help: its password, as "${NAME}" of an environment variable
""",
    ),
    "a variable that computes": (
        "length_ms = 30",
        'length_ms = 30\nwindow = "${WINDOW}"',
        """\
error: '${WINDOW}' is only read in sinks
  --> app.toml:12:10
   |
12 | window = "${WINDOW}"
   |          ^^^^^^^^^^^
   = help: write the value itself: what an app computes is all in its definition
""",
    ),
    "a variable without a name": (
        "topic = ",
        'username = "${my name}"\ntopic = ',
        """\
error: '${my name}' in username is not the name of an environment variable
  --> app.toml:19:12
   |
19 | username = "${my name}"
   |            ^^^^^^^^^^^^
   = help: username = "${MY_USERNAME}"
""",
    ),
    "a module that is not there": (
        "own_stages.halve",
        "my_package.envelope",
        """\
error: stage 'my_package.envelope' cannot be imported: my_package is not found
  --> app.toml:14:8
   |
14 | kind = "my_package.envelope"
   |        ^^^^^^^^^^^^^^^^^^^^^
   = help: install it, or put the folder that holds it into PYTHONPATH
""",
    ),
    "a module that holds no stage": (
        "own_stages.halve",
        "tinystream.errors",
        """\
error: module tinystream.errors has no class Errors(Stage)
  --> app.toml:14:8
   |
14 | kind = "tinystream.errors"
   |        ^^^^^^^^^^^^^^^^^^^
   = help: class Errors(tinystream.plan.stage.Stage)
""",
    ),
    "text without quotes": (
        'kind = "frame"',
        "kind = frame",
        """\
error: kind wants text in quotes
  --> app.toml:10:8
   |
10 | kind = frame
   |        ^
   = help: kind = "frame"
""",
    ),
    "a key written twice": (
        "length_ms = 30",
        "length_ms = 30\nlength_ms = 32",
        """\
error: this key is written twice
  --> app.toml:12:15
   |
12 | length_ms = 32
   |               ^
   = help: remove one of the two
""",
    ),
    "a table written twice": (
        "[[stage]]",
        "[source]\n[[stage]]",
        """\
error: [source] is written twice
 --> app.toml:9:8
  |
9 | [source]
  |        ^
  = help: one is enough
""",
    ),
    "no value": (
        "length_ms = 30",
        "length_ms",
        """\
error: not TOML: expected '=' after a key in a key/value pair
  --> app.toml:11:10
   |
11 | length_ms
   |          ^
   = help: each line is key = value, a [table] or a # comment
""",
    ),
}


@pytest.mark.parametrize("mistake", DEFINITION)
def test_a_mistake_is_shown_where_it_stands(mistake, tmp_path):
    old, new, said = DEFINITION[mistake]
    assert old in GOOD
    assert refused(tmp_path, GOOD.replace(old, new, 1)) == said


PLANNING = {
    "from names nothing": (
        'from = "source"',
        'from = "sorce"',
        """\
error: 'sorce' names no stage above
  --> app.toml:15:8
   |
15 | from = "sorce"
   |        ^^^^^^^
   = help: did you mean 'source'?
""",
    ),
    "from names what comes later": (
        "length_ms = 30",
        'length_ms = 30\nfrom = "halve"',
        """\
error: stage 'frame' reads 'halve', which comes later
  --> app.toml:12:8
   |
12 | from = "halve"
   |        ^^^^^^^
   = help: a stage reads what stands above it
""",
    ),
    "from names itself": (
        'from = "source"',
        'from = ["halve"]',
        """\
error: stage 'halve' reads 'halve', which is this stage itself
  --> app.toml:15:9
   |
15 | from = ["halve"]
   |         ^^^^^^^
   = help: a stage reads what stands above it
""",
    ),
    "from names two": (
        "[[sink]]",
        '[[stage]]\nkind = "frame"\nlength_ms = 30\nfrom = "source"\n[[stage]]\nkind = "own_stages.halve"\nfrom = "frame"\n[[sink]]',
        """\
error: 'frame' may mean 2 stages above
  --> app.toml:23:8
   |
23 | from = "frame"
   |        ^^^^^^^
   = help: name = "frame_1" at the one that is meant
""",
    ),
    "two signals for one": (
        'from = "source"',
        'from = ["source", "frame"]',
        """\
error: stage 'halve' does not read 2 signals at once
  --> app.toml:15:8
   |
15 | from = ["source", "frame"]
   |        ^^^^^^^^^^^^^^^^^^^
   = help: kind = "concat" joins several into one
""",
    ),
    "a name twice": (
        'kind = "own_stages.halve"',
        'kind = "own_stages.halve"\nname = "a"\n[[stage]]\nkind = "own_stages.halve"\nname = "a"',
        """\
error: stage name 'a' is used twice
  --> app.toml:18:8
   |
18 | name = "a"
   |        ^^^
   = help: name = "a_3"
""",
    ),
    "a name that C cannot bear": (
        'from = "source"',
        'name = "while"',
        """\
error: 'while' is a word of the generated C, no name for a stage
  --> app.toml:15:8
   |
15 | name = "while"
   |        ^^^^^^^
   = help: name = "my_while"
""",
    ),
    "half a sample": (
        "block_ms = 20",
        "block_ms = 20.03",
        """\
error: block_ms = 20.03 is 320.48 samples at 16000 Hz, not a whole number
 --> app.toml:7:12
  |
7 | block_ms = 20.03
  |            ^^^^^
  = help: block_ms = 20
""",
    ),
    "a stage that does not fit": (
        "length_ms = 30",
        "length_ms = 30\nhop_ms = 30",
        """\
error: hop_ms = 30 is not a multiple of the block, 20 ms
  --> app.toml:12:10
   |
12 | hop_ms = 30
   |          ^^
   = help: source.block_ms = 30
""",
    ),
    "no model": ("[[sink]]", '[model]\nfile = "none.tflite"\n[[sink]]', None),
    "a model for something else": (
        "[[sink]]",
        '[model]\nfile = "model.tflite"\n[[sink]]',
        """\
error: model wants 4x5 int8, halve gives 320
  --> app.toml:18:8
   |
18 | file = "model.tflite"
   |        ^^^^^^^^^^^^^^
   = help: the features must be 20 values, and are 320
""",
    ),
    "labels for another model": (
        "[[sink]]",
        '[model]\nfile = "model.tflite"\nlabels = ["a", "b", "c"]\n[[sink]]',
        """\
error: model wants 4x5 int8, halve gives 320
  --> app.toml:18:8
   |
18 | file = "model.tflite"
   |        ^^^^^^^^^^^^^^
   = help: the features must be 20 values, and are 320

error: labels names 3 classes, model.tflite gives 2
  --> app.toml:19:10
   |
19 | labels = ["a", "b", "c"]
   |          ^^^^^^^^^^^^^^^
   = help: labels = a list of 2
""",
    ),
    "nothing to compute": (
        GOOD[GOOD.index("[[stage]]") : GOOD.index("[[sink]]")],
        "",
        """\
error: app 'clap' computes nothing
 --> app.toml:1:1
  = help: add a [[stage]], a [model] or [detect]
""",
    ),
}


@pytest.mark.parametrize("mistake", PLANNING)
def test_what_only_planning_finds_is_shown_at_its_line_too(mistake, tmp_path):
    (tmp_path / "model.tflite").write_bytes(tiny_model())
    old, new, said = PLANNING[mistake]
    assert old in GOOD
    text = refused(tmp_path, GOOD.replace(old, new, 1), plan_file)
    if said is None:
        assert re.match(r"error: .*none\.tflite.*\n  --> app\.toml:18:8\n", text)
    else:
        assert text == said


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = GOOD.replace("block_ms = 20", "block_ms = 20.03").replace("length_ms = 30", 'window = "han"')
    text = text.replace('from = "source"', 'from = "fram"').replace("topic =", "qos = 9\ntopics =").replace('"clap"', '"int"')
    said = refused(tmp_path, text + "[budget]\nram_kb = 0\n", plan_file)
    heads = re.findall(r"error: (.*)\n +--> app\.toml:(\d+):(\d+)", said)
    assert heads == [
        ('name = "int" is a word of C', "2", "8"),
        ("block_ms = 20.03 is 320.48 samples at 16000 Hz, not a whole number", "7", "12"),
        ("stage 'frame' needs 'length_ms'", "9", "1"),
        ('window = "han" is none of "hann", "hamming", "blackman", "boxcar"', "11", "10"),
        ("'fram' names no stage above", "15", "8"),
        ("qos = 9 is none of 1, 2", "19", "7"),
        ("unknown key 'topics' in sink 'mqtt'", "20", "10"),
        ("ram_kb = 0 is too small, it must be above 0", "22", "10"),
    ]


def test_a_secret_is_hidden_in_the_line_of_another_mistake(tmp_path):
    start = GOOD[: GOOD.index("[source]")]
    said = refused(
        tmp_path,
        start + "sink = [{kind = \"mqtt\", password = 'hun, ter2', qos = 9}]\n" + GOOD[GOOD.index("[source]") : GOOD.index("[[sink]]")],
    )
    assert "hun" not in said and "ter2" not in said and "qos = 9" in said
    said = refused(tmp_path, GOOD + "password = hunter2\n")
    assert "hunter2" not in said.split("help")[0]


# --- bytes ----------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(AppErrors) as caught:
        load(tmp_path / "none.toml")
    assert str(caught.value) == (
        f"error: there is no such file\n --> {tmp_path / 'none.toml'}\n  = help: name a definition, or the folder with its app.toml"
    )


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path):
    (tmp_path / "app.toml").write_text(GOOD)
    plain = load(tmp_path)
    (tmp_path / "app.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(tmp_path) == plain
    said = refused(tmp_path, GOOD.replace("\n", "\r\n").replace("30", "'30'"))
    assert " --> app.toml:11:13\n   |\n11 | length_ms = '30'\n   |             ^^^^\n" in said


def test_another_encoding_is_named_at_its_byte(tmp_path):
    assert (
        refused(tmp_path, GOOD.replace("clap.", "Glück.").encode("latin-1"))
        == """\
error: byte 0xfc is not UTF-8
 --> app.toml:1:12
  |
1 | # Hear a Glück.
  |            ^
  = help: save the file as UTF-8
"""
    )
    assert "error: the file is UTF-16, not UTF-8\n --> app.toml:1:1" in refused(tmp_path, GOOD.encode("utf-16"))


def test_values_nested_too_deeply_are_refused(tmp_path):
    assert "error: " in refused(tmp_path, GOOD + "x = " + "[" * 3000 + "]" * 3000)


def test_a_module_that_fails_on_import_is_told_as_a_mistake_of_kind(tmp_path, monkeypatch):
    (tmp_path / "bad_stages").mkdir()
    (tmp_path / "bad_stages/broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    said = refused(tmp_path, GOOD.replace("own_stages.halve", "bad_stages.broken"))
    assert said.startswith(
        "error: stage 'bad_stages.broken' cannot be imported: ZeroDivisionError: division by zero\n  --> app.toml:14:8\n"
    )


# --- anything -------------------------------------------------------------------------------------------------

WORDS = [
    '"',
    "'",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    ",",
    "#",
    "\n",
    "1",
    "-1",
    "0",
    "1e30",
    "nan",
    "true",
    '"x"',
    "[]",
    "{}",
    '[1, "a"]',
    "{a = 1}",
    '"${X}"',
    '"${',
    "kind",
    "name",
    "from",
    "stage",
    "source",
    "[source]",
    "[[stage]]",
    "[model]",
    "[detect]",
    "[budget]",
    "[[sink]]",
    "1979-05-27",
    '"""',
    "é",
    "\x00",
    "\\",
    "99999999999999999999999",
    'kind = "frame"',
    'from = ["source"]',
    'labels = ["a"]',
    "file = 3",
    "ram_kb = 1",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), st.sampled_from(WORDS)), min_size=1, max_size=4))
def test_no_mutation_of_a_definition_gives_anything_but_an_app_or_its_mistakes(tmp_path, changes):
    text = GOOD
    for start, length, word in changes:
        text = text[:start] + word + text[start + length :]
    file = tmp_path / "app.toml"
    file.write_bytes(text.encode())
    try:
        load(file)
    except AppErrors as error:
        shown = str(error)
        assert shown.startswith("error: ") and "Input should" not in shown and "Traceback" not in shown and "pydantic" not in shown
        assert all(re.search(r"^ *--> ", part, re.MULTILINE) for part in shown.split("\n\nerror: "))
    try:
        if "1e30" not in text and "9999" not in text:
            plan_file(file)
    except AppErrors:
        pass
