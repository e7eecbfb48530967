from datetime import timedelta

import pytest

from oimon.terms import Kind
from tests.masters import DAY
from tests.unit.ingest.master.masters import read_master

OPTIONS = (Kind.CE, Kind.PE)


@pytest.fixture(scope="module")
def master():
    return read_master()


def test_a_name_is_found_exactly(master):
    found = master.instruments(master.find(exchange="NFO", name="NIFTY"))

    assert {each.underlying for each in found} == {"NIFTY"}
    assert not len(master.find(name="NIFT"))
    assert len(master.find(name="NIFTYNXT50"))


def test_one_contract_is_found_by_segment_name_expiry_strike_and_side(master):
    (row,) = master.find(
        exchange="NFO", name="NIFTY", expiry=DAY + timedelta(5), strike=26_050.0, kinds=[Kind.PE]
    )

    (found,) = master.instruments([row])
    assert (found.symbol, found.kind, found.strike) == ("NIFTY01DEC2626050PE", Kind.PE, 26_050.0)


def test_expiries_are_those_that_are_listed_ascending(master):
    sensex = master.find(exchange="BFO", name="SENSEX", kinds=OPTIONS)

    assert master.expiries(sensex) == [DAY, DAY + timedelta(7)]
    assert master.expiries(master.find(name="INFY")) == []


@pytest.mark.parametrize(
    "nothing",
    [
        {"name": "TULIPS"},
        {"exchange": "CDS"},
        {"exchange": "BFO", "name": "NIFTY"},
        {"symbol": "INFY"},
        {"token": "0"},
        {"name": "NIFTY", "strike": 26_050.01},
    ],
)
def test_what_is_not_there_is_no_row(master, nothing):
    assert len(master.find(**nothing)) == 0


def test_without_a_wish_every_row_is_found(master):
    assert master.find().tolist() == list(range(len(master)))


def test_names_are_those_of_the_rows_and_the_nameless_have_none(master):
    assert master.names_of(master.find(exchange="BFO", kinds=OPTIONS)) == ["SENSEX"]
    assert "INDIA VIX" in master.names_of(master.find(kinds=[Kind.INDEX]))
