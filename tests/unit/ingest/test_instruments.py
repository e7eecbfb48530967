import dataclasses
from datetime import date

import pytest

from ingest.instruments import instruments, master_expiry, read_row, table_hash
from oimon.terms import Kind
from tests.builders import make_row


def test_an_option_row_is_read_in_rupees_and_iso_days():
    found = read_row(make_row("40637", kind="PE", strike=24_200, expiry="25AUG2026"))

    assert (found.kind, found.strike, found.expiry, found.lot, found.tick) == (
        Kind.PE,
        24_200.0,
        "2026-08-25",
        65,
        0.05,
    )
    assert (found.exchange, found.token, found.underlying) == ("NFO", "40637", "NIFTY")


def test_the_month_may_be_written_either_way():
    row = dataclasses.replace(make_row(), expiry="04Apr2024")

    assert read_row(row).expiry == "2024-04-04"


def test_a_strike_may_have_decimals():
    row = dataclasses.replace(make_row(), strike="11750.000000")

    assert read_row(row).strike == 117.5


def test_the_index_has_neither_strike_nor_expiry():
    found = read_row(make_row("99926000", kind="INDEX"))

    assert (found.kind, found.strike, found.expiry, found.lot) == (Kind.INDEX, None, None, 1)


def test_a_future_and_a_share_have_no_strike_whatever_sentinel_their_row_has():
    future = dataclasses.replace(
        make_row(), instrumenttype="FUTIDX", symbol="NIFTY25AUG26FUT", strike="-1.000000"
    )
    share = dataclasses.replace(
        make_row(), instrumenttype="", symbol="INFY-EQ", strike="-1.000000", exch_seg="NSE"
    )

    assert (read_row(future).kind, read_row(future).strike) == (Kind.FUT, None)
    assert read_row(future).expiry == "2026-08-25"
    assert (read_row(share).kind, read_row(share).strike, read_row(share).expiry) == (
        Kind.EQ,
        None,
        None,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"exch_seg": "CDS"},
        {"instrumenttype": "COMDTY"},
        {"symbol": "NIFTY25AUG2624200XX"},
        {"expiry": "2026-08-25"},
        {"strike": "many"},
        {"lotsize": "-1"},
        {"tick_size": ""},
    ],
)
def test_a_row_that_cannot_be_read_names_itself(wrong):
    row = dataclasses.replace(make_row(), **wrong)

    with pytest.raises(ValueError, match=row.symbol):
        read_row(row)


def columns(*rows, oi_prev=None):
    none = [None] * len(rows)
    return instruments(
        [read_row(row) for row in rows], prev_close=none, oi_prev=oi_prev or none, oi_open=none
    )


def test_the_hash_of_a_table_is_that_of_what_its_rows_are():
    table = table_hash(columns(make_row(), make_row("40638", kind="PE")))

    assert len(bytes.fromhex(table)) == 8
    assert table == table_hash(columns(make_row(), make_row("40638", kind="PE"), oi_prev=[1, 2]))
    assert table != table_hash(columns(make_row("40638", kind="PE"), make_row()))


def test_a_day_is_written_as_the_master_writes_it():
    assert master_expiry(date(2024, 4, 4)) == "04APR2024"
