"""A model's answer is checked before it is used."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.answer import levels_outside, validate_coach
from oimon.terms import Action, OptionKind

X = 26052.4
GOOD = {
    "v": 1,
    "action": "ENTER",
    "side": "CE",
    "confidence": 0.61,
    "reasons": ["put writing at 26000"],
    "invalidation": 25987.0,
    "horizon_min": 15,
}


def answer(held=None, **changed):
    return validate_coach(json.dumps({**GOOD, **changed}), held, X)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"action": "BUY"}, "bad_action"),
        ({"action": None}, "bad_action"),
        ({"action": {}}, "bad_action"),
        ({"confidence": 1.01}, "bad_confidence"),
        ({"confidence": float("nan")}, "bad_confidence"),
        ({"confidence": None}, "bad_confidence"),
        ({"reasons": []}, "bad_reasons"),
        ({"reasons": ["a"] * 6}, "bad_reasons"),
        ({"reasons": ["  "]}, "bad_reasons"),
        ({"reasons": ["because", "  "]}, "bad_reasons"),
        ({"reasons": ["because", 7]}, "bad_reasons"),
        ({"reasons": "because"}, "bad_reasons"),
        ({"side": "CALL"}, "missing_side"),
        ({"side": None}, "missing_side"),
    ],
)
def test_each_fault_has_its_name(changed, error):
    found = answer(**changed)

    assert (found.decision, found.error) == (None, error)


@pytest.mark.parametrize("confidence", [0, 0.05, 1])
@pytest.mark.parametrize("count", [1, 5])
def test_what_lies_at_a_limit_is_accepted(confidence, count):
    found = answer(confidence=confidence, reasons=["because"] * count)

    assert (found.error, found.decision.confidence) == (None, confidence)
    assert isinstance(found.decision.confidence, float)
    assert len(found.decision.reasons) == count


def test_an_object_is_found_between_words():
    assert validate_coach(f"Sure: {json.dumps(GOOD)}, I think", None, X).error is None


@pytest.mark.parametrize("raw", ["[]", "null", "7", '"ENTER"'])
def test_json_that_is_no_object_is_refused(raw):
    assert validate_coach(raw, None, X).error == "not_object"


@pytest.mark.parametrize(
    ("held", "action", "side", "legal"),
    [
        (None, "HOLD", None, Action.WAIT),
        (None, "EXIT", "CE", Action.WAIT),
        (OptionKind.CE, "WAIT", None, Action.HOLD),
        (OptionKind.CE, "ENTER", "CE", Action.HOLD),
        (OptionKind.CE, "ENTER", "PE", Action.EXIT),
    ],
)
def test_an_action_is_made_legal_with_a_warning(held, action, side, legal):
    found = answer(held, action=action, side=side, invalidation=None)

    assert found.decision.action is legal
    assert found.decision.side is held
    assert found.warnings == (f"coerced_{action}_to_{legal}",)


@pytest.mark.parametrize(
    ("action", "side"), [("HOLD", None), ("HOLD", "PE"), ("EXIT", None), ("EXIT", "CE")]
)
def test_what_is_legal_in_a_position_stands(action, side):
    found = answer(OptionKind.CE, action=action, side=side, invalidation=None)

    assert (found.decision.action, found.warnings) == (Action(action), ())


@pytest.mark.parametrize(
    ("side", "level", "is_kept"),
    [
        ("CE", X - 1, True),
        ("CE", X, False),
        ("PE", X + 1, True),
        ("PE", X, False),
        ("PE", X - 1, False),
    ],
)
def test_a_call_is_wrong_below_its_level_and_a_put_above(side, level, is_kept):
    found = answer(side=side, invalidation=level)

    assert found.decision.invalidation == (level if is_kept else None)


@pytest.mark.parametrize(
    ("level", "warning"),
    [
        ("low", "invalidation_dropped"),
        (20_000, "invalidation_dropped"),
        (10**400, "invalidation_dropped"),
        (float("nan"), "invalidation_dropped"),
        (float("inf"), "invalidation_dropped"),
        (26_100, "invalidation_wrong_side"),
    ],
)
def test_a_level_that_cannot_be_meant_is_dropped(level, warning):
    found = answer(invalidation=level)

    assert found.decision.invalidation is None
    assert found.warnings == (warning,)


def test_a_level_is_kept_up_to_five_per_cent_away():
    at_the_limit = 24_749.78  # 0.95 of X; a float's last bit farther

    assert answer(invalidation=at_the_limit).decision.invalidation == at_the_limit
    assert answer(invalidation=24_749.77).decision.invalidation is None


@pytest.mark.parametrize("horizon", [1, 5, 15, 30, 60])
def test_each_horizon_of_the_schema_stands(horizon):
    found = answer(horizon_min=horizon)

    assert (found.decision.horizon_min, found.warnings) == (horizon, ())


@pytest.mark.parametrize("horizon", [2, 61, True, "15", None, [5]])
def test_another_horizon_becomes_five_minutes(horizon):
    found = answer(horizon_min=horizon)

    assert (found.decision.horizon_min, found.warnings) == (5, ("horizon_defaulted",))


def test_reasons_are_trimmed_and_cut():
    found = answer(reasons=["  " + "a" * 200])

    assert found.decision.reasons == ("a" * 160,)


def test_half_a_surrogate_pair_is_replaced():
    found = validate_coach(json.dumps({**GOOD, "reasons": ["\ud800"]}), None, X)

    assert found.decision.reasons == ("?",)


def test_deep_nesting_is_not_json():
    assert validate_coach("[" * 100_000, None, X).error == "not_json"


texts = st.text('aé\ud800"{}[]:,0189.-eE \n')  # what JSON is made of, and what no encoder takes
values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.lists(texts))


@given(
    fields=st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, values)),
    wrap=st.sampled_from(["{}", "Sure! ```{}```", "{} or {}"]),
    held=st.sampled_from([None, OptionKind.CE, OptionKind.PE]),
    x=st.sampled_from([None, X]),
)
def test_no_object_makes_it_raise(fields, wrap, held, x):
    found = validate_coach(wrap.replace("{}", json.dumps({**GOOD, **fields})), held, x)

    assert (found.decision is None) == (found.error is not None)


@given(texts)
def test_no_text_makes_it_raise(raw):
    validate_coach(raw, OptionKind.CE, X)


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("support 26,000 holds", ()),
        ("call wall at 29,500", (29500.0,)),
        ("target 27850.50", (27850.5,)),
        ("written 29,500 lots at 26000", ()),
        ("OI up 20000 lakh, PCR 0.96, 15 min", ()),
        ("4,80,000 lots at 26000", ()),  # its first five digits are no number
        ("written 480000 lots", ()),
        ("29500.55 lots, 29500.55 lakh", ()),
        ("NIFTY29500CE", ()),
        ("from 25000 to 27000", ()),
        ("24999.95 or 27000.05", (24999.95, 27000.05)),
        ("13026.2 and 52104.8", (13026.2, 52104.8)),  # half and twice the level
        ("13026.15 and 52104.85", ()),
    ],
)
def test_levels_that_the_chain_does_not_reach_are_found(text, outside):
    assert levels_outside([text], X, 25_000, 27_000) == outside
