"""Entries that are lost, poisoned, or of another version, and snapshots that lie: rows 18 to 21 and 40."""

import asyncio
import itertools
import signal

from oimon import codec
from oimon.messages import ADVICE_MINIMAL, ANALYSIS, TICKS, Gap
from oimon.terms import Action
from tests.chaos.case import Case, Row
from tests.chaos.planted import KILL
from tests.chaos.replica import Replica
from tests.chaos.waiting import until
from tests.chaos.world import World

KEPT_S = 6
AWAY_S = 15
PARKED_WITHIN_S = 2.0
MOST_CRASHES = 5
VERSION_S = 2
"""How long each of the two versions publishes."""
HOLES = "oi_bus_hole_entries_total"


async def sleep_through_the_retention(case: Case) -> None:
    """Row 18: analytics is stopped for longer than ticks are kept: the hole is counted exactly and told."""
    world = case.world
    world.partitions = ("NIFTY",)
    world.may_lose = True
    analytics, _ = await world.start("analytics", "coach-minimal")
    async with case.fed(beats_per_s=20.0, ticks_keep_s=KEPT_S) as feeder:
        await _snapshots_taken(world)
        expected = 0
        for _ in case.each_fault():
            await asyncio.sleep(1)
            analytics.stop()
            await asyncio.sleep(AWAY_S)
            feeder.send(signal.SIGSTOP)  # nothing more is trimmed until the hole has been counted
            expected += await _unread_and_gone(world)
            analytics.go_on()
            await _counted(analytics, expected)
            await _expect_caution(case)
            feeder.send(signal.SIGCONT)
    counted = await world.count(HOLES)
    case.expect(counted == expected, f"{counted} entries of a hole of {expected} were counted")


async def _unread_and_gone(world: World) -> int:
    first = (await world.written(TICKS, "NIFTY"))[0].entry.n
    read = int((await world.record("analytics", "NIFTY"))["in_n"])
    return max(0, first - read - 1)


async def _counted(replica: Replica, expected: int) -> None:
    async def is_so() -> bool:
        return (await replica.look())[HOLES] >= expected

    await until(is_so, f"count a hole of {expected}", within_s=15)


async def _expect_caution(case: Case) -> None:
    """Expect that the newest analysis says that it is gapped, and that the coach waits for that."""
    await case.world.settled()
    newest = (await case.world.newest(ANALYSIS, "NIFTY")).entry

    async def advised() -> bool:
        advice = await case.world.newest(ADVICE_MINIMAL, "NIFTY")
        return advice is not None and advice.entry.id == newest.id

    await until(advised, "advise on the newest analysis", within_s=10)
    advice = (await case.world.newest(ADVICE_MINIMAL, "NIFTY")).entry.message
    case.expect(
        newest.message.is_gapped, "after a hole the analysis does not say that it is gapped"
    )
    case.expect(advice.action is Action.WAIT, f"after a hole the coach said {advice.action}")


async def kill_by_an_entry(case: Case) -> None:
    """Row 19: an entry that kills whoever reads it is parked in the end, and the rest goes on."""
    world = case.world
    await world.server.start()
    for _ in range(2):
        world.replica("analytics", planted=("lethal",))
    await world.ready()
    async with case.fed(beats_per_s=2.0):
        for number in case.each_fault():
            partition = world.partitions[number % len(world.partitions)]
            deaths = await _restart_until_parked(case, partition)
            case.expect(deaths <= MOST_CRASHES, f"parked after {deaths} crashes")
            await world.ready()


async def _restart_until_parked(case: Case, partition: str) -> int:
    """Plant a deadly entry, start anew whoever dies of it; return how many did."""
    world = case.world
    data = codec.encode(Gap(from_us=0, to_us=0, why=KILL))
    entry_id = await world.plant(partition, "gap", data)
    before = len(world.replicas)

    async def is_parked() -> bool:
        dead = len(world.replicas) - len(world.alive())
        for _ in range(dead - (len(world.replicas) - 2)):
            world.replica("analytics", planted=("lethal",))
        return entry_id in {id_ for id_, _ in await world.parked(partition)}

    with case.timed():
        await until(is_parked, "park the deadly entry", within_s=60)
    return len(world.replicas) - before


async def plant_rubbish(case: Case) -> None:
    """Row 20: what cannot be decoded, is of no known kind or schema, or is too large is parked at once."""
    world = case.world
    large = codec.encode(Gap(from_us=0, to_us=0, why="x")).replace(b"x", b"x" * (1 << 20))
    rubbish = itertools.cycle(
        [
            ("gap", b"{", 1),
            ("novelty", b"{}", 1),
            ("gap", codec.encode(Gap(from_us=0, to_us=0, why="")), 0),
            ("gap", large, 1),
            ("ticks", bytes(1), 1),
        ]
    )
    await world.start("analytics", "analytics")
    async with case.fed():
        for number in case.each_fault():
            kind, data, version = next(rubbish)
            partition = world.partitions[number % len(world.partitions)]
            entry_id = await world.plant(partition, kind, data, version=version)

            async def reason(partition: str = partition, entry_id: str = entry_id) -> str:
                return dict(await world.parked(partition)).get(entry_id, "")

            with case.timed():
                await until(reason, f"park rubbish of kind {kind}", within_s=20)
    case.expect(all(each.is_alive for each in world.replicas), "a replica died of it")


async def spoil_snapshots(case: Case) -> None:
    """Row 21: snapshots torn, changed, of another schema, gone; then the owner is killed: the log alone must do."""
    world = case.world
    await world.start("analytics", "analytics", "analytics")
    async with case.fed(beats_per_s=10.0):
        await _snapshots_taken(world)
        for number in case.each_fault():
            victim, owned = await world.owner()
            await victim.look()
            for partition in owned:
                await _spoil(world, f"oi.snap:{{{partition}}}:analytics", number)
            mark = await case.mark(victim, owned)
            await victim.kill()
            world.replica("analytics")
            await case.taken_over(mark)
            await world.ready()


async def _snapshots_taken(world: World) -> None:
    keys = [f"oi.snap:{{{partition}}}:analytics" for partition in world.partitions]

    async def are_there() -> bool:
        return await world.server.client.exists(*keys) == len(keys)

    await until(are_there, "take a snapshot of each", within_s=30)


async def _spoil(world: World, key: str, number: int) -> None:
    client = world.server.client
    data = await client.get(key) or b""
    middle = len(data) // 2
    match number % 6:
        case 0:
            await client.delete(key)
        case 1:
            await client.set(key, data[:middle])
        case 2:
            await client.set(key, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        case 3:
            await client.set(key, data.replace(b'"schema":', b'"schema":9', 1))
        case 4:
            await client.set(key, data.replace(b'"cursor":"1', b'"cursor":"0', 1))
        case 5:
            await client.set(key, b"rubbish")


async def run_two_versions(case: Case) -> None:
    """Row 40: a producer of a newer version, whose messages say more, beside services of this one, and back."""
    world = case.world
    await world.start("analytics", "analytics", "coach-minimal")
    for number in case.each_fault():
        planted = ("newer",) if number % 2 == 0 else ()
        async with case.fed(planted=planted):
            await asyncio.sleep(VERSION_S)
    parked = [each for partition in world.partitions for each in await world.parked(partition)]
    case.expect(not parked, f"parked without a reason: {parked}")


ROWS = (
    Row(
        number=18,
        name="reader stopped past the retention",
        inject=sleep_through_the_retention,
        faults=3,
        quick=0,
        protection="holes",
    ),
    Row(
        number=19,
        name="entry that kills the process",
        inject=kill_by_an_entry,
        faults=3,
        quick=0,
        protection="parking",
    ),
    Row(
        number=20,
        name="undecodable, unknown, 1 MB entries",
        inject=plant_rubbish,
        faults=20,
        quick=5,
        protection="poison",
        recovery_s=PARKED_WITHIN_S,
    ),
    Row(
        number=21,
        name="snapshot torn, changed, old, gone",
        inject=spoil_snapshots,
        faults=12,
        quick=0,
        protection="refusal",
    ),
    Row(
        number=40,
        name="two versions side by side",
        inject=run_two_versions,
        faults=4,
        quick=2,
        protection="unknown-fields",
    ),
)
