import asyncio
import contextlib
import socket
import time

import pytest

from notifier import telegram as telegram_module
from notifier.telegram import Telegram
from oimon import codec
from oimon.bus import Entry
from oimon.bus import sending as sending_module
from oimon.bus.log import SENDER
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock, SystemClock
from oimon.errors import BusDown, PoisonMessage, TransientError
from oimon.messages import OUTBOX, Text
from tests.eventually import eventually
from tests.fakes.telegram import DRIP, LOST, SLOW, TOKEN, fake_telegram
from tests.summing import everything, running
from tests.unit.notifier.samples import NOW_US

DAY_S = 24 * 3600


def make_text(key="oi.advice-minimal.v1:NIFTY/1-0", **given):
    fields = {
        "of": key,
        "family": "NIFTY minimal",
        "kind": "decision",
        "recipient": "42",
        "loud": True,
        "tag": "7f3a",
        "made_ts_us": NOW_US,
        "underlying": "NIFTY",
        "mode": "REPLAY",
        "run": "r1",
        "text": "⚡ NIFTY coach: WAIT → ENTER CE #7f3a",
    }
    return Text(**{**fields, **given})


def state(key="direction", **given):
    return make_text(key, kind="state", family="NIFTY direction", **given)


class Book:
    """Keeps what became of each text; can be away."""

    def __init__(self):
        self.rows = []
        self.is_away = False

    async def write(self, columns):
        if self.is_away:
            raise TransientError("database: away")
        if "\0" in columns["text"]:
            raise PoisonMessage("the database refuses its row")
        self.rows.append(columns)

    def outcomes(self):
        return [(row["id"], row["outcome"]) for row in self.rows]


class Sending:
    """One notifier's sender on a bus, and the book that it writes in."""

    def __init__(self, url, store=None, *, chats=(42,), token=TOKEN, **options):
        options = {"gap_s": (0.0, 0.0), "timeout_s": 5.0, "clock": SystemClock()} | options
        self.store = store or MemoryStore()
        self.bus = MemoryBus(self.store, f"notifier-{id(self)}")
        self.book = Book()
        self.sender = Telegram(token, chats, base_url=url, record=self.book.write, **options)

    async def put(self, *texts):
        for text in texts:
            name = f"{text.of}/{text.recipient}"
            await self.bus._log.enqueue(SENDER, OUTBOX, name, "text", codec.encode(text))

    async def is_done(self):
        entries = await everything(self.bus, OUTBOX, SENDER)
        return self.store.own(SENDER, SENDER).cursor == entries[-1].id

    async def all_done(self):
        await eventually(self.is_done)


@contextlib.asynccontextmanager
async def sending(url, store=None, **options):
    """Send what waits in the outbox, until the block ends as a killed process does."""
    made = Sending(url, store, **options)
    async with running(made.bus.send(made.sender)):
        try:
            yield made
        finally:
            await made.sender.close()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(telegram_module, "BACKOFF_S", (0.01, 0.05))
    for name, seconds in (("RENEW_S", 0.05), ("POLL_S", 0.02), ("LAST_CALL_S", 0.2)):
        monkeypatch.setattr(sending_module, name, seconds)


@pytest.fixture
async def api(quick):
    async with fake_telegram() as fake:
        yield fake


async def test_a_text_reaches_every_chat_and_leaves_a_row_each(api):
    async with sending(api.url, chats=(42, 43)) as made:
        await made.put(make_text(), make_text(recipient="43"))
        await made.all_done()

    assert sorted(form["chat_id"] for form in api.delivered) == ["42", "43"]
    assert api.delivered[0]["text"] == "⚡ NIFTY coach: WAIT → ENTER CE #7f3a"
    assert sorted(row["recipient"] for row in made.book.rows) == ["42", "43"]
    row = next(row for row in made.book.rows if row["recipient"] == "42")
    assert row == {
        "id": "oi.advice-minimal.v1:NIFTY/1-0/42",
        "ts_us": NOW_US,
        "ist": "2026-08-18 12:41:07",
        "underlying": "NIFTY",
        "mode": "REPLAY",
        "run": "r1",
        "kind": "decision",
        "recipient": "42",
        "outcome": "sent",
        "why": None,
        "text": "⚡ NIFTY coach: WAIT → ENTER CE #7f3a",
    }
    assert made.sender.facts() == {
        "off": None,
        "chats": 2,
        "outcomes": {"sent": 2},
        "last_error": None,
    }


async def test_a_loud_text_rings_and_a_silent_one_does_not(api):
    async with sending(api.url) as made:
        await made.put(make_text("a", loud=True), make_text("b", loud=False))
        await made.all_done()

    assert [form.get("disable_notification") for form in api.delivered] == ["false", "true"]


async def test_who_is_not_on_the_list_any_more_gets_nothing(api):
    async with sending(api.url) as made:
        await made.put(make_text(recipient="43"), make_text())
        await made.all_done()

    assert [form["chat_id"] for form in api.delivered] == ["42"]
    assert ("dropped", "the chat is not on the list") in [(row["outcome"], row["why"]) for row in made.book.rows]  # fmt: skip


# --- what Telegram answers -----------------------------------------------------------------------------------------------


async def test_a_429_waits_as_long_as_telegram_wishes_and_sends_once(api):
    api.script.append((429, 1))
    loop = asyncio.get_running_loop()

    async with sending(api.url) as made:
        start_s = loop.time()
        await made.put(make_text())
        await eventually(lambda: api.calls == 1)
        await eventually(lambda: list(made.store.marks[SENDER].values()) == ["not_sent"])
        await made.all_done()
        took_s = loop.time() - start_s

    assert took_s >= 1.0
    assert len(api.delivered) == 1
    assert made.book.outcomes() == [("oi.advice-minimal.v1:NIFTY/1-0/42", "sent")]


async def test_one_chat_s_429_holds_up_no_other(api):
    api.script.append((429, 5))
    async with sending(api.url, chats=(42, 43)) as made:
        await made.put(make_text())
        await eventually(lambda: api.calls == 1)
        await made.put(make_text(recipient="43"))
        await eventually(lambda: made.book.rows)

    assert [form["chat_id"] for form in api.delivered] == ["43"]


@pytest.mark.parametrize(("status", "why"), [(400, "chat not found"), (403, "forbidden")])
async def test_a_refusal_is_not_repeated_is_set_aside_and_does_not_hold_up_the_next(
    api, status, why
):
    api.script.append(status)

    async with sending(api.url) as made:
        await made.put(make_text("first"), make_text("second"))
        await made.all_done()
        [parked] = await made.bus._log.parked(SENDER, SENDER)

    assert made.book.outcomes() == [("first/42", "failed"), ("second/42", "sent")]
    assert why in made.book.rows[0]["why"].lower()
    assert (parked.entry.message.of, parked.why) == ("first", made.book.rows[0]["why"])
    assert api.calls == 2


async def test_a_decision_of_unknown_outcome_goes_out_once_more(api):
    api.script.extend([500, 200])

    async with sending(api.url) as made:
        await made.put(make_text("a"))
        await made.all_done()

    assert made.book.outcomes() == [("a/42", "sent")]
    assert api.calls == 2


async def test_a_decision_that_stays_unknown_is_recorded_so(api):
    api.script.extend([500, 500])

    async with sending(api.url) as made:
        await made.put(make_text("a"))
        await made.all_done()

    assert made.book.outcomes() == [("a/42", "unknown")]
    assert api.calls == 2


@pytest.mark.parametrize("step", [SLOW, LOST, 500])
async def test_other_news_of_unknown_outcome_is_only_recorded(api, step):
    api.script.append(step)

    async with sending(api.url, timeout_s=0.1) as made:
        await made.put(state("a"))
        await made.all_done()

    assert made.book.outcomes() == [("a/42", "unknown")]
    assert api.calls == 1


async def test_an_answer_that_comes_in_drops_does_not_outlast_the_call(api):
    api.script.append(DRIP)

    async with sending(api.url, timeout_s=0.3) as made:
        await made.put(state("a"))
        await made.all_done()

    assert made.book.outcomes() == [("a/42", "unknown")]
    assert made.sender.last_error == "Telegram did not answer within 0.3 s"


async def test_a_429_after_an_unknown_call_leaves_it_noted_as_maybe_sent(api):
    api.script.extend([500, (429, 1)])

    async with sending(api.url) as made:
        await made.put(make_text("a"))
        await eventually(lambda: "retry" in (made.sender.last_error or "").lower())
        noted = list(made.store.marks[SENDER].values())
        await made.all_done()

    assert noted == ["sending"]
    assert made.book.outcomes() == [("a/42", "sent")]


async def test_a_refused_connection_is_tried_until_somebody_answers(quick):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with sending(url) as made:
            await made.put(make_text())
            await eventually(lambda: made.sender.last_error)

            assert "ConnectError" in made.sender.last_error
            assert not made.book.rows
            await eventually(lambda: list(made.store.marks[SENDER].values()) == ["not_sent"])
    async with fake_telegram() as api, sending(api.url, made.store) as successor:
        made.store.own(SENDER, SENDER).until_ms = 0
        await successor.all_done()

    assert len(api.delivered) == 1


async def test_a_wrong_token_fails_and_is_not_told_to_anybody(api):
    async with sending(api.url, token="99999:BBBB-another_token") as made:
        await made.put(make_text("a"))
        await made.all_done()

    assert made.book.outcomes() == [("a/42", "failed")]
    assert "another_token" not in str(made.book.rows) + str(made.sender.facts())


# --- what waits ----------------------------------------------------------------------------------------------------------


async def test_a_waiting_state_gives_way_to_a_newer_one_and_a_decision_to_nothing(api):
    api.script.append((429, 1))
    async with sending(api.url) as made:
        await made.put(make_text("in hand"))
        await eventually(lambda: api.calls == 1)
        await made.put(state("old"), state("new"), make_text("ENTER"), make_text("EXIT"))
        await eventually(lambda: made.bus.held()[0].lag == 5)
        await made.all_done()

    told = [row["id"] for row in made.book.rows if row["outcome"] == "sent"]
    assert told == [f"{key}/42" for key in ("in hand", "new", "ENTER", "EXIT")]
    [dropped] = [row for row in made.book.rows if row["outcome"] == "dropped"]
    assert (dropped["id"], dropped["why"]) == ("old/42", "a newer one took its place")


async def test_a_text_of_another_day_is_not_sent(api):
    tomorrow = ManualClock(SystemClock().now_us() + DAY_S * 1_000_000)
    async with sending(api.url, clock=tomorrow) as made:
        await made.put(make_text("a"), state("b"))
        await made.all_done()

    assert api.calls == 0
    assert [(row["outcome"], row["why"]) for row in made.book.rows] == [
        ("dropped", "of another day")
    ] * 2


async def test_what_waits_at_the_stop_is_sent_by_the_next(api):
    api.script.append((429, 5))
    async with sending(api.url) as made:
        await made.put(make_text("in hand"), make_text("waiting"))
        await eventually(lambda: list(made.store.marks.get(SENDER, {}).values()) == ["not_sent"])
        await made.bus.stop()
        await eventually(lambda: not made.bus.held())
    async with sending(api.url, made.store) as successor:
        await successor.all_done()

    assert made.book.rows == []
    assert successor.book.outcomes() == [("in hand/42", "sent"), ("waiting/42", "sent")]
    assert len(api.delivered) == 2


async def test_rows_wait_while_the_database_is_away(api):
    async with sending(api.url) as made:
        made.book.is_away = True
        await made.put(make_text("one"))
        await eventually(lambda: made.bus.held() and made.bus.held()[0].last_error)
        made.book.is_away = False
        await made.put(make_text("two"))
        await made.all_done()

    assert sorted(row["id"] for row in made.book.rows) == ["one/42", "two/42"]
    assert api.calls == 2


async def test_a_text_that_can_have_no_row_does_not_end_the_others(api):
    async with sending(api.url) as made:
        await made.put(make_text("a", text="a\0b"), make_text("next"))
        await made.all_done()

        assert made.bus.held()[0].last_error.endswith("the database refuses its row")
    assert [row["id"] for row in made.book.rows] == ["next/42"]


# --- the pace ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chat", "least_s"), [(7, 0.2), (-7, 0.4)])
async def test_texts_to_one_chat_keep_their_distance(api, chat, least_s):
    loop = asyncio.get_running_loop()

    async with sending(api.url, gap_s=(0.2, 0.4), chats=(chat,)) as made:
        start_s = loop.time()
        await made.put(*(make_text(key, recipient=str(chat)) for key in ("one", "two")))
        await made.all_done()

        assert loop.time() - start_s >= least_s


async def test_texts_to_all_chats_together_keep_theirs(api, monkeypatch):
    monkeypatch.setattr(telegram_module, "ANY_GAP_S", 0.1)
    loop = asyncio.get_running_loop()

    async with sending(api.url, chats=range(1, 6)) as made:
        start_s = loop.time()
        await made.put(*(make_text("a", recipient=str(chat)) for chat in range(1, 6)))
        await made.all_done()

        assert loop.time() - start_s >= 0.4


# --- senders that end ----------------------------------------------------------------------------------------------------


async def test_of_two_senders_one_sends_each_text_once(api):
    async with sending(api.url) as made, sending(api.url, made.store):
        await made.put(*(make_text(f"{number}") for number in range(10)))
        await made.all_done()

    assert api.calls == 10


async def test_what_a_killed_sender_had_begun_goes_out_again_if_it_is_a_decision(api):
    api.script.extend([SLOW, SLOW])
    async with sending(api.url, chats=(42, 43)) as made:
        await made.put(make_text("decision"), state("state", recipient="43"))
        await eventually(lambda: api.calls == 2)
    made.store.own(SENDER, SENDER).until_ms = 0
    async with sending(api.url, made.store, chats=(42, 43)) as successor:
        await successor.all_done()

    assert sorted(form["chat_id"] for form in api.delivered) == ["42", "42", "43"]
    assert len({form["text"] for form in api.delivered}) == 1
    assert sorted(successor.book.outcomes()) == [("decision/42", "sent"), ("state/43", "unknown")]


async def test_a_decision_that_may_be_out_and_is_not_answered_again_is_unknown(api):
    api.script.extend([SLOW, 500])
    async with sending(api.url) as made:
        await made.put(make_text("a"))
        await eventually(lambda: api.calls == 1)
    made.store.own(SENDER, SENDER).until_ms = 0
    async with sending(api.url, made.store) as successor:
        await successor.all_done()

    assert api.calls == 2
    assert successor.book.outcomes() == [("a/42", "unknown")]


class Parcel:
    """A text that is handed to the sender directly."""

    may_be_out = is_outdated = False

    def __init__(self, text):
        self.text = text
        self.entry = Entry(OUTBOX, SENDER, "1-0", "text", 1, b"", at_ms=time.time_ns() // 10**6)

    async def begin(self):
        pass

    async def not_sent(self):
        pass


async def test_a_call_that_was_cut_off_after_a_long_sleep_does_not_keep_the_only_connection(api):
    api.script.append(SLOW)
    made = Sending(api.url, timeout_s=0.5)
    cut_off = asyncio.ensure_future(made.sender.deliver(Parcel(make_text("a"))))
    await eventually(lambda: api.calls == 1)
    time.sleep(0.6)  # noqa: ASYNC251 - as a machine that was asleep: its time is over, and then it is cancelled
    cut_off.cancel()
    await asyncio.wait((cut_off,))

    outcome = await made.sender.deliver(Parcel(make_text("b")))
    await made.sender.close()

    assert outcome.name == "sent"


async def test_while_the_log_is_away_nothing_is_sent_and_then_everything_once(api):
    async with sending(api.url) as made:
        log = made.bus._log
        mark, is_away = log.mark, [True]

        async def down(*given):
            if is_away[0]:
                raise BusDown("away")
            return await mark(*given)

        log.mark = down
        await made.put(make_text("a"), make_text("b"))
        await eventually(made.bus.problems)
        calls_meanwhile = api.calls
        is_away[0] = False
        await made.all_done()

    assert calls_meanwhile == 0
    assert [row["id"] for row in made.book.rows] == ["a/42", "b/42"]
    assert api.calls == 2
