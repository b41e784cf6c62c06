"""Is an alert safe once put() has returned?  Real files, a full disk, processes that are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinystream.errors import SinkError, TinystreamError
from tinystream.node.alert_file import AlertFile, Row
from tinystream.node.outbox import IN_MEMORY, Outbox


def alert(n):
    return {"label": "yes", "n": n}


def numbers(outbox, **options):
    return [entry.event["n"] for entry in outbox.waiting(**options)]


def fill(path, count, **options):
    with Outbox(path, **options) as outbox:
        for n in range(1, count + 1):
            assert outbox.put(alert(n)) == n
        return outbox.identity


def fill_at_once(path, count):
    """The same file, with one commit."""
    file = AlertFile(path)
    file.add([Row(n, file.identity, json.dumps(alert(n))) for n in range(1, count + 1)], count, 0, count, "newest")
    file.close()
    return file.identity


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.db"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=300k", "none", folder], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


# --- order, restarts, limits


def test_alerts_wait_in_order_until_each_is_acknowledged(path):
    with Outbox(path) as outbox:
        assert [outbox.put(alert(n)) for n in (1, 2, 3, 4)] == [1, 2, 3, 4]
        assert numbers(outbox) == [1, 2, 3, 4] and numbers(outbox, after=1, count=2) == [2, 3]
        outbox.acknowledged(2)
        outbox.acknowledged(2)
        outbox.acknowledged(99)
        assert numbers(outbox) == [1, 3, 4] and len(outbox) == 3 and outbox.status == "ok" and outbox.dropped == 0


def test_a_restart_goes_on_where_it_ended_even_when_nothing_waits(path):
    identity = fill(path, 3)
    with Outbox(path) as outbox:
        assert outbox.identity == identity and len(identity) == 8 and int(identity, 16) >= 0
        assert numbers(outbox) == [1, 2, 3]
        for sequence in (1, 2, 3):
            outbox.acknowledged(sequence)
        assert len(outbox) == 0
    with Outbox(path) as outbox:
        assert outbox.put(alert(4)) == 4
        assert [entry.id for entry in outbox.waiting()] == [f"{identity}-4"]


def test_a_new_file_is_a_new_identity(path, tmp_path):
    assert fill(path, 1) != fill(tmp_path / "other.db", 1)


def test_only_its_owner_reads_the_file(path):
    fill(path, 1)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("keeps", "kept"), [("newest", [4, 5, 6]), ("oldest", [1, 2, 3])])
def test_beyond_the_limit_the_newest_or_the_oldest_are_kept_and_the_rest_is_counted(path, keeps, kept):
    fill(path, 6, limit=3, keeps=keeps)
    with Outbox(path, limit=3, keeps=keeps) as outbox:
        assert numbers(outbox) == kept and len(outbox) == 3 and outbox.dropped == 3
        assert outbox.put(alert(7)) == 7, "a dropped alert has used its sequence, so that a reader sees the gap"
    with Outbox(path, limit=1, keeps=keeps) as outbox:
        outbox.put(alert(8))
        assert len(outbox) == 1 and outbox.dropped == 7 and numbers(outbox) == [8 if keeps == "newest" else 1]


def test_each_commit_of_an_alert_waits_for_the_disk_again_after_acknowledgements_that_did_not(path):
    with Outbox(path) as outbox:
        outbox.put(alert(1))
        outbox.acknowledged(1)
        sql = outbox._file._sql
        assert sql.execute("PRAGMA synchronous").fetchone() == (2,) and sql.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_listeners_hear_of_each_alert(path):
    with Outbox(path) as outbox:
        heard = []
        outbox.listeners.append(lambda: heard.append(len(outbox)))
        outbox.put(alert(1))
        outbox.put(alert(2))
        assert heard == [1, 2]


# --- a process that is killed

WRITER = """
import os, sys
from tinystream.node.outbox import Outbox
outbox = Outbox(sys.argv[1])
n = 0
while True:
    n += 1
    sequence = outbox.put({"n": n})
    if n % 3 == 0:
        outbox.acknowledged(sequence)
    os.write(1, f"{sequence}\\n".encode())
"""


def test_every_alert_whose_put_returned_survives_kill_9(path):
    said = []
    for life in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        lines = [writer.stdout.readline() for _ in range(40 + 17 * life)]
        writer.kill()
        lines += writer.stdout.readlines()
        assert writer.wait() == -signal.SIGKILL
        before = len(said)
        said += [(int(line), (i + 1) % 3 == 0) for i, line in enumerate(lines) if line.endswith("\n")]
        assert [s for s, _ in said[before:]] == list(range(said[before][0], said[before][0] + len(said) - before))
    sequences = [s for s, _ in said]
    assert sequences == sorted(set(sequences)), "no sequence was given twice"
    with Outbox(path) as outbox:
        waiting = {entry.sequence for entry in outbox.waiting(count=100_000)}
        assert {s for s, done in said if not done} <= waiting
        assert not {s for s, done in said if done} & waiting, "what was acknowledged is not sent again after kill -9"
        assert outbox.status == "ok"


# --- a disk that refuses


def test_on_a_full_disk_alerts_are_kept_in_memory_and_go_to_the_disk_when_there_is_room(small_disk):
    path = small_disk / "outbox.db"
    filler = small_disk / "filler"
    outbox = Outbox(path, retry_s=0)
    for n in range(1, 4):
        outbox.put(alert(n))
    on_disk = outbox.identity
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(1024))
    n = 3
    while outbox.status == "ok":  # what the journal still has room for
        n += 1
        outbox.put(alert(n) | {"pad": "x" * 2000})
        assert n < 1000
    outbox.put(alert(n + 1))
    assert f"alerts are kept in memory only (2 now): {path}: the disk is full" == outbox.status
    assert numbers(outbox, count=1000) == list(range(1, n + 2)) and len(outbox) == n + 1, "old ones are read, new ones follow"
    entries = outbox.waiting(count=1000)
    assert entries[0].identity == on_disk != entries[-1].identity == outbox.identity
    outbox.acknowledged(1)  # on the disk, from where it cannot be taken now
    outbox.acknowledged(n)  # in memory
    assert numbers(outbox, count=1000) == [*range(2, n), n + 1]
    filler.unlink()
    assert outbox.status == "ok" and outbox.identity == on_disk
    assert outbox.put(alert(n + 2)) == n + 2
    with pytest.raises(TinystreamError, match="in use"), Outbox(path):
        pass
    outbox.close()
    with Outbox(path) as again:
        assert numbers(again, count=1000) == [*range(2, n), n + 1, n + 2]
        assert [e.id for e in again.waiting(count=1000)] == [e.id for e in entries[1:-2]] + [entries[-1].id, f"{on_disk}-{n + 2}"]


LIMITED = """
import resource, sys
from tinystream.node.outbox import Outbox
outbox = Outbox(sys.argv[1], retry_s=0)
outbox.put({"n": 0})
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
n = 0
while outbox.status == "ok":
    n += 1
    outbox.put({"n": n, "pad": "x" * 1000})
outbox.put({"n": n + 1})
print(outbox.status, len(outbox), n)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(outbox.status)
outbox.close()
"""


def test_a_file_that_may_not_grow_is_a_full_disk(path):
    said = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    first, second = said.stdout.splitlines()
    n = int(first.split()[-1])
    assert first.startswith("alerts are kept in memory only (2 now): ") and first.split()[-2] == str(n + 2) and second == "ok"
    assert "alerts are kept in memory only" in said.stderr, "it is logged, too"
    with Outbox(path) as outbox:
        assert numbers(outbox, count=1000) == list(range(n + 2))


def test_what_could_not_be_put_on_the_disk_is_named_at_the_end(tmp_path):
    outbox = Outbox(tmp_path / "none" / "outbox.db")
    outbox.put(alert(1))
    assert outbox.status == f"alerts are kept in memory only (1 now): {tmp_path}/none/outbox.db: no such file or directory"
    assert numbers(outbox) == [1]
    with pytest.raises(SinkError, match="1 of 1 alert not delivered to the outbox") as e:
        outbox.close()
    assert e.value.undelivered == (alert(1),)


def test_a_folder_that_comes_late_gets_what_is_in_memory(tmp_path):
    (folder := tmp_path / "late").mkdir()
    identity = fill(folder / "outbox.db", 5)
    folder.rename(tmp_path / "away")
    outbox = Outbox(folder / "outbox.db", retry_s=0)
    assert [outbox.put(alert(n)) for n in (11, 12)] == [1, 2]
    (tmp_path / "away").rename(folder)
    assert "delivered first" in outbox.status, "their sequences would be taken for those of the file"
    assert numbers(outbox) == [11, 12]
    outbox.acknowledged(1)
    assert numbers(outbox) == [12]
    outbox.acknowledged(2)
    assert outbox.status == "ok" and outbox.identity == identity and numbers(outbox) == [1, 2, 3, 4, 5]
    assert outbox.put(alert(13)) == 6
    outbox.close()


def test_a_file_that_is_deleted_under_it_is_made_again_with_what_waited(path):
    outbox = Outbox(path)
    for n in (1, 2, 3):
        outbox.put(alert(n))
    outbox.acknowledged(1)
    before = outbox.waiting()
    for file in path.parent.glob("outbox.db*"):
        file.unlink()
    assert outbox.put(alert(4)) == 4
    assert outbox.status == "ok" and numbers(outbox) == [2, 3, 4] and outbox.waiting()[:2] == before
    outbox.close()
    with Outbox(path) as again:
        assert numbers(again) == [2, 3, 4] and again.waiting()[:2] == before and again.put(alert(5)) == 5


def test_a_disk_that_fails_when_it_is_read_is_asked_again(path, monkeypatch):
    fill(path, 3)
    outbox = Outbox(path, retry_s=0.3)
    assert len(outbox) == 3

    def fails(*_):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    with monkeypatch.context() as broken:
        broken.setattr("tinystream.node.alert_file.AlertFile.rows", fails)
        assert outbox.waiting() == [] and outbox.status == f"alerts are kept in memory only (0 now): {path}: the disk fails"
    end = time.monotonic() + 20
    while numbers(outbox) != [1, 2, 3] or outbox.status != "ok":  # asking more often than each 0.3 s does not put the next try off
        assert time.monotonic() < end
    outbox.close()


def test_memory_is_bounded_too(tmp_path):
    for keeps, kept in (("newest", 2), ("oldest", 1)):
        outbox = Outbox(tmp_path / "none" / "outbox.db", keeps=keeps)
        for n in range(1, IN_MEMORY + 2):
            outbox.put(alert(n))
        assert len(outbox) == IN_MEMORY and outbox.dropped == 1 and numbers(outbox, count=1) == [kept]


# --- a file that is damaged, or another's


@pytest.mark.parametrize("seed", range(6))
def test_of_a_damaged_file_what_can_be_read_is_delivered_and_the_file_is_kept(path, seed):
    import random

    identity = fill_at_once(path, 500)
    dice = random.Random(seed)
    content = bytearray(path.read_bytes())
    page = 4096 * dice.randrange(1, len(content) // 4096)  # not the first: nothing could be read without it
    content[page : page + 4096] = dice.randbytes(4096)
    path.write_bytes(content)
    with Outbox(path) as outbox:
        assert outbox.status.startswith(f"{path} was damaged and is kept as outbox.db.damaged; ")
        assert outbox.identity != identity
        waiting = outbox.waiting(count=1000)
        assert all(entry.event == alert(entry.sequence) and entry.identity == identity for entry in waiting)
        assert outbox.put(alert(1)) > max([entry.sequence for entry in waiting], default=0)
    assert (path.parent / "outbox.db.damaged").read_bytes()[page : page + 64] == content[page : page + 64]


def test_of_a_file_with_a_damaged_page_the_alerts_before_and_behind_it_are_read(path):
    fill_at_once(path, 2000)
    content = bytearray(path.read_bytes())
    middle = 4096 * (len(content) // 8192)
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with Outbox(path) as outbox:
        waiting = [entry.sequence for entry in outbox.waiting(count=10_000)]
        assert len(waiting) > 1800 and waiting[0] == 1 and waiting[-1] == 2000 and waiting == sorted(set(waiting))


@pytest.mark.parametrize("content", [b"", b"no database", bytes(8192), b"SQLite format 3\0" + bytes(4080)])
def test_a_file_of_no_use_is_replaced(path, content):
    path.write_bytes(content)
    with Outbox(path) as outbox:
        assert outbox.put(alert(1)) == 1 and numbers(outbox) == [1]
    if content:
        aside = path.parent / "outbox.db.damaged"
        assert not aside.exists() or aside.read_bytes() == content


def test_an_alert_that_the_disk_has_spoilt_does_not_hold_up_the_others(path):
    fill(path, 3)
    sql = sqlite3.connect(path)
    sql.execute("UPDATE alert SET event = CAST(X'FF7B' AS TEXT) WHERE sequence = 2")
    sql.commit()
    sql.close()
    with Outbox(path) as outbox:
        assert numbers(outbox) == [1, 3] and len(outbox) == 2 and outbox.dropped == 1


def test_a_database_of_something_else_is_left_alone(path):
    sql = sqlite3.connect(path)
    sql.execute("CREATE TABLE photos (name)")
    sql.commit()
    sql.close()
    before = path.read_bytes()
    with pytest.raises(TinystreamError, match="is a database of something else"), Outbox(path):
        pass
    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_left_alone(path):
    fill(path, 1)
    sql = sqlite3.connect(path)
    sql.execute("PRAGMA user_version = 2")
    sql.close()
    with pytest.raises(TinystreamError, match="was written by a newer tinystream"), Outbox(path):
        pass


def test_two_processes_do_not_share_a_file(path):
    with Outbox(path) as outbox:
        outbox.put(alert(1))
        code = "import sys; from tinystream.node.outbox import Outbox; Outbox(sys.argv[1]).open()"
        other = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, env=os.environ)
        assert f"{path} is in use by another process" in other.stderr
        outbox.put(alert(2))
    with Outbox(Path(path)) as outbox:
        assert numbers(outbox) == [1, 2]
