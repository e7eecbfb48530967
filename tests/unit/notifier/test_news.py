import pytest

from notifier import herald, news
from oimon import codec
from oimon.bus import Output, Role, seat
from oimon.bus.log import SENDER, Draft
from oimon.bus.memory import MemoryBus
from oimon.clock import ManualClock, SystemClock
from oimon.errors import PoisonMessage
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, OUTBOX
from oimon.terms import Action, Direction, OptionKind
from tests.eventually import eventually
from tests.summing import everything, running
from tests.unit.notifier.samples import (
    NOW_US,
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
DAY_S = 24 * 3600


def outputs(*messages, chats=(42,)):
    """What the roles that saw these messages, one after the other, put in the outbox; each was written at ``NOW_US``."""
    duties = herald.roles(chats, ManualClock(NOW_US))
    states = {duty.name: duty.start("NIFTY") for duty in duties}
    found = []
    for number, message in enumerate(messages, 1):
        entry = make_entry(message, f"{number}-0", at_ms=NOW_US // 1000)
        for duty in duties:
            if entry.stream in (duty.reads, duty.consults):
                states[duty.name], said = duty.handle(states[duty.name], entry)
                found += said
    return found


def told(*messages):
    return [output.message for output in outputs(*messages)]


def test_the_first_word_of_a_coach_is_where_the_comparison_starts():
    assert told(make_advice(**ENTER)) == []


def test_a_call_that_changes_is_news_and_one_that_stays_is_not():
    [text] = told(make_advice(), make_advice(), make_advice(**ENTER), make_advice(**ENTER))

    assert text.of == "oi.advice-minimal.v1:NIFTY/3-0"
    assert (text.family, text.kind, text.loud) == ("NIFTY minimal", "decision", True)
    assert (text.underlying, text.mode, text.run) == ("NIFTY", "REPLAY", "r1")
    assert (text.made_ts_us, text.tag) == (NOW_US, news.tag_of(text.of))


def test_each_chat_has_a_text_of_a_name_of_its_own():
    found = outputs(make_advice(), make_advice(**ENTER), chats=(42, -7))

    assert [(output.stream, output.id, output.message.recipient) for output in found] == [
        (OUTBOX, "oi.advice-minimal.v1:NIFTY/2-0/42", "42"),
        (OUTBOX, "oi.advice-minimal.v1:NIFTY/2-0/-7", "-7"),
    ]


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
    [text] = told(make_advice(action=was), make_advice(action=now))

    assert text.loud is is_loud


def test_a_new_run_is_compared_with_nothing():
    assert told(make_advice(), make_advice(run="r2", **ENTER)) == []
    assert told(make_analysis(), make_analysis(run="r2", direction=Direction.BEARISH)) == []


def test_the_two_coaches_are_compared_each_with_itself():
    assert told(make_advice(), make_rich_advice(), make_advice(), make_rich_advice()) == []


def test_a_direction_that_turns_is_silent_news():
    [text] = told(make_analysis(), make_analysis(direction=Direction.BEARISH))

    assert (text.family, text.kind, text.loud) == ("NIFTY direction", "state", False)
    assert "▲ BULLISH → ▼ BEARISH" in text.text


def test_a_card_is_told_with_the_analysis_that_the_advice_answers():
    [text] = told(make_advice(), make_analysis(tick_age_ms=4_000), make_advice(**ENTER))

    assert "prices 4.0s old" in text.text


def test_quotes_are_no_news_and_what_is_no_message_is_for_the_bus_to_set_aside():
    [of_coach, *_] = herald.roles((42,), ManualClock(NOW_US))

    with pytest.raises(PoisonMessage):
        of_coach.handle(of_coach.start("NIFTY"), make_entry(make_advice(), data=b"{"))

    assert told(make_board(), make_board()) == []


def test_the_same_entry_is_told_under_the_same_tag():
    [first] = told(make_advice(), make_advice(**ENTER))
    [again] = told(make_advice(), make_advice(**ENTER))

    assert first.text == again.text
    assert f"#{first.tag}" in first.text
    assert news.tag_of("a") != news.tag_of("b")


@pytest.mark.parametrize("days", [-1, 1])
def test_what_was_said_on_another_day_is_not_told_but_compared_with(days):
    [of_minimal, *_] = herald.roles((42,), ManualClock(NOW_US))
    state, said = of_minimal.start("NIFTY"), []
    for number, (day, given) in enumerate([(days, {}), (days, ENTER), (0, ENTER), (0, {})], 1):
        at_ms = (NOW_US // 1_000_000 + day * DAY_S) * 1000
        entry = make_entry(make_advice(**given), f"{number}-0", at_ms=at_ms)
        state, found = of_minimal.handle(state, entry)
        said += found

    assert [output.id for output in said] == ["oi.advice-minimal.v1:NIFTY/4-0/42"]


async def test_on_the_bus_a_change_of_mind_is_told_with_the_data_it_was_made_of():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    ages_ms, calls = iter([1_000, 4_000]), iter([make_advice(), make_advice(**ENTER)])
    coach = Role(
        name="coach-minimal", reads=ANALYSIS, writes=ADVICE_MINIMAL, start=lambda _: None,
        handle=lambda state, _entry: (state, [Output(ADVICE_MINIMAL, next(calls))]),
    )  # fmt: skip
    analyst = role(ANALYSIS, lambda: make_analysis(tick_age_ms=next(ages_ms)))
    [of_minimal, *_] = herald.roles((42,), SystemClock())

    async with running(bus.own(analyst)), running(bus.own(coach)), running(bus.own(of_minimal)):
        await bus.publish("NIFTY", [make_gap()], PULSE)
        await eventually(lambda: bus.store.own(herald.MINIMAL, "NIFTY").in_n == 1)
        await bus.publish("NIFTY", [make_gap()], PULSE)
        [entry] = await eventually(lambda: everything(bus, OUTBOX, SENDER))

    assert entry.message.text.splitlines()[0] == "⚡ NIFTY coach: WAIT → ENTER CE   12:41:07 IST"
    assert "prices 4.0s old" in entry.message.text


def say(bus, stream, *messages):
    """Put messages where somebody would have said them."""
    count = bus.store.own("somebody", "NIFTY")
    for message in messages:
        draft = Draft("", codec.kind_of(message), codec.encode(message))
        bus.store.append(stream, "NIFTY", count, draft)


@pytest.mark.parametrize(
    ("name", "stream", "turns"),
    [
        (herald.MINIMAL, ADVICE_MINIMAL, [make_advice(), make_advice(**ENTER)]),
        (herald.RICH, ADVICE_RICH, [make_rich_advice(), make_rich_advice(action=Action.EXIT)]),
        (herald.DIRECTION, ANALYSIS, [make_analysis(), make_analysis(direction=Direction.BEARISH)]),
    ],
)
async def test_who_begins_at_noon_is_not_told_the_morning(monkeypatch, name, stream, turns):
    monkeypatch.setattr(seat, "BATCH", 1)  # the morning is longer than a batch
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    say(bus, stream, *turns, *turns)
    [duty] = [each for each in herald.roles((42,), SystemClock()) if each.name == name]

    async with running(bus.own(duty)):
        await eventually(lambda: bus.store.own(name, "NIFTY").in_n == 4)

    assert await everything(bus, OUTBOX, SENDER) == []


async def test_of_directions_that_wait_to_be_told_the_newest_is():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    calm, turned = make_analysis(), make_analysis(direction=Direction.BEARISH)
    [duty] = [each for each in herald.roles((42,), SystemClock()) if each.name == herald.DIRECTION]
    say(bus, ANALYSIS, calm)
    async with running(bus.own(duty)):
        await eventually(lambda: bus.store.own(herald.DIRECTION, "NIFTY").in_n == 1)
    say(bus, ANALYSIS, turned, calm, turned)

    async with running(bus.own(duty)):
        await eventually(lambda: bus.store.own(herald.DIRECTION, "NIFTY").in_n == 4)

    [entry] = await everything(bus, OUTBOX, SENDER)
    assert "▲ BULLISH → ▼ BEARISH" in entry.message.text
