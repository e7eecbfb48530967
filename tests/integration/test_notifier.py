import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest

from notifier import herald
from notifier.config import NotifierSettings
from notifier.main import run
from oimon.bus.log import SENDER
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.messages import ADVICE_MINIMAL, ANALYSIS
from oimon.service import Running
from oimon.terms import Action, OptionKind
from tests.eventually import eventually
from tests.fakes.telegram import TOKEN, fake_telegram
from tests.unit.notifier.samples import (
    PULSE,
    make_advice,
    make_analysis,
    make_gap,
    make_session,
    role,
)

ENTER = {"action": Action.ENTER, "side": OptionKind.CE}


def make_running(bus, folder, replica="notifier-1", **settings):
    return Running(
        name="notifier",
        replica=replica,
        settings=NotifierSettings(_env_file=None, data_dir=folder, **settings),
        bus=bus,
        clock=SystemClock(),
        stop=asyncio.Event(),
    )


@asynccontextmanager
async def playing(bus, running, advice):
    """Run analytics, a fast coach with these calls, and the notifier; gives what plays one second.

    At the end the bus is stopped, and the notifier has drained.
    """
    await bus.declare(["NIFTY"])
    calls = iter([make_advice(**given) for given in advice])

    async def second():
        said = len(bus.store.stream(ADVICE_MINIMAL, "NIFTY").entries)
        await bus.publish("NIFTY", [make_session(), make_gap()], PULSE)
        await eventually(lambda: len(bus.store.stream(ADVICE_MINIMAL, "NIFTY").entries) == said + 1)

    async with asyncio.TaskGroup() as tasks:
        owning = [
            tasks.create_task(bus.own(role(ANALYSIS, make_analysis))),
            tasks.create_task(bus.own(role(ADVICE_MINIMAL, lambda: next(calls)))),
        ]
        notifying = tasks.create_task(run(running))
        yield second
        await bus.stop()
        await notifying
        for task in owning:
            task.cancel()


def count(folder, table):
    """Rows of a table; 0 while it does not exist."""
    with closing(sqlite3.connect(folder / "oimon.db")) as database:
        try:
            return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - a name of ours
        except sqlite3.OperationalError:
            return 0


async def test_what_the_bus_holds_when_it_stops_is_in_the_database_and_the_files(tmp_path):
    bus = MemoryBus()
    running = make_running(bus, tmp_path)

    async with playing(bus, running, [{}] * 5) as second:
        await second()
        await eventually(lambda: count(tmp_path, "advice"))
        for _ in range(4):
            await second()

    assert (count(tmp_path, "analyses"), count(tmp_path, "advice")) == (5, 5)
    assert (count(tmp_path, "gaps"), count(tmp_path, "sessions")) == (5, 1)
    assert len((tmp_path / "logs" / "ai-2026-08-18.ndjson").read_bytes().splitlines()) == 5
    status = running.status()
    assert status["database"]["rows_written"] == 16
    assert status["database"]["is_reachable"] is True
    assert status["transcripts"] == {"lines_written": 5}


def telegram_at(api):
    return {
        "telegram_bot_token": TOKEN,
        "telegram_chat_ids": (42,),
        "telegram_base_url": api.url,
    }


async def reads_along(bus):
    """Return when somebody compares what the fast coach says with what it said."""
    await eventually(lambda: bus.store.own(herald.MINIMAL, "NIFTY").in_n)


async def test_a_change_of_mind_reaches_telegram_and_leaves_its_row(tmp_path):
    bus = MemoryBus()
    async with fake_telegram() as api:
        running = make_running(bus, tmp_path, **telegram_at(api))
        async with playing(bus, running, [{}, ENTER]) as second:
            await second()
            await reads_along(bus)
            await second()
            await eventually(lambda: count(tmp_path, "texts"))
            [sends] = [held for held in running.status()["partitions"] if held["role"] == SENDER]

    [text] = [form["text"] for form in api.delivered]
    assert text.startswith("⚡ NIFTY coach: WAIT → ENTER CE")
    assert running.status()["telegram"]["outcomes"] == {"sent": 1}
    assert sends["partition"] == SENDER
    assert bus.held() == []


async def test_of_two_notifiers_each_text_goes_out_once_and_what_one_leaves_the_other_tells(
    tmp_path,
):
    bus = MemoryBus()
    other = MemoryBus(bus.store, "another")
    calls = [{}, ENTER, {}, ENTER, {}]
    async with fake_telegram() as api:
        first = make_running(bus, tmp_path, **telegram_at(api))
        second = make_running(other, tmp_path, replica="notifier-2", **telegram_at(api))
        running_on = asyncio.ensure_future(run(second))
        async with playing(MemoryBus(bus.store, "coaches"), first, calls) as play:
            await play()
            await reads_along(bus)
            for told in (1, 2):
                await play()
                await eventually(lambda told=told: count(tmp_path, "texts") == told)
            await other.stop()
            await running_on
            for told in (3, 4):
                await play()
                await eventually(lambda told=told: count(tmp_path, "texts") == told)
            await bus.stop()

    assert [form["text"].split("   ")[0] for form in api.delivered] == [
        "⚡ NIFTY coach: WAIT → ENTER CE",
        "⚡ NIFTY coach: ENTER CE → WAIT",
    ] * 2


async def test_a_database_that_is_away_shows_in_readiness_and_nothing_is_lost(tmp_path):
    bus = MemoryBus()
    folder = tmp_path / "data"
    folder.write_text("a file where the folder should be")
    running = make_running(bus, folder)

    async with playing(bus, running, [{}]) as second:
        await second()
        problems = await eventually(running.problems)
        folder.unlink()
        await eventually(lambda: not running.problems())

    assert any(problem.startswith("database ") for problem in problems)
    assert count(folder, "advice") == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "TELEGRAM_BOT_TOKEN is not set"),
        (
            {"telegram_bot_token": TOKEN},
            "TELEGRAM_CHAT_IDS is not set: there is nobody to tell",
        ),
    ],
)
async def test_without_token_or_chats_telegram_is_off_and_says_why(tmp_path, given, why):
    bus = MemoryBus()
    running = make_running(bus, tmp_path, **given)
    working = asyncio.ensure_future(run(running))
    await eventually(lambda: "telegram" in running.facts)

    await bus.stop()
    await working

    assert running.status()["telegram"] == {"off": why}
