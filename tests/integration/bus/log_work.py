"""What a producer and an owner do to a log, for its tests."""

import pytest

from oimon.bus import Entry
from oimon.bus.log import NEVER, Draft, Lease
from oimon.errors import LostOwnership
from oimon.messages import ANALYSIS, TICKS
from tests.integration.hand import ROLE, in_spite_of_hanging_up
from tests.summing import PULSE


async def take(log, role: str = ROLE, reads: str | None = TICKS) -> Lease:
    return (await log.acquire(role, "NIFTY", reads)).lease


async def feed(log, count: int = 3) -> list[Entry]:
    """Publish a few entries, as a producer does, and return all there are."""
    lease = await take(log, "ingest", None)
    await log.publish(lease, TICKS, 1, [("gap", b"%d" % i) for i in range(count)], PULSE)
    await log.release(lease)
    return list(await log.read(TICKS, "NIFTY", NEVER, 1000, 0))


def draft(entry: Entry, data: bytes = b"out") -> Draft:
    return Draft(entry.id, "text", data)


async def answer(log, lease: Lease, entry: Entry, snapshot: bytes | None = None) -> Lease:
    lease, _ = await log.commit(lease, TICKS, ANALYSIS, entry, [draft(entry)], snapshot)
    return lease


async def assert_cannot_write(log, lease: Lease, entry: Entry) -> None:
    """Try every write that needs a partition, by a replica that has lost it: each is refused, and giving it back leaves nothing."""
    for call in (
        lambda: log.publish(lease, ANALYSIS, 1, [], PULSE),
        lambda: log.commit(lease, TICKS, ANALYSIS, entry, [draft(entry)], b"state"),
        lambda: log.attempt(lease, entry.id),
        lambda: log.park(lease, entry, "why"),
        lambda: log.mark(lease, entry.id, "sent"),
    ):
        with pytest.raises(LostOwnership, match="FENCED"):
            await in_spite_of_hanging_up(call)
    await in_spite_of_hanging_up(lambda: log.release(lease, b"state"))
