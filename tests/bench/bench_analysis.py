"""One full analysis of a chain of 120 strikes, Greeks and explanation included, beside the millisecond that it may take.

Every beat has new prices and new open interest, so nothing is taken from the beat before. Shown too: what each section takes of it.
Asserted first: the message has everything that is known of a whole chain. Source: analytics specification, 14; performance paper, 4.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from analytics import analyse as analysing
from analytics import findings, report
from analytics.anchors import page_bases
from analytics.cells import COUNT, Cell
from analytics.findings import Findings
from analytics.situation import Before, ChainCells, ChainNow, MarketNow
from oimon.core import fast
from oimon.core.forward import RATE
from oimon.core.greeks import black76
from oimon.messages import ExpiryAnalysis
from oimon.terms import MarketState
from tests.bench.harness import Result, main

STRIKES, LOT, TICK, SPOT, DAYS = 120, 65, 0.05, 26_031.65, 5.2
LIMIT_US = 1000.0
NOW_S = 1_795_600_000
SECTIONS = {
    "forward, levels of the market (1.5)": (analysing, "reference_of"),
    "volatility, deltas (9)": (analysing, "smiles"),
    "ratios, max pain, levels (1.6, 2, 3, 4)": (analysing, "_interest"),
    "build-up, verdicts (5)": (analysing, "flows_of"),
    "direction (6)": (analysing, "judge"),
    "gamma exposure (9.4)": (findings, "gex"),
}


def chains(count: int) -> list[ChainNow]:
    """Return the same chain at so many beats, with other prices and open interest each time."""
    dice = np.random.default_rng(11)
    strike = 26_000 + 50.0 * (np.arange(STRIKES) - STRIKES // 2)
    x = np.log(strike / SPOT)
    fair = black76(SPOT, strike, DAYS / 365, 0.12 - 0.2 * x + 3 * x * x, RATE).price
    found = []
    for _ in range(count):
        cells = np.full((COUNT, 2, STRIKES), np.nan)
        mark = np.maximum(fair * dice.uniform(0.99, 1.01, fair.shape), 0.1)
        oi = LOT * dice.integers(100, 90_000, fair.shape).astype(np.float64)
        change = LOT * dice.integers(-2000, 3000, fair.shape).astype(np.float64)
        given = {
            Cell.LTP: mark, Cell.BID: mark - TICK, Cell.ASK: mark + TICK, Cell.BID_QTY: 130.0, Cell.ASK_QTY: 65.0,
            Cell.VOLUME: 10 * oi, Cell.OI: oi, Cell.OI_PREV: oi - change, Cell.OI_OPEN: oi - change, Cell.PREV_CLOSE: mark,
            Cell.MARK: mark, Cell.IS_MID: 1.0, Cell.OI_AGE_S: 20.0, Cell.PRICE_CHANGE_15M: mark * dice.normal(0, 0.05, fair.shape),
        }  # fmt: skip
        changes = (Cell.OI_CHANGE_DAY, Cell.OI_CHANGE_OPEN, Cell.OI_CHANGE_3M, Cell.OI_CHANGE_5M, Cell.OI_CHANGE_15M, Cell.OI_CHANGE_30M)  # fmt: skip
        instants = (Cell.EXCHANGE_US, Cell.RECEIVED_US, Cell.TRADED_US, Cell.OI_CHANGED_US)
        for cell, value in given.items():
            cells[cell] = value
        for cell in changes:
            cells[cell] = change
        for cell in instants:
            cells[cell] = NOW_S * 1e6
        found.append(
            ChainNow(
                expiry="2026-12-01",
                lot=LOT,
                tick=TICK,
                seconds_left=DAYS * 86_400,
                session_s=23_100.0,
                is_in_entry_window=True,
                rows=ChainCells(strike, cells),
            )
        )
    return found


def market(beat: int) -> MarketNow:
    return MarketNow(
        ts_us=(NOW_S + beat) * 1_000_000, market=MarketState.OPEN, cadence_s=0.0, spot=SPOT, underlying_age_s=1.0,
        level_then=SPOT - 20, future=None,
    )  # fmt: skip


def told(chain: ChainNow, beat: int, before: Before) -> tuple[Findings, ExpiryAnalysis]:
    (found,) = analysing.analyse([chain], market(beat), [before])
    return found, report.expiry_analysis(found, page_bases("a bench"))


def run(quick: bool) -> list[Result]:
    rounds = 5 if quick else 25
    results = [_measured("analysis", rounds)]
    if fast.use():
        try:
            results.append(_measured("analysis, fast", rounds))
        finally:
            fast.use(wanted=False)
    return results


def _measured(name: str, rounds: int) -> Result:
    beats = chains(20)
    found, message = told(beats[0], 0, Before())
    assert message.gex is not None
    assert message.rr25 is not None
    assert message.contributions
    times_us, spent = [], dict.fromkeys(SECTIONS, 0.0)
    for _ in range(rounds):
        memory = Before()
        start = time.process_time_ns()
        for beat, chain in enumerate(beats):
            found, _message = told(chain, beat, memory)
            memory = found.after
        times_us.append((time.process_time_ns() - start) / 1e3 / len(beats))
    with _watched(spent):
        start = time.perf_counter()
        for _ in range(max(1, rounds // 3)):
            for beat, chain in enumerate(beats):
                told(chain, beat, Before())
        whole = time.perf_counter() - start
    _plot(name, spent, whole)
    return Result.within(name, STRIKES, ours_us=times_us, limit_us=LIMIT_US)


@contextmanager
def _watched(spent: dict[str, float]) -> Iterator[None]:
    """Add up the time of each section."""
    kept = {label: getattr(*where) for label, where in SECTIONS.items()}

    def watched(label: str, function: Callable) -> Callable:
        def call(*args, **kwargs):
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[label] += time.perf_counter() - start

        return call

    for label, (module, name) in SECTIONS.items():
        setattr(module, name, watched(label, kept[label]))
    try:
        yield
    finally:
        for label, (module, name) in SECTIONS.items():
            setattr(module, name, kept[label])


def _plot(name: str, spent: dict[str, float], whole: float) -> None:
    """Print a bar a section."""
    shares = {label: seconds / whole for label, seconds in spent.items()}
    shares["events, words, message (4.2, 7.1, 14)"] = 1 - sum(shares.values())
    print(f"{name}: share a section", file=sys.stderr)
    for label, share in shares.items():
        print(f"  {label:<42} {share:>4.0%} {'█' * round(share * 50)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(run))
