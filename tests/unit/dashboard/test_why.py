"""What the address of reasons answers."""

import pytest

from dashboard.views import NotThereError
from dashboard.why import why
from oimon.explain.direction import read_direction
from oimon.explain.strike import read_strike
from tests.unit.notifier.samples import NOW_US, make_analysis, make_board, make_entry


def test_the_direction_s_reasons_are_those_of_oi_why_with_their_age():
    analysis = make_analysis()

    answer = why(make_entry(analysis), NOW_US + 1_500_000, None, None)

    assert answer["sentences"] == read_direction(analysis, analysis).sentences
    assert (answer["direction"], answer["age_ms"], answer["mode"]) == ("BULLISH", 1_500, "REPLAY")


def test_a_strike_s_reasons_are_of_the_expiry_that_was_asked_for():
    analysis = make_analysis()
    (other,) = analysis.more

    answer = why(make_entry(analysis), NOW_US, other.expiry, 24_500.0)

    assert answer["sentences"] == read_strike(analysis, other, 24_500.0).sentences
    assert (answer["expiry"], answer["strike"]) == (other.expiry, 24_500.0)


@pytest.mark.parametrize(
    ("shown", "asked", "error", "remedy"),
    [
        (make_board(), (None, None), "quotes only, and no verdict", "Ask /analysis/"),
        (make_analysis(), ("2026-09-01", None), "no expiry 2026-09-01", "2026-08-20, 2026-08-25"),
        (make_analysis(), (None, 24_510.0), "has no strike 24510", "Ask for 24500, the nearest"),
        (make_analysis(off=["direction: none"]), (None, None), "no direction: direction: none", "strike"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_answered_with_what_is(shown, asked, error, remedy):
    with pytest.raises(NotThereError) as refused:
        why(make_entry(shown), NOW_US, *asked)

    assert error in refused.value.error
    assert remedy in refused.value.what_to_do
