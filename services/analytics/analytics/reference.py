"""Where the market stands: forward, reference level, the strikes around the money (pure)."""

from analytics.findings import Reference
from analytics.situation import CARRY_S, Before, ChainNow, MarketNow, marks_of
from oimon.core.chain import nearest_index, strike_window
from oimon.core.compare import age_limit
from oimon.core.forward import Forward, ForwardSource, synthetic_forward
from oimon.core.greeks import years_to_expiry
from oimon.core.quality import SLOW_S
from oimon.terms import MarketState

EACH_SIDE = 10  # strikes of ATM±n for window ratios


def reference_of(chain: ChainNow, market: MarketNow, before: Before) -> Reference:
    """Return forward, reference level and window of one chain.

    Args:
        chain: one expiry.
        market: what all expiries share.
        before: what is remembered of this expiry.

    Source: analytics specification, 1.5.
    """
    years = years_to_expiry(chain.seconds_left)
    near = None if market.future is None else market.future.mark
    forward: Forward | None = None
    if market.spot is not None:
        forward = synthetic_forward(
            chain.strike,
            marks_of(chain.rows),
            spot=market.spot,
            years=years,
            future=chain.future,
        )
    elif near is not None:
        forward = Forward(price=near, source=ForwardSource.FUTURE, strikes=0)
    is_spot_good = _is_spot_good(market)
    price = None if forward is None else forward.price
    atm = None if price is None else nearest_index(chain.strike, price)
    at_spot = None if market.spot is None else nearest_index(chain.strike, market.spot)
    return Reference(
        years=years,
        is_spot_good=is_spot_good,
        forward=forward,
        level=market.spot if is_spot_good else _level_by_carry(market, forward, before),
        atm=atm,
        atm_spot=None if at_spot is None else chain.strike.item(at_spot),
        window=slice(0, 0)
        if atm is None
        else strike_window(chain.strike, chain.strike[atm], EACH_SIDE),
    )


def _is_spot_good(market: MarketNow) -> bool:
    """Say whether spot is a fresh, traded price: in the closing auction of the cash market it is not."""
    if market.spot is None or market.underlying_age_s is None:
        return False
    is_fresh = market.underlying_age_s <= age_limit(SLOW_S, market.cadence_s)
    return is_fresh and market.market is not MarketState.OPEN_CAS


def _level_by_carry(market: MarketNow, forward: Forward | None, before: Before) -> float | None:
    """Return the forward less the last known carry; the last spot where either would be made of spot itself."""
    if forward is None:
        return None
    if market.spot is not None and (not before.carry or forward.source is ForwardSource.CARRY):
        return market.spot
    if not before.carry:
        return forward.price
    newest = before.carry[-1][0]
    recent = [carry for at_s, carry in before.carry if at_s >= newest - CARRY_S]
    return forward.price - sum(recent) / len(recent)


def spot_carry(reference: Reference, market: MarketNow) -> float | None:
    """Return F − S in rupees, None while spot is no traded price."""
    if reference.forward is None or market.spot is None or not reference.is_spot_good:
        return None
    return reference.forward.price - market.spot
