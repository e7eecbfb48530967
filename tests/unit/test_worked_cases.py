"""The specification's worked cases, by numpy and as machine code: each names a function, its inputs and its result."""

from pathlib import Path

import pytest

from oimon.core import fast
from tests.spec import runner

OF_COACHES = {"score_decision", "scoreboard"}  # not built
CASES = Path(__file__).resolve().parents[1] / "data" / "analytics-examples.json"


@pytest.mark.parametrize("wanted", [False, True], ids=["numpy", "machine code"])
def test_every_worked_case_has_its_result(wanted):
    if fast.use(wanted=wanted) is not wanted:
        pytest.skip("numba is not installed")

    try:
        report = runner.run(CASES)
    finally:
        fast.use(wanted=False)

    assert report.differences == []
    assert set(report.not_built) <= OF_COACHES
    assert report.passed > 170
