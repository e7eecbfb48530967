"""What would be bought for a view on the underlying, and whether that may be done now (pure).

Source: analytics specification, 7.1, 7.2 and 7.4.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from coach_minimal.quotes import expiry_of, quote_of
from oimon import calendar
from oimon.core.advice import Entry, side_of
from oimon.core.contract import Mode, pick_contract, pick_expiry
from oimon.core.fills import fill_price
from oimon.core.position import STOP
from oimon.core.signal import Conditions, View, signal
from oimon.core.size import position_size
from oimon.messages import ChainAnalysis, Contract, DayTotals, ExpiryAnalysis
from oimon.terms import OptionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """The contract of one side, its spread over mid, and what decides on its entry."""

    contract: Contract | None
    view: View
    entry: Entry


def idea_of(
    analysis: ChainAnalysis, side: OptionKind | None, day: DayTotals, capital: float
) -> Idea:
    """Return what would be bought for a side.

    Args:
        analysis: the market.
        side: call or put; ``None`` when there is no view, and nothing to buy.
        day: what the position did today.
        capital: of the paper account, in rupees.
    """
    contract, spread_share = (None, None) if side is None else _contract(analysis, side, capital)
    view = signal(
        analysis.direction,
        analysis.confidence_factor,
        Conditions(
            market=analysis.market,
            is_in_entry_window=_is_in_window(analysis),
            quality=analysis.quality,
            spread_share=spread_share,
            cooldown_s=max(0, (day.cooldown_until_us or 0) - analysis.ts_us) / 1e6,
            day_loss_share=max(0.0, -float(Decimal(day.net)) / capital),
            trades_today=day.trades,
        ),
    )
    entry = Entry(
        vetoes=view.vetoes,
        lots=0 if contract is None else contract.lots,
        direction=analysis.direction,
        confidence=analysis.confidence_factor,
        stopped_sides=day.stopped_sides,
    )
    return Idea(contract=contract, view=view, entry=entry)


def wanted_side(analysis: ChainAnalysis) -> OptionKind | None:
    """Return the side that the raw signal would buy."""
    return side_of(analysis.signal.raw)


def _is_in_window(analysis: ChainAnalysis) -> bool:
    day = date.fromisoformat(analysis.date)
    first, last = calendar.entry_window(
        analysis.segment, day, is_expiry=analysis.expiry == analysis.date
    )
    return first <= analysis.ts_us <= last


def _contract(
    analysis: ChainAnalysis, side: OptionKind, capital: float
) -> tuple[Contract | None, float | None]:
    """Return the contract with its size, and the leg's spread; ``None`` for what is not known."""
    found = _expiry(analysis)
    if found is None or found.atm is None or found.lot is None:
        return None, None
    strikes = found.chain.strike.tolist()
    strike = pick_contract(side, strikes, found.atm, Mode.ATM).buy
    quote = quote_of(analysis, found.expiry, strike, side)
    if quote is None or not quote.is_fresh:
        return None, None
    price = fill_price(is_buy=True, bid=quote.bid, ask=quote.ask, qty=found.lot, tick=found.tick)
    entry = float(price or 0)
    contract = Contract(
        expiry=found.expiry,
        side=side,
        strikes=[strike],
        lots=position_size(capital, entry, STOP * entry, found.lot),
        lot=found.lot,
        price=entry,
    )
    return contract, quote.spread_share


def _expiry(analysis: ChainAnalysis) -> ExpiryAnalysis | None:
    """Return the expiry to trade: the nearest, on its own afternoon the next."""
    expiries = [analysis.expiry, *(more.expiry for more in analysis.more)]
    midnight_us = calendar.schedule(analysis.segment, date.fromisoformat(analysis.date))[0][0]
    second = (analysis.ts_us - midnight_us) // 1_000_000
    chosen = pick_expiry(expiries, analysis.date, second)
    return None if chosen is None else expiry_of(analysis, chosen)
