"""The contracts of a simulated market: rows of the instrument master (pure).

Days and lots of indices are the calendar's. A commodity's contracts expire by contract, not by rule: here options on the 17th and
futures on the 19th, or the trading day before.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from ingest.contracts import Index, Key, index_row, master_rows, synthetic_token
from ingest.instruments import MasterRow, master_expiry
from ingest.simulator.universe import Market
from oimon import calendar
from oimon.core.chain import FloatArray
from oimon.errors import ConfigError
from oimon.terms import Segment

_VIX = index_row("INDIA VIX", Index("NSE", "99926017", "India VIX"))
_TUESDAY, _THURSDAY = 1, 3
_COMMODITY_OPTION, _COMMODITY_FUTURE = 17, 19
_FUTURES = 2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Listing:
    """A market's contracts in the order of the master's rows.

    Its own price (a commodity has none), India VIX (with NIFTY), futures; then of each expiry all calls, all puts.
    """

    rows: list[MasterRow]
    has_spot: bool
    has_vix: bool
    futures: list[date]
    options: list[date]
    strike: FloatArray
    """Rupees, ascending, shape (n,); those of every expiry."""
    lot: int
    tick: int
    """Paise."""


def listing(market: Market, day: date) -> Listing:
    """Return what is listed on a day.

    Raises:
        ConfigError: the calendar does not reach as far.
    """
    is_commodity = market.segment is Segment.MCX
    options, futures = _days(market, day) if market.strikes or is_commodity else ([], [])
    lot = market.lot
    if options and not is_commodity:
        known = calendar.lot_size(market.name, options[0], day)
        if known is None:
            raise ConfigError(
                f"SIM_DATE: the calendar knows no lot of {market.name} on {day}; choose a later day"
            )
        lot = known
    middle = round(market.level / market.step) if market.strikes else 0
    places = np.arange(market.strikes, dtype=np.float64)
    strike: FloatArray = market.step * (places + middle - market.strikes // 2)
    keys = [
        Key(each.isoformat(), float(value), right) for each in options for right in ("CE", "PE") for value in strike
    ]  # fmt: skip
    spot, *legs = master_rows(market.name, keys, {each.isoformat(): lot for each in options})
    taken = {row.token for row in (spot, *legs)}
    vix = [_VIX] if market.name == "NIFTY" else []
    coming = [_future(market, each, lot, taken) for each in futures]
    if is_commodity:
        size = f"{market.tick * 100:.6f}"
        legs = [replace(r, instrumenttype="OPTFUT", exch_seg="MCX", tick_size=size) for r in legs]
    return Listing(
        rows=[*([] if is_commodity else [spot]), *vix, *coming, *legs],
        has_spot=not is_commodity,
        has_vix=bool(vix),
        futures=futures,
        options=options,
        strike=strike,
        lot=lot,
        tick=round(market.tick * 100),
    )


def _days(market: Market, day: date) -> tuple[list[date], list[date]]:
    """Return the days on which the market's options and its futures expire, nearest first."""
    if market.segment is Segment.MCX:
        count = 1 if market.strikes else 0
        return (
            _months(day, count, lambda y, m: _moved(market, date(y, m, _COMMODITY_OPTION))),
            _months(day, _FUTURES, lambda y, m: _moved(market, date(y, m, _COMMODITY_FUTURE))),
        )
    options: list[date] = []
    while len(options) < market.expiries:
        after = options[-1] + timedelta(days=1) if options else day
        found = calendar.next_expiry(market.name, after)
        if found is None:
            raise ConfigError(
                f"SIM_DATE: the calendar does not know what {market.name} lists on {after} or later; choose an earlier day"
            )
        options.append(found)
    weekday = _THURSDAY if market.segment is Segment.BFO else _TUESDAY
    return options, _months(day, _FUTURES, lambda y, m: _last(market, y, m, weekday))


def _months(day: date, count: int, of_month: Callable[[int, int], date]) -> list[date]:
    """Return the first ``count`` days on or after a day, of which each month has one."""
    months = [(day.year + (day.month - 1 + k) // 12, (day.month - 1 + k) % 12 + 1) for k in range(count + 1)]  # fmt: skip
    return [found for found in (of_month(*month) for month in months) if found >= day][:count]


def _last(market: Market, year: int, month: int, weekday: int) -> date:
    days = (date(year, month, 1) + timedelta(days=k) for k in range(31))
    closed = [d for d in days if calendar.is_trading_day(market.segment, d) is False]
    return calendar.monthly_expiry(year, month, weekday, closed)


def _moved(market: Market, day: date) -> date:
    while calendar.is_trading_day(market.segment, day) is False:
        day -= timedelta(days=1)
    return day


def _future(market: Market, day: date, lot: int, taken: set[str]) -> MasterRow:
    symbol = f"{market.name}{day:%d%b%y}FUT".upper()
    return MasterRow(
        token=synthetic_token(symbol, taken),
        symbol=symbol,
        name=market.name,
        expiry=master_expiry(day),
        strike="-1.000000",
        lotsize=str(lot),
        instrumenttype="FUTCOM" if market.segment is Segment.MCX else "FUTIDX",
        exch_seg=market.segment.value,
        tick_size=f"{market.tick * 100:.6f}",
    )
