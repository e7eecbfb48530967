"""The sender's promises about when it notes, keeps and gives back, on a log that answers when it is told to."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from oimon import codec
from oimon.bus import Outcome, sending
from oimon.bus.log import NEVER, SENDER
from oimon.bus.memory import MemoryBus
from oimon.errors import BusDown, PoisonMessage, TransientError
from oimon.messages import OUTBOX, Text
from tests.eventually import eventually
from tests.summing import running


async def put(bus, *words: str) -> list[str]:
    """Put texts in the outbox; return the ids of all that are in it."""
    for each in words:
        text = Text(family=each, kind="news", recipient="42", text=each, loud=False, tag="t", made_ts_us=0)  # fmt: skip
        await bus._log.enqueue(SENDER, OUTBOX, each, "text", codec.encode(text))
    return [entry.id for entry in await bus._log.read(OUTBOX, SENDER, NEVER, 1000, 0)]


class Courier:
    """Delivers at once and keeps what it wrote down."""

    def __init__(self):
        self.delivered = []
        self.recorded = []
        self.written = []
        self.outcomes = {}

    async def deliver(self, parcel):
        await parcel.begin()
        self.delivered.append(parcel.text.text)
        return self.outcomes.get(parcel.text.text, Outcome(name="sent"))

    async def record(self, text, entry, outcome):
        self.recorded.append(text.text)
        self.written.append(outcome)


def slowly(bus, name):
    """Hold back what the log answers to calls of a method: those that it has got, and the leave to go on."""
    call, asked, may_go_on = getattr(bus._log, name), [], asyncio.Event()

    async def answer(*args):
        result = await call(*args)
        asked.append(args)
        await may_go_on.wait()
        return result

    setattr(bus._log, name, answer)
    return asked, may_go_on


async def stopped(bus, working) -> None:
    async with asyncio.timeout(5):
        await bus.stop()
        await working


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name)


def own(bus):
    return bus.store.own(SENDER, SENDER)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, seconds in (("RENEW_S", 0.02), ("POLL_S", 0.02), ("LAST_CALL_S", 0.1), ("BLOCK_MS", 20)):  # fmt: skip
        monkeypatch.setattr(sending, name, seconds)


async def test_a_stop_while_the_cursor_is_being_moved_gives_the_outbox_back():
    bus, courier = MemoryBus(), Courier()
    asked, may_go_on = slowly(bus, "commit")
    await put(bus, "a")

    async with running(bus.send(courier)) as working:
        await eventually(lambda: asked)
        ids = await put(bus, "b")
        await eventually(lambda: courier.recorded == ["a", "b"])
        asyncio.get_running_loop().call_later(0.1, may_go_on.set)
        await stopped(bus, working)

    assert (own(bus).cursor, own(bus).owner) == (ids[-1], "")


async def test_what_was_sent_by_the_stop_is_written_down_and_passed():
    bus, courier = MemoryBus(), Courier()
    asked, may_go_on = slowly(bus, "mark")

    async with running(bus.send(courier)) as working:
        [entry_id] = await put(bus, "a")
        await eventually(lambda: asked)
        stopping = asyncio.ensure_future(stopped(bus, working))
        await asyncio.sleep(0)
        may_go_on.set()
        await stopping

    assert courier.recorded == ["a"]
    assert (own(bus).cursor, own(bus).owner) == (entry_id, "")


async def test_a_call_in_hand_at_the_stop_is_not_waited_for_much_longer():
    bus, courier = MemoryBus(), Courier()

    async def hanging(parcel):
        await parcel.begin()
        courier.delivered.append(parcel.text.text)
        await asyncio.Event().wait()

    courier.deliver = hanging
    [entry_id] = await put(bus, "a")
    async with running(bus.send(courier)) as working:
        await eventually(lambda: courier.delivered)
        await stopped(bus, working)

    assert await bus._log.marks(SENDER) == {entry_id: "sending"}
    assert (own(bus).cursor, own(bus).owner) == (NEVER, "")


async def test_rows_that_the_database_does_not_take_in_time_are_left_at_the_stop(monkeypatch):
    monkeypatch.setattr(sending, "LAST_ROWS_S", 0.05)
    bus, courier = MemoryBus(), Courier()

    async def hanging(*_):
        courier.recorded.append("begun")
        await asyncio.Event().wait()

    courier.record = hanging
    await put(bus, "a")
    async with running(bus.send(courier)) as working:
        await eventually(lambda: courier.recorded)
        await stopped(bus, working)

    assert (own(bus).cursor, own(bus).owner) == (NEVER, "")


async def test_who_was_held_up_since_asks_again_whether_it_may_send(monkeypatch):
    monkeypatch.setattr(sending, "CALL_S", 12.95)  # so that the lease of 13 s has 50 ms to spare
    bus, courier = MemoryBus(), Courier()
    mark, asked = bus._log.mark, []

    async def slow_at_first(lease, name, what):
        asked.append(what)
        found = await mark(lease, name, what)
        await asyncio.sleep(0.1 if len(asked) == 1 else 0)
        return found

    bus._log.mark = slow_at_first
    await put(bus, "a")
    async with running(bus.send(courier)):
        await eventually(lambda: courier.recorded)

    assert asked == ["sending", "sending", "sent"]


async def test_what_is_known_as_not_sent_is_no_text_that_may_be_out():
    bus, courier, second, seen = MemoryBus(), Courier(), Courier(), []
    other = MemoryBus(bus.store, "two")

    async def refused(parcel):
        await parcel.begin()
        await parcel.not_sent()
        courier.delivered.append(parcel.text.text)
        await asyncio.Event().wait()

    async def looked_at(parcel):
        seen.append(parcel.may_be_out)
        return await Courier.deliver(second, parcel)

    courier.deliver, second.deliver = refused, looked_at
    await put(bus, "a")
    async with running(bus.send(courier)) as working:
        await eventually(lambda: courier.delivered)
        await stopped(bus, working)
    async with running(other.send(second)):
        await eventually(lambda: second.recorded)

    assert seen == [False]


@pytest.mark.parametrize("is_at_work", [True, False])
async def test_an_outbox_that_lost_its_end_is_counted_once_and_begun_anew(is_at_work):
    bus, courier = MemoryBus(), Courier()
    await put(bus, "a")
    async with running(bus.send(courier)) as working:
        await eventually(lambda: own(bus).cursor != NEVER)
        if not is_at_work:
            await stopped(bus, working)
        before, fenced = counted("oi_bus_rollback_total"), counted("oi_bus_fenced_total")
        del bus.store.streams[OUTBOX, SENDER]
        [entry_id] = await put(bus, "b")
        stream = bus.store.stream(OUTBOX, SENDER)
        bus.store.own(SENDER, SENDER).cursor = f"{stream.last[0] + 1}-0"
        again = MemoryBus(bus.store, "two")
        async with running(again.send(courier)):
            await eventually(lambda: own(bus).cursor == entry_id)

    assert counted("oi_bus_rollback_total") == before + 1
    assert counted("oi_bus_fenced_total") == fenced


async def test_who_finds_the_outbox_another_s_counts_it():
    bus, courier = MemoryBus(), Courier()
    async with running(bus.send(courier)):
        await eventually(lambda: own(bus).owner)
        before = counted("oi_bus_fenced_total")
        own(bus).owner = "another"
        await eventually(lambda: not bus.held())

    assert counted("oi_bus_fenced_total") == before + 1


async def test_only_what_is_refused_for_good_is_set_aside():
    bus, courier = MemoryBus(), Courier()
    courier.outcomes = {
        "a": Outcome(name="unknown", why="no answer"),
        "b": Outcome(name="dropped", why="of another day"),
    }
    ids = await put(bus, "a", "b")

    async with running(bus.send(courier)):
        await eventually(lambda: own(bus).cursor == ids[-1])

    assert await bus._log.parked(SENDER, SENDER) == []
    assert courier.written == [*courier.outcomes.values()]


@pytest.mark.parametrize("trouble", [PoisonMessage("refused"), ZeroDivisionError("a bug")])
async def test_a_text_that_can_have_no_row_keeps_no_other_from_its_own(trouble):
    bus, courier = MemoryBus(), Courier()
    record = courier.record

    async def failing(text, *others):
        if text.text == "a":
            raise trouble
        await record(text, *others)

    courier.record = failing
    ids = await put(bus, "a", "b")
    async with running(bus.send(courier)):
        await eventually(lambda: own(bus).cursor == ids[-1])
        [held] = bus.held()

    assert courier.recorded == ["b"]
    why = f"{type(trouble).__name__}: {trouble}"
    assert held.last_error == f"oi.outbox.v1:telegram/{ids[0]} has no row: {why}"


async def test_while_the_database_is_away_status_says_so_and_rows_come_later():
    bus, courier, is_away = MemoryBus(), Courier(), True
    record = courier.record

    async def record_later(*given):
        if is_away:
            raise TransientError("database: away")
        await record(*given)

    courier.record = record_later
    ids = await put(bus, "a")
    async with running(bus.send(courier)):
        await eventually(lambda: bus.held() and bus.held()[0].last_error)
        [held] = bus.held()
        is_away = False
        await eventually(lambda: own(bus).cursor == ids[-1])

    assert (held.last_error, held.cursor, held.lag) == ("database: away", NEVER, 1)


async def test_a_successor_writes_down_and_sets_aside_what_was_noted_as_it_was():
    bus, courier = MemoryBus(), Courier()
    ids = await put(bus, "a", "b", "c")
    noted = ["failed Chat not found", "sent", "unknown no answer"]
    bus.store.marks[SENDER] = dict(zip(ids, noted, strict=True))

    async with running(bus.send(courier)):
        await eventually(lambda: own(bus).cursor == ids[-1])

    assert courier.delivered == []
    assert courier.written == [
        Outcome(name="failed", why="Chat not found"),
        Outcome(name="sent"),
        Outcome(name="unknown", why="no answer"),
    ]
    [parked] = await bus._log.parked(SENDER, SENDER)
    assert (parked.entry.id, parked.why) == (ids[0], "Chat not found")


async def test_at_the_stop_no_other_text_is_begun():
    bus, courier, may_go_on = MemoryBus(), Courier(), asyncio.Event()

    async def held_up(parcel):
        outcome = await Courier.deliver(courier, parcel)
        await may_go_on.wait()
        return outcome

    courier.deliver = held_up
    ids = await put(bus, "a", "b")
    async with running(bus.send(courier)) as working:
        await eventually(lambda: courier.delivered)
        stopping = asyncio.ensure_future(stopped(bus, working))
        await eventually(lambda: bus._patience.is_over)
        may_go_on.set()
        await stopping

    assert courier.delivered == ["a"]
    assert (own(bus).cursor, own(bus).owner) == (ids[0], "")


async def test_a_log_that_goes_away_is_waited_out_and_said(monkeypatch):
    bus, courier = MemoryBus(), Courier()
    read, is_away = bus._log.read, [True] * 3

    async def away_at_first(*args):
        if is_away:
            is_away.pop()
            raise BusDown("away")
        return await read(*args)

    await put(bus, "a")
    bus._log.read = away_at_first
    waited = []

    async def wait_out(error, attempt=0):
        waited.append(str(error))
        bus._patience.away = str(error)

    bus._patience.wait_out = wait_out
    async with running(bus.send(courier)):
        await eventually(lambda: courier.recorded)

    assert waited == ["away"] * 3
    assert bus.problems() == []


async def test_no_more_texts_than_a_window_are_in_hand(monkeypatch):
    monkeypatch.setattr(sending, "WINDOW", 3)
    monkeypatch.setattr(sending, "BATCH", 1)
    bus, courier, may_go_on = MemoryBus(), Courier(), asyncio.Event()

    async def hanging(parcel):
        await may_go_on.wait()
        return await Courier.deliver(courier, parcel)

    courier.deliver = hanging
    ids = await put(bus, "a", "b", "c", "d", "e")
    async with running(bus.send(courier)):
        await eventually(lambda: bus.held() and bus.held()[0].lag == 3)
        await asyncio.sleep(0.1)
        assert bus.held()[0].lag == 3
        may_go_on.set()
        await eventually(lambda: own(bus).cursor == ids[-1])

    assert courier.delivered == ["a", "b", "c", "d", "e"]
