"""Do settings last over a restart, within limits that may have changed, and is what cannot be saved told?"""

from __future__ import annotations

import json
from pathlib import Path
from threading import RLock

import pytest
from nodes import SETTINGS, write_app

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.errors import TinystreamError
from tinystream.node.changing import Changing, mark_of
from tinystream.node.state import State, whole
from tinystream.node.watch import Watch
from tinystream.run.engine import Engine

ASKED = b'{"threshold": 0.9, "enable": {"no": false}}'


def begun(folder: Path, more: str = SETTINGS) -> Changing:
    app = write_app(folder / "app", more)
    plan = plan_file(app)
    state = State(folder / "state")
    state.folder.mkdir(exist_ok=True)
    changing = Changing(Watch(load(app), plan, Engine(plan)), state, app, RLock())
    changing.restore()
    return changing


def test_what_was_set_holds_after_a_restart(tmp_path):
    told = begun(tmp_path).take(ASKED)
    again = begun(tmp_path)
    assert again.watch.settings["no"] == {"threshold": 0.9, "quiet_s": 0.01, "enable": False}
    assert again.answer() | {"answers": mark_of(ASKED)} == told
    assert again.take(b"")["threshold"] == 0.5
    assert begun(tmp_path).watch.settings["no"]["enable"] is True


def test_a_limit_that_was_drawn_in_since_holds(tmp_path):
    begun(tmp_path).take(ASKED)
    again = begun(tmp_path, "\n[settings]\nthreshold = [0.3, 0.6]\nenable = true\n")
    assert again.watch.settings["yes"]["threshold"] == 0.5


def test_settings_of_another_definition_are_left_out(tmp_path):
    begun(tmp_path).take(ASKED)
    kept = json.loads((tmp_path / "state/settings.json").read_text())
    (tmp_path / "state/settings.json").write_text(json.dumps(kept | {"definition": "another"}))
    assert begun(tmp_path).watch.settings["yes"]["threshold"] == 0.5


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"counter": "x", "changes": 5}', '{"changes": {"threshold": {"yes": 1e9}}}'])
def test_a_damaged_file_is_as_none(tmp_path, damage):
    first = begun(tmp_path)
    first.take(ASKED)
    path = tmp_path / "state/settings.json"
    digest = first.watch.plan.digest
    path.write_text(damage.replace("{", f'{{"definition": "{digest}", ', 1) if damage.startswith('{"') else damage)
    assert begun(tmp_path).watch.settings["yes"]["threshold"] == 0.5


def test_a_disk_that_refuses_is_told_and_settings_hold_all_the_same(tmp_path, monkeypatch):
    changing = begun(tmp_path)

    def full(told: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(changing.state, "save_settings", full)
    told = changing.take(ASKED)
    assert told["threshold"] == 0.9 and "no space left" in told["warning"] and "no space left" in changing.fault
    monkeypatch.undo()
    assert "warning" not in changing.take(b'{"threshold": 0.8}') and changing.fault == ""


def test_a_message_that_comes_again_is_accepted_again_and_saved_once(tmp_path):
    changing = begun(tmp_path)
    first = changing.take(ASKED)
    (tmp_path / "state/settings.json").unlink()
    assert changing.take(ASKED) == first and not (tmp_path / "state/settings.json").exists()


def test_a_refusal_changes_nothing_and_says_what_holds(tmp_path):
    changing = begun(tmp_path)
    changing.take(ASKED)
    for message in (b'{"threshold": 0.1}', b'{"quiet_s": 1}', b"\xff", b"[" * 50_000, b"x" * 20_000, b'{"threshold": {"maybe": 0.5}}'):
        told = changing.take(message)
        assert told["refused"] and told["threshold"] == 0.9 and told["labels"]["no"]["enable"] is False


def test_a_new_file_takes_the_place_of_the_old_one_at_once(tmp_path):
    whole(tmp_path / "x", b"one")
    whole(tmp_path / "x", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["x"] and (tmp_path / "x").read_bytes() == b"two"


def test_a_state_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TinystreamError, match="cannot be written"):
        State(tmp_path / "file" / "state").open()
    with State(tmp_path / "state"), pytest.raises(TinystreamError, match="another node runs"):
        State(tmp_path / "state").open()
