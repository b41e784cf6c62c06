"""Is every key found where it stands, whatever way TOML lets it be written?"""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from tinystream.app.locate import locate, places, render
from tinystream.errors import AppError


def at(text: str, *path: str | int) -> str:
    """What stands at the place of a path."""
    place = locate(places(text), path)
    return text[place.start : place.end] if place else ""


MANNERS = '''# [source] in a comment
name = "a # b"   # c
"quoted key" = 1
'it\\'s'."b.c" = 2
a . b = 3
times = [ # first
    1, [2, 3],   # x = 9
    "]", {k = 4, "l" = [5]},
]
long = """
[[stage]]
x = 1 \\""" # no
"""
raw = \'\'\'it's [x]\'\'\'
point = {x = 1.5, y.z = -2}
when = 1979-05-27 07:32:00   # a date

[ source . deep ]
x = true
[[stage]]
kind = "a"
[stage.inner]
x = 6
[[stage]]
kind = "b"
[[stage.part]]
x = 7
[[stage.part]]
x = 8
'''.replace("'it\\'s'", "'its'")


def test_every_manner_of_writing_a_key():
    assert at(MANNERS, "name") == '"a # b"'
    assert at(MANNERS, "quoted key") == "1"
    assert at(MANNERS, "its", "b.c") == "2"
    assert at(MANNERS, "a", "b") == at(MANNERS, "a") == "3"
    assert at(MANNERS, "times", 1, 1) == "3"
    assert at(MANNERS, "times", 2) == '"]"'
    assert at(MANNERS, "times", 3, "l", 0) == "5"
    assert at(MANNERS, "raw") == "'''it's [x]'''"
    assert at(MANNERS, "point", "y", "z") == "-2"
    assert at(MANNERS, "when") == "1979-05-27 07:32:00"
    assert at(MANNERS, "source", "deep", "x") == "true"
    assert at(MANNERS, "stage", 0, "kind") == '"a"'
    assert at(MANNERS, "stage", 0, "inner", "x") == "6"
    assert at(MANNERS, "stage", 1, "part", 1, "x") == "8"


def test_what_was_not_written_is_shown_at_the_nearest_header():
    assert at(MANNERS, "stage", 1, "bands") == "[[stage]]"
    assert places(MANNERS)["stage", 1] != places(MANNERS)["stage", 0]
    assert at(MANNERS, "source", "deep", "none", 3) == "[ source . deep ]"
    assert locate(places(MANNERS), ("nothing",)) is None


def test_carets_stand_under_the_value_behind_tabs_and_wide_letters():
    text = 'x = 1\n\ty = "日本", 3'
    assert render([AppError(("y",), "wrong")], "f", text, {("y",): places("\ny = 1")[("y",)]._replace(start=11, end=15)}) == (
        'error: wrong\n --> f:2:6\n  |\n2 | \ty = "日本", 3\n  | \t    ^^^^^^'
    )


def paths_of(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from paths_of(child, (*path, key))


KEY = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", "g . h", '"\\u00e9"'])
SPACE = st.sampled_from(["", " ", "\t", "  "])
LINES = st.sampled_from(["", " ", "\n", ' # ] } "\n', "\n\n  "])
SCALAR = st.sampled_from(
    ["1", "-2.5e3", "true", '"x # y"', "'a\"b'", '"\\"]"', "1979-05-27", "07:32:00", '"""\n]\\"""" """', "'''\n'x''''", "inf"]
)


def array(values):
    return st.lists(st.tuples(LINES, values, LINES), max_size=3).map(lambda m: "[" + ",".join("".join(x) for x in m) + "]")


def inline(values):
    pair = st.tuples(SPACE, values).map("".join)
    return st.lists(pair, max_size=3).map(lambda m: "{" + ", ".join(f"k{i} ={v}" for i, v in enumerate(m)) + "}")


VALUE = st.recursive(SCALAR, lambda v: array(v) | inline(v), max_leaves=6)
PAIR = st.tuples(KEY, SPACE, SPACE, VALUE, st.sampled_from(["", " # [[t]]"])).map(lambda p: f"{p[0]}{p[1]}={p[2]}{p[3]}{p[4]}\n")
HEADER = st.sampled_from(["[t]\n", "[[s]]\n", " [[s]] # x\n", "[s.u]\n", "[[s.v]]\n", "[ t . w ]\n", "\n", "# c\n"])


@given(st.lists(PAIR | HEADER, max_size=12).map("".join))
def test_every_path_that_tomllib_reads_has_a_place_with_its_value(text):
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = places(text)
    for path in paths_of(document):
        if not path:
            continue
        assert path in found, f"{path} of {text!r}"
        value = document
        for key in path:
            value = value[key]
        if not isinstance(value, dict | list):
            assert tomllib.loads(f"k = {text[found[path].start : found[path].end]}")["k"] == value
