"""Servers for the tests that need them, each ended by the test run that started it."""

import asyncio
import contextlib
import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import redis as redis_py

from oimon import embedded
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.bus.redis import RedisBus
from tests.integration.hand import Hand
from tests.integration.servers import cluster, free_port, redis_binary, server, valkey_binary


@contextlib.contextmanager
def a_server(folder: Path, which: str = "valkey"):
    """Give the address of a server of one's own."""
    child = subprocess.Popen(
        [sys.executable, "-m", "oimon.embedded", str(folder), str(free_port()), which],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield json.loads(child.stdout.readline())["url"]
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


@pytest.fixture(scope="session")
def session_redis_url(tmp_path_factory) -> str:
    """Address of a server of the test run's own, with what tests have left in it."""
    with a_server(tmp_path_factory.mktemp("redis"), embedded.kind()) as url:
        yield url


@pytest.fixture
def redis_url(session_redis_url) -> str:
    """Address of a server of the test run's own, empty as the test begins."""
    flush(session_redis_url)
    return session_redis_url


@pytest.fixture(scope="session")
def stand_in_url(tmp_path_factory) -> str:
    """Address of the stand-in that serves where there is no Valkey."""
    with a_server(tmp_path_factory.mktemp("stand-in"), "fakeredis") as url:
        yield url


@pytest.fixture(scope="session")
def plain_redis_url(tmp_path_factory) -> str:
    """Address of a Redis server, of whichever version this machine has."""
    binary = redis_binary()
    if binary is None:
        pytest.skip("there is no redis-server on this machine")
    with server(binary, tmp_path_factory.mktemp("plain-redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory) -> str:
    """Address of a cluster of three servers."""
    binary = valkey_binary() or redis_binary()
    if binary is None:
        pytest.skip("there is no server on this machine that a cluster could be made of")
    with cluster(binary, tmp_path_factory.mktemp("cluster")) as url:
        yield url


SERVERS = {
    "redis": "redis_url",
    "stand-in": "stand_in_url",
    "plain-redis": "plain_redis_url",
    "cluster": "cluster_url",
}
"""Every server that keeps the log, and the fixture that gives its address."""


def flush(url: str) -> None:
    """Empty a server, or all servers of a cluster."""
    if url.startswith("redis+cluster"):
        with redis_py.RedisCluster.from_url(url.replace("+cluster", "")) as client:
            client.flushall(target_nodes=redis_py.RedisCluster.PRIMARIES)
    else:
        with redis_py.Redis.from_url(url) as client:
            client.flushall()


class Replicas:
    """Makes buses that share one log, as replicas of services do.

    Args:
        make: makes a bus of a name.
        behind: where the log is kept: a store, or the address of a server.
    """

    def __init__(self, make, behind):
        self._make = make
        self.behind = behind
        self._buses = []

    def __call__(self, **options):
        bus = self._make(f"replica-{secrets.token_hex(4)}", **options)
        self._buses.append(bus)
        return bus

    async def close(self):
        for bus in self._buses:
            await bus.stop()
            await bus.close()


@pytest.fixture(params=["memory", *SERVERS])
async def replicas(request):
    """One suite, every implementation of the bus: ``replicas()`` is one more replica on the same, empty log."""
    if request.param == "memory":
        store = MemoryStore()
        made = Replicas(lambda me, **options: MemoryBus(store, me, **options), store)
    else:
        url = request.getfixturevalue(SERVERS[request.param])
        flush(url)
        made = Replicas(lambda me, **options: RedisBus(url, me, **options), url)
    yield made
    await made.close()
    await asyncio.sleep(0)


@pytest.fixture
def hand(replicas):
    """Do to the log what time and misfortune do."""
    with contextlib.closing(Hand(replicas.behind)) as made:
        yield made


@pytest.fixture
def new_log(replicas):
    """Give one more replica's log; the name of the replica is ``log._me``."""
    return lambda **options: replicas(**options)._log
