"""The one paper position of an underlying: orders, fills and the day's totals (pure).

Source: analytics specification, 7.3 to 7.7; rulings, 15.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from coach_minimal.quotes import Quote, expiry_of, quote_of
from oimon import calendar
from oimon.core.charges import PAISA, Product, RoundTrip, held_to_expiry, round_trip
from oimon.core.compare import age_limit
from oimon.core.fills import fill_price
from oimon.core.position import QUOTE_AGE_S, STOPPED, Holding, Reason, invalidation, opened
from oimon.messages import (
    Advice,
    ChainAnalysis,
    Contract,
    DayTotals,
    Fill,
    Order,
    Position,
)
from oimon.terms import OptionKind, Segment

FILL_AFTER_US = 250_000
REJECT_AFTER_S = 5.0
COOLDOWN_US, COOLDOWN_STOPPED_US = 300_000_000, 900_000_000
EXPIRY = "expiry"
"""Reason of a fill that no order made: the option was held to its end and settled."""
_PRODUCTS = {
    Segment.NFO: Product.NFO_OPT,
    Segment.BFO: Product.BFO_OPT,
    Segment.MCX: Product.MCX_OPT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that the fast coach remembers of an underlying; its last advice holds what a take-over needs."""

    run: str = ""
    day: DayTotals | None = None
    position: Position | None = None
    order: Order | None = None
    rich: Advice | None = None
    """The deep model's newest answer; what its rule said when the model was away is no second opinion."""
    exits_in_a_row: int = 0
    """Answers up to the newest that said EXIT, without another between."""
    heard_of: str = ""
    """Entry id of the question whose outcome was last told of."""


def resumed(advice: Advice) -> State:
    """Return the state that an advice was given in."""
    day = advice.day
    if day is not None and day.stopped_side is not None and not day.stopped_sides:
        day = _stopped(day, day.stopped_side)  # written before it told of both
    return State(run=advice.run, day=day, position=advice.position, order=advice.order)


def begun(state: State, analysis: ChainAnalysis) -> tuple[State, DayTotals]:
    """Return the state for this analysis, and its day: a new run empties everything, a new day its totals."""
    if state.run != analysis.run:
        state = State(run=analysis.run, rich=state.rich)
    if state.rich is not None and state.rich.run != analysis.run:
        state = replace(state, rich=None)
    day = state.day
    if day is None or day.date != analysis.date:
        day = DayTotals(date=analysis.date)
        state = replace(state, day=day)
    return state, day


def settled(
    state: State, analysis: ChainAnalysis, day: DayTotals
) -> tuple[State, DayTotals, Fill | None]:
    """Return the state once the open order is filled or rejected at this analysis, if it is, or the position has expired.

    Source: analytics specification, 7.5: the first valid quote 250 ms after the decision, within 5 s (or one cadence of a
    slow source); 7.7: what is held to expiry is settled at its intrinsic value.
    """
    if state.position is not None:
        worth = _worth_at_expiry(state.position, analysis)
        if worth is not None:
            return _expired(state, state.position, analysis, day, worth)
    order = state.order
    waited_us = 0 if order is None else analysis.ts_us - order.decided_ts_us
    if order is None or waited_us < FILL_AFTER_US:
        return state, day, None
    contract = order.contract
    quote = quote_of(analysis, contract.expiry, contract.strikes[0], contract.side)
    limit_us = max(REJECT_AFTER_S, analysis.cadence_s) * 1e6
    if quote is None or not quote.is_fresh or waited_us > limit_us:
        if waited_us < limit_us:
            return state, day, None
        fill = _fill(order, analysis, None)
        return replace(state, order=None), day, replace(fill, rejected="no_quote")
    price = _price(order, analysis, quote)
    fill = _fill(order, analysis, price)
    if order.buy:
        day = replace(day, trades=day.trades + 1)
        position: Position | None = _opened(contract, analysis, price)
    else:
        day = _closed_day(day, state.position, order, analysis, price)
        position = None
    state = replace(state, order=None, position=position, day=day, exits_in_a_row=0)
    return state, day, fill


def holding_of(position: Position) -> Holding:
    """Return a position as the core knows it."""
    return Holding(
        side=position.side,
        entry=position.entry,
        entry_s=position.entry_ts_us / 1e6,
        stop=position.stop,
        target=position.target,
        peak=position.peak,
        is_trailing=position.trail,
        invalidation=position.inv,
        neutral_since_s=_seconds(position.neutral_since_us),
        stale_since_s=_seconds(position.stale_since_us),
        pending_exit=None if position.pending_exit is None else Reason(position.pending_exit),
    )


def observed(position: Position, held: Holding, bid: float | None) -> Position:
    """Return a position after an observation."""
    return replace(
        position,
        stop=held.stop,
        peak=held.peak,
        trail=held.is_trailing,
        bid=bid,
        neutral_since_us=_microseconds(held.neutral_since_s),
        stale_since_us=_microseconds(held.stale_since_s),
        pending_exit=held.pending_exit,
    )


def contract_of(position: Position, lot: int) -> Contract:
    """Return what a position is in, at its bid."""
    return Contract(
        expiry=position.expiry,
        side=position.side,
        strikes=position.strikes,
        lots=position.lots,
        lot=lot,
        price=position.bid,
    )


def invalidation_of(analysis: ChainAnalysis, side: OptionKind) -> float | None:
    """Return the level that would prove an idea wrong now."""
    if analysis.x is None:
        return None
    support = analysis.support[0][0] if analysis.support else None
    resistance = analysis.resistance[0][0] if analysis.resistance else None
    return invalidation(side, analysis.x, support, resistance, analysis.tick)


def _worth_at_expiry(position: Position, analysis: ChainAnalysis) -> Decimal | None:
    """Return the intrinsic value of a position after its contract's close, in rupees a unit.

    ``None`` before, and where no fresh price of that day says how the underlying closed.
    """
    closed_us = calendar.close_us(analysis.segment, date.fromisoformat(position.expiry))
    age_ms, limit_s = analysis.tick_age_ms, age_limit(QUOTE_AGE_S, analysis.cadence_s)
    if analysis.date != position.expiry or analysis.ts_us < closed_us:
        return None
    if analysis.x is None or age_ms is None or age_ms > limit_s * 1000:
        return None
    beyond = analysis.x - position.strikes[0]
    worth = max(beyond if position.side is OptionKind.CE else -beyond, 0.0)
    return Decimal(f"{worth:.9g}").quantize(PAISA, ROUND_HALF_UP)


def _expired(
    state: State, position: Position, analysis: ChainAnalysis, day: DayTotals, worth: Decimal
) -> tuple[State, DayTotals, Fill]:
    trip = held_to_expiry(
        _PRODUCTS[analysis.segment],
        entry=Decimal(f"{position.entry:.2f}"),
        intrinsic=worth,
        qty=position.qty,
        day=date.fromisoformat(analysis.date),
    )
    day = _booked(day, trip, analysis.ts_us + COOLDOWN_US)
    fill = Fill(
        buy=False,
        contract=contract_of(position, position.qty // position.lots),
        qty=position.qty,
        price=str(worth),
        ts_us=analysis.ts_us,
        reason=EXPIRY,
    )
    state = replace(state, order=None, position=None, day=day, exits_in_a_row=0)
    return state, day, fill


def _price(order: Order, analysis: ChainAnalysis, quote: Quote) -> Decimal:
    contract = order.contract
    found = expiry_of(analysis, contract.expiry)
    price = fill_price(
        is_buy=order.buy,
        bid=quote.bid,
        ask=quote.ask,
        qty=contract.lots * contract.lot,
        top_qty=quote.ask_qty if order.buy else quote.bid_qty,
        tick=analysis.tick if found is None else found.tick,
    )
    if price is None:
        raise ValueError(f"a two-sided quote must give a fill, was {quote}")
    return price.quantize(PAISA)


def _fill(order: Order, analysis: ChainAnalysis, price: Decimal | None) -> Fill:
    return Fill(
        buy=order.buy,
        contract=order.contract,
        qty=order.contract.lots * order.contract.lot,
        price=None if price is None else str(price),
        ts_us=analysis.ts_us,
        reason=order.reason,
    )


def _opened(contract: Contract, analysis: ChainAnalysis, price: Decimal) -> Position:
    level = invalidation_of(analysis, contract.side)
    held = opened(contract.side, float(price), analysis.ts_us / 1e6, level)
    return Position(
        side=contract.side,
        expiry=contract.expiry,
        strikes=contract.strikes,
        lots=contract.lots,
        qty=contract.lots * contract.lot,
        entry=held.entry,
        entry_ts_us=analysis.ts_us,
        stop=held.stop,
        target=held.target,
        peak=held.peak,
        trail=False,
        inv=level,
    )


def _closed_day(
    day: DayTotals,
    position: Position | None,
    order: Order,
    analysis: ChainAnalysis,
    price: Decimal,
) -> DayTotals:
    if position is None:
        raise ValueError(f"a sale needs a position, was {order}")
    trip = round_trip(
        _PRODUCTS[analysis.segment],
        entry=Decimal(f"{position.entry:.2f}"),
        exit_price=price,
        qty=position.qty,
        day=date.fromisoformat(analysis.date),
    )
    is_stopped = order.reason in STOPPED
    pause_us = COOLDOWN_STOPPED_US if is_stopped else COOLDOWN_US
    day = _booked(day, trip, analysis.ts_us + pause_us)
    return _stopped(day, position.side) if is_stopped else day


def _booked(day: DayTotals, trip: RoundTrip, cooldown_until_us: int) -> DayTotals:
    net = str(Decimal(day.net) + trip.net)
    return replace(day, net=net, cooldown_until_us=cooldown_until_us)


def _stopped(day: DayTotals, side: OptionKind) -> DayTotals:
    others = [other for other in day.stopped_sides if other is not side]
    return replace(day, stopped_side=side, stopped_sides=[*others, side])


def _seconds(ts_us: int | None) -> float | None:
    return None if ts_us is None else ts_us / 1e6


def _microseconds(ts_s: float | None) -> int | None:
    return None if ts_s is None else round(ts_s * 1e6)
