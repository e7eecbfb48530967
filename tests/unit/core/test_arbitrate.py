"""Rule, fast model, deep model: whose word counts."""

import dataclasses

import pytest

from oimon.core.advice import (
    Entry,
    RuleAdvice,
    advise_flat,
    advise_held,
    entry_block,
    rule_probability,
)
from oimon.core.arbitrate import Decider, Opinion, arbitrate_flat, arbitrate_held
from oimon.core.position import Reason
from oimon.core.signal import Veto, View
from oimon.terms import Action, Direction, OptionKind, Signal

CE, PE = OptionKind.CE, OptionKind.PE
FREE = Entry(vetoes=(), lots=2, direction=Direction.BULLISH, confidence=0.6)
BUY = View(signal=Signal.BUY, raw=Signal.BUY, vetoes=())
HOLD = advise_held(CE, Action.HOLD, Reason.IN_POSITION, 0.6)
WAIT = RuleAdvice(action=Action.WAIT, side=None, why="no_signal", confidence=0.5)


def says(action, side=None, confidence=0.6, age_s=1.0):
    return Opinion(action=action, side=side, confidence=confidence, age_s=age_s)


def test_a_free_signal_enters():
    advice = advise_flat(BUY, FREE)

    assert (advice.action, advice.side) == (Action.ENTER, CE)
    assert advice.confidence == pytest.approx(0.62)


def test_a_sell_buys_a_put():
    sell = View(signal=Signal.SELL, raw=Signal.SELL, vetoes=())
    free = dataclasses.replace(FREE, direction=Direction.BEARISH)

    advice = advise_flat(sell, free)

    assert (advice.action, advice.side) == (Action.ENTER, PE)


def test_the_first_veto_names_the_wait():
    held_back = dataclasses.replace(FREE, vetoes=(Veto.WIDE_SPREAD, Veto.COOLDOWN))

    advice = advise_flat(BUY, held_back)

    assert (advice.action, advice.why) == (Action.WAIT, "wide_spread")
    assert advice.confidence == pytest.approx(0.58)


@pytest.mark.parametrize(
    ("side", "changed", "block"),
    [
        (CE, {"lots": 0}, "no_size"),
        (CE, {"lots": 1}, None),
        (PE, {"confidence": 0.5}, "label_opposite"),
        (PE, {"confidence": 0.49}, None),
        (CE, {"stopped_sides": [CE], "confidence": 0.64}, "stopped_side"),
        (CE, {"stopped_sides": [CE], "confidence": 0.65}, None),
        (CE, {"stopped_sides": [PE]}, None),
        (CE, {"stopped_sides": [CE, PE]}, "stopped_side"),
    ],
)
def test_what_blocks_an_entry_has_a_name(side, changed, block):
    assert entry_block(side, dataclasses.replace(FREE, **changed)) == block


@pytest.mark.parametrize(
    ("action", "reason", "is_forced"),
    [
        (Action.EXIT, Reason.STOP_LOSS, True),
        (Action.EXIT, Reason.SQUARE_OFF, True),
        (Action.EXIT, Reason.STALE_EXIT, True),
        (Action.EXIT, Reason.REVERSAL, False),
        (Action.EXIT, Reason.FADE, False),
        (Action.HOLD, Reason.IN_POSITION, False),
    ],
)
def test_only_risk_exits_are_forced(action, reason, is_forced):
    assert advise_held(CE, action, reason, 0.6).is_forced is is_forced


@pytest.mark.parametrize(
    ("action", "reason", "confidence"),
    [
        (Action.HOLD, Reason.IN_POSITION, 0.62),
        (Action.EXIT, Reason.REVERSAL, 0.62),
        (Action.EXIT, Reason.FADE, 0.58),
    ],
)
def test_the_rule_is_sure_of_a_direction_or_of_none(action, reason, confidence):
    assert advise_held(CE, action, reason, 0.6).confidence == pytest.approx(confidence)


def test_a_forced_exit_outranks_every_model():
    rule = advise_held(CE, Action.EXIT, Reason.STOP_LOSS, 0.6)

    ruling = arbitrate_held(rule, says(Action.HOLD, CE), says(Action.HOLD, CE), 0)

    assert (ruling.action, ruling.decider, ruling.why) == (Action.EXIT, Decider.RULE, "forced")
    assert ruling.side is CE


def test_a_fresh_rich_exit_closes_and_an_old_one_does_not():
    fresh = arbitrate_held(HOLD, says(Action.HOLD, CE), says(Action.EXIT, CE, age_s=60), 0)
    old = arbitrate_held(HOLD, says(Action.HOLD, CE), says(Action.EXIT, CE, age_s=61), 0)

    assert (fresh.action, fresh.side, fresh.decider) == (Action.EXIT, CE, Decider.RICH)
    assert (old.action, old.side, old.decider) == (Action.HOLD, CE, Decider.MINIMAL)


@pytest.mark.parametrize("rich", [says(Action.HOLD, CE), says(Action.WAIT), says(Action.ENTER, PE)])
def test_only_an_exit_of_the_deep_model_closes(rich):
    assert arbitrate_held(HOLD, None, rich, 0).action is Action.HOLD


def test_a_sure_hold_of_the_fast_model_holds():
    ruling = arbitrate_held(HOLD, says(Action.HOLD, CE, 0.9), None, 0)

    assert (ruling.action, ruling.side, ruling.decider) == (Action.HOLD, CE, Decider.MINIMAL)


@pytest.mark.parametrize(
    ("confidence", "in_a_row", "action"),
    [(0.69, 1, Action.HOLD), (0.69, 2, Action.EXIT), (0.70, 1, Action.EXIT)],
)
def test_a_single_blink_does_not_close_a_position(confidence, in_a_row, action):
    ruling = arbitrate_held(HOLD, says(Action.EXIT, CE, confidence), None, in_a_row)

    assert (ruling.action, ruling.side) == (action, CE)
    assert ruling.decider is (Decider.MINIMAL if action is Action.EXIT else Decider.RULE)


def test_without_a_model_the_rule_closes():
    rule = advise_held(CE, Action.EXIT, Reason.FADE, 0.1)

    ruling = arbitrate_held(rule, None, None, 0)

    assert (ruling.action, ruling.side, ruling.decider) == (Action.EXIT, CE, Decider.RULE)


def test_the_model_enters_where_the_rule_waits():
    ruling = arbitrate_flat(WAIT, says(Action.ENTER, CE), None, FREE)

    assert (ruling.action, ruling.side, ruling.decider) == (Action.ENTER, CE, Decider.MINIMAL)


def test_the_models_wait_stands_against_the_rules_enter():
    ruling = arbitrate_flat(advise_flat(BUY, FREE), says(Action.WAIT), None, FREE)

    assert (ruling.action, ruling.decider) == (Action.WAIT, Decider.MINIMAL)


@pytest.mark.parametrize("said", [says(Action.ENTER), says(Action.WAIT, CE), says(Action.HOLD, CE)])
def test_without_an_enter_and_its_side_nothing_is_entered(said):
    unsure = dataclasses.replace(FREE, direction=Direction.NEUTRAL)

    assert arbitrate_flat(WAIT, said, None, unsure).action is Action.WAIT


def test_a_veto_is_named_before_what_the_deep_model_says():
    held_back = dataclasses.replace(FREE, vetoes=(Veto.COOLDOWN,))

    ruling = arbitrate_flat(WAIT, says(Action.ENTER, CE), says(Action.ENTER, PE), held_back)

    assert ruling.why == "cooldown"


def test_a_veto_turns_a_models_enter_into_wait():
    held_back = dataclasses.replace(FREE, vetoes=(Veto.COOLDOWN,))

    ruling = arbitrate_flat(WAIT, says(Action.ENTER, CE), None, held_back)

    assert (ruling.action, ruling.decider, ruling.why) == (Action.WAIT, Decider.RULE, "cooldown")


@pytest.mark.parametrize(
    ("rich", "action"),
    [
        (says(Action.ENTER, PE, 0.3), Action.WAIT),
        (says(Action.WAIT, None, 0.60), Action.WAIT),
        (says(Action.WAIT, None, 0.59), Action.ENTER),
        (says(Action.ENTER, CE), Action.ENTER),
        (says(Action.HOLD, PE), Action.WAIT),  # said of a put that is gone since
        (says(Action.HOLD, CE), Action.ENTER),
        (says(Action.EXIT, PE), Action.ENTER),
        (says(Action.ENTER, PE, 0.9, age_s=900), Action.ENTER),
        (None, Action.ENTER),
    ],
)
def test_an_entry_needs_no_contrary_rich(rich, action):
    assert arbitrate_flat(advise_flat(BUY, FREE), None, rich, FREE).action is action


def test_the_rules_probability_lies_between_a_half_and_seven_tenths():
    assert [rule_probability(c) for c in (0.0, 1.0)] == [0.5, 0.7]
    assert rule_probability(1.0, is_directional=False) == 0.5
