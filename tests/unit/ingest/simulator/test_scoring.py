"""The acceptance table of hand-made days, and a small score through the real analytics."""

from functools import partial

import numpy as np
import pytest

from ingest.simulator.day import Plan
from ingest.simulator.regimes import NAMES, Name
from ingest.simulator.scoring import (
    Delay,
    Figure,
    Grade,
    Marks,
    Readings,
    Turn,
    balanced_accuracy,
    by_turn,
    figures,
    marks,
    median_s,
)
from ingest.simulator.trial import trial


def codes(*parts):
    return np.concatenate([np.full(seconds, NAMES.index(name), np.int8) for name, seconds in parts])


def readings(labels, *, every_s=60, score=None, confidence=None, level=None):
    count = len(labels)
    return Readings(
        at_s=every_s * np.arange(1, count + 1),
        label=np.array(labels, np.int8),
        score=np.array(labels if score is None else score, np.float64),
        confidence=np.full(count, 0.4) if confidence is None else np.array(confidence),
        level=np.full(count, 100.0) if level is None else np.array(level),
    )


def day(**fields):
    made = {
        "seed": 1,
        "confusion": [[90, 5, 5], [0, 80, 20], [10, 10, 80]],
        "delays": [Delay(0, 1, 100.0)],
        "changes": 12,
        "hours": 6.0,
        "sure": (100, 70),
        "unsure": (100, 52),
    }
    return Marks(**(made | fields))


def test_the_first_half_hour_shocks_and_the_first_quarter_of_a_regime_are_not_scored():
    truth = codes((Name.RANGE, 1_000), (Name.LB, 3_000), (Name.SHOCK, 1_800), (Name.SB, 2_000))

    found = marks(1, truth, readings([1] * 130))

    # LB from 1,900 to 3,999: analyses at 1,920 to 3,960; SB from 6,700: 6,720 to the end
    assert found.confusion == [[35, 0, 0], [19, 0, 0], [0, 0, 0]]
    assert found.delays == [Delay(0, -1, None)], "LB began too early, SHOCK has no truth"
    assert found.hours == pytest.approx((7_799 - 60) / 3600)


def test_a_day_without_an_analysis_has_nothing_to_score():
    found = marks(1, codes((Name.RANGE, 2_000), (Name.LB, 2_000)), readings([]))

    assert (found.changes, found.hours, found.sure) == (0, 0.0, (0, 0))
    assert found.delays == [Delay(0, 1, None)]
    assert np.sum(found.confusion) == 0


def test_a_delay_is_from_the_start_of_a_regime_to_its_label_and_none_where_it_never_stood():
    truth = codes(
        (Name.RANGE, 2_000), (Name.LB, 1_200), (Name.SC, 900), (Name.SB, 900), (Name.RANGE, 900)
    )
    labels = [0] * 40 + [1] * 31 + [0] * 28

    found = marks(1, truth, readings(labels))

    assert found.delays == [
        Delay(0, 1, 460.0),
        Delay(1, 1, 40.0),
        Delay(1, -1, None),
        Delay(-1, 0, 40.0),
    ]
    assert found.changes == 2
    assert by_turn([found])["a direction reverses"] == Turn(1, 1, None)
    assert by_turn([found])["a direction begins"] == Turn(1, 0, 460.0)


def test_what_was_never_read_has_no_delay_and_is_counted_beside():
    delays = [Delay(0, 1, 10.0), Delay(0, 1, 20.0), Delay(0, 1, None)]

    assert median_s(delays) == 15.0
    assert median_s([Delay(0, 1, None)]) is None
    assert by_turn([day(delays=delays)])["a direction begins"] == Turn(3, 1, 15.0)


def test_only_a_direction_is_detected_its_end_is_told_apart():
    delays = [Delay(0, 1, 100.0), Delay(1, 0, 900.0), Delay(-1, 0, 900.0)]

    table = {each.what: each for each in figures([day(delays=delays)])}

    assert table["detection, median"].value == 100.0
    assert by_turn([day(delays=delays)])["a direction ends"] == Turn(2, 0, 900.0)


def test_a_range_after_a_shock_is_no_direction_that_goes_on_or_reverses():
    found = by_turn([day(delays=[Delay(0, 0, 5.0)])])

    assert found["a direction goes on"] == found["a direction reverses"] == Turn(0, 0, None)


def test_signs_are_compared_five_minutes_on_by_confidence():
    truth = codes((Name.RANGE, 4_000))
    level = 100.0 + np.arange(60)  # it only rises

    found = marks(
        1,
        truth,
        readings(
            [0] * 60,
            score=[1.0] * 30 + [-1.0] * 30,
            confidence=[0.6] * 30 + [0.1] * 30,
            level=level,
        ),
    )

    assert found.sure == (1, 1)  # 1,800 s is the 30th
    assert found.unsure == (25, 0)  # the last five have no later level


def test_a_falling_level_proves_a_negative_sign_and_one_that_stands_nothing():
    truth = codes((Name.RANGE, 4_000))
    level = np.array([100.0] * 40 + [99.0 - k for k in range(20)])

    found = marks(
        1, truth, readings([0] * 60, score=[-1.0] * 60, confidence=[0.6] * 60, level=level)
    )

    # from the 30th at 1,800 s on: until the 35th it stands still for five minutes, the last five have no later level
    assert found.sure == (20, 20)


def test_balanced_accuracy_is_the_mean_over_the_labels_that_were_true():
    assert balanced_accuracy([[9, 1, 0], [0, 0, 0], [5, 0, 5]]) == pytest.approx(0.7)
    assert balanced_accuracy([[0, 0, 0]] * 3) is None


def test_the_table_s_figures_are_those_of_the_days():
    table = {each.what: each for each in figures([day(), day(confusion=[[50, 0, 50]] * 3)])}

    assert table["balanced accuracy, mean"].value == pytest.approx((250 / 300 + 1 / 3) / 2)
    assert table["opposite direction"].value == pytest.approx(100 * 55 / 400)
    assert table["detection, median"].value == 100.0
    assert table["label changes an hour"].value == 2.0
    assert table["sure − unsure, 5 min on"].value == pytest.approx(18.0)
    good = figures([day(confusion=[[90, 2, 8], [2, 90, 8], [5, 5, 90]])])
    assert {each.grade for each in good} == {Grade.REACHED}
    assert table["opposite direction"].grade is Grade.MISSED


def test_the_table_asks_what_the_specification_and_the_project_ask():
    table = {each.what: each for each in figures([day()])}

    # analytics specification, 13.5, and what its prototype reached
    assert {what: (each.required, each.wanted, each.at_least) for what, each in table.items()} == {
        "balanced accuracy, mean": (0.75, 0.83, True),
        "its 10th percentile": (0.62, 0.71, True),
        "opposite direction": (6, 3, False),
        "detection, median": (450, 312, False),
        "label changes an hour": (4.5, 3.5, False),
        "sure − unsure, 5 min on": (8, 8, True),
    }


def test_a_tenth_of_the_days_lies_below_the_tenth_percentile():
    days = [day(confusion=[[right, 100 - right, 0], [0, 0, 0], [0, 0, 0]]) for right in range(101)]

    table = {each.what: each for each in figures(days)}

    assert table["its 10th percentile"].value == pytest.approx(0.10)


def test_what_is_wanted_to_the_digit_is_reached():
    figure = partial(Figure, what="", error=None, required=0.75, wanted=0.83, prototype="")

    assert figure(value=0.83, at_least=True).grade is Grade.REACHED
    assert figure(value=0.83, at_least=False).grade is Grade.REACHED


def test_days_that_cannot_tell_a_figure_from_the_wanted_one_leave_it_open():
    figure = partial(Figure, what="", required=0.75, wanted=0.83, prototype="", at_least=True)

    assert figure(value=0.81, error=0.021).grade is Grade.OPEN
    assert figure(value=0.81, error=0.019).grade is Grade.MISSED
    assert figure(value=0.81, error=None).grade is Grade.MISSED, "one day tells no error"
    assert figure(value=318.0, error=53.0, wanted=312.0, at_least=False).grade is Grade.OPEN
    assert figure(value=376.0, error=12.0, wanted=312.0, at_least=False).grade is Grade.MISSED


def test_a_figure_tells_how_far_days_like_these_leave_it_unknown():
    days = [day(confusion=[[right, 100 - right, 0]] * 3) for right in range(40, 100, 3)]
    accuracies = [balanced_accuracy(each.confusion) for each in days]

    table = {each.what: each for each in figures(days)}

    expected = np.std(accuracies) / np.sqrt(len(days))
    assert table["balanced accuracy, mean"].error == pytest.approx(expected, rel=0.1)
    assert table["label changes an hour"].error == 0.0, "all days had as many"
    assert [each.error for each in figures(days)] == [each.error for each in figures(days)]


def test_a_single_day_says_nothing_of_others():
    assert {each.error for each in figures([day()])} == {None}


def test_days_without_anything_to_measure_leave_the_error_of_the_others():
    days = [day(delays=[]), day(delays=[Delay(0, 1, 100.0)]), day(delays=[Delay(0, 1, 200.0)])]

    error = {each.what: each.error for each in figures(days)}["detection, median"]

    assert error is not None
    assert 20.0 < error < 60.0


def test_each_of_the_days_is_drawn():
    error = {each.what: each.error for each in figures([day(), day(changes=24)])}

    assert error["label changes an hour"] == pytest.approx(2.0 / np.sqrt(8), rel=0.1)


@pytest.mark.parametrize("missing", ["sure", "unsure"])
def test_signs_of_one_kind_alone_are_not_compared(missing):
    table = {each.what: each for each in figures([day(**{missing: (0, 0)})])}

    assert table["sure − unsure, 5 min on"].value is None


def test_nothing_to_measure_is_a_figure_that_is_missed():
    empty = day(confusion=[[0, 0, 0]] * 3, delays=[], hours=0.0, sure=(0, 0), unsure=(0, 0))

    nothing = [(None, None, Grade.MISSED)] * 6
    assert [(f.value, f.error, f.grade) for f in figures([empty, empty])] == nothing


def test_the_real_analytics_reads_two_small_days_better_than_chance():
    found = [
        trial(Plan(seed=seed, every_s=15, publish_s=60.0, expiries=1, seconds=4_200))
        for seed in (2, 7)
    ]

    total = np.sum([each.confusion for each in found], axis=0)
    assert total.sum() > 50
    accuracy = balanced_accuracy(total.tolist())
    assert accuracy is not None
    assert accuracy > 0.6
    assert total[0, 1] + total[1, 0] < 0.06 * total.sum()


def test_a_day_is_scored_the_same_again():
    plan = Plan(seed=5, every_s=15, publish_s=60.0, expiries=1, seconds=600)

    assert trial(plan) == trial(plan)
