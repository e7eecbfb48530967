"""The bundled day says what it said: a change of these figures is a change of what a trader sees."""

import json

import pytest

from tests.golden.figures import FILE, figures

KEPT = json.loads(FILE.read_text(encoding="utf-8"))


def differences(got, kept, path=""):
    """Yield where two nested results differ; floats count to six digits, as compiled loops may sum in another order."""
    if isinstance(kept, dict) and isinstance(got, dict):
        if got.keys() != kept.keys():
            yield f"{path} has other names"
            return
        for name in kept:
            yield from differences(got[name], kept[name], f"{path}.{name}")
    elif isinstance(kept, list) and isinstance(got, list) and len(kept) == len(got):
        for i, (a, b) in enumerate(zip(got, kept, strict=True)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(kept, float) and isinstance(got, float):
        if got != pytest.approx(kept, rel=1e-6, abs=1e-9):
            yield f"{path} is {got}, was {kept}"
    elif got != kept:
        yield f"{path} is {got}, was {kept}"


def test_the_bundled_day_says_what_it_said():
    found = json.loads(json.dumps(figures()))

    assert list(differences(found, KEPT)) == [], "if that is meant: python -m tests.golden"


def test_the_golden_figures_are_of_a_whole_day_and_small():
    assert len(KEPT) >= 9
    assert FILE.stat().st_size < 100_000
    assert {each["quality"] for each in KEPT.values()} == {"ok"}
    assert all(each["pcr"] > 0 and each["max_pain"] % 50 == 0 for each in KEPT.values())
