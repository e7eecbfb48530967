import pytest

from tests.bench.harness import Result, interleave, report, shortfalls


def result(ratio, goal=45.0):
    return Result.of("chain", 100, ours_us=[1.0, 1.0, 1.0], theirs_us=[ratio, 1.0, 99.0], goal=goal)


def test_the_ratio_is_the_median_of_the_rounds():
    found = result(50.0)

    assert (found.ratio, found.ratio_min, found.ratio_max) == (50.0, 1.0, 99.0)


@pytest.mark.parametrize(
    ("ratio", "quick", "missed"), [(44, False, 1), (44, True, 0), (26, True, 1)]
)
def test_a_quick_run_must_reach_six_tenths_of_a_goal(ratio, quick, missed):
    assert len(shortfalls([result(ratio)], quick=quick)) == missed


def test_both_ways_run_in_every_round():
    ours, theirs = interleave(lambda: sum(range(200)), lambda: sum(range(2_000)), rounds=3)

    assert len(ours) == len(theirs) == 3
    assert all(slow > fast for fast, slow in zip(ours, theirs, strict=True))


def test_the_report_ends_with_one_json_object_a_result():
    assert report([result(50.0)]).splitlines()[-1].startswith('{"bench": "chain", "n": 100')
