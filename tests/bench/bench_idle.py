"""What a whole exchange costs Redis while nothing happens: 200 underlyings, owned in every role, against the share it may take.

Owners wait for entries, renew leases and look who else is there; ingest has published once and keeps the lead. All of them live in
this process, whose own CPU does not count; each role has a bus, thus connections, of its own. Asserted first: every partition of
every role is owned and restored, also at the end.
"""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
from redis.asyncio import Redis

from oimon.bus import Pulse, Role
from oimon.bus.redis import RedisBus
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, TICKS
from oimon.terms import FeedState, MarketState
from tests.bench.harness import Result, main, server_cpu_s
from tests.chaos.waiting import until
from tests.integration.conftest import a_server

UNDERLYINGS = [f"IDLE{number}" for number in range(200)]
ROLES = {
    "analytics": (TICKS, ANALYSIS),
    "coach-minimal": (ANALYSIS, ADVICE_MINIMAL),
    "coach-rich": (ANALYSIS, ADVICE_RICH),
}
SHARE = 0.05  # of one core
READY_S = 60.0
SETTLED_S = 4.0  # all start in one moment here, and a lease may run out before its first renewal; a lease later none does
PULSE = Pulse(run="bench", market=MarketState.CLOSED, feed=FeedState.ENDED, age_ms=None)


def role(name: str) -> Role[None]:
    """Return a role that reads, and answers nothing."""
    reads, writes = ROLES[name]
    return Role(
        name=name,
        reads=reads,
        writes=writes,
        start=lambda partition: None,
        handle=lambda state, entry: (state, []),
    )


@contextlib.asynccontextmanager
async def everything_owned(url: str) -> AsyncIterator[list[RedisBus]]:
    """Give the buses of all roles, when they own all that there is; they hand it back at the end."""
    ingest, *owners = buses = [RedisBus(url, f"bench-{name}") for name in ("ingest", *ROLES)]

    async def publish_once() -> None:
        for name in UNDERLYINGS:
            await ingest.publish(name, [], PULSE)
        await asyncio.Event().wait()

    async def are_ready() -> bool:
        return all(_owns_all(bus) for bus in buses)

    await ingest.declare(UNDERLYINGS)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ingest.lead(publish_once))
        for name, bus in zip(ROLES, owners, strict=True):
            tasks.create_task(bus.own(role(name)))
        await until(are_ready, "own everything", within_s=READY_S)
        yield buses
        assert await are_ready(), "a partition was lost"
        for bus in buses:
            await bus.stop()
    for bus in buses:
        await bus.close()


def _owns_all(bus: RedisBus) -> bool:
    held = {each.partition for each in bus.held() if each.restored}
    return held >= set(UNDERLYINGS)


async def measure(url: str, rounds: int, seconds: float) -> list[float]:
    """Return the server's CPU time of each round, in µs a second."""
    spent_us = []
    async with Redis.from_url(url) as client, everything_owned(url):
        await asyncio.sleep(SETTLED_S)
        for _ in range(rounds):
            before_s = await server_cpu_s(client)
            started_s = asyncio.get_running_loop().time()
            await asyncio.sleep(seconds)
            passed_s = asyncio.get_running_loop().time() - started_s
            spent_us.append((await server_cpu_s(client) - before_s) * 1e6 / passed_s)
    return spent_us


def run(quick: bool) -> list[Result]:
    """Return the comparison with the share of a core that it may take."""
    with (
        tempfile.TemporaryDirectory() as folder,
        a_server(Path(folder)) as url,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        spent_us = runner.run(measure(url, 2 if quick else 4, 5.0 if quick else 10.0))
    return [Result.within("idle", len(UNDERLYINGS), ours_us=spent_us, limit_us=SHARE * 1e6)]


if __name__ == "__main__":
    sys.exit(main(run))
