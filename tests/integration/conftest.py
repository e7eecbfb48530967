"""Servers for the tests that need them, each ended by the test run that started it."""

import asyncio
import contextlib
import json
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis as redis_py

from oimon import embedded
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.bus.redis import RedisBus


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
def redis_url(tmp_path_factory) -> str:
    """Address of a server of the test run's own."""
    with a_server(tmp_path_factory.mktemp("redis"), embedded.kind()) as url:
        yield url


@pytest.fixture(scope="session")
def stand_in_url(tmp_path_factory) -> str:
    """Address of the stand-in that serves where there is no Valkey."""
    with a_server(tmp_path_factory.mktemp("stand-in"), "fakeredis") as url:
        yield url


class Replicas:
    """Makes buses that share one log, as replicas of services do."""

    def __init__(self, make):
        self._make = make
        self._buses = []

    def __call__(self, **options):
        bus = self._make(f"replica-{secrets.token_hex(4)}", **options)
        self._buses.append(bus)
        return bus

    async def close(self):
        for bus in self._buses:
            await bus.stop()
            await bus.close()


@pytest.fixture(params=["memory", "redis", "stand-in"])
async def replicas(request):
    """One suite, every implementation of the bus: ``replicas()`` is one more replica on the same, empty log."""
    if request.param == "memory":
        store = MemoryStore()
        made = Replicas(lambda me, **options: MemoryBus(store, me, **options))
    else:
        url = request.getfixturevalue("redis_url" if request.param == "redis" else "stand_in_url")
        with redis_py.Redis.from_url(url) as client:
            client.flushall()
        made = Replicas(lambda me, **options: RedisBus(url, me, **options))
    yield made
    await made.close()
    await asyncio.sleep(0)
