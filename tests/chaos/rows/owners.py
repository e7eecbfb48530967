"""Owners that are killed, stopped, told to go, cut off: rows 1 to 5 and 39."""

import asyncio
import time
from collections import Counter

from tests.chaos.case import Case, Row
from tests.chaos.replica import Replica
from tests.chaos.waiting import until
from tests.chaos.world import World

LEASE_S = 3.0
_REPLICAS = ("analytics",) * 3


async def kill_the_owner(case: Case) -> None:
    """Row 1: SIGKILL; another takes its underlyings over once the lease has run out."""
    world = case.world
    await world.start(*_REPLICAS)
    async with case.fed(beats_per_s=1.0):
        for _ in case.each_fault():
            await _kill(case)
            await world.ready()


async def stop_the_owner_past_its_lease(case: Case) -> None:
    """Row 2: SIGSTOP until another has taken over, then SIGCONT: what it still wants to write is refused."""
    world = case.world
    await world.start(*_REPLICAS)
    async with case.fed(beats_per_s=1.0):
        for _ in case.each_fault():
            await _stop_past_the_lease(case)
            await world.ready()
    case.expect(
        await world.count("oi_bus_fenced_total", "oi_bus_diverged_total") > 0,
        "no write was refused, so no stopped owner tried any",
    )


async def stop_the_owner_below_its_lease(case: Case) -> None:
    """Row 3: SIGSTOP for less than the lease: nobody takes over."""
    world = case.world
    await world.start(*_REPLICAS)
    async with case.fed():
        before = await _settled_epochs(world)
        for _ in case.each_fault():
            victim, _ = await world.owner()
            await _stop_below_the_lease(world, victim)
            await asyncio.sleep(0.5)
        after = await _epochs(world)
    moved = [each for each in world.partitions if before[each] != after[each]]
    case.expect(not moved, f"taken over although the lease was valid: {', '.join(moved)}")


async def tell_the_owner_to_go(case: Case) -> None:
    """Row 4: scale 1 → 3, restart one after the other by SIGTERM, scale 3 → 1."""
    world = case.world
    await world.start("analytics")
    async with case.fed():
        await world.ready(world.replica("analytics"), world.replica("analytics"))
        await _shared_out(world)
        for _ in case.each_fault():
            await _terminate(case)
            await world.ready(world.replica("analytics"))
            await _shared_out(world)
        for _ in range(2):
            await _terminate(case)
    expired = await world.count('oi_bus_takeover_total{how="expired"}')
    case.expect(not expired, f"{expired} partitions were taken only when their lease had run out")


async def mix_it_all(case: Case) -> None:
    """Row 5: rows 1 to 4 and cut connections, at random, for some minutes."""
    world = case.world
    await world.start(*_REPLICAS)
    until = time.monotonic() + 60 * case.minutes
    faults = (_kill, _stop_past_the_lease, _pause, _restart, _cut_connections)
    async with case.fed():
        while time.monotonic() < until:
            case.fault()
            await world.dice.choice(faults)(case)
            await asyncio.sleep(world.dice.uniform(0, 1))
    case.recoveries.clear()  # faults overlap here, so none has a recovery of its own
    case.silences.clear()


async def split_the_network(case: Case) -> None:
    """Row 39: one replica's connections carry nothing for a while, and are gone afterwards (by its proxy)."""
    world = case.world
    await world.server.start()
    proxies = {}
    for _ in _REPLICAS:
        proxy = await world.proxy()
        proxies[world.replica("analytics", through=proxy)] = proxy
    await world.ready()
    async with case.fed():
        for _ in case.each_fault():
            victim, owned = await world.owner()
            mark = await case.mark(victim, owned)
            proxies[victim].stall()
            await case.taken_over(mark)
            proxies[victim].flow()
            await world.ready()


# --- faults ------------------------------------------------------------------------------------------------------------


async def _kill(case: Case) -> None:
    victim, owned = await case.world.owner()
    await victim.look()
    mark = await case.mark(victim, owned)
    await victim.kill()
    case.world.replica("analytics")
    await case.taken_over(mark)


async def _stop_past_the_lease(case: Case) -> None:
    victim, owned = await case.world.owner()
    mark = await case.mark(victim, owned)
    victim.stop()
    try:
        await case.taken_over(mark)
    finally:
        victim.go_on()


async def _pause(case: Case) -> None:
    victim, _ = await case.world.owner()
    await _stop_below_the_lease(case.world, victim)


async def _stop_below_the_lease(world: World, victim: Replica) -> None:
    victim.stop()
    await asyncio.sleep(world.dice.uniform(0.2, 0.5) * LEASE_S)
    victim.go_on()


async def _terminate(case: Case) -> None:
    victim, owned = await case.world.owner()
    await victim.look()
    mark = await case.mark(victim, owned)
    victim.terminate()
    await case.taken_over(mark)
    code = await victim.ended(within_s=10)
    case.expect(code == 0, f"told to stop, {victim.name} ended with code {code}")


async def _restart(case: Case) -> None:
    await _terminate(case)
    case.world.replica("analytics")


async def _cut_connections(case: Case) -> None:
    await case.world.server.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # fmt: skip


# --- looking -----------------------------------------------------------------------------------------------------------


async def _epochs(world: World) -> dict[str, str]:
    return {
        each: (await world.record("analytics", each)).get("epoch", "") for each in world.partitions
    }


async def _settled_epochs(world: World) -> dict[str, str]:
    """Return the epochs once all is owned and nothing has moved for a while."""
    before = await _epochs(world)
    while True:
        await asyncio.sleep(2)
        now = await _epochs(world)
        if now == before and all(now.values()):
            return now
        before = now


async def _shared_out(world: World) -> None:
    """Wait until no living replica has more than its share, and none has less."""
    share = len(world.partitions) // len(world.alive("analytics"))

    async def is_even() -> bool:
        counts = Counter((await world.owners("analytics")).values())
        names = {replica.name for replica in world.alive("analytics")}
        return set(counts) == names and set(counts.values()) == {share}

    await until(is_even, f"share out {share} to each", within_s=20)


ROWS = (
    Row(
        number=1,
        name="SIGKILL the owner",
        inject=kill_the_owner,
        faults=50,
        quick=2,
        protection="restore",
        silence_s=4.0,
    ),
    Row(
        number=2,
        name="SIGSTOP the owner past its lease",
        inject=stop_the_owner_past_its_lease,
        faults=50,
        quick=2,
        protection="fence,cursor,ids",
        silence_s=4.0,
    ),
    Row(
        number=3,
        name="SIGSTOP below the lease",
        inject=stop_the_owner_below_its_lease,
        faults=50,
        quick=0,
        protection="lease",
    ),
    Row(
        number=4,
        name="SIGTERM, scale 1-3-1",
        inject=tell_the_owner_to_go,
        faults=30,
        quick=1,
        protection="release",
        silence_s=1.5,
    ),
    Row(
        number=5,
        name="mix of 1-4 and cuts",
        inject=mix_it_all,
        faults=0,
        quick=0,
        protection="restore",
        seeds=5,
    ),
    Row(
        number=39,
        name="network split (proxy)",
        inject=split_the_network,
        faults=10,
        quick=0,
        protection="fence,cursor,ids",
    ),
)
