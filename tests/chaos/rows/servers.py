"""A server that dies, forgets, freezes, fills up, loses its sense of time: rows 9 to 14 and 16."""

import asyncio
import contextlib
import subprocess
from functools import partial
from pathlib import Path

from redis.exceptions import ResponseError

from oimon.messages import ANALYSIS
from tests.chaos.case import CannotRun, Case, Row
from tests.chaos.replica import Replica
from tests.chaos.server import UNSET_MAXMEMORY, Server, has_faked_clocks
from tests.chaos.waiting import until
from tests.chaos.world import World

READY_S = 5.0
"""All must be ready so long after Redis answers again."""
_AWAY_S = (1, 1, 5, 1, 1, 5, 1, 1, 60, 1)
_FEEDER_GROWS_MB = 50
_DISK_MB = 24


async def kill_redis(case: Case) -> None:
    """Row 9: SIGKILL, back after 1, 5 or 60 s: what it had acknowledged is there."""
    world = case.world
    await world.start("analytics", "analytics", "coach-minimal")
    async with case.fed() as feeder:
        held_mb = feeder.resident_mb()
        for number in case.each_fault():
            world.server.kill()
            await asyncio.sleep(_AWAY_S[number % len(_AWAY_S)])
            await world.server.start()
            await _works_again(case)
        grown_mb = feeder.resident_mb() - held_mb
    case.expect(grown_mb < _FEEDER_GROWS_MB, f"the feeder grew by {grown_mb:.0f} MB")


async def cut_the_log_back(case: Case) -> None:
    """Row 10: a power cut takes the last second of the log, now and then in the middle of an entry."""
    world = case.world
    world.may_lose = True
    await world.start("analytics", "analytics")
    async with case.fed():
        for number in case.each_fault():
            await asyncio.sleep(2)
            size = world.server.log_size()
            await asyncio.sleep(1)
            world.server.kill()
            world.server.cut_log(size - 7 * (number % 2))
            await world.server.start()
            await _works_again(case)
    case.expect(await world.count("oi_bus_rollback_total"), "no rollback was counted")


async def start_in_any_order(case: Case) -> None:
    """Row 11: everything is started in another order each time, first of all with Redis last."""
    world = case.world
    parts = ["analytics", "coach-minimal", "feed", "redis"]
    for number in case.each_fault():
        if number:
            world.server.kill()
            world.dice.shuffle(parts)
        await _start_parts(case, parts)
        await world.end_feed()
        await world.settled()
        for replica in world.alive():
            replica.terminate()
            await replica.ended(within_s=10)


async def _start_parts(case: Case, parts: list[str]) -> None:
    world = case.world
    for part in parts:
        if part == "redis":
            for replica in world.alive():
                await until(partial(_is_up, replica), f"start {replica.service}", within_s=20)
            await world.server.start()
        elif part == "feed":
            feeder = world.feed()
        else:
            world.replica(part)
        await asyncio.sleep(0.5)
    with case.timed():
        await world.ready(within_s=20)
    await world.feeding(feeder)


async def _is_up(replica: Replica) -> bool:
    """Say whether it has come far enough to miss Redis, or has ended over that."""
    return not replica.is_alive or bool((await replica.get("/healthz"))[0])


async def freeze_redis(case: Case) -> None:
    """Row 12: Redis takes six seconds to answer, by SIGSTOP or by a script that sleeps; nothing is poison for that."""
    world = case.world
    await world.start("analytics", "analytics", "coach-minimal")
    async with case.fed():
        for number in case.each_fault():
            if number % 2:
                await world.server.client.execute_command("DEBUG", "SLEEP", "6")
            else:
                world.server.freeze()
                await asyncio.sleep(6)
                world.server.thaw()
            await _works_again(case)
    parked = [each for partition in world.partitions for each in await world.parked(partition)]
    case.expect(not parked, f"parked without a reason: {parked}")


async def fill_redis_up(case: Case) -> None:
    """Row 13: out of memory, then a full disk, then room again: writes wait, nobody restarts."""
    world = case.world
    disk = _small_disk(world)
    await world.start("analytics", "analytics", "coach-minimal")
    async with case.fed():
        for number in case.each_fault():
            if number % 2 and disk is not None:
                ballast = _fill(disk)
                await _expect_no_writes(case, "MISCONF")
                ballast.unlink()
            else:
                await world.server.client.config_set("maxmemory", "1mb")
                await _expect_no_writes(case, "OOM")
                await world.server.client.config_set("maxmemory", UNSET_MAXMEMORY)
            await _works_again(case)
    gone = [each.service for each in world.replicas if not each.is_alive]
    case.expect(not gone, f"ended because Redis was full: {', '.join(gone)}")


async def turn_the_server_s_clock(case: Case) -> None:
    """Row 14: the server's clock jumps by an hour, forth and back, as an owner dies: its lease must not last an hour."""
    if not has_faked_clocks():
        raise CannotRun("libfaketime is not installed")
    world = case.world
    offset = world.folder / "clock"
    offset.write_text("+0", encoding="ascii")
    world.server = Server(world.folder / "server", clock=offset)
    await world.start("analytics", "analytics")
    async with case.fed():
        for number in case.each_fault():
            await asyncio.sleep(1)
            owner, _ = await world.owner()
            owner.stop()  # so that the deadline of its lease is of the time before
            offset.write_text(("-3600", "+0", "+3600", "+0")[number % 4], encoding="ascii")
            owner.process.kill()
            await _works_again(case)
            await world.start("analytics")


async def flush_redis(case: Case) -> None:
    """Row 16: FLUSHALL under load: records and groups are made anew, and nobody dies of it."""
    world = case.world
    world.may_lose = True
    await world.start("analytics", "analytics", "coach-minimal", "notifier")
    async with case.fed(beats_per_s=15):  # the session is said again every 60 beats
        for _ in case.each_fault():
            await asyncio.sleep(1)
            await world.server.client.flushall()
            await _works_again(case)
    gone = [each.service for each in world.replicas if not each.is_alive]
    case.expect(not gone, f"ended because the log was emptied: {', '.join(gone)}")
    case.expect(await world.count("oi_bus_rollback_total"), "no rollback was counted")


# --- helpers -----------------------------------------------------------------------------------------------------------


async def _works_again(case: Case) -> None:
    """Take down how long it is until all are ready and every underlying has a new analysis."""
    world = case.world
    before = {each: await world.newest(ANALYSIS, each) for each in world.partitions}

    async def has_news() -> bool:
        for partition, old in before.items():
            newest = await world.newest(ANALYSIS, partition)
            if newest is None or (old is not None and newest.entry.id == old.entry.id):
                return False
        return True

    with case.timed():
        await world.ready()
        await until(has_news, "make a new analysis of each", within_s=30)


def _small_disk(world: World) -> Path | None:
    """Put the server's log on a small disk of its own and return its folder; ``None`` where only root may mount one."""
    folder = world.folder / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return None
    world.at_end.callback(subprocess.run, ["umount", str(folder)], check=True)
    world.server = Server(world.folder / "server", data=folder)
    return folder


def _fill(disk: Path) -> Path:
    """Leave no room on the disk; return the file that takes it."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    return ballast


async def _expect_no_writes(case: Case, why: str) -> None:
    """Leave the server as it is for three seconds, and expect that it refuses a write by then."""
    await asyncio.sleep(3)
    refused = False
    try:
        await case.world.server.client.set("probe", "")
    except ResponseError:
        refused = True
    case.expect(refused, f"Redis took a write, {why} was expected")


ROWS = (
    Row(
        number=9,
        name="Redis killed, back after 1, 5, 60 s",
        inject=kill_redis,
        faults=10,
        quick=1,
        protection="aof",
        recovery_s=READY_S,
    ),
    Row(
        number=10,
        name="log cut back by 1 s",
        inject=cut_the_log_back,
        faults=10,
        quick=2,
        protection="drop,cursor,input,rollback",
    ),
    Row(
        number=11,
        name="started in any order, Redis last",
        inject=start_in_any_order,
        faults=8,
        quick=0,
        protection="patience",
        recovery_s=READY_S,
    ),
    Row(
        number=12,
        name="Redis frozen",
        inject=freeze_redis,
        faults=6,
        quick=0,
        protection="restore",
    ),
    Row(
        number=13,
        name="Redis out of memory, disk full",
        inject=fill_redis_up,
        faults=8,
        quick=2,
        protection="unwritable",
    ),
    Row(
        number=14,
        name="Redis' clock ±1 h",
        inject=turn_the_server_s_clock,
        faults=8,
        quick=0,
        protection="void-deadline",
        recovery_s=3.0,
    ),
    Row(
        number=16,
        name="FLUSHALL under load",
        inject=flush_redis,
        faults=6,
        quick=0,
        protection="fence,cursor,input,rollback",
    ),
)
