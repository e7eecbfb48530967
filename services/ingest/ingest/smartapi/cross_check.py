"""Our numbers beside the broker's own: the stream's open interest against its quotes, our Greeks and PCR against its (pure).

Nothing is corrected by it but open interest that the stream has not brought yet. Source: issue 5, 4; smartapi, 2.3, 2.4 and 9.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from ingest.smartapi.envelope import BrokerGreeks, Quote
from oimon.messages import ChainAnalysis, ExpiryAnalysis
from oimon.terms import OptionKind

IV_TOLERANCE = 0.02
"""Two points of volatility: the broker does not say which rate, forward or clock it reckons with."""
DELTA_TOLERANCE = 0.05
PCR_TOLERANCE = 0.1
"""A tenth of the ratio: the broker's is of a future's symbol, all strikes, and as old as its own feed."""

OptionKey = tuple[float, OptionKind]
Ours = Mapping[OptionKey, tuple[float | None, float | None]]
"""Strike and kind to our volatility (a fraction) and delta."""


class Outcome(StrEnum):
    """How a value of the broker compares with ours."""

    EQUAL = "equal"
    NEWER = "newer"  # the broker's quote is later than what the stream brought
    DIFFERS = "differs"
    MISSING = "missing"  # one of the two is not there


@dataclass(frozen=True, kw_only=True, slots=True)
class Newest:
    """What the stream brought last of one instrument."""

    oi: int | None  # quantity
    exchange_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One value that is not the same."""

    what: str
    ours: float
    theirs: float


@dataclass(kw_only=True, slots=True)
class Comparison:
    """How many values came out how, what differs, and which quotes are to be taken over."""

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    differences: list[Difference] = field(default_factory=list)
    newer: list[Quote] = field(default_factory=list)

    def note(
        self, what: str, ours: float | None, theirs: float | None, tolerance: float = 0.0
    ) -> Outcome:
        """Count one pair of values and return how it came out."""
        if ours is None or theirs is None:
            outcome = Outcome.MISSING
        elif abs(ours - theirs) <= tolerance:
            outcome = Outcome.EQUAL
        else:
            outcome = Outcome.DIFFERS
            self.differences.append(Difference(what=what, ours=ours, theirs=theirs))
        self.counts[outcome] += 1
        return outcome


def compare_oi(quotes: Iterable[Quote], newest: Mapping[tuple[str, str], Newest]) -> Comparison:
    """Return how quotes compare with the stream, by exchange and token.

    A quote of a later instant tops the stream up where it has another open interest, or the stream has none. One of the same
    instant or before, with another value, differs.
    """
    found = Comparison()
    for quote in quotes:
        stream = newest.get((quote.exchange, quote.token))
        is_later = quote.exchange_us is not None and (
            stream is None or quote.exchange_us > stream.exchange_us
        )
        ours = stream.oi if stream is not None else None
        if is_later and quote.oi is not None and quote.oi != ours:
            found.counts[Outcome.NEWER] += 1
            found.newer.append(quote)
        else:
            found.note(quote.symbol, ours, quote.oi)
    return found


def compare_greeks(theirs: Iterable[BrokerGreeks], ours: Ours) -> tuple[Comparison, Comparison]:
    """Return how the broker's volatilities, and its deltas, compare with ours; of strikes that we do not have, nothing."""
    ivs, deltas = Comparison(), Comparison()
    for row in theirs:
        if (row.strike, row.kind) not in ours:
            continue
        iv, delta = ours[row.strike, row.kind]
        name = f"{row.strike:g}{row.kind}"
        ivs.note(name, iv, row.iv, IV_TOLERANCE)
        deltas.note(name, delta, row.delta, DELTA_TOLERANCE)
    return ivs, deltas


def compare_pcr(ratios: Mapping[str, float], symbol: str | None, ours: float | None) -> Comparison:
    """Return how the broker's put-call ratio of a future's symbol compares with ours."""
    found = Comparison()
    theirs = ratios.get(symbol) if symbol is not None else None
    found.note("pcr", ours, theirs, PCR_TOLERANCE * ours if ours else 0.0)
    return found


def our_greeks(analysis: ChainAnalysis, expiry: str) -> Ours | None:
    """Return our volatility and delta of each option of an expiry; ``None``: it is not analysed."""
    parts: Sequence[ExpiryAnalysis] = [analysis, *analysis.more]
    for part in parts:
        if part.expiry == expiry:
            chain = part.chain
            return {
                (float(strike), kind): (_known(iv), _known(delta))
                for kind, legs in ((OptionKind.CE, chain.ce), (OptionKind.PE, chain.pe))
                for strike, iv, delta in zip(chain.strike, chain.iv, legs.delta, strict=True)
            }
    return None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
