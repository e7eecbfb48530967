import asyncio

import pytest

from notifier import news
from notifier.herald import Herald
from oimon.bus.memory import MemoryBus
from oimon.messages import ADVICE_MINIMAL
from oimon.terms import Action, Direction, OptionKind
from tests.eventually import eventually
from tests.unit.notifier.samples import (
    PULSE,
    make_advice,
    make_analysis,
    make_board,
    make_entry,
    make_gap,
    make_rich_advice,
    role,
)

ENTER = {"action": Action.ENTER, "side": OptionKind.CE}


class Heard:
    """A sender that keeps what it was given."""

    def __init__(self):
        self.news = []

    def offer(self, item):
        self.news.append(item)


def told(*messages):
    """What a herald that saw these messages, one after the other, handed over."""
    heard = Heard()
    herald = Herald(heard)
    for number, message in enumerate(messages, 1):
        herald.take(make_entry(message, f"{number}-0"))
    return heard.news


def test_the_first_word_of_a_coach_is_where_the_comparison_starts():
    assert told(make_advice(**ENTER)) == []


def test_a_call_that_changes_is_news_and_one_that_stays_is_not():
    [item] = told(make_advice(), make_advice(), make_advice(**ENTER), make_advice(**ENTER))

    assert item.key == "oi.advice-minimal.v1:NIFTY/3-0"
    assert (item.is_decision, item.is_loud, item.mode) == (True, True, "REPLAY")


def test_another_side_is_another_call():
    put = make_advice(action=Action.ENTER, side=OptionKind.PE)

    assert len(told(make_advice(**ENTER), put)) == 1


@pytest.mark.parametrize(
    ("was", "now", "is_loud"),
    [
        (Action.WAIT, Action.ENTER, True),
        (Action.ENTER, Action.HOLD, False),
        (Action.HOLD, Action.EXIT, True),
        (Action.EXIT, Action.WAIT, False),
    ],
)
def test_what_opens_or_closes_a_position_rings_and_what_follows_does_not(was, now, is_loud):
    [item] = told(make_advice(action=was), make_advice(action=now))

    assert item.is_loud is is_loud


def test_a_new_run_is_compared_with_nothing():
    assert told(make_advice(), make_advice(run="r2", **ENTER)) == []
    assert told(make_analysis(), make_analysis(run="r2", direction=Direction.BEARISH)) == []


def test_the_two_coaches_are_compared_each_with_itself():
    assert told(make_advice(), make_rich_advice(), make_advice(), make_rich_advice()) == []


def test_a_direction_that_turns_is_silent_news():
    [item] = told(make_analysis(), make_analysis(direction=Direction.BEARISH))

    assert (item.is_decision, item.is_loud) == (False, False)
    assert "▲ BULLISH → ▼ BEARISH" in item.text


def test_a_card_is_told_with_the_newest_analysis():
    [item] = told(make_advice(), make_analysis(tick_age_ms=4_000), make_advice(**ENTER))

    assert "prices 4.0s old" in item.text


def test_quotes_and_entries_that_cannot_be_read_are_no_news():
    heard = Heard()
    herald = Herald(heard)

    herald.take(make_entry(make_board()))
    herald.take(make_entry(make_advice(), data=b"{"))

    assert heard.news == []


def test_the_same_entry_is_told_under_the_same_tag():
    [first] = told(make_advice(), make_advice(**ENTER))
    [again] = told(make_advice(), make_advice(**ENTER))

    assert first.text == again.text
    assert news.tag_of("a") != news.tag_of("b")


async def test_the_herald_follows_the_bus_until_it_is_stopped():
    bus, heard = MemoryBus(), Heard()
    await bus.declare(["NIFTY"])
    calls = iter([make_advice(), make_advice(**ENTER)])
    answer = role(ADVICE_MINIMAL, lambda: next(calls))

    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(bus.own(answer)),
            tasks.create_task(Herald(heard).run(bus)),
        ]
        for _ in range(2):
            await bus.publish("NIFTY", [make_gap()], PULSE)
            await bus.settle(2)
        await eventually(lambda: heard.news)
        for task in running:
            task.cancel()

    assert [item.text.splitlines()[0] for item in heard.news] == [
        "⚡ NIFTY coach: WAIT → ENTER CE   12:41:07 IST"
    ]
