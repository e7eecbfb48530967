"""Golden facts of the recording that comes with ingest."""

import csv
import gzip
from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest

from ingest.frames import decode
from ingest.recording import open_recording
from ingest.recordings import BUNDLED
from oimon.calendar import IST
from oimon.messages import TickFlag
from oimon.terms import Kind, OiUnit, Segment

LOT = 65


@pytest.fixture(scope="module")
def day():
    return open_recording(BUNDLED)


@pytest.fixture(scope="module")
def ticks(day):
    found = []
    for block in day.blocks():
        some, drops = decode(block.frames, block.received_us, day.tokens)
        assert not drops
        found.append(some)
    return np.concatenate(found)


def at(ts_us):
    return datetime.fromtimestamp(ts_us / 1e6, UTC).astimezone(IST).isoformat()


def test_the_bundled_day_is_small():
    assert BUNDLED.stat().st_size < 1_000_000


def test_the_bundled_day_says_what_it_is(day):
    header = day.header

    assert (header.segment, header.underlying, header.date) == (Segment.NFO, "NIFTY", "2026-08-18")
    assert header.expiries == ["2026-08-18", "2026-08-25"]
    assert (header.oi_unit, header.quotes_assumed, header.cadence_s) == (OiUnit.QTY, 0.003, 60.0)
    assert "chiragaibooks/Option-chain-Parquet" in header.origin
    assert header.command.startswith(
        "oi import NIFTY_1min_2026-08-18.csv.gz NIFTY-2026-08-18.oirec --expiries 2 "
        "--strikes-each-side 20 --oi-unit lots --assume-spread 0.3 --origin "
    )


def test_the_bundled_day_runs_from_1043_to_1530(day):
    assert at(day.last.first_us) == "2026-08-18T10:43:00+05:30"
    assert at(day.last.last_us - day.last.last_us % 1_000_000) == "2026-08-18T15:30:00+05:30"
    assert day.last.frames == 47_956


def test_the_bundled_day_has_the_strikes_around_the_money(day):
    columns = day.session("run").instruments
    strikes = defaultdict(set)
    for kind, expiry, strike in zip(columns.kind, columns.expiry, columns.strike, strict=True):
        strikes[expiry, kind].add(strike)

    expected = {24_150.0 + 50 * n for n in range(-20, 23)}
    assert columns.kind[0] is Kind.INDEX
    assert strikes["2026-08-25", Kind.CE] | strikes["2026-08-25", Kind.PE] == expected
    assert strikes["2026-08-18", Kind.CE] | strikes["2026-08-18", Kind.PE] == expected
    assert set(columns.lot[1:]) == {LOT}
    assert all(before is not None for before in columns.oi_prev[1:])


def test_every_tick_of_the_bundled_day_has_price_quote_volume_and_open_interest(ticks):
    options = ticks[ticks["row"] > 0]

    flags = TickFlag.PRICE | TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI
    assert (options["flags"] == flags).all()
    assert (options["oi"] % LOT == 0).all()
    assert (options["bid"] < options["ltp"]).all()
    assert (options["ltp"] < options["ask"]).all()
    assert np.count_nonzero(ticks["row"] == 0) == 288


@pytest.mark.needs_shared
def test_the_bundled_day_holds_what_its_source_says(day, ticks, shared_dir):
    path = shared_dir / "data" / "intraday" / "NIFTY_1min_2026-08-18.csv.gz"
    columns = day.session("run").instruments
    row_of = {
        (expiry, strike, kind): row
        for row, (expiry, strike, kind) in enumerate(
            zip(columns.expiry, columns.strike, columns.kind, strict=True)
        )
    }
    expected = defaultdict(list)
    with gzip.open(path, "rt") as file:
        for line in csv.DictReader(file):
            row = row_of.get((line["expiry"], float(line["strike"]), line["right"]))
            if row is not None:
                paise = round(float(line["ltp"]) * 100)
                expected[row].append((paise, int(line["volume"]) * LOT, int(line["oi"]) * LOT))
                before = (int(line["oi"]) - int(line["oi_chg_day"])) * LOT
                assert columns.oi_prev[row] == before

    for row, values in expected.items():
        mine = ticks[ticks["row"] == row]
        assert [(int(t["ltp"]), int(t["volume"]), int(t["oi"])) for t in mine] == values
    assert len(expected) == len(columns.token) - 1
