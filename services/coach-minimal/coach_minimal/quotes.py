"""One leg's quote out of an analysis (pure)."""

from dataclasses import dataclass

from oimon.core.compare import SLACK, age_limit
from oimon.core.position import QUOTE_AGE_S
from oimon.messages import ChainAnalysis, ExpiryAnalysis
from oimon.terms import OptionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Best bid and ask of a leg: rupees, units, seconds. Without both sides it is no quote."""

    bid: float
    ask: float
    bid_qty: float | None
    ask_qty: float | None
    age_s: float | None
    limit_s: float
    """Age from which it is stale; wider for a source of one price a minute (rulings, 13)."""

    @property
    def is_fresh(self) -> bool:
        """Whether it may be traded on."""
        return self.age_s is not None and self.age_s <= self.limit_s + SLACK

    @property
    def spread_share(self) -> float:
        """Spread over the mid."""
        return 2.0 * (self.ask - self.bid) / (self.ask + self.bid)


def quote_of(analysis: ChainAnalysis, expiry: str, strike: float, side: OptionKind) -> Quote | None:
    """Return a leg's two-sided quote; ``None`` where the leg, or one side of its book, is missing."""
    found = expiry_of(analysis, expiry)
    if found is None:
        return None
    row = int(found.chain.strike.searchsorted(strike))
    if row == len(found.chain.strike) or found.chain.strike[row] != strike:
        return None
    legs = found.chain.ce if side is OptionKind.CE else found.chain.pe
    bid, ask = float(legs.bid[row]), float(legs.ask[row])
    if not (bid > 0 and ask >= bid):  # NaN fails both
        return None
    received_us = _known(legs.received_us[row])
    return Quote(
        bid=bid,
        ask=ask,
        bid_qty=_known(legs.bid_qty[row]),
        ask_qty=_known(legs.ask_qty[row]),
        age_s=None if received_us is None else (analysis.ts_us - received_us) / 1e6,
        limit_s=age_limit(QUOTE_AGE_S, analysis.cadence_s),
    )


def expiry_of(analysis: ChainAnalysis, expiry: str) -> ExpiryAnalysis | None:
    """Return what an analysis says of one expiry."""
    if analysis.expiry == expiry:
        return analysis
    return next((more for more in analysis.more if more.expiry == expiry), None)


def _known(value: float) -> float | None:
    return None if value != value else float(value)  # noqa: PLR0124 - NaN differs from itself
