"""What a paper order would have got: the touched side of the book, and slippage."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

SLIP_SHARE = Decimal("0.0005")  # of the touched side
MOST_EXTRA_TICKS = 10


def fill_price(
    *,
    is_buy: bool,
    bid: float | None,
    ask: float | None,
    qty: int,
    top_qty: float | None = None,
    tick: float = 0.05,
) -> Decimal | None:
    """Return the price of a market order in rupees, a whole number of ticks; ``None`` without a price on that side.

    Args:
        is_buy: buys touch the ask, sales the bid.
        bid: best bid, in rupees.
        ask: best ask, in rupees.
        qty: units to trade, at least one.
        top_qty: units displayed on the touched side; unknown costs no extra tick.
        tick: least step of the price.

    Source: analytics specification, 7.6.
    """
    touched = ask if is_buy else bid
    if touched is None or touched <= 0:
        return None
    step, price = _exact(tick), _exact(touched)
    slip = max(step, SLIP_SHARE * price)
    extra = 0
    if top_qty is not None and top_qty > 0:
        extra = min(-(-qty // int(top_qty)) - 1, MOST_EXTRA_TICKS)
    if is_buy:
        return _in_ticks(price + slip, step, ROUND_CEILING) + extra * step
    return max(_in_ticks(price - slip, step, ROUND_FLOOR) - extra * step, step)


def _in_ticks(price: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (price / step).to_integral_value(rounding) * step


def _exact(value: float) -> Decimal:
    """Return the decimal that a price was printed as, not the binary fraction next to it."""
    return Decimal(f"{value:.9g}")
