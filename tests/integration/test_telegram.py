import asyncio
import contextlib
import socket

import pytest

from notifier import telegram as telegram_module
from notifier.news import News
from notifier.telegram import Telegram
from oimon.errors import PoisonMessage, TransientError
from tests.eventually import eventually
from tests.fakes.telegram import SLOW, TOKEN, fake_telegram
from tests.unit.notifier.samples import NOW_US


def make_news(**given):
    fields = {
        "key": "oi.advice-minimal.v1:NIFTY/1-0",
        "family": "NIFTY minimal",
        "is_decision": True,
        "is_loud": True,
        "ts_us": NOW_US,
        "underlying": "NIFTY",
        "mode": "REPLAY",
        "run": "r1",
        "text": "⚡ NIFTY coach: WAIT → ENTER CE #7f3a",
    }
    return News(**{**fields, **given})


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
        return [(row["recipient"], row["outcome"]) for row in self.rows]


@contextlib.asynccontextmanager
async def sending(url, *, chats=(42,), token=TOKEN, **options):
    book = Book()
    options = {"gap_s": (0.0, 0.0), "timeout_s": 5.0} | options
    sender = Telegram(token, chats, base_url=url, record=book.write, **options)
    running = asyncio.ensure_future(sender.run())
    try:
        yield sender, book
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def api(monkeypatch):
    monkeypatch.setattr(telegram_module, "BACKOFF_S", (0.01, 0.05))
    async with fake_telegram() as fake:
        yield fake


async def test_a_text_reaches_every_chat_and_leaves_a_row_each(api):
    async with sending(api.url, chats=(42, 43)) as (sender, book):
        sender.offer(make_news())
        await eventually(lambda: len(book.rows) == 2)

    assert [form["chat_id"] for form in api.delivered] == ["42", "43"]
    assert api.delivered[0]["text"] == "⚡ NIFTY coach: WAIT → ENTER CE #7f3a"
    assert book.outcomes() == [("42", "sent"), ("43", "sent")]
    assert book.rows[0]["id"] == "oi.advice-minimal.v1:NIFTY/1-0/42"


async def test_a_loud_text_rings_and_a_silent_one_does_not(api):
    async with sending(api.url) as (sender, book):
        sender.offer(make_news(is_loud=True))
        sender.offer(make_news(is_loud=False))
        await eventually(lambda: len(book.rows) == 2)

    assert [form.get("disable_notification") for form in api.delivered] == ["false", "true"]


async def test_a_429_waits_as_long_as_telegram_wishes_and_sends_once(api):
    api.script.append((429, 1))
    loop = asyncio.get_running_loop()

    async with sending(api.url) as (sender, book):
        start_s = loop.time()
        sender.offer(make_news())
        await eventually(lambda: book.rows)
        took_s = loop.time() - start_s

    assert took_s >= 1.0
    assert len(api.delivered) == 1
    assert book.outcomes() == [("42", "sent")]


@pytest.mark.parametrize(("status", "why"), [(400, "Chat not found"), (403, "Forbidden")])
async def test_a_refusal_is_not_repeated_and_does_not_hold_up_the_next(api, status, why):
    api.script.append(status)

    async with sending(api.url) as (sender, book):
        sender.offer(make_news(key="first"))
        sender.offer(make_news(key="second"))
        await eventually(lambda: len(book.rows) == 2)

    assert book.outcomes() == [("42", "failed"), ("42", "sent")]
    assert why.lower() in book.rows[0]["why"].lower()
    assert api.calls == 2


async def test_a_decision_of_unknown_outcome_goes_out_once_more(api):
    api.script.extend([500, 200])

    async with sending(api.url) as (sender, book):
        sender.offer(make_news())
        await eventually(lambda: book.rows)

    assert book.outcomes() == [("42", "sent")]
    assert api.calls == 2


async def test_a_decision_that_stays_unknown_is_recorded_so(api):
    api.script.extend([500, 500])

    async with sending(api.url) as (sender, book):
        sender.offer(make_news())
        await eventually(lambda: book.rows)

    assert book.outcomes() == [("42", "unknown")]
    assert api.calls == 2


async def test_other_news_of_unknown_outcome_is_only_recorded(api):
    api.script.append(SLOW)

    async with sending(api.url, timeout_s=0.1) as (sender, book):
        sender.offer(make_news(is_decision=False))
        await eventually(lambda: book.rows)

    assert book.outcomes() == [("42", "unknown")]
    assert len(api.delivered) == 1


async def test_a_refused_connection_is_tried_until_somebody_answers(monkeypatch):
    monkeypatch.setattr(telegram_module, "BACKOFF_S", (0.01, 0.05))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with sending(url) as (sender, book):
            sender.offer(make_news())
            await eventually(lambda: sender.last_error)

            assert "ConnectError" in sender.last_error
            assert not book.rows
    assert book.outcomes() == [("42", "unknown")]  # the service stopped meanwhile


async def test_a_wrong_token_fails_and_is_not_told_to_anybody(api):
    async with sending(api.url, token="99999:BBBB-another_token") as (sender, book):
        sender.offer(make_news())
        await eventually(lambda: book.rows)

    assert book.outcomes() == [("42", "failed")]
    assert "another_token" not in str(book.rows) + str(sender.facts())


async def test_a_waiting_state_gives_way_to_a_newer_one_and_a_decision_to_nothing(api):
    api.script.append((429, 1))
    async with sending(api.url) as (sender, book):
        sender.offer(make_news(key="in hand"))
        await eventually(lambda: api.calls == 1)
        for key in ("old", "new"):
            sender.offer(make_news(key=key, family="NIFTY direction", is_decision=False))
        for key in ("ENTER", "EXIT"):
            sender.offer(make_news(key=key))
        await eventually(lambda: len(book.rows) == 5)

    told = [(row["id"], row["outcome"]) for row in book.rows if row["outcome"] == "sent"]
    assert told == [(f"{key}/42", "sent") for key in ("in hand", "new", "ENTER", "EXIT")]
    assert [row["id"] for row in book.rows if row["outcome"] == "dropped"] == ["old/42"]


async def test_the_waiting_line_is_bounded_and_what_falls_out_is_recorded(api, monkeypatch):
    monkeypatch.setattr(telegram_module, "WAITING_MAX", 3)
    api.script.append((429, 1))
    async with sending(api.url) as (sender, book):
        sender.offer(make_news(key="in hand"))
        await eventually(lambda: api.calls == 1)
        for number in range(5):
            sender.offer(make_news(key=f"k{number}"))

        assert sender.facts()["waiting"] == 3
        await eventually(lambda: len(book.rows) == 6)

    dropped = [row["id"] for row in book.rows if row["outcome"] == "dropped"]
    assert dropped == ["k0/42", "k1/42"]


async def test_what_waits_at_the_stop_is_recorded_not_forgotten(api):
    api.script.append(SLOW)
    async with sending(api.url) as (sender, book):
        sender.offer(make_news(key="in hand"))
        await eventually(lambda: api.calls == 1)
        sender.offer(make_news(key="waiting"))

    assert [(row["id"], row["outcome"]) for row in book.rows] == [
        ("in hand/42", "unknown"),
        ("waiting/42", "dropped"),
    ]


async def test_rows_wait_while_the_database_is_away(api):
    async with sending(api.url) as (sender, book):
        book.is_away = True
        sender.offer(make_news(key="one"))
        await eventually(lambda: sender.last_error)
        book.is_away = False
        sender.offer(make_news(key="two"))
        await eventually(lambda: len(book.rows) == 2)

    assert [row["id"] for row in book.rows] == ["one/42", "two/42"]


async def test_a_text_that_can_have_no_row_does_not_end_the_others(api):
    async with sending(api.url) as (sender, book):
        sender.offer(make_news(text="a\0b"))
        sender.offer(make_news(key="next"))
        await eventually(lambda: book.rows)

        assert sender.last_error == "the database refuses its row"
    assert [row["id"] for row in book.rows] == ["next/42"]


async def test_texts_to_one_chat_keep_their_distance(api):
    loop = asyncio.get_running_loop()

    async with sending(api.url, gap_s=(0.2, 0.4), chats=(-7,)) as (sender, book):
        start_s = loop.time()
        sender.offer(make_news(key="one"))
        sender.offer(make_news(key="two"))
        await eventually(lambda: len(book.rows) == 2)

        assert loop.time() - start_s >= 0.4
