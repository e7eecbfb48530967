"""The deep coach: when it speaks, and of which analysis."""

import dataclasses

import numpy as np
import pytest

from coach_minimal import main as fast
from coach_rich import trigger
from coach_rich.main import offline_role, role
from oimon.coach.desk import NoModel
from oimon.coach.question import Answer, Heard, Question
from oimon.messages import ADVICE_RICH, Event, Position, QuoteBoard
from oimon.terms import Action, Coach, DecidedBy, Direction, Mode, OptionKind, Segment
from tests.unit.coach.market import (
    NOON_US,
    STRIKES,
    entry_of,
    heard,
    later,
    make_analysis,
    make_decision,
    make_legs,
    make_rich,
    make_transcript,
)

CE = OptionKind.CE


class Listening:
    """A desk that keeps the question and lets a test lay the answer on it."""

    def __init__(self):
        self.asked: list[Question] = []
        self.heard = Heard()

    def hear(self, partition):
        return self.heard

    def age_s(self, entry_id):
        return 0.0

    def can_ask(self, partition, entry_id):
        return self.heard.off is None

    def ask(self, question):
        self.asked.append(question)

    def status(self):
        return {}


def moved(analysis, share):
    """The same market with every call's open interest changed by a share."""
    ce = dataclasses.replace(analysis.chain.ce, oi=analysis.chain.ce.oi * (1 + share))
    return dataclasses.replace(analysis, chain=dataclasses.replace(analysis.chain, ce=ce))


def play(duty, entries, state=None):
    """Hand entries over one by one; return the state and all outputs."""
    state, outputs = duty.start("NIFTY") if state is None else state, []
    for entry in entries:
        state, more = duty.handle(state, entry)
        outputs += more
    return state, outputs


# --- the trigger ---------------------------------------------------------------------------------------------------


def test_the_first_chain_of_a_run_is_spoken_of():
    _, reason = trigger.is_due(None, make_analysis())

    assert (reason.reason, reason.eligible) == ("initial", 2 * len(STRIKES))


def test_half_the_chain_moving_is_spoken_of_once_it_has_settled():
    start = make_analysis()
    watch, _ = trigger.is_due(None, start)
    watch, first = trigger.is_due(watch, moved(later(start, 70), 0.02))
    watch, second = trigger.is_due(watch, moved(later(start, 72), 0.02))

    assert (first, second.reason, second.moved) == (None, "oi_change", len(STRIKES))
    assert second.since_s == 72.0


def test_a_chain_that_grows_keeps_what_it_is_compared_with():
    start = make_analysis()
    watch, _ = trigger.is_due(None, start)
    grown = moved(later(start, 70), 0.02)
    wider = np.append(STRIKES, 26_550.0)
    chain = dataclasses.replace(
        grown.chain,
        strike=wider,
        ce=dataclasses.replace(grown.chain.ce, oi=np.append(grown.chain.ce.oi, 650_000.0)),
        pe=dataclasses.replace(grown.chain.pe, oi=np.append(grown.chain.pe.oi, 650_000.0)),
    )

    watch, _ = trigger.is_due(watch, dataclasses.replace(grown, chain=chain))

    assert np.count_nonzero(watch.baseline.oi == 650_000.0) == len(watch.baseline.oi)
    assert watch.baseline.armed_s is not None


def test_each_expiry_counts_in_its_own_lots():
    few = np.full(len(STRIKES), 6_500.0)  # so that ten lots are more than 1 %

    def at(ts_us, oi):
        other = make_analysis(ts_us, expiry="2027-01-26", lot=20)
        legs = make_legs(ts_us, oi=oi)
        chain = dataclasses.replace(other.chain, ce=legs, pe=legs)
        return make_analysis(ts_us, lot=65, more=[dataclasses.replace(other, chain=chain)])

    watch, _ = trigger.is_due(None, at(NOON_US, few))
    watch, _ = trigger.is_due(watch, at(NOON_US + 70_000_000, few + 200.0))

    _, found = trigger.is_due(watch, at(NOON_US + 72_000_000, few + 200.0))

    assert (found.reason, found.moved) == ("oi_change", 2 * len(STRIKES))


def test_an_expiry_that_ends_takes_its_symbols_with_it():
    start = make_analysis(more=[make_analysis(expiry="2026-12-01")])
    watch, _ = trigger.is_due(None, start)

    watch, _ = trigger.is_due(watch, moved(later(start, 70, expiry="2026-12-01"), 0.02))

    assert [expiry for expiry, _ in watch.keys] == ["2026-12-01"]
    assert len(watch.baseline.oi) == 2 * len(STRIKES)
    assert watch.baseline.armed_s is not None


def test_the_last_five_words_are_remembered():
    first = make_analysis()
    beats = [entry_of(later(first, 601 * k)) for k in range(7)]

    state, outputs = play(role(NoModel("no_key")), beats)

    assert list(state.recent) == [output.message for output in outputs[-5:]]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"direction": Direction.BEARISH}, "label_change"),
        (
            {"events": [Event(kind="SUPPORT_BREAK", text="", ts_us=NOON_US)]},
            "SUPPORT_BREAK",
        ),
        ({"events": [Event(kind="PCR_CROSS", text="", ts_us=NOON_US)]}, None),
    ],
)
def test_what_happened_to_the_market_is_spoken_of(changed, reason):
    start = make_analysis()
    watch, _ = trigger.is_due(None, start)

    _, found = trigger.is_due(watch, later(start, 60, **changed))

    assert (found and found.reason) == reason


def test_a_label_that_changed_too_soon_is_spoken_of_later():
    start = make_analysis()
    watch, _ = trigger.is_due(None, start)
    watch, soon = trigger.is_due(watch, later(start, 30, direction=Direction.BEARISH))
    _, found = trigger.is_due(watch, later(start, 61, direction=Direction.BEARISH))

    assert (soon, found.reason) == (None, "label_change")


# --- the handler ---------------------------------------------------------------------------------------------------


def test_without_a_model_it_speaks_at_once_by_rule():
    _, (output,) = play(role(NoModel("no_key")), [entry_of(make_analysis())])

    advice = output.message
    assert (output.stream, output.id) == (ADVICE_RICH, None)
    assert (advice.coach, advice.action, advice.side) == (Coach.RICH, Action.ENTER, CE)
    assert (advice.by, advice.by_why, advice.trigger.reason) == (
        DecidedBy.RULE,
        "no_key",
        "initial",
    )


def test_numbers_that_cannot_be_trusted_mean_wait_without_a_question():
    desk = Listening()

    _, (output,) = play(role(desk), [entry_of(make_analysis(is_warm=False))])

    assert (output.message.action, output.message.by_why) == (Action.WAIT, "cold")
    assert desk.asked == []


def test_an_answer_is_given_to_the_analysis_that_was_asked_about():
    desk, first = Listening(), make_analysis()
    duty = role(desk)
    state, none = play(duty, [entry_of(first), entry_of(later(first, 1))])

    desk.heard = heard(desk.asked[0], make_decision(Action.ENTER, CE))
    state, (output,) = play(duty, [entry_of(later(first, 2))], state)

    assert none == []
    assert output.id == entry_of(first).id
    assert (output.message.ts_us, output.message.by) == (first.ts_us, DecidedBy.MODEL)
    assert output.message.transcript is not None
    assert state.due is None


def test_a_failed_question_becomes_the_rules_advice_on_the_same_analysis():
    desk, first = Listening(), make_analysis()
    duty = role(desk)
    state, _ = play(duty, [entry_of(first)])

    desk.heard = heard(desk.asked[0], None)
    _, (output,) = play(duty, [entry_of(later(first, 31))], state)

    assert (output.id, output.message.by_why) == (entry_of(first).id, "timeout")
    assert output.message.action is Action.ENTER


def test_an_answer_to_an_earlier_question_is_not_taken_for_this_one():
    desk, first = Listening(), make_analysis()
    duty = role(desk)
    other = dataclasses.replace(make_question_like(first), entry_id="1-0")
    desk.heard = Heard(answer=Answer(question=other, transcript=make_transcript()))

    _, outputs = play(duty, [entry_of(first), entry_of(later(first, 1))])

    assert outputs == []


def make_question_like(analysis):
    desk = Listening()
    play(role(desk), [entry_of(analysis)])
    return desk.asked[0]


def test_it_knows_the_fast_coachs_position():
    desk, first = Listening(), make_analysis()
    duty = role(desk)
    position = Position(
        side=CE,
        expiry="2026-11-23",
        strikes=[26_050.0],
        lots=2,
        qty=130,
        entry=150.3,
        entry_ts_us=first.ts_us,
        stop=112.7,
        target=210.4,
        peak=150.3,
        trail=False,
        inv=25_987.0,
    )
    fast = make_rich(first, Action.HOLD, coach=Coach.MINIMAL, side=CE, position=position)
    desk.heard = Heard(off="no_key")
    state, _ = play(duty, [entry_of(first), entry_of(fast)])
    desk.heard = Heard()

    play(duty, [entry_of(later(first, 601))], state)

    assert desk.asked[0].held is CE
    assert '"side":"CE"' in desk.asked[0].prompt


def test_a_new_run_starts_anew():
    first = make_analysis()

    _, outputs = play(
        role(NoModel("no_key")), [entry_of(first), entry_of(make_analysis(run="run-2"))]
    )

    assert [o.message.trigger.reason for o in outputs] == ["initial", "initial"]


def test_a_take_over_compares_with_the_analysis_last_spoken_of():
    duty, first = role(NoModel("no_key")), make_analysis()
    _, (output,) = play(duty, [entry_of(first)])

    state = duty.resume("NIFTY", entry_of(output.message), entry_of(first))
    _, outputs = play(duty, [entry_of(moved(later(first, s), 0.02)) for s in (30, 61, 62)], state)

    assert [o.message.trigger.reason for o in outputs] == ["oi_change"]


def test_a_take_over_without_that_analysis_starts_anew():
    duty, first = role(NoModel("no_key")), make_analysis()
    _, (output,) = play(duty, [entry_of(first)])

    state = duty.resume("NIFTY", entry_of(output.message), None)

    assert state.watch is None


def test_a_quote_board_is_passed_over():
    board = QuoteBoard(
        ts_us=NOON_US,
        run="run-1",
        mode=Mode.REPLAY,
        segment=Segment.MCX,
        underlying="SILVERMIC",
        off=[],
        rows=[],
    )

    assert play(role(NoModel("no_key")), [entry_of(board, "oi.analysis.v1")])[1] == []


@pytest.mark.parametrize("segment", [Segment.MCX, Segment.NSE])
@pytest.mark.parametrize("duty_of", [offline_role, fast.offline_role])
def test_neither_coach_speaks_on_options_of_a_commodity(duty_of, segment):
    duty, analysis = duty_of(), make_analysis(segment=segment)

    silent = duty.handle(duty.start("CRUDEOIL"), entry_of(analysis))[1]
    spoken = duty.handle(duty.start("NIFTY"), entry_of(make_analysis()))[1]

    assert (len(silent), len(spoken)) == (0, 1)


def test_a_replay_is_the_same_whatever_the_fast_coach_said():
    duty = offline_role()

    assert duty.consults is None
    assert not duty.newest_only


def test_legs_that_nobody_holds_are_no_symbols():
    empty = make_legs(oi=np.zeros(len(STRIKES)))
    analysis = make_analysis()
    chain = dataclasses.replace(analysis.chain, ce=empty)

    _, reason = trigger.is_due(None, dataclasses.replace(analysis, chain=chain))

    assert reason.eligible == len(STRIKES)
