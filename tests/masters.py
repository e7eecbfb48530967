"""Instrument masters as the broker publishes them: rows spelled its way, a small one with its quirks, a large one for timing."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import count
from typing import Any

import orjson

DAY = date(2026, 11, 26)
"""A Thursday: SENSEX' weekly options expire."""


def spelled(day: date) -> str:
    return day.strftime("%d%b%Y").upper()


def make_entry(**fields: Any) -> dict[str, Any]:
    """Return one row: a share of NSE, unless told otherwise; ``strike`` in rupees, ``expiry`` a day."""
    strike, expiry = fields.pop("strike", None), fields.pop("expiry", None)
    row: dict[str, Any] = {
        "token": "1594",
        "symbol": "INFY-EQ",
        "name": "INFY",
        "expiry": spelled(expiry) if expiry else "",
        "strike": "-1.000000" if strike is None else f"{strike * 100:.6f}",
        "lotsize": "1",
        "instrumenttype": "",
        "exch_seg": "NSE",
        "tick_size": "5.000000",
    }
    return row | fields


def option(name: str, expiry: date, strike: float, side: str, **fields: Any) -> dict[str, Any]:
    symbol = f"{name}{expiry:%d%b%y}{strike:g}{side}".upper()
    given = {"instrumenttype": "OPTIDX", "exch_seg": "NFO", "lotsize": "65"} | fields
    return make_entry(
        **{"symbol": symbol, "name": name, "expiry": expiry, "strike": strike} | given
    )


def future(name: str, expiry: date, **fields: Any) -> dict[str, Any]:
    symbol = f"{name}{expiry:%d%b%y}FUT".upper()
    given = {"instrumenttype": "FUTIDX", "exch_seg": "NFO", "lotsize": "65"} | fields
    return make_entry(**{"symbol": symbol, "name": name, "expiry": expiry} | given)


def index(name: str, token: str, symbol: str, exchange: str = "NSE") -> dict[str, Any]:
    return make_entry(
        token=token, symbol=symbol, name=name, instrumenttype="AMXIDX", exch_seg=exchange,
        strike=0.0, tick_size="0.000000",
    )  # fmt: skip


def numbered(rows: Sequence[dict[str, Any]], start: int = 40_000) -> list[dict[str, Any]]:
    """Return the rows with tokens of their own, where they have the builder's."""
    numbers = count(start)
    return [row | {"token": str(next(numbers))} if row["token"] == "1594" else row for row in rows]


def chain(name: str, expiry: date, strikes: Sequence[float], **fields: Any) -> list[dict[str, Any]]:
    return [
        option(name, expiry, strike, side, **fields) for strike in strikes for side in ("PE", "CE")
    ]


def small_market(day: date = DAY) -> list[dict[str, Any]]:
    """Return a few hundred rows of every segment, in no order, with every oddity of smartapi, section 7."""
    nifty, later, month = day + timedelta(5), day + timedelta(12), day + timedelta(33)
    crude_option, crude, crude_next = day + timedelta(19), day + timedelta(23), day + timedelta(54)
    commodity = {"exch_seg": "MCX", "instrumenttype": "FUTCOM", "tick_size": "100.000000"}
    fut = [
        future("CRUDEOIL", crude, lotsize="100", **commodity),
        future("CRUDEOIL", crude_next, lotsize="100", **commodity),
        future("CRUDEOILM", crude, lotsize="10", **commodity),
        future("GOLD", day + timedelta(9), lotsize="1", **commodity),
        future("GOLDM", day + timedelta(9), lotsize="100", **commodity),
        future("GOLDM", day + timedelta(39), lotsize="100", **commodity),
        future("SILVERMIC", day + timedelta(4), lotsize="1", **commodity),
        future("SILVERMIC", day + timedelta(95), lotsize="1", **commodity),
        future("COPPER", day + timedelta(4), lotsize="2500", **commodity),
    ]
    bfo = {"exch_seg": "BFO", "lotsize": "20"}
    sensex = [
        row | {"symbol": f"SENSEX26N26{row['symbol'][13:]}"}  # YY, month's letter, DD: never parsed
        for row in chain("SENSEX", day, range(84_000, 86_100, 100), **bfo)
    ]
    rows = [
        *sensex,
        *chain("NIFTY", later, range(25_000, 27_050, 50)),
        *fut,
        index("NIFTY", "99926000", "Nifty 50"),
        index("BANKNIFTY", "99926009", "Nifty Bank"),
        index("INDIA VIX", "99926017", "India VIX"),
        index("SENSEX", "99919000", "SENSEX", "BSE"),
        future("NIFTY", month),
        future("NIFTY", day + timedelta(5)),
        future("NIFTYNXT50", month),
        future("BANKNIFTY", month, lotsize="30"),
        *chain("NIFTY", nifty, range(24_000, 28_050, 50)),
        *chain("NIFTYNXT50", month, range(60_000, 61_000, 100)),
        *chain("BANKNIFTY", month, range(57_000, 61_100, 100), lotsize="30"),
        *chain("SENSEX", day + timedelta(7), range(84_000, 86_100, 100), **bfo),
        future("SENSEX", day + timedelta(28), **bfo),
        *chain("IEX", month, [115.0, 117.5, 120.0], instrumenttype="OPTSTK", lotsize="3750"),
        make_entry(symbol="IEX-EQ", name="IEX"),
        make_entry(symbol="INFY-EQ", name="INFY", freeze_qty="125531", is_cas_enabled=True),
        make_entry(symbol="RELIANCE-EQ", name="RELIANCE", freeze_qty="9", is_cas_enabled=False),
        make_entry(symbol="ABCTEST-BE", name="ABCTEST", strike=0.0),
        option("", month, 500.0, "CE", symbol="NAMELESS26DEC500CE", instrumenttype="OPTSTK", exch_seg="BFO"),
        *chain("CRUDEOIL", crude_option, range(5_000, 5_650, 50), exch_seg="MCX", instrumenttype="OPTFUT",
               lotsize="100", tick_size="10.000000"),
        make_entry(token="40000", symbol="CRUDEOIL", name="CRUDEOIL", instrumenttype="COMDTY", exch_seg="MCX"),
        make_entry(token="99926000", symbol="SAMETOKEN-EQ", name="SAMETOKEN", exch_seg="BSE"),
        option("USDINR", month, 0.000845, "CE", instrumenttype="OPTCUR", exch_seg="CDS", tick_size="0.250000"),
    ]  # fmt: skip
    return numbered(rows)


def as_file(rows: Sequence[dict[str, Any]]) -> bytes:
    return orjson.dumps(rows)


def large_market(size: int) -> Iterator[dict[str, Any]]:
    """Give ``size`` rows in the proportions of the real file: options of some 200 underlyings, shares, currency."""
    names = [f"SHARE{n:03d}" for n in range(196)] + ["NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX"]
    days = [DAY + timedelta(7 * week + 5) for week in range(18)]
    made = 0
    for step in count():
        name, expiry = names[step % len(names)], days[step // len(names) % len(days)]
        is_index = not name.startswith("SHARE")
        strike = 24_000.0 + 50 * (step // (len(names) * len(days)))
        kind = "OPTIDX" if is_index else "OPTSTK"
        where = "BFO" if name == "SENSEX" else "NFO"
        token = str(35_000 + 8 * step)
        rows = [
            option(name, expiry, strike, "CE", token=token, instrumenttype=kind, exch_seg=where),
            option(name, expiry, strike, "PE", token=str(35_001 + 8 * step), instrumenttype=kind, exch_seg=where),
            make_entry(token=token, symbol=f"S{step}-EQ", name=f"S{step}", freeze_qty="125531", is_cas_enabled=False),
        ]  # fmt: skip
        if step % 4:
            rows.pop()
        if step % 8 == 0:
            rows.append(option("USDINR", expiry, 84.5 + step, "CE", instrumenttype="OPTCUR", exch_seg="CDS",
                               token=token, tick_size="0.250000"))  # fmt: skip
        for row in rows:
            if made == size:
                return
            made += 1
            yield row
