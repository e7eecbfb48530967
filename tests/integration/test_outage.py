"""Redis goes and comes back: services wait, say so, and go on."""

import asyncio
import json
import subprocess
import sys

import pytest

from oimon.bus import Output, Pulse, Role
from oimon.bus.redis import RedisBus
from oimon.bus.redis.client import Client
from oimon.errors import BusDown
from oimon.messages import ANALYSIS, TICKS, Beat, Gap
from oimon.terms import FeedState, MarketState
from tests.eventually import eventually
from tests.integration.conftest import free_port


class Server:
    """A server that can be killed and started again on the same data."""

    def __init__(self, folder):
        self._folder, self._port = folder, free_port()
        self._child = None

    def start(self) -> str:
        command = [sys.executable, "-m", "oimon.embedded", str(self._folder), str(self._port)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return json.loads(self._child.stdout.readline())["url"]

    def stop(self) -> None:
        self._child.stdin.close()
        self._child.wait(10)
        self._child.stdout.close()


def pulse(second: int) -> Pulse:
    return Pulse(
        run="r", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=second * 1_000_000
    )


def answer(state, entry):
    return state, [Output(ANALYSIS, entry.message)] if isinstance(entry.message, Beat) else []


ROLE = Role(name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda _: None, handle=answer)


async def test_nothing_is_lost_or_doubled_while_redis_is_away(tmp_path):
    server = Server(tmp_path)
    url = server.start()
    feeder, reader = RedisBus(url, "feeder"), RedisBus(url, "reader")
    await feeder.declare(["NIFTY"])
    owning = asyncio.ensure_future(reader.own(ROLE))

    async def feed():
        for second in range(1, 41):
            await feeder.publish(
                "NIFTY", [Gap(from_us=second, to_us=second, why="test")], pulse(second)
            )
            await asyncio.sleep(0.02)

    feeding = asyncio.ensure_future(feed())
    await eventually(lambda: _analyses(reader, 5))
    server.stop()
    await eventually(feeder.problems)
    words = list(feeder.problems())
    server.start()
    await feeding
    beats = await eventually(lambda: _analyses(reader, 40))

    assert "does not answer" in words[0]
    assert feeder.problems() == []
    assert [beat.ts_us // 1_000_000 for beat in beats] == list(range(1, 41))
    await reader.stop()
    await owning
    await feeder.stop()
    await feeder.close()
    await reader.close()
    server.stop()


async def _analyses(bus, count):
    entries = await bus._log.read(ANALYSIS, "NIFTY", "0-0", 1000, 0)
    return [entry.message for entry in entries] if len(entries) >= count else []


async def test_whoever_is_told_to_stop_while_redis_is_away_ends(tmp_path):
    server = Server(tmp_path)
    url = server.start()
    feeder, reader = RedisBus(url, "feeder"), RedisBus(url, "reader")
    await feeder.declare(["NIFTY"])
    await feeder.publish("NIFTY", [], pulse(1))

    async def sink(entries):
        pass

    working = [
        asyncio.ensure_future(work)
        for work in (reader.own(ROLE), reader.share("db", [TICKS], sink))
    ]
    await eventually(lambda: _analyses(reader, 1))
    server.stop()
    await eventually(reader.problems)
    feeding = asyncio.ensure_future(feeder.publish("NIFTY", [], pulse(2)))
    await asyncio.gather(reader.stop(), feeder.stop())

    await asyncio.wait_for(asyncio.gather(*working), 8)
    with pytest.raises(BusDown):
        await asyncio.wait_for(feeding, 8)
    await reader.close()
    await feeder.close()


async def test_a_connection_that_another_call_closed_is_an_outage_in_a_cluster_and_a_fault_elsewhere() -> (
    None
):
    async def trip() -> None:
        raise AttributeError("'NoneType' object has no attribute 'writelines'")

    cluster, alone = (
        Client("redis+cluster://127.0.0.1:1"),
        Client("redis://127.0.0.1:1"),
    )
    with pytest.raises(BusDown, match=r"127\.0\.0\.1:1 does not answer"):
        await cluster.ask(trip())
    with pytest.raises(AttributeError):
        await alone.ask(trip())


async def test_what_the_client_said_brings_no_full_stop_into_our_sentence():
    client = Client("redis://127.0.0.1:1")

    with pytest.raises(BusDown, match=r"does not answer: .*[^.]$"):
        await client.ask(client.redis.ping())
