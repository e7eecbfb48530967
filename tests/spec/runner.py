"""Run a file of worked cases: each names a function, its inputs and the result that it must have.

A module ``tests.spec.*_cases`` holds adapters, ``ADAPTERS: dict[function name, Callable[[inputs], result]]``, that map a
case's flat arguments to the code's own signatures. A function without an adapter counts as not built.
"""

import json
import math
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import tests.spec
from oimon.errors import InputError

FORMAT = 1
REMEDY = "Give a file like the specification's analytics-examples.json"

Adapter = Callable[[dict[str, object]], object]
Case = dict[str, object]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a float may lie from the one expected."""

    rel: float
    abs: float

    def holds(self, expected: float, got: float) -> bool:
        return math.isclose(expected, got, rel_tol=self.rel, abs_tol=self.abs)


# Named in the header's note. Gamma exposure sums large terms of both signs, so its net is measured by their size.
_BY_FUNCTION = dict.fromkeys(("analyse", "smile", "implied_vol", "black76"), 1e-6)
_ZERO_GAMMA = Tolerance(rel=0.0, abs=0.05)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a file of cases; ``differences`` are whole sentences."""

    passed: int = 0
    failed: int = 0
    differences: list[str] = field(default_factory=list)
    not_built: dict[str, int] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        yield from self.differences
        missing = sum(self.not_built.values())
        yield f"{self.passed} passed, {self.failed} failed, {missing} not built"
        if self.not_built:
            yield f"not built: {', '.join(sorted(self.not_built))}"


def run(path: str | Path) -> Report:
    """Run every case of a file.

    Raises:
        InputError: the file cannot be read, is no JSON, has another format, or holds no cases.
    """
    header, cases = _load(path)
    adapters = _adapters()
    not_built: Counter[str] = Counter()
    differences: list[str] = []
    passed = failed = 0
    for case in cases:
        name = str(case["function"])
        if name not in adapters:
            not_built[name] += 1
            continue
        found = [
            f"case {case['id']}: {line}" for line in _differences(case, adapters[name], header)
        ]
        differences += found
        failed, passed = failed + bool(found), passed + (not found)
    return Report(passed=passed, failed=failed, differences=differences, not_built=dict(not_built))


def main(path: str | Path) -> int:
    """Print what came of a file of cases; return 1 if any failed."""
    report = run(path)
    for line in report.lines():
        print(line)
    return 1 if report.failed else 0


def _load(path: str | Path) -> tuple[Tolerance, list[Case]]:
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(path, "the file", f"cannot be read ({e.strerror})", REMEDY) from e
    except ValueError as e:
        raise InputError(path, "the file", f"is not JSON ({e})", REMEDY) from e
    version = data.get("version") if isinstance(data, dict) else None
    if version != FORMAT:
        raise InputError(path, "the header", f"version must be {FORMAT}, was {version}", REMEDY)
    cases = data.get("cases")
    if not isinstance(cases, list) or not cases:
        raise InputError(path, "the header", "holds no cases", REMEDY)
    for number, case in enumerate(cases, 1):
        missing = {"id", "function", "inputs", "expected"} - set(case)
        if missing:
            raise InputError(path, f"case {number}", f"lacks {sorted(missing)}", REMEDY)
    stated = data.get("conventions", {}).get("default_tolerance", {})
    return Tolerance(rel=stated.get("rel", 1e-9), abs=stated.get("abs", 1e-9)), cases


def _adapters() -> dict[str, Adapter]:
    found: dict[str, Adapter] = {}
    for module in pkgutil.iter_modules(tests.spec.__path__, "tests.spec."):
        if module.name.endswith("_cases"):
            found |= import_module(module.name).ADAPTERS
    return found


def _differences(case: Case, adapter: Adapter, default: Tolerance) -> list[str]:
    name = str(case["function"])
    tolerance = default
    if name in _BY_FUNCTION:
        tolerance = Tolerance(rel=_BY_FUNCTION[name], abs=default.abs)
    if isinstance(stated := case.get("tolerance"), dict):
        tolerance = Tolerance(rel=stated.get("rel", 0.0), abs=stated.get("abs", 0.0))
    try:
        got = adapter(case["inputs"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
        return [f"{name} raised {e!r}"]
    return list(_compare(name, case["expected"], got, tolerance))


def _compare(path: str, expected: object, got: object, tolerance: Tolerance) -> Iterator[str]:
    """Yield one line for each place where the results differ; keys that are not expected are not looked at."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            here = f"{path}.{key}"
            if key not in got:
                yield f"{here}: expected {value!r}, got nothing"
                continue
            yield from _compare(here, value, got[key], _special(key, expected, tolerance))
    elif isinstance(expected, list) and isinstance(got, list | tuple) and len(expected) == len(got):
        for i, (value, found) in enumerate(zip(expected, got, strict=True)):
            yield from _compare(f"{path}[{i}]", value, found, tolerance)
    elif not _is_same(expected, got, tolerance):
        yield f"{path}: expected {expected!r}, got {got!r}"


def _special(key: str, expected: dict[str, object], tolerance: Tolerance) -> Tolerance:
    if key == "zero_gamma":
        return _ZERO_GAMMA
    if key == "net" and isinstance(size := expected.get("abs"), float):
        return Tolerance(rel=0.0, abs=1e-6 * size)
    return tolerance


def _is_same(expected: object, got: object, tolerance: Tolerance) -> bool:
    """Compare floats within the tolerance, everything else exactly; True is no 1 here."""
    if isinstance(expected, float) and isinstance(got, float | int) and not isinstance(got, bool):
        return tolerance.holds(expected, got)
    if isinstance(expected, bool) != isinstance(got, bool):
        return False
    return expected == got
