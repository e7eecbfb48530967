"""Why a leg has its class: changes of price and of open interest, each against its dead-band (pure)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from oimon.core.build_up import (
    CALL_SAYS,
    CLASSES,
    MOVE_SHARE,
    PUT_SAYS,
    DeadBands,
    WhyNone,
    option_bands,
    why_none,
)
from oimon.explain.words import known, quantity, rupees
from oimon.messages import ExpiryAnalysis, Legs
from oimon.terms import BuildUp, OptionKind

_SIDES = {OptionKind.CE: ("Call", CALL_SAYS), OptionKind.PE: ("Put", PUT_SAYS)}
_MEANS = {
    (OptionKind.CE, BuildUp.LONG_BUILDUP): "call buying",
    (OptionKind.CE, BuildUp.SHORT_BUILDUP): "call writing",
    (OptionKind.CE, BuildUp.SHORT_COVERING): "call writers cover",
    (OptionKind.CE, BuildUp.LONG_UNWINDING): "call buyers leave",
    (OptionKind.PE, BuildUp.LONG_BUILDUP): "put buying",
    (OptionKind.PE, BuildUp.SHORT_BUILDUP): "put writing",
    (OptionKind.PE, BuildUp.SHORT_COVERING): "put writers cover",
    (OptionKind.PE, BuildUp.LONG_UNWINDING): "put buyers leave",
}
_MISSED = {
    WhyNone.PRICE_DEADBAND: "the price did not move enough",
    WhyNone.OI_DEADBAND: "open interest did not change enough",
    WhyNone.BOTH_DEADBAND: "neither price nor open interest moved enough",
    WhyNone.MISSING: "a change over the window is unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegReading:
    """One leg's class with all that decided it: rupees, quantity, None where unknown.

    ``says`` is what the class means for the underlying, in [−1, 1]; ``why_none`` which dead-band was missed.
    """

    kind: OptionKind
    build_up: BuildUp | None
    says: float
    price: float | None
    price_change: float | None
    price_band: float | None
    price_rule: str
    oi: float | None
    oi_change: float | None
    oi_band: float | None
    oi_rule: str
    why_none: WhyNone | None


def read_leg(expiry: ExpiryAnalysis, kind: OptionKind, place: int) -> LegReading:
    """Return why one leg has its class.

    Args:
        expiry: whose chain.
        kind: which side.
        place: of the strike in the chain.

    Source: analytics specification, 5.1 and 5.2.
    """
    legs = expiry.chain.ce if kind is OptionKind.CE else expiry.chain.pe
    price, oi = known(legs.mark[place]), known(legs.oi[place])
    moved, flowed = known(legs.price_change_15m[place]), known(legs.oi_change_15m[place])
    bands = _bands(expiry, legs, place)
    price_band, oi_band = known(bands.price[0]), known(bands.oi[0])
    name = legs.build_up[place]
    build_up = None if name is None else BuildUp(name)
    missed = None
    if build_up in (None, BuildUp.NONE):
        missed = why_none(moved, flowed, price_band=price_band or 0.0, oi_band=oi_band or 0.0)
    return LegReading(
        kind=kind,
        build_up=build_up,
        says=0.0 if build_up is None else _SIDES[kind][1][CLASSES.index(build_up)],
        price=price,
        price_change=moved,
        price_band=price_band,
        price_rule=_price_rule(expiry, legs, place, price_band),
        oi=oi,
        oi_change=flowed,
        oi_band=oi_band,
        oi_rule="25 lots" if oi_band == 25.0 * (expiry.lot or 1) else "1 % of the old",
        why_none=missed,
    )


def _bands(expiry: ExpiryAnalysis, legs: Legs, place: int) -> DeadBands:
    one = slice(place, place + 1)
    return option_bands(
        np.asarray(legs.mark[one] - legs.price_change_15m[one]),
        np.asarray(legs.oi[one] - legs.oi_change_15m[one]),
        lot=float(expiry.lot or 1),
        tick=expiry.tick,
        delta=legs.delta[one],
        em_w=expiry.em_window,
    )


def _price_rule(expiry: ExpiryAnalysis, legs: Legs, place: int, band: float | None) -> str:
    """Return which of the three terms of the price's dead-band is the largest."""
    delta, em_w = known(legs.delta[place]), expiry.em_window
    if band is None:
        return "unknown"
    if delta is not None and em_w is not None and band == abs(delta) * (MOVE_SHARE * em_w):
        return f"{MOVE_SHARE} × |delta| {abs(delta):.2f} × expected move {em_w:.2f}"
    return "2 ticks" if band == 2 * expiry.tick else "1 % of the old"


def leg_sentences(leg: LegReading) -> list[str]:
    """Return a leg's class, its price and its open interest against both dead-bands, and what that says."""
    side = _SIDES[leg.kind][0]
    if leg.oi is None and leg.price is None:
        return [f"{side}: not in the chain."]
    if leg.build_up in (None, BuildUp.NONE):
        missed = "" if leg.why_none is None else f": {_MISSED[leg.why_none]}"
        head = f"{side}: no build-up{missed}. It says nothing."
    else:
        assert leg.build_up is not None  # noqa: S101 - for the type checker; the line above says it
        word = leg.build_up.replace("_", " ").lower()
        head = f"{side}: {word} ({_MEANS[leg.kind, leg.build_up]}), which says {leg.says:+.1f}."
    return [head, f"  {_price(leg)}", f"  {_interest(leg)}"]


def _price(leg: LegReading) -> str:
    now, moved, band = leg.price, leg.price_change, leg.price_band
    if now is None:
        return "Price unknown: no fresh quote or trade."
    if moved is None or band is None:
        return f"Price {rupees(now)}; its change in 15 min is unknown."
    return (
        f"Price {rupees(now - moved)} → {rupees(now)} ({_signed(moved, rupees)}); it must move "
        f"by {rupees(band)} ({leg.price_rule}): {_reached(abs(moved), band, rupees)}."
    )


def _interest(leg: LegReading) -> str:
    now, flowed, band = leg.oi, leg.oi_change, leg.oi_band
    if now is None:
        return "Open interest unknown."
    if flowed is None or band is None:
        return f"Open interest {quantity(now)}; its change in 15 min is unknown."
    return (
        f"Open interest {quantity(now - flowed)} → {quantity(now)} ({_signed(flowed, quantity)}); it must "
        f"change by {quantity(band)} ({leg.oi_rule}): {_reached(abs(flowed), band, quantity)}."
    )


def _signed(change: float, shown: Callable[[float], str]) -> str:
    return f"{'-' if change < 0 else '+'}{shown(abs(change))}"


def _reached(size: float, band: float, shown: Callable[[float], str]) -> str:
    return "reached" if size >= band - 1e-9 else f"missed by {shown(band - size)}"
