"""A live day of one partition: what its ticks mean, as a recording's header says it (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from typing_extensions import override

from ingest.blocks import Block
from ingest.header import Header, Last
from ingest.instruments import Instrument, MasterRow, master_expiry
from ingest.recording import Day
from oimon.messages import Session
from oimon.terms import Kind, Mode, OiUnit, Segment

SOURCE = "Angel One SmartAPI"
Key = tuple[str, str]
"""Exchange and token."""
_OPTIONS = (Kind.CE, Kind.PE)
_TYPES = {Kind.INDEX: "AMXIDX", Kind.EQ: ""}
_COMMODITY = {"FUT": "FUTCOM", "OPT": "OPTFUT"}
_INDEX = {"FUT": "FUTIDX", "OPT": "OPTIDX"}


class LiveDay(Day):
    """A day that is going on; its frames come from the stream, not from here."""

    mode = Mode.LIVE

    @override
    def blocks(self) -> Iterator[Block]:
        return iter(())


def live_day(
    underlying: str,
    segment: Segment,
    iso_day: str,
    found: Sequence[Instrument],
    *,
    prev_close: Mapping[Key, float],
    oi_prev: Mapping[Key, int],
    mcx_oi: bool,
    run: str = "",
) -> LiveDay:
    """Return the day of one partition.

    Args:
        underlying: the partition.
        segment: of the exchange.
        iso_day: the day in India.
        found: its instruments, in the order of their rows.
        prev_close: rupees, of those of which it is known.
        oi_prev: open interest at the previous session's close in quantity, of those of which it is known.
        mcx_oi: a commodity's open interest is analysed.
        run: whose beats are told with its frames; empty: the frames' own times make them.
    """
    keys = [(each.exchange, each.token) for each in found]
    header = Header(
        segment=segment,
        underlying=underlying,
        date=iso_day,
        source=SOURCE,
        origin=SOURCE,
        command=None,
        oi_unit=OiUnit.QTY,
        cadence_s=0.0,
        quotes_assumed=None,
        expiries=sorted({each.expiry for each in found if each.kind in _OPTIONS and each.expiry}),
        has_beats=bool(run),
        master=[spelled(each) for each in found],
        prev_close=[prev_close.get(key) for key in keys],
        oi_prev=[oi_prev.get(key) for key in keys],
        oi_open=[None] * len(keys),
        mcx_oi=mcx_oi,
        run=run,
    )
    return LiveDay(header, Last(frames=0, first_us=0, last_us=0, digest=""))


def as_said(header: Header, session: Session) -> Header:
    """Return the header as a session of its run has said it, whose instruments are the first of its own."""
    columns = session.instruments
    legs = zip(columns.kind, columns.expiry, strict=True)
    return replace(
        header,
        expiries=sorted({day for kind, day in legs if kind in _OPTIONS and day}),
        master=header.master[: len(columns.token)],
        prev_close=list(columns.prev_close),
        oi_prev=list(columns.oi_prev),
        oi_open=list(columns.oi_open),
    )


def spelled(instrument: Instrument) -> MasterRow:
    """Return an instrument as a row of the master: what ``read_row`` reads to the same."""
    names = _COMMODITY if instrument.exchange == "MCX" else _INDEX
    kind = instrument.kind
    return MasterRow(
        token=instrument.token,
        symbol=instrument.symbol,
        name=instrument.underlying,
        expiry=master_expiry(date.fromisoformat(instrument.expiry)) if instrument.expiry else "",
        strike=_paise(instrument.strike) if instrument.strike is not None else "-1.000000",
        lotsize=str(instrument.lot),
        instrumenttype=_TYPES[kind]
        if kind in _TYPES
        else names["OPT" if kind in _OPTIONS else "FUT"],
        exch_seg=instrument.exchange,
        tick_size=_paise(instrument.tick),
    )


def _paise(rupees: float) -> str:
    return f"{Decimal(repr(rupees)) * 100:.6f}"
