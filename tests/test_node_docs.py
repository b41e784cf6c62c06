"""Do the commands of docs/nodes.md do what it says, one after the other?"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from brokers import MOSQUITTO, Mosquitto
from nodes import ROOT, Listener

from tinystream.app.read import load
from tinystream.node.health import metrics
from tinystream.node.service import Service

TEXT = (ROOT / "docs/nodes.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.S | re.M)


def test_the_commands_work_in_their_order(tmp_path):
    if not MOSQUITTO or not shutil.which("openssl"):
        pytest.skip("mosquitto or openssl is not installed")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/tinystream"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tinystream "$@"\n')
    command.chmod(0o755)
    for name in ("apps", "recordings"):
        (tmp_path / name).symlink_to(ROOT / name)
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as heard:
        script = "\n".join(["set -e", *blocks("sh")]).replace("127.0.0.1:1883", f"127.0.0.1:{broker.port}")
        assert "mosquitto -p 1883 &\n" in script
        waits = "until test -s state/outbox.db; do sleep 0.2; done; sleep 2\n"
        script = script.replace("mosquitto -p 1883 &\n", "").replace("sleep 15\n", waits)
        environ = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            heard.wait("tinystream/kitchen/wake_word/settings", lambda told: told.get("threshold") == 3.0, seconds=60)
            assert shell.wait(60) == 0
        finally:
            os.killpg(shell.pid, signal.SIGKILL)  # the node in the background, too
        output = shell.communicate()[0]
    assert '"node": "kitchen"' in output and '"threshold":3.0' in output
    load(tmp_path / "kitchen")


def test_the_flow_is_wired_from_the_broker_to_the_end():
    flow = {node["id"]: node for text in blocks("json") if text.startswith("[") for node in json.loads(text)}
    assert [flow[name]["type"] for name in ("ts-in", "ts-json", "ts-switch")] == ["mqtt in", "json", "switch"]
    at, seen = "ts-in", []
    while flow[at].get("wires"):
        seen.append(flow[at]["type"])
        (at,) = flow[at]["wires"][0]
    assert seen == ["mqtt in", "json", "switch"] and flow[at]["type"] == "debug" and flow[flow["ts-in"]["broker"]]["type"] == "mqtt-broker"


def test_every_member_of_a_status_is_told():
    from inspect import getsource

    told = set(re.findall(r'"([a-z_]+)":', getsource(Service.health) + getsource(Service._who))) | {"level_dbfs", "clipped", "cpu_percent"}
    assert {name for name in told if f"`{name}`" not in TEXT} == set()
    assert "tinystream_source_ok" in metrics({"source": "running"})


def test_examples_of_yaml_and_json_are_read():
    import yaml

    for text in blocks("yaml"):
        assert yaml.safe_load(text)
    for text in blocks("json"):
        assert json.loads(text)
    assert Path(ROOT / "docs/capture.md").is_file()
