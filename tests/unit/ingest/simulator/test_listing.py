"""The contracts of a simulated market against the specification, 12.1 and 13.1."""

from datetime import date

import pytest

from ingest.simulator.listing import listing
from ingest.simulator.universe import UNIVERSES, Universe
from oimon.errors import ConfigError

DAY = date(2026, 11, 18)
NAMED = {market.name: market for market in UNIVERSES[Universe.DEFAULT]}


@pytest.mark.parametrize(
    ("name", "strikes", "step", "lot", "futures"),
    [
        ("NIFTY", 61, 50, 65, ["2026-11-23", "2026-12-29"]),
        ("BANKNIFTY", 41, 100, 30, ["2026-11-23", "2026-12-29"]),
        ("FINNIFTY", 31, 50, 60, ["2026-11-23", "2026-12-29"]),
        ("MIDCPNIFTY", 31, 25, 120, ["2026-11-23", "2026-12-29"]),
        ("SENSEX", 41, 100, 20, ["2026-11-26", "2026-12-31"]),
        ("CRUDEOIL", 21, 50, 100, ["2026-11-19", "2026-12-18"]),
        ("GOLDM", 21, 500, 10, ["2026-11-19", "2026-12-18"]),
        ("SILVERMIC", 0, 0, 1, ["2026-11-19", "2026-12-18"]),
    ],
)
def test_each_market_lists_its_strikes_around_its_level_and_two_futures(
    name, strikes, step, lot, futures
):
    market = NAMED[name]

    found = listing(market, DAY)

    assert len(found.strike) == strikes
    if strikes:
        assert set(found.strike[1:] - found.strike[:-1]) == {step}
        assert abs(found.strike[strikes // 2] - market.level) <= step / 2
    assert [each.isoformat() for each in found.futures] == futures
    contracts = [row for row in found.rows if row.expiry]
    assert len(contracts) == 2 + 2 * strikes * len(found.options)
    assert {row.lotsize for row in contracts} == {str(lot)} == {str(found.lot)}
    # the master gives the step of a price in paise
    assert {float(row.tick_size) for row in contracts} == {market.tick * 100} == {found.tick}


def test_kinds_are_those_of_the_broker_s_master():
    kinds = {
        name: {(row.exch_seg, row.instrumenttype) for row in listing(NAMED[name], DAY).rows}
        for name in ("NIFTY", "SENSEX", "GOLDM", "SBIN")
    }

    assert kinds == {
        "NIFTY": {("NSE", "AMXIDX"), ("NFO", "FUTIDX"), ("NFO", "OPTIDX")},
        "SENSEX": {("BSE", "AMXIDX"), ("BFO", "FUTIDX"), ("BFO", "OPTIDX")},
        "GOLDM": {("MCX", "FUTCOM"), ("MCX", "OPTFUT")},
        "SBIN": {("NSE", "")},
    }


def test_what_expires_today_is_still_listed():
    found = listing(NAMED["NIFTY"], date(2026, 11, 23))

    assert [each.isoformat() for each in found.options] == ["2026-11-23", "2026-12-01"]
    assert [each.isoformat() for each in found.futures] == ["2026-11-23", "2026-12-29"]
    assert [each.isoformat() for each in listing(NAMED["GOLDM"], date(2026, 11, 19)).futures] == [
        "2026-11-19",
        "2026-12-18",
    ]


@pytest.mark.parametrize(
    ("name", "day", "says"),
    [
        ("NIFTY", date(2026, 12, 23), "does not know what NIFTY lists on 2026-12-30 or later; choose an earlier"),
        ("NIFTY", date(2025, 12, 1), "knows no lot of NIFTY on 2025-12-01; choose a later"),
    ],
)  # fmt: skip
def test_a_day_whose_contracts_the_calendar_does_not_know_is_one_sentence(name, day, says):
    with pytest.raises(ConfigError, match=f"SIM_DATE: the calendar {says}"):
        listing(NAMED[name], day)
