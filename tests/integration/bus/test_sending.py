"""Texts that leave the house, on every implementation of the bus."""

import asyncio

import pytest

from oimon import codec
from oimon.bus import Outcome, log, sending
from oimon.bus.log import NEVER, SENDER
from oimon.errors import TransientError
from oimon.messages import OUTBOX, Text
from tests.eventually import eventually
from tests.summing import running


def text(words: str, recipient: str = "42", family: str = "f") -> Text:
    return Text(
        family=family, kind="news", recipient=recipient, text=words, loud=False, tag="t", made_ts_us=0
    )  # fmt: skip


async def put(bus, *texts: Text) -> list[str]:
    """Put texts in the outbox; return the ids of all that are in it."""
    for each in texts:
        name = f"{each.text}/{each.recipient}"
        await bus._log.enqueue(SENDER, OUTBOX, name, "text", codec.encode(each))
    return [entry.id for entry in await bus._log.read(OUTBOX, SENDER, NEVER, 1000, 0)]


class Courier:
    """Delivers at once, as long as nothing else is said; keeps what it was handed and what it wrote down."""

    def __init__(self):
        self.delivered = []
        self.recorded = []
        self.held_up = asyncio.Event()
        self.held_up.set()
        self.holds = lambda text: False
        self.is_away = False
        self.outcomes = {}

    async def deliver(self, parcel):
        await parcel.begin()
        words = parcel.text.text
        self.delivered.append((words, parcel.may_be_out))
        if self.holds(parcel.text):
            await self.held_up.wait()
        found = self.outcomes.get(words, Outcome(name="sent"))
        if isinstance(found, Exception):
            raise found
        return found

    async def record(self, text, entry, outcome):
        if self.is_away:
            raise TransientError("database: away")
        self.recorded.append((text.text, outcome.name))

    def hold(self, words):
        self.held_up.clear()
        self.holds = lambda text: text.text == words

    @property
    def words(self):
        return [words for words, _ in self.delivered]


async def is_done(bus, entry_id: str) -> bool:
    return (await bus._log.records(SENDER, [SENDER]))[SENDER].cursor == entry_id


async def lose_lease(bus) -> None:
    """Have the outbox be another's, as if this replica had been silent for too long."""
    record = (await bus._log.records(SENDER, [SENDER]))[SENDER]
    assert record.owner
    if hasattr(bus, "store"):
        bus.store.own(SENDER, SENDER).until_ms = 0
    else:
        client = bus._log._client
        await client.ask(client.redis.hset("oi.own:{telegram}:telegram", "until", "0"))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(sending, "RENEW_S", 0.05)
    monkeypatch.setattr(sending, "POLL_S", 0.05)
    monkeypatch.setattr(sending, "LAST_CALL_S", 0.2)


pytestmark = pytest.mark.usefixtures("quick")


async def test_every_text_is_delivered_in_order_and_written_down(replicas):
    bus, courier = replicas(), Courier()
    ids = await put(bus, *(text(f"{n}") for n in range(5)))

    async with running(bus.send(courier)):
        await eventually(lambda: is_done(bus, ids[-1]))

    assert courier.delivered == [(f"{n}", False) for n in range(5)]
    assert courier.recorded == [(f"{n}", "sent") for n in range(5)]
    assert await bus._log.marks(SENDER) == dict.fromkeys(ids, "sent")


async def test_of_two_replicas_one_sends(replicas):
    bus, other = replicas(), replicas()
    courier, second = Courier(), Courier()

    async with running(bus.send(courier)), running(other.send(second)):
        ids = await put(bus, *(text(f"{n}") for n in range(10)))
        await eventually(lambda: is_done(bus, ids[-1]))

    assert sorted([len(courier.delivered), len(second.delivered)]) == [0, 10]


async def test_a_successor_goes_on_where_the_one_before_was_stopped(replicas):
    bus, other = replicas(), replicas()
    courier, second = Courier(), Courier()
    ids = await put(bus, text("a"))
    async with running(bus.send(courier)) as working:
        await eventually(lambda: is_done(bus, ids[-1]))
        await bus.stop()
        await working
    ids = await put(other, text("b"))

    async with running(other.send(second)):
        await eventually(lambda: is_done(other, ids[-1]))

    assert (courier.words, second.words) == (["a"], ["b"])


async def test_what_was_being_sent_when_its_sender_died_may_be_out(replicas):
    bus, other = replicas(), replicas()
    courier, second = Courier(), Courier()
    courier.hold("b")
    ids = await put(bus, text("a"), text("b"), text("c"))
    async with running(bus.send(courier)):
        await eventually(lambda: "b" in courier.words)
    await lose_lease(other)

    async with running(other.send(second)):
        await eventually(lambda: is_done(other, ids[-1]))

    assert second.delivered == [("b", True), ("c", False)]


async def test_who_was_taken_for_dead_sends_nothing_more(replicas):
    bus, other = replicas(), replicas()
    courier, second = Courier(), Courier()
    courier.hold("a")
    async with running(bus.send(courier)):
        ids = await put(bus, text("a"))
        await eventually(lambda: courier.words)
        await lose_lease(other)
        grant = await other._log.acquire(SENDER, SENDER, OUTBOX)
        courier.held_up.set()
        ids = await put(other, text("b"))
        await eventually(lambda: not bus.held())
        await other._log.release(grant.lease)
        bus._patience.stopping.set()
        async with running(other.send(second)):
            await eventually(lambda: is_done(other, ids[-1]))

    assert "b" not in courier.words
    assert second.words == ["a", "b"]


async def test_one_recipient_holds_up_no_other(replicas):
    bus, courier = replicas(), Courier()
    courier.hold("slow")
    await put(bus, text("slow", "1"), text("next", "1"), text("quick", "2"))

    async with running(bus.send(courier)):
        await eventually(lambda: "quick" in courier.words)

        assert "next" not in courier.words
        courier.held_up.set()
        await eventually(lambda: "next" in courier.words)


async def test_a_newer_text_of_a_family_is_seen(replicas):
    bus, courier, seen = replicas(), Courier(), {}
    courier.hold("first")

    async def deliver(parcel):
        seen[parcel.text.text] = parcel.is_outdated
        return await Courier.deliver(courier, parcel)

    courier.deliver = deliver
    ids = await put(
        bus, text("first"), text("old", family="g"), text("other"), text("new", family="g")
    )
    async with running(bus.send(courier)):
        await eventually(lambda: "first" in courier.words)
        await eventually(lambda: bus.held() and bus.held()[0].lag == 4)
        courier.held_up.set()
        await eventually(lambda: is_done(bus, ids[-1]))

    assert {name: seen[name] for name in ("old", "other", "new")} == {
        "old": True,
        "other": False,
        "new": False,
    }


async def test_while_the_database_is_away_texts_go_out_and_are_written_down_later(replicas):
    bus, courier = replicas(), Courier()
    courier.is_away = True
    ids = await put(bus, *(text(f"{n}") for n in range(3)))

    async with running(bus.send(courier)):
        await eventually(lambda: len(courier.words) == 3)
        assert not await is_done(bus, ids[-1])
        courier.is_away = False
        await eventually(lambda: is_done(bus, ids[-1]))

    assert sorted(courier.recorded) == [(f"{n}", "sent") for n in range(3)]
    assert len(courier.words) == 3


async def test_a_database_that_hangs_holds_up_neither_texts_nor_the_lease(replicas, monkeypatch):
    monkeypatch.setattr(log, "SENDER_TTL_MS", 500)
    monkeypatch.setattr(sending, "SENDER_TTL_MS", 20_000)  # of which a call's length is kept free
    bus, other, courier = replicas(), replicas(), Courier()
    record, answers = courier.record, asyncio.Event()

    async def hanging(*given):
        await answers.wait()
        await record(*given)

    courier.record = hanging
    ids = await put(bus, *(text(f"{n}") for n in range(3)))
    async with running(bus.send(courier)):
        await eventually(lambda: len(courier.words) == 3)
        await asyncio.sleep(0.7)  # longer than the lease
        assert await other._log.acquire(SENDER, SENDER, OUTBOX) is None
        answers.set()
        await eventually(lambda: is_done(bus, ids[-1]))

    assert courier.recorded == [(f"{n}", "sent") for n in range(3)]


async def test_what_was_sent_but_not_written_down_is_only_written_down_by_a_successor(replicas):
    bus, other = replicas(), replicas()
    courier, second = Courier(), Courier()
    courier.is_away = True
    ids = await put(bus, text("a"))
    async with running(bus.send(courier)):
        await eventually(lambda: courier.words)
        await bus.stop()
        await eventually(lambda: not bus.held())

    async with running(other.send(second)):
        await eventually(lambda: is_done(other, ids[-1]))

    assert second.words == []
    assert second.recorded == [("a", "sent")]


async def test_what_is_refused_for_good_or_is_no_text_is_set_aside(replicas):
    bus, courier = replicas(), Courier()
    courier.outcomes = {
        "b": Outcome(name="failed", why="Chat not found"),
        "c": ZeroDivisionError("a bug"),
    }
    await put(bus, text("a"), text("b"), text("c"))
    await bus._log.enqueue(SENDER, OUTBOX, "x", "text", b"no JSON")
    await bus._log.enqueue(SENDER, OUTBOX, "y", "gap", b'{"from_us":1,"to_us":2,"why":"z"}')
    ids = await put(bus, text("d"))

    async with running(bus.send(courier)):
        await eventually(lambda: is_done(bus, ids[-1]))
        assert bus.held()[0].parked == 4

    parked = await bus._log.parked(SENDER, SENDER)
    assert [each.entry.id for each in parked] == ids[1:5]
    assert [each.why.split(" ")[0] for each in parked] == ["Chat", "ZeroDivisionError:", parked[2].why.split(" ")[0], "the"]  # fmt: skip
    assert courier.recorded == [("a", "sent"), ("b", "failed"), ("c", "failed"), ("d", "sent")]
    assert courier.words == ["a", "b", "c", "d"]
