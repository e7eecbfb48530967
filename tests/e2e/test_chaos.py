"""The fastest rows of the fault matrix, with fixed seeds; ``python -m tests.chaos`` runs all of them."""

import pytest

matrix = pytest.importorskip("tests.chaos.matrix", reason="needs Linux, and Valkey's wheel")
plan = pytest.importorskip("tests.chaos.plan", reason="needs Linux, and Valkey's wheel")

QUICK = [row for row in matrix.ROWS if row.quick]


@pytest.mark.parametrize("row", QUICK, ids=lambda row: f"row {row.number}")
async def test_the_log_is_none_the_worse_for_it(row, tmp_path):
    quick = plan.Plan(folder=tmp_path, seed=1, is_quick=True, minutes=0.0, say=print)

    outcome = await quick.run(row)

    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.complaints == []
