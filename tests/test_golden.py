"""Is the generated C of the apps the one that was read and merged?"""

from __future__ import annotations

import difflib

import golden
import pytest

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import WARNINGS, compilers
from tinystream.emit.emit import emit


def difference(app: str) -> str:
    """What differs, as a patch of the golden files; empty where nothing does."""
    folder, new = golden.golden_folder(app), golden.generated(app)
    old = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} if folder.is_dir() else {}
    patch = []
    for name in sorted(old.keys() | new.keys()):
        before, after = (texts.get(name, "").splitlines(keepends=True) for texts in (old, new))
        patch += difflib.unified_diff(before, after, f"golden/{app}/{name}", f"generated/{app}/{name}")
    return "".join(patch)


@pytest.mark.parametrize("app", golden.APPS)
def test_the_generated_c_is_the_one_in_git(app):
    patch = difference(app)
    if patch:
        pytest.fail(
            f"the C that is generated for apps/{app} has changed; where that is meant, `make golden` accepts it\n{patch}", pytrace=False
        )


@pytest.mark.parametrize("app", golden.APPS)
def test_no_compiler_warns_of_the_c_of_an_app(app, tmp_path):
    """A number that does not fit its member is such a warning."""
    sources = [path for path in emit(plan_file(golden.ROOT / "apps" / app), tmp_path / "c") if path.suffix == ".c"]
    assert sources and compilers()
    for compiler in compilers():
        for source in sources:
            compiler.build([source], tmp_path / f"{source.stem}.o", *WARNINGS, "-c")


def test_golden_c_is_of_apps_that_exist():
    assert sorted(folder.name for folder in golden.golden_folder("").iterdir()) == golden.APPS


@pytest.mark.parametrize("name", ["wake_word.c", "wake_word_tables.c.sha256"])
def test_a_changed_file_is_shown_and_a_lost_one_too(name, monkeypatch, tmp_path):
    monkeypatch.setattr(golden, "golden_folder", lambda app: tmp_path / app)
    golden.write("wake_word")
    assert difference("wake_word") == ""
    path = tmp_path / "wake_word" / name
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace("wake_word", "other_word", 1), encoding="utf-8")
    assert "-" in difference("wake_word") and "other_word" in difference("wake_word")
    path.unlink()
    assert f"+{kept.splitlines()[-1]}" in difference("wake_word")
    (tmp_path / "wake_word" / "more.c").write_text("int x;\n", encoding="utf-8")
    assert "-int x;" in difference("wake_word")
