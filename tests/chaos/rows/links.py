"""Connections that lose replies, are late, are cut: rows 8 and 17."""

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
            words = hashlib.sha1(script_text(script, world.removed).encode()).hexdigest()  # noqa: S324 - as EVALSHA names it
            if await proxy.lose_reply(words.encode(), within_s=10):
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
        quick=8,
        protection="pseq,restore",
    ),
)
