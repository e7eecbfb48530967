"""From where on an audit can do the work again."""

import pytest

from oimon.audit.recomputing import Recomputation
from oimon.bus import Entry, Keeping, Output, Role
from oimon.bus.memory import MemoryLog, MemoryStore
from oimon.bus.snapshot import Snapshot
from oimon.codec import encode
from oimon.messages import ANALYSIS, TICKS
from tests.builders import make_session
from tests.summing import gap, text


def handle(state: int, entry: Entry):
    """Add up the gaps; say the sum with each, and begin at nought with each session."""
    if entry.kind == "session":
        return 0, []
    total = state + entry.message.from_us
    return total, [Output(ANALYSIS, text(f"{total}"))]


ROLE = Role(
    name="analytics",
    reads=TICKS,
    writes=ANALYSIS,
    start=lambda _: 0,
    handle=handle,
    keeping=Keeping(schema=1, freeze=lambda state: b"%d" % state, thaw=lambda _, kept: int(kept)),
)


def entry(n: int, kind: str, message) -> Entry:
    data = encode(message)
    return Entry(
        stream=TICKS,
        partition="NIFTY",
        id=f"{n}-0",
        kind=kind,
        version=1,
        data=data,
        n=n,
        at_ms=n,
    )


def session(n: int, run: str) -> Entry:
    return entry(n, "session", make_session(run=run))


def gap_at(n: int) -> Entry:
    return entry(n, "gap", gap(n))


async def recomputed(entries, snapshot: Snapshot | None = None) -> list[str | None]:
    """Return what is said to the last output of each entry; ``None`` where nobody can know."""
    again = Recomputation(
        MemoryLog(MemoryStore(), "audit"),
        ROLE,
        "NIFTY",
        passed_over=(),
        snapshot=snapshot,
    )
    found = [await again.take(each) for each in entries]
    return [
        None if outputs is None else "".join(each.message.text for each in outputs)
        for outputs in found
    ]


async def test_it_begins_with_a_run_and_not_with_a_session_of_one_that_has_begun():
    log = [session(5, "a"), gap_at(6), session(7, "a"), gap_at(8), session(9, "b"), gap_at(10)]

    assert await recomputed(log) == [None, None, None, None, "", "10"]


async def test_it_begins_with_the_first_entry_of_all():
    assert await recomputed([gap_at(1), gap_at(2)]) == ["1", "3"]


@pytest.mark.parametrize(("first", "told"), [(5, [None, None, "107"]), (7, ["107", "115", "124"])])
async def test_it_begins_after_the_snapshot_also_where_what_was_before_is_gone(first, told):
    kept = Snapshot(cursor="6-0", n=6, state=b"100")

    assert await recomputed([gap_at(first + i) for i in range(3)], kept) == told


async def test_it_does_not_begin_where_something_after_the_snapshot_is_gone():
    kept = Snapshot(cursor="6-0", n=6, state=b"100")

    assert await recomputed([gap_at(8), gap_at(9)], kept) == [None, None]
