"""Servers for the tests that need them, each ended by the test run that started it."""

import asyncio
import json
import secrets
import socket
import subprocess
import sys

import pytest
import redis as redis_py

from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.bus.redis import RedisBus


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory) -> str:
    """Address of a server of the test run's own."""
    folder = tmp_path_factory.mktemp("redis")
    child = subprocess.Popen(
        [sys.executable, "-m", "oimon.embedded", str(folder), str(free_port())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield json.loads(child.stdout.readline())["url"]
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


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


@pytest.fixture(params=["memory", "redis"])
async def replicas(request):
    """One suite, every implementation of the bus: ``replicas()`` is one more replica on the same, empty log."""
    if request.param == "memory":
        store = MemoryStore()
        made = Replicas(lambda me, **options: MemoryBus(store, me, **options))
    else:
        url = request.getfixturevalue("redis_url")
        with redis_py.Redis.from_url(url) as client:
            client.flushall()
        made = Replicas(lambda me, **options: RedisBus(url, me, **options))
    yield made
    await made.close()
    await asyncio.sleep(0)
