"""One chain's totals, PCR, max pain, walls and build-up: arrays against dictionaries with the O(n²) max pain.

The other side is the common way, restated: rows of nested dictionaries in which a leg may be missing, and for every
candidate strike a loop over all rows. Both sides make the same outputs, which is asserted first, also of a chain with
missing legs. ``fast`` is the same, and more, in the one pass of the extra of that name; ``fast, told`` is that pass with its numbers made into what
an analysis holds, shown; ``growth`` is the time of 240 strikes beside that of 480, of which it may be 2.3 times. Source: performance paper, 4a and 10.
"""

import math
import sys
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from oimon.core import fast
from oimon.core.build_up import CLASSES, build_up, option_bands
from oimon.core.max_pain import max_pain
from oimon.core.one_pass import Columns as Places
from oimon.core.one_pass import one_pass, reading_of
from oimon.core.pcr import pcr
from oimon.core.walls import oi_walls
from oimon.terms import BuildUp
from tests.bench.harness import Result, compare, main

GOALS = {100: 45.0, 240: 180.0}
FAST_GOALS = {100: 500.0, 240: 1500.0}
GROWTH = 2.3
LOT, TICK = 65, 0.05
PLACES = np.array(Places(oi=0, volume=1, mark=2, price_change=3, oi_change=4, oi_change_day=5, oi_age_s=6))  # fmt: skip
WINDOW = slice(20, 41)
FIELDS = ("oi", "volume", "price_then", "price_change", "oi_then", "oi_change")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A chain as arrays; two-sided columns have shape (2, n)."""

    strike: np.ndarray
    oi: np.ndarray
    volume: np.ndarray
    price_then: np.ndarray
    price_change: np.ndarray
    oi_then: np.ndarray
    oi_change: np.ndarray
    level: float

    @cached_property
    def cells(self) -> np.ndarray:
        """The same as analytics holds it: one matrix of rows of legs, shape (7, 2, n)."""
        mark = self.price_then + self.price_change
        age_s = np.full(self.oi.shape, 30.0)
        return np.stack([self.oi, self.volume, mark, self.price_change, self.oi_change, self.oi_change, age_s])  # fmt: skip

    @cached_property
    def delta(self) -> np.ndarray:
        """Unknown of each leg: the other side knows no noise either."""
        return np.full(self.oi.shape, np.nan)


def make_columns(n: int) -> Columns:
    """Return a chain of n strikes around its level, with open interest in whole lots."""
    random = np.random.default_rng(7)
    strike = 26_000.0 + 50.0 * (np.arange(n) - n // 2)

    def lots(low, high):
        return LOT * random.integers(low, high, (2, n)).astype(np.float64)

    oi, price = lots(100, 90_000), np.round(random.uniform(1, 500, (2, n)), 2)
    price_change = np.round(price * random.normal(0, 0.03, (2, n)), 2)
    oi_change = lots(-2_000, 3_000)
    return Columns(
        strike=strike,
        oi=oi,
        volume=lots(100, 900_000),
        price_then=price - price_change,
        price_change=price_change,
        oi_then=oi - oi_change,
        oi_change=oi_change,
        level=26_012.4,
    )


def without_some_legs(chain: Columns) -> Columns:
    """Return the chain without every seventh call and every fifth put."""
    columns = {name: getattr(chain, name).copy() for name in FIELDS}
    for column in columns.values():
        column[0, ::7] = math.nan
        column[1, ::5] = math.nan
    return replace(chain, **columns)


def make_rows(chain: Columns) -> list[dict]:
    """Return the same chain as rows of dictionaries; a leg without open interest is absent."""
    return [
        {"strike": float(strike)}
        | {
            side: {name: float(getattr(chain, name)[row, i]) for name in FIELDS}
            for row, side in enumerate(("ce", "pe"))
            if not math.isnan(chain.oi[row, i])
        }
        for i, strike in enumerate(chain.strike)
    ]


def ours(chain: Columns):
    ratios = pcr(chain.oi, chain.volume)
    walls = oi_walls(chain.strike, chain.oi, chain.level)
    bands = option_bands(chain.price_then, chain.oi_then, lot=LOT, tick=TICK)
    classes = build_up(chain.price_change, chain.oi_change, bands)
    return ratios, max_pain(chain.strike, chain.oi, chain.level), walls, classes


def theirs(rows, level: float):
    totals = {
        (side, name): sum(_field(row, side, name) for row in rows)
        for side in ("ce", "pe")
        for name in ("oi", "volume")
    }
    ratios = [totals["pe", name] / totals["ce", name] for name in ("oi", "volume")]
    pains = {row["strike"]: _pain(rows, row["strike"]) for row in rows}
    least = min(pains, key=pains.get)
    support = _walls([row for row in rows if row["strike"] <= level], "pe")
    resistance = _walls([row for row in rows if row["strike"] >= level], "ce")
    classes = [[_class(row.get(side)) for row in rows] for side in ("ce", "pe")]
    return totals, ratios, (least, pains[least]), support, resistance, classes


def ours_fast(chain: Columns):
    """Do the same, levels, shares and changes besides, in the one pass of machine code that analytics calls."""
    return one_pass(
        chain.strike,
        chain.cells,
        PLACES,
        level=chain.level,
        window=WINDOW,
        lot=LOT,
        tick=TICK,
        noise=(chain.delta, 0.0),
    )


def ours_told(chain: Columns):
    """Do the same and make what an analysis holds of its numbers."""
    numbers, codes = ours_fast(chain)
    return reading_of(numbers, len(chain.strike), WINDOW), codes


def run(quick: bool) -> list[Result]:
    rounds = 7 if quick else 25
    sizes = (100, 240) if quick else (60, 100, 240)
    results = [_beside_dictionaries("chain", n, ours, GOALS, rounds) for n in sizes]
    wide, narrow = make_columns(480), make_columns(240)
    results.append(
        compare(
            "chain, growth",
            480,
            ours=lambda: ours(wide),
            theirs=lambda: ours(narrow),
            goal=1 / GROWTH,
            rounds=rounds,
        )
    )
    if fast.use():
        try:
            results += [_beside_dictionaries("chain, fast", n, ours_fast, FAST_GOALS, rounds) for n in sizes]  # fmt: skip
            results += [_beside_dictionaries("chain, fast, told", n, ours_told, {}, rounds) for n in sizes]  # fmt: skip
        finally:
            fast.use(wanted=False)
    else:
        print("chain, fast was skipped: numba is not installed", file=sys.stderr)
    return results


def _beside_dictionaries(name: str, n: int, way, goals: dict[int, float], rounds: int) -> Result:
    """Compare one of our ways with the common one, after both gave the same of a whole and of a gapped chain."""
    chain = make_columns(n)
    rows = make_rows(chain)
    for each in (chain, without_some_legs(chain)):
        other = theirs(make_rows(each), each.level)
        if way is ours:
            _assert_same(ours(each), other)
        else:
            _assert_same_reading(ours_fast(each), other)
    return compare(
        name,
        n,
        ours=lambda: way(chain),
        theirs=lambda: theirs(rows, chain.level),
        goal=goals.get(n, 0.0),  # the goals are stated for these sizes; others are shown
        rounds=rounds,
    )


def _field(row, side: str, name: str) -> float:
    return (row.get(side) or {}).get(name) or 0


def _pain(rows, at: float) -> float:
    pain = 0.0
    for row in rows:
        strike = row["strike"]
        call = (row.get("ce") or {}).get("oi") or 0
        put = (row.get("pe") or {}).get("oi") or 0
        if at > strike:
            pain += (at - strike) * call
        if at < strike:
            pain += (strike - at) * put
    return pain


def _walls(rows, side: str):
    legs = [(row["strike"], _field(row, side, "oi")) for row in rows]
    return sorted(legs, key=lambda leg: -leg[1])[:3]


def _class(leg) -> BuildUp:
    if leg is None:
        return BuildUp.NONE
    moved, flowed = leg["price_change"], leg["oi_change"]
    if abs(moved) < max(0.01 * leg["price_then"], 2 * TICK) - 1e-9:
        return BuildUp.NONE
    if abs(flowed) < max(0.01 * leg["oi_then"], 25 * LOT) - 1e-9:
        return BuildUp.NONE
    if flowed > 0:
        return BuildUp.LONG_BUILDUP if moved > 0 else BuildUp.SHORT_BUILDUP
    return BuildUp.SHORT_COVERING if moved > 0 else BuildUp.LONG_UNWINDING


def _assert_same(mine, other) -> None:
    ratios, pain, walls, codes = mine
    totals, other_ratios, other_pain, support, resistance, classes = other
    assert [ratios.ce_oi, ratios.ce_volume, ratios.pe_oi, ratios.pe_volume] == list(totals.values())
    assert [ratios.by_oi, ratios.by_volume] == other_ratios
    assert (pain.strike, pain.pain) == other_pain
    assert walls == (tuple(support), tuple(resistance))
    assert [[CLASSES[code] for code in row] for row in codes] == classes


def _assert_same_reading(mine, other) -> None:
    """Compare what both have: of walls the two largest on each side."""
    numbers, codes = mine
    totals, other_ratios, other_pain, support, resistance, classes = other
    reading = reading_of(numbers, codes.shape[1], WINDOW)
    ratios, pain = reading.pcr, reading.pain
    assert [ratios.ce_oi, ratios.ce_volume, ratios.pe_oi, ratios.pe_volume] == list(totals.values())
    assert [ratios.by_oi, ratios.by_volume] == other_ratios
    assert (pain.strike, pain.pain) == other_pain
    for found, walls in ((numbers[17:21], support), (numbers[27:31], resistance)):
        assert found.tolist() == [number for wall in walls[:2] for number in wall]
    assert [[CLASSES[code] for code in row] for row in codes] == classes


if __name__ == "__main__":
    sys.exit(main(run))
