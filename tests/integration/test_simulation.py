"""What is left of the log after crashes, pauses, lost replies and cut-back ends is what nobody disturbed would have made."""

from collections import Counter

import pytest

from tests.simulation.seeds import ROUGH, ROUGH_TEXTS, all_lived
from tests.simulation.texts import ODDS_OF_TEXTS, Texts

SEEDS = range(2000)
AT_MOST = 400
"""Seeds after which a protection that was taken away must have been missed."""


@pytest.mark.timeout(300)
def test_no_fault_of_the_bus_shows_in_the_log():
    faults: Counter[str] = Counter()
    dirty = []
    for seed, findings in all_lived(SEEDS):
        faults += findings.faults
        if not findings.is_clean:
            dirty.append((seed, findings))

    assert not dirty, f"replay with `python -m tests.simulation SEED`: {dirty[:5]}"
    assert min(faults.values()) > 500, faults
    assert faults.keys() == ROUGH.keys()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "removed",
    [
        ["restore"],
        ["cursor check"],
        ["input check"],
        ["fence", "cursor check", "explicit ids"],
    ],
    ids=", ".join,
)
def test_a_protection_that_is_taken_away_is_missed(removed):
    seeds = range(AT_MOST)

    first = next(
        (seed for seed, found in all_lived(seeds, ROUGH, removed) if not found.is_clean), None
    )

    assert first is not None, f"none of {AT_MOST} seeds noticed that {removed} was taken away"


@pytest.mark.parametrize("removed", [["fence"], ["explicit ids"]], ids=", ".join)
def test_each_of_three_protections_against_repeats_suffices(removed):
    odds = {**ROUGH, "rollback": 0.0}

    assert all(found.is_clean for _, found in all_lived(range(40), odds, removed))


@pytest.mark.timeout(120)
def test_no_fault_loses_a_text_or_doubles_one_that_nobody_would_repeat():
    faults: Counter[str] = Counter()
    dirty, texts = [], 0
    for seed, found in all_lived(range(120), ODDS_OF_TEXTS, world=Texts):
        faults += found.faults
        texts += found.texts
        if not found.is_clean:
            dirty.append((seed, found))

    assert not dirty, f"replay with `python -m tests.simulation --texts SEED`: {dirty[:5]}"
    assert texts > 300
    assert min(faults.values()) > 50, faults


@pytest.mark.timeout(120)
@pytest.mark.parametrize("removed", ["names", "note before the call", "outbox before cursor"])
def test_a_protection_of_texts_that_is_taken_away_is_missed(removed):
    lives = all_lived(range(100), ROUGH_TEXTS, [removed], world=Texts)

    first = next((seed for seed, found in lives if not found.is_clean), None)

    assert first is not None, f"nobody noticed that {removed} was taken away"
