"""Is the unit one that systemd takes, and does it run what was asked for, with little leave?"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nodes import write_app
from typer.testing import CliRunner

from tinystream.cli import cli as commands
from tinystream.errors import TinystreamError
from tinystream.node.unit import quoted, unit
from tinystream.plan.plan import Plan

ANALYZE = shutil.which("systemd-analyze")
IMU = Plan("x", (), (), source="imu")


@pytest.fixture
def written(tmp_path) -> Path:
    app = write_app(tmp_path / "an app with 100 %")
    path = tmp_path / "tinystream-loudness.service"
    words = ["node", str(app), "--broker", "mqtts://broker.lan", "--metrics", "9100", "--device", "USB $1", "--install-unit", str(path)]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 0, done.output
    return path


def test_systemd_takes_it(written):
    if not ANALYZE:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run([ANALYZE, "verify", str(written)], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if written.name in line]
    assert done.returncode == 0 and not said, done.stderr


def test_systemd_finds_it_hardened(written):
    if not ANALYZE:
        pytest.skip("systemd-analyze is not installed")
    command = [ANALYZE, "security", "--offline=true", "--threshold=25", "--no-pager", str(written)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "unrecognized option" in done.stderr or "Unknown" in done.stderr:
        pytest.skip("this systemd-analyze judges no files")
    assert done.returncode == 0, done.stdout[-300:]


def test_it_runs_what_was_asked_for_and_holds_no_secret(written, monkeypatch):
    monkeypatch.setenv("TINYSTREAM_PASSWORD", "hunter2")
    text = written.read_text()
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert command.startswith(f"ExecStart={sys.executable} -m tinystream node ") and '100 %%"' in command
    assert command.endswith('--input mic --device "USB $$1" --broker mqtts://broker.lan --metrics 9100')
    assert "hunter2" not in text and "EnvironmentFile=-/etc/tinystream/loudness.env" in text
    for line in ("Type=notify", "Restart=always", "WatchdogSec=60", "DynamicUser=yes", "ProtectSystem=strict", "SupplementaryGroups=audio"):
        assert line in text.splitlines()
    assert "StateDirectory=tinystream-loudness" in text


def test_a_home_is_read_only_where_the_app_lies_there_and_else_out_of_sight():
    assert "ProtectHome=read-only" in unit(Path("/home/me/app"), IMU)
    assert f"ProtectHome={'read-only' if sys.executable.startswith(('/home/', '/root/')) else 'yes'}" in unit(Path("/opt/app"), IMU)


def test_a_service_has_no_standard_input():
    with pytest.raises(TinystreamError, match="no standard input"):
        unit(Path("/opt/app"), IMU, ("-",))


@pytest.mark.parametrize(("word", "told"), [("a", "a"), ("", '""'), ("a b", '"a b"'), ('a"b', '"a\\"b"'), ("50%$x", "50%%$$x")])
def test_words_reach_the_program_as_they_are(word, told):
    assert quoted(word) == told
