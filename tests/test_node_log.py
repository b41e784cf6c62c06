"""Is every line of a log one whole line, whatever strangers say?"""

from __future__ import annotations

import io
import json
import logging

import pytest

from tinystream.node.log import log_to

EVIL = 'x\n{"level": "forged"}\x1b[2J\u2028\u202e'


@pytest.fixture(params=["json", "text"])
def told(request):
    stream = io.StringIO()
    handler = log_to(stream, request.param)
    yield request.param, stream
    logging.getLogger("tinystream").removeHandler(handler)
    logging.getLogger("tinystream").propagate = True


def test_a_strangers_word_is_no_line_of_its_own(told):
    form, stream = told
    logging.getLogger("tinystream.node.x").warning("heard %s", EVIL, extra={"facts": {"label": EVIL, "score": 0.5}})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 and "\x1b" not in lines[0] and "\u202e" not in lines[0]
    if form == "json":
        found = json.loads(lines[0])
        assert found["what"] == f"heard {EVIL}" and found["level"] == "warning" and found["from"] == "node.x" and found["score"] == 0.5
    else:
        assert "warning: heard x" in lines[0] and lines[0].endswith("score=0.5")


def test_an_error_of_ours_is_told_with_where_it_was(told):
    form, stream = told
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("tinystream.node").exception("unexpected")
    text = stream.getvalue()
    assert "ValueError: odd" in text and "test_node_log.py" in text
    if form == "json":
        assert "ValueError" in json.loads(text)["trace"]


def test_a_long_word_is_cut(told):
    logging.getLogger("tinystream").error("y" * 100_000)
    assert len(told[1].getvalue()) < 2_200
