"""The producer and the coach as the ones that are hit: rows 6 and 7."""

import asyncio
from itertools import pairwise

from oimon import codec
from oimon.messages import ADVICE_MINIMAL, TICKS, Beat, Session
from tests.chaos.case import Case, Row
from tests.chaos.world import World

SPEED = 30
"""Times real time that the recorded day is played at."""


async def hit_ingest(case: Case) -> None:
    """Row 6: SIGKILL and SIGSTOP ingest, a second one stands by: the day goes on after the last beat of its run."""
    world = case.world
    world.partitions = ("NIFTY",)
    await world.start("analytics")
    for _ in range(2):
        world.replica("ingest", FEED="replay", SPEED=str(SPEED))
    for number in case.each_fault():
        await asyncio.sleep(1)
        victim, owned = await world.owner("ingest")
        mark = await case.mark(victim, owned)
        if number % 2:
            victim.stop()
        else:
            await victim.kill()
            world.replica("ingest", FEED="replay", SPEED=str(SPEED))
        await case.taken_over(mark, TICKS)
        victim.go_on()
        await world.ready(*world.alive("analytics"))
    await asyncio.sleep(1)
    for replica in world.alive("ingest"):
        replica.terminate()
        await replica.ended(within_s=10)
    await world.settled()
    await _expect_one_day(case, world)


async def _expect_one_day(case: Case, world: World) -> None:
    """Expect one run, whose beats follow each other second by second."""
    runs, beats = set(), []
    for each in await world.written(TICKS, "NIFTY"):
        entry = each.entry
        if entry.kind in ("session", "beat"):
            match codec.decode(entry.kind, entry.version, entry.data):
                case Session(run=run):
                    runs.add(run)
                case Beat(ts_us=ts_us):
                    beats.append(ts_us)
    case.expect(len(runs) == 1, f"the day was begun {len(runs)} times")
    odd = sum(1 for before, after in pairwise(beats) if after - before != 1_000_000)
    case.expect(not odd, f"{odd} beats are not the second after the one before")


async def kill_a_coach(case: Case) -> None:
    """Row 7: SIGKILL the owner among three coaches: advice goes on, and each bears the id of one analysis (the audit)."""
    world = case.world
    await world.start("analytics", "coach-minimal", "coach-minimal", "coach-minimal")
    async with case.fed(beats_per_s=2.0):
        for _ in case.each_fault():
            victim, owned = await world.owner("coach-minimal")
            await victim.look()
            mark = await case.mark(victim, owned)
            await victim.kill()
            world.replica("coach-minimal")
            await case.taken_over(mark, ADVICE_MINIMAL)
            await world.ready()


ROWS = (
    Row(
        number=6,
        name="SIGKILL, SIGSTOP ingest of 2",
        inject=hit_ingest,
        faults=20,
        quick=2,
        protection="beat-once",
        recovery_s=5.0,
    ),
    Row(
        number=7,
        name="SIGKILL coach-minimal of 3",
        inject=kill_a_coach,
        faults=30,
        quick=0,
        protection="long-lease",
        recovery_s=4.0,
    ),
)
