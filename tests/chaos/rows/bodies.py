"""Processes that hurt themselves, or are told a wrong time: rows 15, 38, 41 and 42."""

import asyncio
import resource
from collections.abc import Callable, Mapping

from oimon import codec
from oimon.messages import ANALYSIS, Gap
from tests.chaos.case import CannotRun, Case, Row
from tests.chaos.planted import EAT, HANG
from tests.chaos.replica import Replica
from tests.chaos.server import faked_clock, has_faked_clocks
from tests.chaos.waiting import until
from tests.chaos.world import World

HUNG_CODE = 70
OFF_S = 600
_REPEATS = 4
_ANALYSES_KEPT = 1000
_GROWTH = 1.1
_MEMORY = 4 << 30
_NO_MORE, _DESCRIPTORS = 3, 256
_OFFSET = "oi_clock_offset_seconds"


async def turn_a_replica_s_clock(case: Case) -> None:
    """Row 15: two replicas whose clocks are ten minutes off: their metric says so, and the log is none the worse."""
    if not has_faked_clocks():
        raise CannotRun("libfaketime is not installed")
    world = case.world
    await world.start("analytics")
    off = {_off(world, sign): sign * OFF_S for sign in (1, -1)}
    async with case.fed():
        await world.ready()
        for replica, seconds in off.items():
            case.fault()
            offset = (await replica.look())[_OFFSET]
            case.expect(
                abs(abs(offset) - OFF_S) < 5,
                f"a clock {seconds} s off is said to be {offset:.0f} s off",
            )
        for _ in range(max(0, case.wanted - len(off))):
            case.fault()
            victim, owned = await world.owner()
            await victim.look()
            mark = await case.mark(victim, owned)
            await victim.kill()
            _off(world, world.dice.choice((1, -1)))
            await case.taken_over(mark)
            await world.ready()


def _off(world: World, sign: int) -> Replica:
    return world.replica("analytics", **faked_clock(sign * OFF_S))


async def block_the_loop(case: Case) -> None:
    """Row 38: a bug blocks the owner's event loop: its watchdog ends it, another takes over."""
    await _hit_the_planted(case, "hangs", HANG, lambda code: code == HUNG_CODE)


async def reach_the_memory_limit(case: Case) -> None:
    """Row 41, memory: an owner that may not have what it asks for ends; another takes over."""
    await _hit_the_planted(
        case, "hungry", EAT, lambda code: code > 0, {resource.RLIMIT_AS: _MEMORY}
    )


async def _hit_the_planted(
    case: Case,
    mistake: str,
    word: str,
    is_right: Callable[[int], bool],
    limits: Mapping[int, int] | None = None,
) -> None:
    """Let one replica among honest ones come upon an entry that its planted mistake cannot bear."""
    world = case.world
    await world.start("analytics")
    async with case.fed():
        for _ in case.each_fault():
            victim = world.replica("analytics", planted=(mistake,), limits=limits)
            await world.ready()
            owned = await _owned_by(world, victim)
            mark = await case.mark(victim, owned)
            await world.plant(owned[0], "gap", codec.encode(Gap(from_us=0, to_us=0, why=word)))
            code = await victim.ended(within_s=20)
            case.expect(is_right(code), f"it ended with code {code}")
            await case.taken_over(mark)


async def _owned_by(world: World, replica: Replica) -> list[str]:
    async def found() -> list[str]:
        owners = await world.owners("analytics")
        return [partition for partition, owner in owners.items() if owner == replica.name]

    return await until(found, "give the newcomer its share", within_s=20)


async def reach_the_limits(case: Case) -> None:
    """Row 41: first memory, then descriptors: whoever cannot connect any more is succeeded, and stops when told."""
    await reach_the_memory_limit(case)
    world = case.world
    async with case.fed():
        for _ in case.each_fault():
            world.replica("analytics")
            await world.ready()
            victim, owned = await world.owner()
            mark = await case.mark(victim, owned)
            pid = victim.process.pid
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (_NO_MORE, _DESCRIPTORS))
            await world.server.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # fmt: skip
            await case.taken_over(mark)
            held = victim.process.descriptors()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (held, _DESCRIPTORS))
            victim.terminate()  # it may have as many as it has: the loop itself asks for two as it ends
            code = await victim.ended(within_s=10)
            case.expect(code == 0, f"told to stop, it ended with code {code}")


async def play_a_whole_day(case: Case) -> None:
    """Row 42: 24 hours of beats as fast as they go; memory and keys stand still once the windows are full."""
    world = case.world
    world.partitions = ("NIFTY",)
    world.may_lose = True
    (analytics,) = await world.start("analytics")
    await analytics.kill()
    analytics = world.replica("analytics", ANALYSIS_KEEP=str(_ANALYSES_KEPT), TICKS_KEEP_S="300")
    await world.ready(analytics)
    sizes = []
    for _ in range(_REPEATS):
        case.fault()
        ingest = world.replica("ingest", FEED="replay", SPEED="max", TICKS_KEEP_S="300")
        await _day_ended(ingest)
        await world.settled(within_s=900)
        sizes.append((analytics.process.resident_mb(), await world.server.client.dbsize()))
        ingest.terminate()
        await ingest.ended(within_s=10)
        await asyncio.sleep(11)  # its status has expired, so that keys can be compared
    (held_mb, keys), (held_now_mb, keys_now) = sizes[1], sizes[-1]
    case.expect(
        held_now_mb <= held_mb * _GROWTH,
        f"analytics grew from {held_mb:.0f} to {held_now_mb:.0f} MB",
    )
    case.expect(keys_now <= keys, f"keys grew from {keys} to {keys_now}")
    kept = await world.server.client.xlen(f"{ANALYSIS}:{{NIFTY}}")
    case.expect(kept <= _ANALYSES_KEPT * _GROWTH, f"{kept} analyses are kept")


async def _day_ended(ingest: Replica) -> None:
    async def is_so() -> bool:
        status, body = await ingest.get("/status")
        return status == 200 and b'"state":"ended"' in body

    await until(is_so, "play the day to its end", within_s=900)


ROWS = (
    Row(
        number=15,
        name="replica's clock ±10 min",
        inject=turn_a_replica_s_clock,
        faults=8,
        quick=0,
        protection="clock-offset",
        silence_s=4.0,
    ),
    Row(
        number=38,
        name="event loop blocked by a bug",
        inject=block_the_loop,
        faults=5,
        quick=1,
        protection="watchdog",
    ),
    Row(
        number=41,
        name="memory and descriptor limit",
        inject=reach_the_limits,
        faults=3,
        quick=0,
        protection="restore",
    ),
    Row(
        number=42,
        name="24 h of beats at full speed",
        inject=play_a_whole_day,
        faults=_REPEATS,
        quick=0,
        protection="trim",
    ),
)
