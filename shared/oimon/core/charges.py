"""What the exchange, the broker and the state take from a trade.

Source: analytics specification, 7.7. Real contract notes round some lines to whole rupees a day: a paper result can
differ by a rupee or two.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

PAISA = Decimal("0.01")
BROKERAGE = Decimal("20.00")  # an order
SEBI = Decimal("0.000001")  # of turnover
GST = Decimal("0.18")  # of brokerage, exchange and SEBI fees
_NOTHING = Decimal("0.00")


class Product(StrEnum):
    """What is traded, by the specification's names."""

    NFO_OPT = "NFO_OPT"
    NFO_FUT = "NFO_FUT"
    BFO_OPT = "BFO_OPT"
    MCX_OPT = "MCX_OPT"
    MCX_FUT = "MCX_FUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Shares of turnover; ``tax`` is (first day in force, share), newest last, on sales only."""

    tax: tuple[tuple[date, Decimal], ...]
    exchange: Decimal
    stamp: Decimal  # on purchases only


def _tax(before: str, *later: tuple[date, str]) -> tuple[tuple[date, Decimal], ...]:
    return ((date.min, Decimal(before)), *((day, Decimal(share)) for day, share in later))


_OCTOBER_2024, _APRIL_2026 = date(2024, 10, 1), date(2026, 4, 1)
_OPTIONS = _tax("0.000625", (_OCTOBER_2024, "0.0010"), (_APRIL_2026, "0.0015"))
_FUTURES = _tax("0.000125", (_OCTOBER_2024, "0.0002"), (_APRIL_2026, "0.0005"))

EXERCISE = _tax("0.00125", (_APRIL_2026, "0.0015"))
"""Tax on the intrinsic value of an option that is held to its expiry."""

# Exchange rates are those since October 2024; the specification knows none before.
RATES = {
    Product.NFO_OPT: Rates(tax=_OPTIONS, exchange=Decimal("0.0003553"), stamp=Decimal("0.00003")),
    Product.NFO_FUT: Rates(tax=_FUTURES, exchange=Decimal("0.0000183"), stamp=Decimal("0.00002")),
    Product.BFO_OPT: Rates(tax=_OPTIONS, exchange=Decimal("0.000325"), stamp=Decimal("0.00003")),
    Product.MCX_OPT: Rates(
        tax=_tax("0.0005"), exchange=Decimal("0.000418"), stamp=Decimal("0.00003")
    ),
    Product.MCX_FUT: Rates(
        tax=_tax("0.0001"), exchange=Decimal("0.000021"), stamp=Decimal("0.00002")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """The lines of one executed order, in rupees, each rounded half-up to the paisa."""

    brokerage: Decimal
    stt: Decimal
    txn: Decimal
    sebi: Decimal
    stamp: Decimal
    gst: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """A purchase and the sale of it, in rupees; ``breakeven_points`` is what the charges cost a unit."""

    gross: Decimal
    charges: Decimal
    net: Decimal
    buy: Charges
    sell: Charges
    breakeven_points: Decimal


def charges(product: Product, *, is_buy: bool, price: Decimal, qty: int, day: date) -> Charges:
    """Return what one executed order costs.

    Args:
        product: what is traded.
        is_buy: the state taxes sales, the stamp is on purchases.
        price: of one unit, in rupees; an option's premium.
        qty: units.
        day: of the trade.
    """
    rates, turnover = RATES[product], price * qty
    brokerage = BROKERAGE
    stt = _NOTHING if is_buy else _to_paisa(turnover * _in_force(rates.tax, day))
    txn = _to_paisa(turnover * rates.exchange)
    sebi = _to_paisa(turnover * SEBI)
    stamp = _to_paisa(turnover * rates.stamp) if is_buy else _NOTHING
    gst = _to_paisa((brokerage + txn + sebi) * GST)
    total = brokerage + stt + txn + sebi + stamp + gst
    return Charges(
        brokerage=brokerage, stt=stt, txn=txn, sebi=sebi, stamp=stamp, gst=gst, total=total
    )


def round_trip(
    product: Product, *, entry: Decimal, exit_price: Decimal, qty: int, day: date
) -> RoundTrip:
    """Return what a purchase at ``entry`` and its sale at ``exit_price`` on one day came to."""
    buy = charges(product, is_buy=True, price=entry, qty=qty, day=day)
    sell = charges(product, is_buy=False, price=exit_price, qty=qty, day=day)
    return _trip((exit_price - entry) * qty, buy, sell, qty)


def held_to_expiry(
    product: Product, *, entry: Decimal, intrinsic: Decimal, qty: int, day: date
) -> RoundTrip:
    """Return what a purchase at ``entry`` came to that was settled at its intrinsic value: no order, so no brokerage."""
    buy = charges(product, is_buy=True, price=entry, qty=qty, day=day)
    stt = _to_paisa(intrinsic * qty * _in_force(EXERCISE, day))
    settled = Charges(
        brokerage=_NOTHING,
        stt=stt,
        txn=_NOTHING,
        sebi=_NOTHING,
        stamp=_NOTHING,
        gst=_NOTHING,
        total=stt,
    )
    return _trip((intrinsic - entry) * qty, buy, settled, qty)


def _trip(gained: Decimal, buy: Charges, sell: Charges, qty: int) -> RoundTrip:
    gross, cost = _to_paisa(gained), buy.total + sell.total
    return RoundTrip(
        gross=gross,
        charges=cost,
        net=gross - cost,
        buy=buy,
        sell=sell,
        breakeven_points=cost / qty,
    )


def _in_force(tax: tuple[tuple[date, Decimal], ...], day: date) -> Decimal:
    return next(share for first, share in reversed(tax) if first <= day)


def _to_paisa(amount: Decimal) -> Decimal:
    return amount.quantize(PAISA, ROUND_HALF_UP)
