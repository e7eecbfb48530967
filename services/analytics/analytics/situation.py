"""What an analysis is made from: the chain now, the market now, and what was remembered (pure)."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from analytics.cells import Cell
from analytics.levels import LevelWatch
from analytics.watches import Watches
from oimon.core.build_up import CLASSES
from oimon.core.chain import CE, PE, FloatArray, IntArray, side_totals
from oimon.core.direction_filter import DirectionState
from oimon.core.lazy import lazy
from oimon.core.mark import Marks
from oimon.core.open_interest import Reading
from oimon.core.skew import skew_reference
from oimon.core.verdict import VERDICTS, Verdicts, strike_verdict
from oimon.messages import StrikeVerdict
from oimon.terms import MarketState

SAMPLE_S = 30.0  # pace of PCR, skew and carry histories
CLASS_NAMES, VERDICT_NAMES = (*map(str, CLASSES), None), tuple(map(str, VERDICTS))
_NO_CLASS = np.int8(len(CLASSES))
CHAINS_KEPT = (
    64  # chains of which what was once worked out is remembered: the next beat mostly has the same
)
SAMPLES_S = 1860.0  # how long PCR and carry are kept; skew is kept for the day
CARRY_S = 60.0  # how much of F − S is averaged while spot is no traded price, which may last longer


@dataclass(frozen=True, slots=True, eq=False)
class ChainCells:
    """One expiry's part of the matrix: ``strike`` in rupees, ascending, shape (n,); ``cells`` of shape (COUNT, 2, n), calls before puts.

    Never changed, so the same object says that prices and interest are the same; only time may have passed.
    """

    strike: FloatArray
    cells: FloatArray


def marks_of(rows: ChainCells) -> Marks:
    """Return the mark of each leg, shape (2, n)."""
    return Marks(price=rows.cells[Cell.MARK], is_mid=rows.cells[Cell.IS_MID] > 0)


@lru_cache(maxsize=CHAINS_KEPT)
def is_doubtful(rows: ChainCells) -> bool:
    """Say whether the open interest that was told last of any leg is not believed yet."""
    return not np.isnan(rows.cells[Cell.OI_DOUBTED]).all()


@dataclass(frozen=True, eq=False)
class Classes:
    """What each leg of a chain does and each strike says (5): of the same cells and codes, those of the beat before.

    ``codes`` of shape (2, n).
    """

    rows: ChainCells
    codes: IntArray

    @lazy
    def verdicts(self) -> Verdicts:
        """What each strike says, shape (n,)."""
        cells = self.rows.cells
        return strike_verdict(self.codes, cells[Cell.OI_CHANGE_15M], cells[Cell.OI])

    @lazy
    def names(self) -> tuple[list[str | None], list[str | None]]:
        """Class of each call and of each put, None where price or interest is unknown."""
        calls, puts = self.told_codes
        return _named(calls.tobytes()), _named(puts.tobytes())

    @lazy
    def told(self) -> list[StrikeVerdict]:
        """A verdict a strike, as the message tells it: the very list of a beat before that said the same."""
        calls, puts = self.told_codes
        parts = (self.rows.strike, calls, puts, self.verdicts.code, self.verdicts.score)
        return _verdicts_told(*(part.tobytes() for part in parts))

    @lazy
    def told_codes(self) -> IntArray:
        """The codes as places in ``CLASS_NAMES``, its last where price or interest is unknown, shape (2, n)."""
        cells = self.rows.cells
        is_unknown = np.isnan(cells[Cell.PRICE_CHANGE_15M] + cells[Cell.OI_CHANGE_15M])
        return np.where(is_unknown, _NO_CLASS, self.codes)


@lru_cache(maxsize=CHAINS_KEPT)
def _named(codes: bytes) -> list[str | None]:
    return [CLASS_NAMES[code] for code in codes]


@lru_cache(maxsize=CHAINS_KEPT)
def _verdicts_told(
    strike: bytes, calls: bytes, puts: bytes, verdicts: bytes, score: bytes
) -> list[StrikeVerdict]:
    names = [VERDICT_NAMES[code] for code in verdicts]
    strikes, scores = (np.frombuffer(floats).tolist() for floats in (strike, score))
    return list(zip(strikes, _named(calls), _named(puts), names, scores, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainNow:
    """One expiry's chain at a beat."""

    expiry: str
    lot: int | None
    tick: float
    seconds_left: float  # to the contract's close
    session_s: float  # length of a trading session
    is_in_entry_window: bool
    rows: ChainCells
    future: float | None = None  # price of the future of the same expiry, in rupees

    @property
    def strike(self) -> FloatArray:
        """Strikes in rupees, ascending, shape (n,)."""
        return self.rows.strike

    @property
    def cells(self) -> FloatArray:
        """What is known of each leg, shape (COUNT, 2, n), calls before puts."""
        return self.rows.cells


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureNow:
    """The near future at a beat: prices in rupees, interest in quantity, changes over the short-term window."""

    symbol: str
    lot: int
    tick: float
    mark: float | None
    mark_change: float | None
    oi: float | None
    oi_change: float | None

    @property
    def mark_then(self) -> float | None:
        """Price when the short-term window began."""
        if self.mark is None or self.mark_change is None:
            return None
        return self.mark - self.mark_change


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketNow:
    """What all expiries of an underlying share at a beat."""

    ts_us: int
    market: MarketState
    cadence_s: float
    spot: float | None
    underlying_age_s: float | None  # of spot; of a commodity, of its future's price
    level_then: float | None  # reference level when the short-term window began
    future: FutureNow | None

    @property
    def now_s(self) -> float:
        """The beat, in epoch seconds."""
        return self.ts_us / 1e6


class Interest(NamedTuple):
    """What open interest says (2 to 4), and of which chain, level and window: it need not be asked again for the same."""

    asked_of: tuple[ChainCells, float | None, slice]
    reading: Reading


class PcrSample(NamedTuple):
    """Open interest of all calls and all puts at one time, in quantity."""

    at_s: float
    ce_oi: float
    pe_oi: float

    @property
    def ratio(self) -> float | None:
        """Puts to calls, None to nothing."""
        return self.pe_oi / self.ce_oi if self.ce_oi else None


Told = tuple[tuple[float, ...], tuple[float, ...]]
"""Strikes whose call, and whose put, has told its open interest, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What one expiry's analysis remembers: filters, levels and its own sampled histories."""

    direction: DirectionState | None = None
    support: LevelWatch = field(default_factory=LevelWatch)
    resistance: LevelWatch = field(default_factory=LevelWatch)
    interest: Interest | None = None
    classes: Classes | None = None
    sampled_s: float | None = None
    pcr: tuple[PcrSample, ...] = ()  # each of the same legs
    told: Told = ((), ())  # these legs
    carry: tuple[tuple[float, float], ...] = ()  # epoch seconds, F − S in rupees
    rr25: tuple[float, ...] = ()
    rr25_reference: float | None = None
    watches: Watches = field(default_factory=Watches)


def sampled(
    before: Before, now_s: float, rows: ChainCells, *, carry: float | None, rr25: float | None
) -> Before:
    """Return what is remembered with one more sample, when 30 s have passed since the last.

    Args:
        before: what is remembered.
        now_s: the beat.
        rows: the chain.
        carry: forward minus spot in rupees; None while spot is no traded price.
        rr25: 25-delta risk reversal.

    Source: analytics specification, 0 (evaluation grid), 2.4 (a fixed set of legs).
    """
    if before.sampled_s is not None and now_s - before.sampled_s < SAMPLE_S:
        return before
    oldest = now_s - SAMPLES_S
    pcr, told = _with_pcr(before, now_s, rows)
    skew = before.rr25 if rr25 is None else (*before.rr25, rr25)
    carries = before.carry if carry is None else (*before.carry, (now_s, carry))
    since = min(oldest, carries[-1][0] - CARRY_S) if carries else oldest
    return replace(
        before,
        sampled_s=now_s,
        pcr=tuple(sample for sample in pcr if sample.at_s >= oldest),
        told=told,
        carry=tuple(sample for sample in carries if sample[0] >= since),
        rr25=skew,
        rr25_reference=skew_reference(skew),
    )


def _with_pcr(before: Before, now_s: float, rows: ChainCells) -> tuple[tuple[PcrSample, ...], Told]:
    """Return all samples with this one, and the legs in them.

    A leg that tells its open interest for the first time is counted in the samples before as well, as if it had not changed: a
    chain that grows, as at a day's start or when strikes are added, makes no slope.
    """
    oi = rows.cells[Cell.OI]
    calls, new_calls = _told(rows.strike, oi[CE], before.told[CE])
    puts, new_puts = _told(rows.strike, oi[PE], before.told[PE])
    past = before.pcr
    if new_calls or new_puts:
        past = tuple(PcrSample(at_s, ce + new_calls, pe + new_puts) for at_s, ce, pe in past)
    return (*past, PcrSample(now_s, *side_totals(oi))), (calls, puts)


def _told(
    strikes: FloatArray, oi: FloatArray, before: tuple[float, ...]
) -> tuple[tuple[float, ...], float]:
    """Return the strikes that have told their open interest by now, and what those hold that are new."""
    is_known = ~np.isnan(oi)
    known = tuple(strikes[is_known].tolist())
    if known == before:
        return before, 0.0
    is_new = is_known & ~np.isin(strikes, before)
    return tuple(sorted({*known, *before})), float(oi[is_new].sum())
