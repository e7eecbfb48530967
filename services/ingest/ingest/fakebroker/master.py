"""The local broker's instrument master: the feed's rows among rows that have every oddity of the real file (pure).

Source: smartapi, section 7.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta

import msgspec

from ingest.fakebroker.source import Source
from ingest.instruments import MasterRow, master_expiry

PATH = "/OpenAPI_File/files/OpenAPIScripMaster.json"
HTML = b"<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"
_MONTH_CODES = "123456789OND"
_CHUNK_ROWS = 2_000
Row = dict[str, str | bool]


def rows(source: Source, *, filler: int = 0) -> list[Row]:
    """Return the file's rows in no order: the feed's, the oddities, and so many contracts that nobody watches.

    Half of them are old rows, the others have the newer fields.
    """
    own = [listed.row for listed in source.listed.values()]
    taken = {(row.exch_seg, row.token) for row in own}
    traded = {(row.exch_seg, row.name) for row in own if row.expiry}
    # Of an underlying that the feed has, no contract is listed that it does not trade.
    oddities = [
        r for r in _oddities(date.fromisoformat(source.date)) if (r.exch_seg, r.name) not in traded
    ]
    others = [*oddities, *_filler(source, filler)]
    found: list[Row] = []
    for place, row in enumerate([*own, *(r for r in others if (r.exch_seg, r.token) not in taken)]):
        told: Row = dict(asdict(row))
        if place % 2:
            told |= {"freeze_qty": "1801", "is_cas_enabled": row.exch_seg == "NSE"}
        found.append(told)
    random.Random(0).shuffle(found)  # noqa: S311 - the real file has no order; this one has the same at each start
    return found


def encode(found: Sequence[Row]) -> bytes:
    """Return the file."""
    return msgspec.json.encode(found)


def stale(found: Sequence[Row], source: Source) -> list[Row]:
    """Return the rows without the expiry that the feed trades next, as in a file that was not rebuilt."""
    today = date.fromisoformat(source.date)
    days = {_day(listed.row.expiry) for listed in source.listed.values() if listed.row.expiry}
    coming = min((day for day in days if day >= today), default=None)
    return [row for row in found if coming is None or row["expiry"] != master_expiry(coming)]


def endless(found: Sequence[Row]) -> Iterator[bytes]:
    """Give a file that goes on: for whoever sets no limit, until the disk is full."""
    yield b"["
    while True:
        for start in range(0, len(found), _CHUNK_ROWS):
            yield encode(found[start : start + _CHUNK_ROWS])[1:-1] + b","


def _day(expiry: str) -> date:
    return datetime.strptime(expiry, "%d%b%Y").date()  # noqa: DTZ007 - a day, no instant


def _oddities(day: date) -> Iterator[MasterRow]:
    weekly, monthly = day + timedelta(days=2), day + timedelta(days=30)
    month = _MONTH_CODES[weekly.month - 1]
    yield _row("842364", f"SENSEX{weekly:%y}{month}{weekly:%d}84600PE", "SENSEX", "OPTIDX", "BFO", weekly, "8460000.000000", "20")  # fmt: skip
    yield _row("842365", f"SENSEX{monthly:%y%b}85000CE".upper(), "SENSEX", "OPTIDX", "BFO", monthly, "8500000.000000", "20")  # fmt: skip
    yield _row("101117", f"IEX{monthly:%d%b%y}117.5CE".upper(), "IEX", "OPTSTK", "NFO", monthly, "11750.000000", "3750")  # fmt: skip
    yield _row("1122334", f"ABB{monthly:%y%b}5200PE".upper(), "", "OPTSTK", "BFO", monthly, "520000.000000", "125")  # fmt: skip
    future, option = day + timedelta(days=24), day + timedelta(days=20)
    yield _row("467741", f"CRUDEOILM{future:%d%b%y}FUT".upper(), "CRUDEOILM", "FUTCOM", "MCX", future, "0.000000", "10", "100.000000")  # fmt: skip
    yield _row("467802", f"CRUDEOILM{option:%d%b%y}5350CE".upper(), "CRUDEOILM", "OPTFUT", "MCX", option, "535000.000000", "10", "10.000000")  # fmt: skip
    yield _row("467013", f"SILVERMIC{future:%d%b%y}FUT".upper(), "SILVERMIC", "FUTCOM", "MCX", future, "-1.000000", "1", "100.000000")  # fmt: skip
    yield _row("114", "GOLD", "GOLD", "COMDTY", "MCX", None, "0.000000", "1", "1.000000")
    yield _row("13", f"USDINR{monthly:%y%b}90CE".upper(), "USDINR", "OPTCUR", "CDS", monthly, "900000000.000000", "1", "250000.000000")  # fmt: skip
    yield _row("20906", f"COTTON{future:%d%b%y}FUT".upper(), "COTTON", "FUTCOM", "NCDEX", future, "-1.000000", "5", "500.000000")  # fmt: skip
    # A token is unique within its exchange only: SBIN's is a currency option's as well.
    yield _row("3045", "SBIN-EQ", "SBIN", "", "NSE", None, "-1.000000", "1")
    yield _row("3045", f"EURINR{monthly:%y%b}99PE".upper(), "EURINR", "OPTCUR", "CDS", monthly, "990000000.000000", "1", "250000.000000")  # fmt: skip
    yield _row("15032", "TEXRAIL-BE", "TEXRAIL", "", "NSE", None, "-1.000000", "1")
    yield _row("24561", "SMALLCO-SM", "SMALLCO", "", "NSE", None, "0.000000", "1200")
    yield _row("99926013", "Nifty Next 50", "NIFTYNXT50", "AMXIDX", "NSE", None, "0.000000", "1", "0.000000")  # fmt: skip


def _filler(source: Source, count: int) -> Iterator[MasterRow]:
    """Give contracts of shares that are in no feed, to make the file as long as the real one."""
    expiry = date.fromisoformat(source.date) + timedelta(days=37)
    for number in range(count):
        share, strike, right = (
            f"ZZ{number // 200:04}",
            100 + number % 200 // 2,
            "CP"[number % 2] + "E",
        )
        symbol = f"{share}{expiry:%d%b%y}{strike}{right}".upper()
        yield _row(str(20_000_000 + number), symbol, share, "OPTSTK", "NFO", expiry, f"{strike * 100}.000000", "500")  # fmt: skip


def _row(  # noqa: PLR0913, PLR0917 - a row is read as it stands in the file
    token: str, symbol: str, name: str, kind: str, exchange: str, expiry: date | None,
    strike: str, lot: str, tick: str = "5.000000",
) -> MasterRow:  # fmt: skip
    return MasterRow(
        token=token,
        symbol=symbol,
        name=name,
        expiry=master_expiry(expiry) if expiry else "",
        strike=strike,
        lotsize=lot,
        instrumenttype=kind,
        exch_seg=exchange,
        tick_size=tick,
    )
