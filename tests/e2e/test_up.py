"""``oi up`` as a newcomer meets it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
import zlib

import pytest
import redis

from oimon import offline
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS
from tests.e2e.conftest import DAY, Monitor, clean_environment, log_of, processes_of

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for left-over processes in /proc"),
]


LAG_AT_60 = 600
"""Entries behind that a partition may be, 60 times as fast as the day was: ten of its seconds of beats."""


def entries(url: str, stream: str) -> dict[str, bytes]:
    """Return every message of a stream by its id in the database."""
    with redis.Redis.from_url(url) as client:
        rows = client.xrange(f"{stream}:{{NIFTY}}")
    return {f"{stream}:NIFTY/{entry_id.decode()}": fields[b"d"] for entry_id, fields in rows}


def without_run(data: bytes) -> bytes:
    """Return a message without the name of its run, which differs between runs."""
    return re.sub(rb'"run":"[^"]*"', b'"run":""', data)


def test_a_minute_of_it_leaves_every_message_a_row_and_nothing_running(monitor):
    up = monitor("--for", "25", "--speed", "60")

    assert up.wait(60) == 0, up.said()

    assert processes_of(up.folder) == []
    assert not (up.folder / "run.json").exists()
    with log_of(up.folder) as url:
        log = {stream: entries(url, stream) for stream in (ANALYSIS, ADVICE_MINIMAL, ADVICE_RICH)}
    with sqlite3.connect(up.folder / "oimon.db") as database:
        analyses = dict(database.execute("SELECT id, body FROM analyses"))
        advice = dict(database.execute("SELECT id, body FROM advice"))
    database.close()
    assert len(log[ANALYSIS]) > 200
    assert len(log[ADVICE_MINIMAL]) > 100
    assert log[ADVICE_RICH]
    assert {key: zlib.decompress(body) for key, body in analyses.items()} == log[ANALYSIS]
    assert {key: body.encode() for key, body in advice.items()} == log[ADVICE_MINIMAL] | log[
        ADVICE_RICH
    ]
    assert "NIFTY" in up.said()
    assert "Traceback" not in up.said()
    _assert_same_as_offline(list(log[ANALYSIS].values()))


def _assert_same_as_offline(analyses: list[bytes]) -> None:
    """The services on Redis say, byte for byte, what one process says offline."""
    expected: list[bytes] = []

    class Enough(Exception):  # noqa: N818 - not an error
        pass

    def take(entry):
        if entry.stream == ANALYSIS:
            expected.append(entry.data)
            if len(expected) == len(analyses):
                raise Enough

    with pytest.raises(Enough):
        offline.run(offline.open_recording(DAY), speed=None, take=[take])
    assert [without_run(a) for a in analyses] == [without_run(e) for e in expected]


def test_a_second_one_does_not_start_and_ctrl_c_stops_the_first_within_ten_seconds(monitor):
    up = monitor("--no-table", "--speed", "60")
    _wait_for_analysis(up.run_file()["dashboard"])

    second = monitor("--no-table")

    assert second.wait(30) == 2
    assert "OI Monitor already runs in" in second.said()
    assert up.process.poll() is None
    _assert_stops(up, signal.SIGINT)


def test_replicas_share_the_work_and_are_all_stopped(monitor):
    up = monitor("--no-table", "--speed", "60", "--replicas", "analytics=2,coach-minimal=2")
    _wait_for_analysis(up.run_file()["dashboard"])

    until = time.monotonic() + 30
    while not (told := _status(up))["ready"] and time.monotonic() < until:
        time.sleep(0.2)

    assert told["ready"], told
    for service in ("analytics", "coach-minimal"):
        mine = [each for each in told["services"] if each["service"] == service]
        owned = [held for each in mine for held in each["partitions"]]
        assert [each["state"] for each in mine] == ["ready", "ready"]
        assert [(held["role"], held["partition"]) for held in owned] == [(service, "NIFTY")]
        assert owned[0]["epoch"] > 0
        assert owned[0]["restored"]
        assert owned[0]["lag"] < LAG_AT_60
    _assert_stops(up, signal.SIGTERM)


def _status(up: Monitor) -> dict:
    """Return what ``oi status`` says from another terminal."""
    told = subprocess.run(
        [sys.executable, "-P", "-m", "oimon.cli", "status", "--json"],
        env=clean_environment(up.folder),
        cwd=up.folder.parent,
        capture_output=True,
        check=False,
    )
    return json.loads(told.stdout)


def _assert_stops(up: Monitor, number: int) -> None:
    start = time.monotonic()
    up.process.send_signal(number)
    code = up.wait(15)

    assert code == 0, up.said()
    assert time.monotonic() - start < 10
    assert processes_of(up.folder) == []


def _wait_for_analysis(dashboard: str) -> dict:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{dashboard}/analysis/NIFTY", timeout=5) as answer:  # noqa: S310 - loopback
                return json.load(answer)
        except OSError:
            time.sleep(0.2)
    raise AssertionError("no analysis within 60 s")


def test_a_killed_service_is_started_again_and_none_outlives_a_killed_supervisor(monitor):
    up = monitor("--speed", "60")
    dashboard = up.run_file()["dashboard"]
    before = _wait_for_analysis(dashboard)["ts_us"]
    victims = [pid for pid in processes_of(up.folder) if _runs(pid, "analytics")]
    assert victims

    for pid in victims:
        os.kill(pid, signal.SIGKILL)

    until = time.monotonic() + 30
    while time.monotonic() < until:
        after = _wait_for_analysis(dashboard)["ts_us"]
        now = [pid for pid in processes_of(up.folder) if _runs(pid, "analytics")]
        if now and now != victims and after > before + 300_000_000:
            break
        time.sleep(0.2)
    else:
        raise AssertionError(up.said())
    assert "analytics ended with code -9, starting it again" in up.said()
    _assert_leaves_nothing_running_when_killed(up)


def _assert_leaves_nothing_running_when_killed(up: Monitor) -> None:
    up.process.kill()
    up.wait()

    until = time.monotonic() + 20
    while processes_of(up.folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert processes_of(up.folder) == []


def _runs(pid: int, name: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - a process's file
            return file.read().split(b"\0")[-4:-1][:2] == [b"run", name.encode()]
    except OSError:
        return False
