"""The fast coach's decision: a pure function of analysis, state and the newest answer."""

import dataclasses
from datetime import date, time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coach_minimal import paper
from coach_minimal.decide import decide
from coach_minimal.paper import State, resumed
from oimon import calendar, codec
from oimon.coach.question import Heard
from oimon.messages import DayTotals
from oimon.terms import Action, DecidedBy, Direction, MarketState, OptionKind, Quality
from tests.unit.coach.market import (
    STRIKES,
    X,
    at,
    entry_of,
    heard,
    later,
    make_analysis,
    make_chain,
    make_decision,
    make_legs,
    make_question,
    make_rich,
    without_quotes,
)

CE, PE = OptionKind.CE, OptionKind.PE
NOTHING = Heard(off="no_key")


def step(analysis, state=None, given=NOTHING, *, age_s=0.0):
    return decide(analysis, state or State(), given, age_s=age_s, capital=500_000.0)


def entered(**given):
    """A call bought at 150.30: the order of one beat, filled on the next."""
    first = make_analysis(**given)
    state, _ = step(first)
    second = later(first, 1)
    state, advice = step(second, state)
    assert advice.fill is not None
    return second, state


def test_a_signal_without_a_veto_enters_by_rule():
    analysis = make_analysis()

    state, advice = step(analysis)

    assert (advice.action, advice.side, advice.rule_action) == (Action.ENTER, CE, Action.ENTER)
    assert (advice.by, advice.by_why) == (DecidedBy.RULE, "no_key")
    assert advice.reasons == ["puts written, calls covered"]
    assert advice.contract.strikes == [26_050.0]
    assert advice.contract.lots == 2  # worked case size-01
    assert advice.invalidation == pytest.approx(25_987.0)
    assert (advice.position, advice.order.buy, state.order) == (None, True, advice.order)


def test_an_entry_names_what_speaks_for_its_side_only():
    evidence = [("futures", 0.3, "future bought"), ("pcr_level", -0.2, "PCR is low")]

    _, call = step(make_analysis(contributions=evidence))
    _, put = step(make_analysis(contributions=evidence, direction=Direction.BEARISH))

    assert (call.reasons, put.reasons) == (["future bought"], ["PCR is low"])


def test_an_order_fills_on_a_later_analysis_at_the_ask_and_slippage():
    analysis, state = entered()
    _, advice = step(later(analysis, 1), state)

    assert (state.position.entry, state.position.qty) == (150.30, 130)
    assert (state.day.trades, state.order) == (1, None)
    assert (advice.action, advice.side, advice.position.bid) == (Action.HOLD, CE, 150.0)


def test_an_open_order_is_as_sure_as_the_direction():
    state, _ = step(make_analysis())

    _, advice = step(later(make_analysis(), 0.2, direction=Direction.NEUTRAL), state)

    assert advice.confidence == pytest.approx(0.62)
    assert advice.reasons == ["the order waits for a two-sided quote"]


def test_a_position_knows_when_it_was_opened_to_the_microsecond():
    analysis, state = entered()

    assert state.position.entry_ts_us == analysis.ts_us
    assert paper.holding_of(state.position).entry_s == analysis.ts_us / 1e6


def test_an_order_does_not_fill_within_a_quarter_of_a_second():
    state, _ = step(make_analysis())

    _, advice = step(later(make_analysis(), 0.2), state)

    assert (advice.fill, advice.position) == (None, None)
    assert (advice.action, advice.by_why) == (Action.ENTER, "order_open")


@pytest.mark.parametrize(
    ("cadence_s", "wait_s", "rejected"),
    [(0.0, 4.9, None), (0.0, 5.0, "no_quote"), (60.0, 59.0, None), (60.0, 60.0, "no_quote")],
)
def test_an_order_without_a_quote_is_rejected_in_time(cadence_s, wait_s, rejected):
    first = make_analysis(cadence_s=cadence_s)
    state, _ = step(first)

    state, advice = step(without_quotes(later(first, wait_s, cadence_s=cadence_s)), state)

    assert (advice.fill and advice.fill.rejected) == rejected
    assert (state.order is None) == (rejected is not None)
    assert state.position is None


@pytest.mark.parametrize(
    ("cadence_s", "wait_s", "rejected"),
    [(0.0, 5.0, None), (0.0, 5.1, "no_quote"), (60.0, 60.0, None), (60.0, 61.0, "no_quote")],
)
def test_a_quote_that_comes_after_an_orders_time_does_not_fill_it(cadence_s, wait_s, rejected):
    first = make_analysis(cadence_s=cadence_s)
    state, _ = step(first)

    state, advice = step(later(first, wait_s, cadence_s=cadence_s), state)

    assert advice.fill.rejected == rejected
    assert (state.position is None) == (rejected is not None)


def test_a_sale_that_came_too_late_is_decided_anew():
    analysis, state = entered()
    fallen = {"bid": 112.5, "ask": 112.6}
    state, _ = step(later(analysis, 1, **fallen), state)

    state, late = step(later(analysis, 3600, **fallen), state)
    _, sold = step(later(analysis, 3601, **fallen), state)

    assert (late.fill.rejected, late.action, late.order.reason) == (
        "no_quote",
        Action.EXIT,
        "stop_loss",
    )
    assert (sold.fill.price, sold.position) == ("112.40", None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"market": MarketState.CLOSED}, "market_closed"),
        ({"market": MarketState.UNKNOWN}, "market_closed"),
        ({"is_stale": True}, "stale"),
        ({"is_gapped": True}, "gapped"),
        ({"is_warm": False}, "cold"),
        ({"chain": make_chain(pe=make_legs(oi=np.full(len(STRIKES), np.nan)))}, "one_sided"),
    ],
)
def test_numbers_that_cannot_be_trusted_mean_wait_whatever_a_model_says(changed, why):
    analysis = make_analysis(**changed)
    eager = heard(make_question(analysis), make_decision(Action.ENTER, CE))

    state, advice = step(analysis, given=eager)

    assert (advice.action, advice.by, advice.by_why) == (Action.WAIT, DecidedBy.RULE, why)
    assert state.order is None


def test_an_analysis_that_lay_too_long_is_stale_whatever_it_says():
    _, advice = step(make_analysis(), age_s=5.1)

    assert (advice.action, advice.by_why) == (Action.WAIT, "stale")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"direction": Direction.NEUTRAL}, "no direction is strong enough"),
        ({"quality": Quality.DEGRADED}, "the chain's data is not good enough"),
        ({"ask": 160.0}, "the option's spread is too wide or unknown"),
        ({"ts_us": at("14:45:01")}, "it is outside the hours for entries"),
        ({"market": MarketState.OPEN_CAS}, "the market is not in continuous trading"),
        ({"lot": None}, "the option's spread is too wide or unknown"),
    ],
)
def test_a_wait_says_why(changed, reason):
    _, advice = step(make_analysis(**changed))

    assert (advice.action, advice.reasons, advice.contract) == (Action.WAIT, [reason], None)


def test_one_lot_that_risks_too_much_is_not_bought():
    _, advice = decide(make_analysis(), State(), NOTHING, age_s=0.0, capital=100_000.0)

    assert (advice.action, advice.reasons) == (Action.WAIT, ["not one lot fits the risk"])


def test_on_the_afternoon_of_the_expiry_day_the_next_expiry_is_bought():
    today, following = "2026-11-18", "2026-11-23"
    noon, more = make_analysis(at("13:00:00")), make_analysis(at("13:00:00"), expiry=following)

    _, advice = step(dataclasses.replace(noon, expiry=today, more=[more]))

    assert advice.contract.expiry == following


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bid": 112.5}, "stop_loss"),
        ({"bid": 211.0}, "target"),
        ({"x": 25_980.0}, "invalidation"),
    ],
)
def test_a_risk_exit_is_forced_against_a_model_that_holds(change, reason):
    analysis, state = entered()
    now = later(analysis, 1, **{"ask": 212.0, **change})
    question = make_question(now, position_us=state.position.entry_ts_us, held=CE)

    state, advice = step(now, state, heard(question, make_decision(Action.HOLD, CE)))

    assert (advice.action, advice.forced, advice.by_why) == (Action.EXIT, True, "forced")
    assert (advice.order.buy, advice.order.reason) == (False, reason)


def test_a_time_stop_says_that_the_gain_was_too_small():
    analysis, state = entered()

    _, advice = step(later(analysis, 2700, bid=165.0, ask=165.2), state)

    assert (advice.action, advice.reasons) == (
        Action.EXIT,
        ["the option gained less than 10 % in 45 minutes"],  # it gained 9.8 %
    )


def test_an_exit_books_the_day_after_charges_and_starts_a_pause():
    analysis, state = entered()
    state, _ = step(later(analysis, 1, bid=112.5, ask=112.6), state)

    state, advice = step(later(analysis, 2, bid=112.5, ask=112.6), state)

    assert (advice.position, advice.fill.price, advice.fill.reason) == (None, "112.40", "stop_loss")
    assert advice.day.net == "-5011.06"  # 37.90 a unit, and the charges of both orders
    assert advice.day.stopped_side is CE
    assert advice.day.cooldown_until_us == advice.ts_us + 900_000_000
    assert (advice.action, advice.reasons) == (Action.WAIT, ["a pause follows the last exit"])
    assert state.position is None


def test_a_stopped_side_needs_more_confidence_that_day():
    analysis, state = entered()
    state, _ = step(later(analysis, 1, bid=112.5, ask=112.6), state)
    state, _ = step(later(analysis, 2, bid=112.5, ask=112.6), state)

    _, unsure = step(later(analysis, 1000), state)
    _, sure = step(later(analysis, 1000, confidence_factor=0.65), state)

    assert (unsure.action, unsure.reasons) == (Action.WAIT, ["this side was stopped today"])
    assert sure.action is Action.ENTER


def test_both_sides_can_be_stopped_in_a_day():
    analysis, state = entered()
    state, _ = step(later(analysis, 1, bid=112.5, ask=112.6), state)
    state, _ = step(later(analysis, 2, bid=112.5, ask=112.6), state)
    put, falls = later(analysis, 1000), {"direction": Direction.BEARISH, "confidence_factor": 0.7}
    state, _ = step(later(put, 0, **falls), state)
    state, bought = step(later(put, 1, **falls), state)
    for after_s in (2, 3):  # at a trailing stop: the day has lost less than its limit
        now = later(put, after_s, **falls)
        pe = make_legs(now.ts_us, bid=130.0, ask=130.2)
        now = dataclasses.replace(now, chain=dataclasses.replace(now.chain, pe=pe))
        trailing = bought.position and dataclasses.replace(bought.position, stop=131.0, trail=True)
        state, advice = step(now, dataclasses.replace(state, position=trailing))

    _, again = step(later(put, 1000), state)

    assert (advice.fill.reason, advice.day.stopped_side) == ("trailing_stop", PE)
    assert advice.day.stopped_sides == [CE, PE]
    assert (again.action, again.reasons) == (Action.WAIT, ["this side was stopped today"])


def test_a_stopped_side_of_an_older_advice_is_remembered():
    day = DayTotals(date="2026-11-18", stopped_side=CE)
    before = dataclasses.replace(step(make_analysis())[1], day=day, order=None)

    _, advice = step(later(make_analysis(), 1), resumed(before))

    assert advice.reasons == ["this side was stopped today"]


def at_the_end(analysis, **changed):
    """The expiry day of the contract that is held, a minute after its close; its chain is gone."""
    ts_us = calendar.instant_us(date(2026, 11, 23), time(15, 41))
    given = {"expiry": "2026-12-01", "market": MarketState.CLOSED, **changed}
    return later(analysis, (ts_us - analysis.ts_us) / 1e6, **given)


@pytest.mark.parametrize(
    ("x", "price", "net"),
    [
        (26_080.155, "30.16", "-15656.48"),  # 3,920.80, tax 5.88; it cost 19,539.00 and 32.40
        (26_010.0, "0.00", "-19571.40"),
    ],
)
def test_what_is_held_to_expiry_is_settled_at_its_intrinsic_value(x, price, net):
    analysis, state = entered()

    state, advice = step(at_the_end(analysis, x=x), state)

    assert (advice.fill.price, advice.fill.reason, advice.fill.qty) == (price, "expiry", 130)
    assert (advice.day.net, advice.position, state.position) == (net, None, None)


@pytest.mark.parametrize(
    "changed",
    [{"x": None}, {"tick_age_ms": 30_001}, {"tick_age_ms": None}, {"date": "2026-11-24"}],
)
def test_nothing_is_settled_at_a_price_that_is_not_known(changed):
    analysis, state = entered()

    _, advice = step(at_the_end(analysis, **changed), state)

    assert (advice.fill, advice.action, advice.position.bid) == (None, Action.HOLD, None)


def test_until_its_close_an_option_is_not_settled():
    analysis, state = entered()
    before = at_the_end(analysis).ts_us - 60_000_001

    _, advice = step(make_analysis(before, run=analysis.run, expiry="2026-12-01"), state)

    assert (advice.fill, advice.position is None) == (None, False)


def test_a_new_day_starts_new_totals_and_a_new_run_everything():
    analysis, state = entered()
    tomorrow = make_analysis(analysis.ts_us + 86_400_000_000, direction=Direction.NEUTRAL)

    next_day, _ = step(tomorrow, state)
    next_run, _ = step(make_analysis(run="run-2", direction=Direction.NEUTRAL), state)

    assert (next_day.day.trades, next_day.position is None) == (0, False)
    assert (next_run.day.trades, next_run.position) == (0, None)


def test_without_a_quote_a_position_is_held_and_no_bid_is_shown():
    analysis, state = entered()

    _, advice = step(without_quotes(later(analysis, 1)), state)

    assert (advice.action, advice.position.bid) == (Action.HOLD, None)
    assert advice.reasons == ["the option has no fresh quote; waiting for one"]


def test_a_take_over_goes_on_from_the_last_advice():
    analysis, state = entered()
    _, advice = step(later(analysis, 1), state)

    restored = resumed(entry_of(advice).message)

    now = later(analysis, 2, bid=185.0, ask=185.2)
    _, undisturbed = step(now, dataclasses.replace(state, position=advice.position))
    assert codec.encode(step(now, restored)[1]) == codec.encode(undisturbed)


unknown = st.sampled_from(["x", "atm", "forward", "pcr", "lot", "support", "resistance", "quotes"])
beats = st.tuples(
    st.sets(unknown, max_size=3),
    st.sampled_from(Direction),
    st.floats(0, 1),
    st.floats(1, 500),
    st.sampled_from(MarketState),
    st.floats(0.1, 4000),
)


@given(st.lists(beats, min_size=1, max_size=12))
def test_whatever_the_market_does_every_beat_gets_one_legal_advice(seen):
    state, analysis = State(), make_analysis()
    for missing, direction, confidence, bid, market, after_s in seen:
        analysis = later(
            analysis,
            after_s,
            direction=direction,
            confidence_factor=confidence,
            bid=round(bid * 20) / 20,
            ask=round(bid * 20) / 20 + 0.05,
            market=market,
            **{
                name: [] if name in ("support", "resistance") else None
                for name in missing - {"quotes"}
            },
        )
        if "quotes" in missing:
            analysis = without_quotes(analysis)
        state, advice = step(analysis, state)
        assert advice.action in (
            (Action.HOLD, Action.EXIT) if advice.position else (Action.ENTER, Action.WAIT)
        )
        assert 0.5 <= advice.confidence <= 0.7
        assert advice.reasons
        assert entry_of(advice).message.action is advice.action


# --- the model's word ----------------------------------------------------------------------------------------------


def test_a_models_answer_for_this_analysis_is_labelled_model():
    analysis = make_analysis(direction=Direction.NEUTRAL)
    answer = heard(make_question(analysis), make_decision(Action.ENTER, CE, invalidation=26_000.0))

    _, advice = step(analysis, given=answer)

    assert (advice.action, advice.side, advice.by) == (Action.ENTER, CE, DecidedBy.MODEL)
    assert (advice.confidence, advice.invalidation, advice.horizon_min) == (0.61, 26_000.0, 15)
    assert advice.rule_action is Action.WAIT


def test_an_answer_for_an_earlier_analysis_is_labelled_cached_with_its_time():
    analysis = make_analysis()
    answer = heard(make_question(analysis), make_decision(Action.WAIT))

    _, advice = step(later(analysis, 2), given=answer)

    assert (advice.action, advice.by) == (Action.WAIT, DecidedBy.CACHED)
    assert advice.input_ts_us == analysis.ts_us


@pytest.mark.parametrize(
    ("age_s", "x", "by", "why"),
    [
        (5.0, X * 1.01, DecidedBy.CACHED, None),
        (5.1, X * 1.01, DecidedBy.RULE, "late"),
        (15.0, X * 1.0001, DecidedBy.CACHED, None),
        (15.1, X, DecidedBy.RULE, "late"),
    ],
)
def test_an_answer_serves_longer_while_nothing_has_changed(age_s, x, by, why):
    analysis = make_analysis()
    answer = heard(make_question(analysis), make_decision(Action.WAIT), age_s=age_s)

    _, advice = step(later(analysis, 2, x=x), given=answer)

    assert (advice.by, advice.by_why) == (by, why)


def test_a_failed_question_leaves_the_decision_to_the_rule_with_its_reason():
    analysis = make_analysis()

    _, advice = step(analysis, given=heard(make_question(analysis), None))

    assert (advice.action, advice.by, advice.by_why) == (Action.ENTER, DecidedBy.RULE, "timeout")
    assert advice.transcript.error == "timeout"


def test_each_transcript_is_told_once():
    analysis = make_analysis(direction=Direction.NEUTRAL)
    answer = heard(make_question(analysis), make_decision(Action.WAIT))

    state, first = step(analysis, given=answer)
    _, second = step(later(analysis, 1, direction=Direction.NEUTRAL), state, answer)

    assert (first.transcript is None, second.transcript) == (False, None)


def test_an_answer_for_another_position_does_not_decide():
    analysis, state = entered()
    stale_view = heard(make_question(analysis), make_decision(Action.WAIT))

    _, advice = step(later(analysis, 1), state, stale_view)

    assert (advice.action, advice.by_why) == (Action.HOLD, "position_changed")


def test_a_veto_turns_a_models_entry_into_the_rules_wait():
    analysis = make_analysis(quality=Quality.DEGRADED)
    answer = heard(make_question(analysis), make_decision(Action.ENTER, CE))

    _, advice = step(analysis, given=answer)

    assert (advice.action, advice.by, advice.by_why) == (
        Action.WAIT,
        DecidedBy.RULE,
        "data_quality",
    )


def test_a_model_may_buy_the_other_side_of_a_weak_signal():
    analysis = make_analysis(confidence_factor=0.49)
    answer = heard(make_question(analysis), make_decision(Action.ENTER, PE))

    _, advice = step(analysis, given=answer)

    assert (advice.side, advice.contract.side, advice.contract.price) == (PE, PE, 140.3)


def test_two_answers_in_a_row_close_a_position_and_one_does_not():
    analysis, state = entered()
    opened_us = state.position.entry_ts_us
    first, second = later(analysis, 1), later(analysis, 2)
    leave = make_decision(Action.EXIT, CE)

    state, blink = step(
        first, state, heard(make_question(first, position_us=opened_us, held=CE), leave)
    )
    _, sure = step(
        second, state, heard(make_question(second, position_us=opened_us, held=CE), leave)
    )

    assert (blink.action, blink.by, blink.by_why) == (
        Action.HOLD,
        DecidedBy.RULE,
        "exit_unconfirmed",
    )
    assert blink.reasons != list(leave.reasons)  # they speak for leaving
    assert blink.confidence == pytest.approx(0.62)  # that of a HOLD; the model's is of an EXIT
    assert (sure.action, sure.by, sure.order.reason) == (
        Action.EXIT,
        DecidedBy.MODEL,
        "minimal_exit",
    )


def test_the_same_answer_read_twice_counts_once():
    analysis, state = entered()
    now = later(analysis, 1)
    question = make_question(now, position_us=state.position.entry_ts_us, held=CE)
    answer = heard(question, make_decision(Action.EXIT, CE))

    state, _ = step(now, state, answer)
    _, again = step(later(analysis, 2), state, answer)

    assert again.action is Action.HOLD


def test_a_failure_between_two_exits_breaks_the_row():
    analysis, state = entered()
    opened_us = state.position.entry_ts_us
    first, second = later(analysis, 1), later(analysis, 2)
    leave = make_decision(Action.EXIT, CE)
    said = heard(make_question(first, position_us=opened_us, held=CE), leave)
    state, _ = step(first, state, said)
    failed = heard(make_question(second, position_us=opened_us, held=CE), None).failure

    state, _ = step(second, state, dataclasses.replace(said, failure=failed))

    assert state.exits_in_a_row == 0


def test_the_deep_coachs_fresh_exit_closes_a_position():
    analysis, state = entered()
    rich = make_rich(analysis, Action.EXIT, side=CE)

    _, advice = step(later(analysis, 1), dataclasses.replace(state, rich=rich))

    assert (advice.action, advice.by) == (Action.EXIT, DecidedBy.CACHED)
    assert (advice.warnings, advice.order.reason) == (["rich_exit"], "rich_exit")


def test_the_deep_coachs_contrary_word_holds_an_entry_back():
    analysis = make_analysis()
    rich = make_rich(analysis, Action.ENTER, side=PE)

    _, advice = step(analysis, State(run=analysis.run, rich=rich))

    assert (advice.action, advice.by_why) == (Action.WAIT, "rich_contrary")
    assert advice.reasons == ["the deep coach says otherwise"]


def test_the_deep_coachs_word_of_another_run_is_forgotten():
    analysis = make_analysis()
    rich = make_rich(make_analysis(run="run-0"), Action.ENTER, side=PE)

    _, advice = step(analysis, State(run=analysis.run, rich=rich))

    assert advice.action is Action.ENTER
