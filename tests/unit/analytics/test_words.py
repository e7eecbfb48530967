import re
from dataclasses import replace

import pytest

from analytics.levels import LevelWatch
from analytics.report import future_reading
from analytics.words import line
from oimon.core.direction import Component
from oimon.core.level_break import BreakRun, LevelReference
from oimon.terms import Direction, EventKind
from tests.unit.analytics.days import make_session, play
from tests.unit.analytics.test_properties import NOW_S, SPOT, make_given


def broken(strike, ago_s):
    """Return the watch of a level that was broken so long ago."""
    run = BreakRun(since_s=NOW_S - ago_s - 60, samples=5, broken_s=NOW_S - ago_s)
    return LevelWatch(reference=LevelReference(strike=strike), run=run, watched=strike)


def test_each_contribution_says_its_score_share_and_raw_value():
    answer = play(make_session(strikes=21, cadence_s=60.0), range(1300))[-1]

    names = [name for name, _, _ in answer.contributions]
    assert set(names) == set(Component)
    for name, share, text in answer.contributions:
        score = answer.components[name].score
        assert text.startswith(f"{name} {score:+.2f} → {share:+.3f}: ")
    texts = {name: text for name, _, text in answer.contributions}
    assert re.search(
        r"puts (written|covered) [\d,]+, calls (written|covered) [\d,]+ around the money in 15 min$",
        texts["coi_balance"],
    )


def test_changes_of_a_younger_history_are_told_with_its_age():
    answer = play(make_session(strikes=21, cadence_s=60.0), range(421))[-1]

    (text,) = (text for name, _, text in answer.contributions if name == "coi_balance")
    assert text.endswith(" in 7 min")


def test_what_contradicts_the_direction_is_listed_strongest_first():
    answer = play(make_session(strikes=21, cadence_s=60.0), range(1300))[-1]

    sign = {Direction.BULLISH: 1, Direction.BEARISH: -1}.get(answer.direction, answer.score)
    assert all(share * sign < 0 for _, share, _ in answer.against)
    sizes = [abs(share) for _, share, _ in answer.against]
    assert sizes == sorted(sizes, reverse=True)


def test_a_change_of_direction_names_the_smoothed_score_that_made_it():
    changes = [
        (answer, event.text)
        for answer in play(make_session(strikes=21, cadence_s=60.0), range(1300))
        for event in answer.events
        if event.kind == EventKind.DIRECTION_CHANGE
    ]

    assert changes
    for answer, text in changes:
        assert text.endswith(f", smoothed score {answer.label.smoothed:+.2f}")


@pytest.mark.parametrize(
    ("support_ago_s", "says"),
    [
        (100, "+1.00 → +0.100: resistance 24,400 is broken"),
        (5, "-1.00 → -0.100: support 24,600 is broken"),
    ],
)
def test_of_two_broken_levels_the_words_name_the_one_that_is_scored(support_ago_s, says):
    market = make_given(1)
    before = replace(
        market.before, support=broken(24_600.0, support_ago_s), resistance=broken(24_400.0, 30)
    )

    found = replace(market, before=before).found()

    score = found.judgement.parts[Component.SR_POSITION].score
    assert line(Component.SR_POSITION, 0.1 * score, found) == f"sr_position {says}"


def test_a_strike_between_two_rupees_is_named_as_it_is():
    market = make_given(1)
    found = market.with_rows(market.chain.strike + 0.5, market.chain.cells).found()

    levels, pain = found.interest.levels, found.interest.pain
    for name, strikes in (
        (
            Component.SR_POSITION,
            [levels.support.strongest[0][0], levels.resistance.strongest[0][0]],
        ),
        (Component.MAX_PAIN, [pain.strike]),
    ):
        assert all(f" {strike:,.1f}" in line(name, 0.0, found) for strike in strikes)


def test_a_level_of_a_lakh_has_digit_groups_of_india():
    market = make_given(1)
    found = replace(market, before=replace(market.before, support=broken(105_000.0, 5))).found()

    assert line(Component.SR_POSITION, -0.1, found).endswith(": support 1,05,000 is broken")


def test_a_move_that_nobody_knows_is_not_told_as_a_usual_one():
    market = make_given(1)
    unknown = replace(market, market=replace(market.market, level_then=None)).found()

    assert unknown.flow.net.significance == 1.0
    assert "how far the price moved is unknown" in line(Component.NET_BUILDUP, 0.1, unknown)
    assert re.search(
        r"the price moved \d+% of what is usual", line(Component.NET_BUILDUP, 0.1, market.found())
    )


def test_a_basis_without_a_price_of_the_future_is_the_synthetic_one_s():
    market = make_given(1)
    future = replace(market.market.future, mark=None, mark_change=None)
    found = replace(market, market=replace(market.market, future=future)).found()

    assert found.flow.basis == pytest.approx((found.reference.forward.price - SPOT) / SPOT)
    assert ": synthetic future basis" in line(Component.FUTURES, 0.1, found)
    told = future_reading(found)
    assert (told.mark, told.basis) == (None, None)
