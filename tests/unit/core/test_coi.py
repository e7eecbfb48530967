import numpy as np
import pytest
from hypothesis import given

from oimon.core.coi import CoiCase, coi, coi_score
from tests.unit.core.chains import chains, changes, is_finite, two_sided


def test_the_ratio_has_a_meaning_only_when_both_sides_are_written():
    written = coi(two_sided((65, 130), (195, 195)))
    opposed = coi(two_sided((-65, -130), (195, 195)))

    assert (written.case, written.ratio) == (CoiCase.BOTH_WRITING, 2.0)
    assert (opposed.case, opposed.ratio) == (CoiCase.PUT_WRITING_CALL_UNWINDING, None)
    assert opposed.balance == 1.0


@pytest.mark.parametrize(
    ("calls", "puts", "case", "ratio"),
    [
        (65, 130, CoiCase.BOTH_WRITING, 2.0),
        (130, 65, CoiCase.BOTH_WRITING, 0.5),
        (-65, -130, CoiCase.BOTH_UNWINDING, None),
        (-65, 130, CoiCase.PUT_WRITING_CALL_UNWINDING, None),
        (65, -130, CoiCase.CALL_WRITING_PUT_UNWINDING, None),
        (0, 130, CoiCase.BOTH_WRITING, None),
        (130, 0, CoiCase.BOTH_WRITING, None),
        (0, -130, CoiCase.CALL_WRITING_PUT_UNWINDING, None),
        (-130, 0, CoiCase.PUT_WRITING_CALL_UNWINDING, None),
    ],
)
def test_a_sum_of_nothing_counts_as_writing_but_has_no_ratio(calls, puts, case, ratio):
    found = coi(two_sided((calls,), (puts,)))

    assert (found.case, found.ratio) == (case, ratio)
    assert found.balance == (puts - calls) / (abs(puts) + abs(calls))
    assert (found.ce_change, found.pe_change) == (calls, puts)


def test_four_of_five_legs_must_have_a_change():
    four = coi(two_sided((65, 65, 65, 65, None), (65, 65, 65, 65, None)))
    fewer = coi(two_sided((65, 65, 65, None, None), (65, 65, 65, 65, None)))

    assert four.case is CoiCase.BOTH_WRITING
    assert (fewer.case, fewer.balance) == (CoiCase.INSUFFICIENT_HISTORY, None)


def test_no_flow_is_flat():
    found = coi(two_sided((0, 0), (0, 0)))

    assert (found.case, found.balance) == (CoiCase.FLAT, 0.0)


def test_a_one_sided_but_tiny_flow_scores_almost_nothing():
    assert coi_score(1.0, -650, 1_300, 54_320_500) == pytest.approx(0.00718, rel=1e-4)
    assert coi_score(1.0, -456_300, 1_648_400, 54_320_500) == 1.0
    assert coi_score(-1.0, 1_300, -650, 54_320_500) == pytest.approx(-0.00718, rel=1e-4)
    assert coi_score(-0.5, 1_300, -650, 0.0) == -0.5
    assert coi_score(None, None, None, 54_320_500) is None


@given(chains(changes))
def test_swapping_calls_and_puts_turns_the_balance(chain):
    _, moved = chain

    found, mirrored = coi(moved), coi(moved[::-1])

    assert is_finite((found.ratio, found.balance, found.ce_change))
    assert (found.balance is None) == (mirrored.balance is None)
    if found.balance is not None:
        assert found.balance == -mirrored.balance


def test_no_legs_are_no_history():
    assert coi(np.empty((2, 0))).case is CoiCase.INSUFFICIENT_HISTORY
