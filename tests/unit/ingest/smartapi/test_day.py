import pytest

from ingest.instruments import Instrument, read_row
from ingest.smartapi.day import live_day, spelled
from oimon.terms import Kind, Mode, Segment

FOUND = [
    Instrument(exchange="NSE", token="99926000", symbol="Nifty 50", underlying="NIFTY", kind=Kind.INDEX, expiry=None, strike=None, lot=1, tick=0.0),
    Instrument(exchange="NFO", token="51001", symbol="NIFTY29DEC26FUT", underlying="NIFTY", kind=Kind.FUT, expiry="2026-12-29", strike=None, lot=65, tick=0.05),
    Instrument(exchange="NFO", token="40630", symbol="NIFTY01DEC2624150.5PE", underlying="NIFTY", kind=Kind.PE, expiry="2026-12-01", strike=24_150.5, lot=65, tick=0.05),
    Instrument(exchange="MCX", token="7", symbol="CRUDEOIL15DEC265300CE", underlying="CRUDEOIL", kind=Kind.CE, expiry="2026-12-15", strike=5300.0, lot=100, tick=0.1),
    Instrument(exchange="MCX", token="8", symbol="CRUDEOIL19DEC26FUT", underlying="CRUDEOIL", kind=Kind.FUT, expiry="2026-12-19", strike=None, lot=100, tick=1.0),
    Instrument(exchange="NSE", token="2885", symbol="RELIANCE-EQ", underlying="RELIANCE", kind=Kind.EQ, expiry=None, strike=None, lot=1, tick=0.1),
]  # fmt: skip


@pytest.mark.parametrize("instrument", FOUND, ids=lambda each: each.symbol)
def test_an_instrument_that_is_spelled_reads_as_it_was(instrument):
    assert read_row(spelled(instrument)) == instrument


def test_a_live_day_says_what_is_known_and_nothing_else():
    day = live_day(
        "NIFTY",
        Segment.NFO,
        "2026-11-26",
        FOUND[:3],
        prev_close={("NSE", "99926000"): 24_150.0},
        oi_prev={("NFO", "40630"): 6500},
        mcx_oi=False,
    )

    session = day.session("run")

    assert session.mode is Mode.LIVE
    assert session.instruments.prev_close == [24_150.0, None, None]
    assert session.instruments.oi_prev == [None, None, 6500]
    assert session.instruments.oi_open == [None, None, None]
    assert day.header.expiries == ["2026-12-01"]
    assert list(day.blocks()) == []
