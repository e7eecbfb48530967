import gzip
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from analytics.commands import register
from analytics.nse import read_page
from analytics.page import page_analysis
from oimon.errors import InputError

FILES = {  # NSE's own totals of the nearest expiry: calls' and puts' open interest and volume
    "NIFTY_2025-08-05_135923.json.gz": (2_635_468, 19_430_034, 1_734_647, 19_306_252),
    "BANKNIFTY_2021-05-17_153000.json.gz": (373_551, 10_323_432, 590_495, 8_706_414),
    "NIFTY_2022-05-02_110750.json.gz": (1_725_863, 6_952_958, 1_254_834, 4_714_072),
    "NIFTY_2022-05-02_151624.json.gz": (1_572_897, 17_516_839, 1_241_221, 13_163_807),
}


def make_leg(oi=100, **fields):
    leg = {
        "underlying": "NIFTY",
        "openInterest": oi,
        "changeinOpenInterest": 20,
        "totalTradedVolume": 10 * oi,
        "lastPrice": 120.0,
        "change": -5.0,
        "bidQty": 75,
        "bidprice": 119.9,
        "askQty": 150,
        "askPrice": 120.1,
        "underlyingValue": 24_623.45,
    }
    return leg | fields


def make_page(*rows, **records):
    given = {
        "timestamp": "05-Aug-2025 13:59:23",
        "underlyingValue": 24_623.45,
        "data": list(rows) or [make_row(24_600), make_row(24_650)],
    }
    return {"records": given | records}


def make_row(strike, expiry="07-Aug-2025", **legs):
    legs = legs or {"CE": make_leg(), "PE": make_leg(300)}
    return {"strikePrice": strike, "expiryDate": expiry} | legs


def write(tmp_path, page):
    path = tmp_path / "page.json"
    path.write_text(page if isinstance(page, str) else json.dumps(page), encoding="utf-8")
    return path


@pytest.fixture
def oi():
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["analyse", *map(str, arguments)])


def test_contracts_become_quantity_by_the_lot(tmp_path):
    page = read_page(write(tmp_path, make_page()))

    contracts, quantity = page_analysis(page, None), page_analysis(page, 75)

    assert contracts.lot is None
    assert contracts.why_null["lot"] == "lot unknown: open interest is in contracts"
    assert np.array_equal(quantity.chain.ce.oi, contracts.chain.ce.oi * 75)
    assert np.array_equal(quantity.chain.ce.oi_prev, contracts.chain.ce.oi_prev * 75)
    assert quantity.pcr == contracts.pcr == 3.0


def test_a_row_may_have_one_leg_only(tmp_path):
    rows = [make_row(24_600, CE=make_leg()), make_row(24_650, PE=make_leg(50))]

    analysis = page_analysis(read_page(write(tmp_path, make_page(*rows))), None)

    assert analysis.pcr == 0.5
    assert np.isnan(analysis.chain.pe.oi[0])


def test_a_chain_without_puts_is_analysed(tmp_path):
    rows = [make_row(24_600, CE=make_leg()), make_row(24_650, CE=make_leg())]

    analysis = page_analysis(read_page(write(tmp_path, make_page(*rows))), None)

    assert (analysis.pcr, analysis.support, analysis.straddle) == (0.0, [], None)


def test_fractional_contracts_are_kept(tmp_path):
    rows = [make_row(24_600, CE=make_leg(92.5), PE=make_leg(185))]

    assert page_analysis(read_page(write(tmp_path, make_page(*rows))), None).pcr == 2.0


def test_an_underlying_of_zero_is_taken_from_the_legs(tmp_path):
    row = make_row(24_600, CE=make_leg(underlyingValue=0), PE=make_leg())

    assert read_page(write(tmp_path, make_page(row, underlyingValue=0))).spot == 24_623.45


def test_without_any_underlying_ratios_are_still_known(tmp_path):
    leg = make_leg(underlyingValue=0)
    page = make_page(make_row(24_600, CE=leg, PE=leg), underlyingValue=0)

    analysis = page_analysis(read_page(write(tmp_path, page)), None)

    assert (analysis.pcr, analysis.spot, analysis.forward) == (1.0, None, None)
    assert analysis.quality_why == ["underlying_stale"]


def test_a_price_of_zero_is_no_price(tmp_path):
    row = make_row(24_600, CE=make_leg(lastPrice=0, bidprice=0, askPrice=0), PE=make_leg())

    legs = page_analysis(read_page(write(tmp_path, make_page(row))), None).chain.ce

    assert np.isnan([legs.ltp[0], legs.bid[0], legs.ask[0], legs.mark[0], legs.prev_close[0]]).all()


def test_the_nearest_expiry_that_has_not_passed_is_read(tmp_path):
    rows = [make_row(24_600, "31-Jul-2025"), make_row(24_650, "14-Aug-2025"), make_row(24_700)]

    page = read_page(write(tmp_path, make_page(*rows)))

    assert (page.expiry.isoformat(), page.strike.tolist()) == ("2025-08-07", [24_700.0])


@pytest.mark.parametrize(
    ("page", "place", "what"),
    [
        ("", "the file", "is empty"),
        ("<!DOCTYPE html><title>Access Denied", "the file", "is HTML"),
        ("{", "the file", "is not JSON"),
        ("[]", "the file", "has no object 'records'"),
        ({"records": {}}, "records.timestamp", "was None"),
        (make_page(data=[]), "records.data", "holds no strikes"),
        (make_page(data=[7]), r"records.data\[0\]", "must be an object, was 7"),
        (make_page(timestamp="yesterday"), "records.timestamp", "was 'yesterday'"),
        (make_page(make_row(1, "2025-08-07")), r"records.data\[0\].expiryDate", "must read like"),
        (make_page(make_row("x")), r"records.data\[0\].strikePrice", "must be a number, was 'x'"),
        (make_page(make_row(1, CE=3)), r"records.data\[0\].CE", "must be an object, was 3"),
        (
            make_page(make_row(1, PE=make_leg(openInterest=None))),
            r"records.data\[0\].PE.openInterest",
            "must be a number, was None",
        ),
        (
            make_page(make_row(1, PE=make_leg(openInterest=-1))),
            r"records.data\[0\].PE.openInterest",
            "must not be negative, was -1",
        ),
        (make_page({"strikePrice": 1, "expiryDate": "07-Aug-2025"}), "records.data", "no leg"),
    ],
)
def test_bad_input_names_file_place_and_remedy(tmp_path, page, place, what):
    path = write(tmp_path, page)

    with pytest.raises(InputError, match=f"page.json: {place}: .*{what}.*Give the JSON") as error:
        read_page(path)

    assert error.value.path == path


def test_a_broken_gzip_and_a_missing_file_are_named(tmp_path):
    path = tmp_path / "page.json.gz"
    path.write_bytes(gzip.compress(json.dumps(make_page()).encode())[:-20])

    with pytest.raises(InputError, match="cannot be read"):
        read_page(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_page(tmp_path / "absent.json")


def test_a_compressed_page_is_the_same_page(tmp_path):
    path = tmp_path / "page.json.gz"
    path.write_bytes(gzip.compress(json.dumps(make_page()).encode()))

    assert read_page(path).strike.tolist() == [24_600.0, 24_650.0]


def test_the_screen_says_when_open_interest_is_in_contracts(tmp_path, oi):
    path = write(tmp_path, make_page())

    without, with_lot = oi(path), oi(path, "--lot", 75)

    assert "in contracts: the lot is unknown" in without.output
    assert "in contracts" not in with_lot.output
    assert "PCR by open interest" in with_lot.output
    assert "3.0000" in with_lot.output


def test_the_dated_table_wins_over_the_lot_given(tmp_path, oi):
    page = make_page(make_row(24_600, "24-Nov-2026"), timestamp="18-Nov-2026 11:00:00")

    done = oi(write(tmp_path, page), "--json", "--lot", 7)

    printed = json.loads(done.stdout)
    assert printed["lot"] == 65
    assert printed["chain"]["ce"]["oi"] == [6_500]
    assert (
        done.stderr == "Note: NIFTY: --lot 7 is not used where the lot is known (2026-11-24: 65)\n"
    )


def test_the_screen_says_nothing_of_what_is_there(tmp_path, oi):
    rows = [make_row(24_600), make_row(24_650)]

    told = oi(write(tmp_path, make_page(*rows)), "--lot", 75).output

    assert "Straddle:" not in told
    assert "Last prices" not in told


def test_a_page_from_before_the_lot_changed_takes_the_lot_given(tmp_path, oi):
    path = write(tmp_path, make_page(make_row(24_600, "30-Jun-2026")))  # of August 2025

    without, given = (json.loads(oi(path, "--json", *lot).output) for lot in ([], ["--lot", 75]))

    assert (without["lot"], given["lot"]) == (None, 75)
    assert given["chain"]["ce"]["oi"] == [7_500]


@pytest.mark.parametrize("lot", [0, -75, 10**20])
def test_a_lot_that_no_contract_has_is_refused(tmp_path, oi, lot):
    done = oi(write(tmp_path, make_page()), "--lot", lot)

    assert done.exit_code == 2
    assert "equal to" in done.output


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", FILES)
def test_ratios_equal_nse_s_own_totals(shared_dir, name):
    ce_oi, ce_volume, pe_oi, pe_volume = FILES[name]

    analysis = page_analysis(read_page(shared_dir / "data" / "nse_option_chain" / name), None)

    assert analysis.pcr == pe_oi / ce_oi
    assert analysis.pcr_vol == pe_volume / ce_volume


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", FILES)
def test_max_pain_and_walls_are_by_definition(shared_dir, name):
    page = read_page(shared_dir / "data" / "nse_option_chain" / name)

    analysis = page_analysis(page, None)

    strike = page.strike
    calls, puts = np.nan_to_num(analysis.chain.ce.oi), np.nan_to_num(analysis.chain.pe.oi)
    pain = [
        (calls * np.maximum(0, at - strike)).sum() + (puts * np.maximum(0, strike - at)).sum()
        for at in strike
    ]
    assert analysis.max_pain == strike[int(np.argmin(pain))]
    below, above = strike <= analysis.x, strike >= analysis.x
    assert analysis.support_wall == strike[below][puts[below].argmax()]
    assert analysis.resistance_wall == strike[above][calls[above].argmax()]
