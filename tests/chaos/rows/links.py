"""Connections that lose replies, are late, are cut: rows 8 and 17."""

import asyncio
import hashlib
from itertools import cycle, islice

from tests.chaos.case import Case, Row
from tests.chaos.waiting import until
from tests.chaos.without import script_text

SCRIPTS = ("commit", "publish", "acquire", "members")
LATE_S = 0.1
"""Each way: the reply comes 200 ms after the request."""
CUT_SHARE = 0.02


async def lose_replies(case: Case) -> None:
    """Row 8: the script has run, but nobody hears so: its caller must not guess."""
    world = case.world
    await world.server.start()
    proxy = await world.proxy()
    for _ in range(2):
        world.replica("analytics", through=proxy)
    await world.ready()
    async with case.fed(through=proxy):
        for script in islice(cycle(SCRIPTS), case.wanted):
            losing = asyncio.ensure_future(
                proxy.lose_reply(_calls_of(script_text(script, world.removed)), within_s=10)
            )
            await asyncio.sleep(0)
            if script == "acquire":
                proxy.cut()  # while all goes well, commits renew the lease
            if await losing:
                case.fault()
            else:
                case.expect(False, f"nobody called the script {script} for 10 s")  # noqa: FBT003 - it is so
        await world.ready()


async def delay_and_cut(case: Case) -> None:
    """Row 17: replies 200 ms late, one request in fifty cut in half together with its connection."""
    world = case.world
    await world.server.start()
    proxy = await world.proxy()
    for _ in range(2):
        world.replica("analytics", through=proxy)
    await world.ready()

    async def enough() -> bool:
        return proxy.cuts >= case.wanted

    async with case.fed(through=proxy, beats_per_s=2.0):
        proxy.delay_s, proxy.cut_share = LATE_S, CUT_SHARE
        await until(enough, f"cut {case.wanted} connections", within_s=300)
        case.fault(proxy.cuts)
        proxy.cut_share = 0.0
        with case.timed():
            await world.settled(within_s=10)
        proxy.delay_s = 0.0


def _calls_of(text: str) -> tuple[bytes, bytes]:
    """Return what a call of a script holds: the name that the server gave it, or, the first time, its first line."""
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return sha.encode(), text.splitlines()[0].encode()


ROWS = (
    Row(
        number=8,
        name="reply lost after each script",
        inject=lose_replies,
        faults=200,
        quick=16,
        protection="pseq",
    ),
    Row(
        number=17,
        name="200 ms late, 2 % cut, half frames",
        inject=delay_and_cut,
        faults=60,
        quick=5,
        protection="pseq,restore",
    ),
)
