"""Any sequence of calls has the same answers and leaves the same log on lists and on a server."""

import asyncio
import gc
import warnings

import pytest
import redis as redis_py
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from oimon.bus import Entry, Pulse, Use
from oimon.bus.log import NEVER, Draft, Grant, Lease, Log
from oimon.bus.memory import MemoryLog, MemoryStore
from oimon.bus.redis import RedisLog
from oimon.codec import encode
from oimon.errors import LostOwnership
from oimon.messages import ANALYSIS, TICKS, Gap
from oimon.terms import FeedState, MarketState
from tests.integration.hand import Hand, in_spite_of_hanging_up

PARTITION, ROLE, GROUP = "NIFTY", "analytics", "db"
NAMES = st.sampled_from(["one", "two"])
LISTS, SERVER = "lists", "server"
GAP = encode(Gap(from_us=1, to_us=2, why="model"))


class Side:
    """One implementation: two replicas' logs, what each replica holds, and how a record's cursor is set back."""

    def __init__(self, logs: dict[str, Log], hand: Hand) -> None:
        self.logs = logs
        self.hand = hand
        self.owner: dict[str, Lease] = {}
        self.producer: dict[str, Lease] = {}
        self.pending: list[Entry] = []


class Calls(RuleBasedStateMachine):
    """The same calls on both sides; ids differ, so places are told by the number of the entry."""

    url: str
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        with redis_py.Redis.from_url(self.url) as client:
            client.flushall()
        self.store = MemoryStore()
        self.sides = {
            LISTS: Side({me: MemoryLog(self.store, me) for me in ("one", "two")}, Hand(self.store)),
            SERVER: Side({me: RedisLog(self.url, me) for me in ("one", "two")}, Hand(self.url)),
        }
        self.pseq = 0
        self.states = 0

    def teardown(self) -> None:
        self.sides[SERVER].hand.close()
        for log in self.sides[SERVER].logs.values():
            self.loop.run_until_complete(log.close())

    def both(self, call):
        """Make a call on both sides and compare what comes of it; give the results by side."""
        results = {
            name: self.loop.run_until_complete(self._one(side, call))
            for name, side in self.sides.items()
        }
        assert results[LISTS] == results[SERVER]

    async def _one(self, side: Side, call):
        try:
            result = await in_spite_of_hanging_up(lambda: call(side))
        except LostOwnership as error:
            return str(error).split(" ")[0]
        return await self._plain(side, result)

    def _another_state(self) -> bytes:
        """Return a state unlike any before, so that an old one that is kept shows."""
        self.states += 1
        return b"state %d" % self.states

    async def _plain(self, side: Side, value):
        """Return a result without what differs from side to side: ids and epochs."""
        match value:
            case Grant():
                return (
                    value.taken, value.stuck, value.is_rolled_back, value.run, value.beat_us,
                    await self._plain(side, value.lease),
                )  # fmt: skip
            case Lease():
                return await self._number(side, value.cursor), value.in_n
            case Entry():
                return value.stream, value.n, value.kind, value.data
            case list() | tuple():
                return [await self._plain(side, one) for one in value]
        return value

    async def _number(self, side: Side, cursor: str) -> int:
        entry = await side.logs["one"].entry(TICKS, PARTITION, cursor)
        return 0 if cursor == NEVER or entry is None else entry.n

    @initialize(is_begun=st.booleans())
    def begin(self, is_begun: bool) -> None:
        """Begin with nothing, or in the middle of a day: chance alone seldom gets there."""
        if is_begun:
            self.lead("one")
            self.publish("one", count=3, second=1, run="a", again=False)
            self.acquire("one")
            self.commit("one", skip=1, answers=1, keeps=True)

    # --- ownership -------------------------------------------------------------------------------------------------

    @rule(me=NAMES)
    def acquire(self, me: str) -> None:
        async def call(side: Side):
            grant = await side.logs[me].acquire(ROLE, PARTITION, TICKS)
            if grant is not None:
                side.owner[me] = grant.lease
            return grant

        self.both(call)

    @rule(me=NAMES, keeps=st.booleans())
    def release(self, me: str, keeps: bool) -> None:
        state = self._another_state() if keeps else None

        async def call(side: Side):
            if me in side.owner:
                await side.logs[me].release(side.owner[me], state)

        self.both(call)

    @rule(role=st.sampled_from([ROLE, "ingest"]))
    def let_the_lease_run_out(self, role: str) -> None:
        self.store.own(role, PARTITION).until_ms = min(self.store.own(role, PARTITION).until_ms, 1)
        with redis_py.Redis.from_url(self.url) as client:
            key = f"oi.own:{{{PARTITION}}}:{role}"
            if client.exists(key):
                client.hset(key, "until", "1")

    @rule(back=st.integers(1, 3), leaver=st.none() | NAMES)
    def forget_what_was_worked_last(self, back: int, leaver: str | None) -> None:
        """Set the record's cursor back, as a log does that has lost its end; perhaps somebody leaves before it notices."""

        async def call(side: Side):
            record = (await side.logs["one"].records(ROLE, [PARTITION]))[PARTITION]
            n = record.in_n - back
            if n >= 0:
                kept = await side.logs["one"].read(TICKS, PARTITION, NEVER, n, 0) if n else ()
                side.hand.set_cursor(kept[-1].id if kept else NEVER, n)

        self.both(call)
        if leaver is not None:
            self.release(leaver, keeps=True)

    @rule(me=NAMES, leave=st.booleans())
    def members(self, me: str, leave: bool) -> None:
        self.both(lambda side: side.logs[me].members(ROLE, leave=leave))

    # --- publishing ------------------------------------------------------------------------------------------------

    @rule(me=NAMES)
    def lead(self, me: str) -> None:
        async def call(side: Side):
            grant = await side.logs[me].acquire("ingest", PARTITION)
            if grant is not None:
                side.producer[me] = grant.lease
            return grant

        self.both(call)

    @rule(
        me=NAMES, count=st.integers(0, 3), second=st.integers(0, 8), run=st.sampled_from("ab"),
        again=st.booleans(),
    )  # fmt: skip
    def publish(self, me: str, count: int, second: int, run: str, again: bool) -> None:
        self.pseq += not again
        pulse = Pulse(
            run=run,
            market=MarketState.OPEN,
            feed=FeedState.OK,
            age_ms=None,
            event_us=second * 1_000_000,
        )

        async def call(side: Side):
            if me in side.producer:
                return await side.logs[me].publish(
                    side.producer[me], TICKS, self.pseq, [("gap", GAP)] * count, pulse
                )
            return None

        self.both(call)

    # --- answering -------------------------------------------------------------------------------------------------

    @rule(me=NAMES, skip=st.integers(0, 2), answers=st.integers(0, 2), keeps=st.booleans())
    def commit(self, me: str, skip: int, answers: int, keeps: bool) -> None:
        snapshot = self._another_state() if keeps else None

        async def call(side: Side):
            log, lease = side.logs[me], side.owner.get(me)
            if lease is None:
                return None
            unread = await log.read(TICKS, PARTITION, lease.cursor, skip + 1, 0)
            if not unread:
                return None
            drafts = [Draft(entry.id, "gap", GAP) for entry in unread[-answers:] if answers]
            side.owner[me], refused = await log.commit(
                lease, TICKS, ANALYSIS, unread[-1], drafts, snapshot
            )
            return side.owner[me], refused

        self.both(call)

    @rule(me=NAMES)
    def answer_what_the_log_lost(self, me: str) -> None:
        async def call(side: Side):
            lost = Entry(TICKS, PARTITION, "9999999999999-0", "gap", 1, GAP, 10**6)
            if me in side.owner:
                await side.logs[me].commit(side.owner[me], TICKS, ANALYSIS, lost, [])

        self.both(call)

    @rule(me=NAMES)
    def attempt(self, me: str) -> None:
        async def call(side: Side):
            lease = side.owner.get(me)
            unread = await side.logs[me].read(TICKS, PARTITION, lease.cursor, 1, 0) if lease else ()
            return await side.logs[me].attempt(lease, unread[0].id) if unread else None

        self.both(call)

    @rule(me=NAMES)
    def park(self, me: str) -> None:
        async def call(side: Side):
            lease = side.owner.get(me)
            unread = await side.logs[me].read(TICKS, PARTITION, lease.cursor, 1, 0) if lease else ()
            if not unread:
                return None
            side.owner[me] = await side.logs[me].park(lease, unread[0], "model", 3)
            return side.owner[me]

        self.both(call)

    # --- sharing ---------------------------------------------------------------------------------------------------

    @rule(me=NAMES, count=st.integers(1, 4))
    def group_read(self, me: str, count: int) -> None:
        async def call(side: Side):
            found = list(await side.logs[me].group_read(GROUP, [TICKS], PARTITION, count, 0))
            side.pending += found
            return found

        self.both(call)

    @rule(me=NAMES, place=st.integers(0, 3), parks=st.booleans())
    def be_done_with(self, me: str, place: int, parks: bool) -> None:
        async def call(side: Side):
            if place >= len(side.pending):
                return
            entry = side.pending.pop(place)
            if parks:
                await side.logs[me].group_park(GROUP, entry, "model", 2)
            else:
                await side.logs[me].group_done(GROUP, [entry])

        self.both(call)

    @rule(me=NAMES, place=st.integers(0, 3))
    def hand_out_again(self, me: str, place: int) -> None:
        async def call(side: Side):
            parked = await side.logs[me].parked(GROUP, PARTITION)
            if place >= len(parked):
                return None
            is_kept = await side.logs[me].redeliver(GROUP, parked[place].entry)
            await side.logs[me].unpark(parked[place])
            found = await side.logs[me].group_claim(GROUP, [TICKS], PARTITION, 10)
            side.pending += [one for one, _ in found]
            return is_kept, [one for one, _ in found]

        self.both(call)

    @rule(name=st.sampled_from(["a", "b", "c"]))
    def enqueue(self, name: str) -> None:
        self.both(
            lambda side: side.logs["one"].enqueue("telegram", "oi.outbox.v1", name, "gap", GAP)
        )

    @rule(me=NAMES, number=st.integers(0, 2), what=st.sampled_from(["sending", "sent"]))
    def mark(self, me: str, number: int, what: str) -> None:
        async def call(side: Side):
            if me in side.owner:
                return await side.logs[me].mark(side.owner[me], f"9999999999999-{number}", what)
            return None

        self.both(call)

    @rule(who=st.sampled_from(["minimal", "rich"]), calls=st.integers(0, 2), quarters=st.integers(-2, 3), is_limited=st.booleans())  # fmt: skip
    def spend(self, who: str, calls: int, quarters: int, is_limited: bool) -> None:
        use = Use(calls=calls, tokens=calls * 7, usd=quarters / 4)
        limit = Use(calls=4, usd=1.0) if is_limited else None
        self.both(lambda side: side.logs["one"].spend("llm", "20261126", who, use, limit))

    # --- what is left ----------------------------------------------------------------------------------------------

    @invariant()
    def both_logs_are_the_same(self) -> None:
        async def call(side: Side):
            log = side.logs["one"]
            records = await log.records(ROLE, [PARTITION])
            record = records[PARTITION]
            return [
                await log.read(TICKS, PARTITION, NEVER, 1000, 0),
                await log.read(ANALYSIS, PARTITION, NEVER, 1000, 0),
                [(one.why, one.tries, one.entry.n, one.entry.data) for one in await log.parked(ROLE, PARTITION)],
                [(one.why, one.tries, one.entry.n) for one in await log.parked(GROUP, PARTITION)],
                await log.snapshot(ROLE, PARTITION),
                sorted((await log.marks(PARTITION)).items()),
                (record.owner, record.in_n, await self._number(side, record.cursor)),
            ]  # fmt: skip

        self.both(call)


@pytest.mark.parametrize("server", ["redis_url", "stand_in_url"])
def test_any_sequence_of_calls_has_the_same_answers_on_lists_and_on_a_server(server, request):
    with (
        warnings.catch_warnings()
    ):  # hypothesis collects: what tests before have left is not this one's
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    loop = asyncio.new_event_loop()
    machine = type("Machine", (Calls,), {"url": request.getfixturevalue(server), "loop": loop})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40 if server == "redis_url" else 10,
                stateful_step_count=30,
                deadline=None,
                phases=[
                    Phase.generate
                ],  # a case is told as found: to make it smaller takes minutes on a server
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
    finally:
        loop.run_until_complete(asyncio.sleep(0.01))  # sockets end in a turn after their close
        loop.close()
