"""The logarithm and the exponential of the loops, beside exact ones; left out where numba is not installed."""

import hashlib
import math
import re
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

from oimon import core

numba = pytest.importorskip("numba")
from oimon.core.compiled import elementary, volatility  # noqa: E402 - they need numba

COMPILED = Path(core.__file__).parent / "compiled"
compiled_now = numba.njit(error_model="numpy")  # what a cache holds may be of an older text


@compiled_now
def _logarithms(x, found):
    for i in range(len(x)):
        found[i] = elementary.ln(x[i])


@compiled_now
def _exponentials(x, found):
    for i in range(len(x)):
        found[i] = elementary.exp(x[i])


def of(loop, x):
    found = np.empty(len(x))
    loop(x, found)
    return found


def units_off(found, x, exact):
    """Return by how many units of its last place each number is off what decimals of fifty digits say."""
    with localcontext() as context:
        context.prec = 50
        return max(
            abs((Decimal(one) - exact(Decimal(other))) / Decimal(math.ulp(one)))
            for one, other in zip(found.tolist(), x.tolist(), strict=True)
        )


@pytest.mark.parametrize("width", [1e-9, 1e-3, 0.7, 30.0, 700.0])
def test_logarithms_are_right_to_a_unit_of_the_last_place(width):
    x = np.exp(np.random.default_rng(1).uniform(-width, width, 1500))

    assert units_off(of(_logarithms, x), x, Decimal.ln) < 1


@pytest.mark.parametrize(("low", "high"), [(-1e-9, 1e-9), (-0.7, 0.7), (-708.0, 709.0)])
def test_exponentials_are_right_to_a_unit_of_the_last_place(low, high):
    x = np.random.default_rng(2).uniform(low, high, 1500)

    assert units_off(of(_exponentials, x), x, Decimal.exp) < 1


def test_the_ends_are_told():
    ends = np.array([math.nan, 0.0, -0.0, -1.0, -math.inf, 1.0])
    assert of(_logarithms, ends).tolist() == pytest.approx([*[math.nan] * 5, 0.0], nan_ok=True)

    ends = np.array([math.nan, -math.inf, -709.0, 0.0, -0.0, 710.0, math.inf])
    expected = [math.nan, 0.0, 0.0, 1.0, 1.0, math.inf, math.inf]
    assert of(_exponentials, ends).tolist() == pytest.approx(expected, nan_ok=True)


def test_a_number_does_not_depend_on_how_many_are_worked_on_together():
    x = np.random.default_rng(3).uniform(0.1, 9.0, 45)

    for loop in (_logarithms, _exponentials):
        together = of(loop, x)
        assert [of(loop, x[i : i + 1])[0] for i in range(45)] == together.tolist()


def test_loops_ask_no_library_and_work_on_several_options_at_once():
    """A library's exponential is another on another machine, and is asked one number at a time."""
    ones, is_call, status = np.ones(9), np.ones(9, np.bool_), np.empty(9, np.int8)
    for name, asked in {
        "black76": (1.0, ones, 0.1, ones, 0.05, np.empty((8, 9))),
        "implied_vols": (ones, is_call, ones, 1.0, 0.1, 0.05, 0.01, np.empty(9), status),
    }.items():
        loop = compiled_now(getattr(volatility, name).py_func)
        loop(*asked)
        (text,) = loop.inspect_llvm().values()
        assert not re.search(r"@\"?(llvm\.)?(exp|log|pow)", text)
        assert re.search(r"fdiv <\d+ x double>", text)


def test_whoever_calls_these_is_compiled_anew_when_they_change():
    digest = hashlib.sha256((COMPILED / "elementary.py").read_text("utf-8").encode()).hexdigest()
    callers = [
        text
        for path in sorted(COMPILED.glob("*.py"))
        if "compiled.elementary import" in (text := path.read_text("utf-8"))
    ]

    assert len(callers) >= 2
    for text in callers:
        assert f'_ELEMENTARY = "{digest[:16]}"' in text
