"""A CSV of chains, analysed once: of one underlying a sheet, of several a line each."""

import gzip
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from analytics.commands import register
from analytics.files import read_pages
from oimon.errors import ConfigError, InputError
from oimon.terms import OiUnit, Segment

HEAD = "ts,underlying,expiry,strike,right,ltp,volume,oi,spot,oi_chg_day"
STRIKES = (1_400, 1_420, 1_440)


def row(name="RELIANCE", strike=1_420, right="CE", *, ts="14:01:54", oi=5_000, ltp=20.5, expiry="2026-02-24", spot=1_421.5):  # fmt: skip
    return f"2026-01-30T{ts}+05:30,{name},{expiry},{strike},{right},{ltp},900,{oi},{spot},100"


def chain(name="RELIANCE", **more):
    return [row(name, strike, right, **more) for strike in STRIKES for right in ("CE", "PE")]


@pytest.fixture
def write(tmp_path):
    def write_rows(*rows):
        path = tmp_path / "chains.csv"
        path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
        return path

    return write_rows


@pytest.fixture
def oi():
    app = typer.Typer()
    register(app)
    return lambda *words, columns=80: CliRunner().invoke(
        app, ["analyse", *map(str, words)], env={"COLUMNS": str(columns)}
    )


def test_each_underlying_of_a_snapshot_has_a_line_within_80_columns(write, oi):
    path = write(*chain("RELIANCE"), *chain("TCS", spot=3_150.0, oi=7_000), *chain("M&M", spot=0.5))

    done = oi(path)

    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert [line.split()[:4] for line in lines[3:6]] == [
        ["RELIANCE", "1,421.50", "1.0000", "1420"],
        ["TCS", "3,150.00", "1.0000", "1420"],
        ["M&M", "0.50", "1.0000", "1420"],
    ]
    assert max(map(len, lines)) <= 80
    assert "Expiry 2026-02-24" in lines[1]
    assert "No support, as there is no put open interest at or below the level: M&M" in done.stdout
    assert "No resistance, as there is no call open interest at or above the level: TCS" in done.stdout  # fmt: skip
    assert "at most 21% of the evidence is known" in done.stdout


def test_machines_get_an_object_a_line(write, oi):
    done = oi(write(*chain("RELIANCE"), *chain("TCS", oi=7_000)), "--json")

    told = [json.loads(line) for line in done.stdout.splitlines()]

    assert [(each["underlying"], each["chain"]["ce"]["oi"]) for each in told] == [
        ("RELIANCE", [5_000] * 3),
        ("TCS", [7_000] * 3),
    ]


def test_an_underlying_that_cannot_be_used_is_named_and_the_others_are_analysed(write, oi):
    done = oi(write(*chain("ABB"), row("ACC", ltp="much"), row("ACC"), *chain("TCS")))

    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        f"ACC: {read_pages(write(*chain('ABB'), row('ACC', ltp='much')))['ACC']}"
    ]
    assert "line 8: ltp must be a number, was 'much'" in done.stderr
    assert [name for name in ("ABB", "ACC", "TCS") if f"\n{name} " in done.stdout] == ["ABB", "TCS"]


def test_a_file_of_which_nothing_can_be_used_is_refused(write, oi):
    done = oi(write(row("ACC", ltp="much"), row("TCS", right="XX")))

    assert isinstance(done.exception, InputError)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("rows", "name", "what"),
    [
        ([row(), row()], "RELIANCE", "line 3: RELIANCE 1420 CE stands there a second time"),
        ([row(), row(ts="13:00:00")], "RELIANCE", "line 3: .* comes after a later time"),
    ],
)
def test_a_snapshot_that_contradicts_itself_is_refused_with_its_line(write, rows, name, what):
    page = read_pages(write(*rows, *chain("TCS")))[name]

    with pytest.raises(InputError, match=what):
        raise page


def test_of_one_underlying_there_is_a_sheet(write, oi):
    path = write(*chain("RELIANCE"), *chain("TCS"))

    done = oi(path, "--underlying", "tcs")

    assert done.stdout.startswith("TCS 2026-02-24 as of 2026-01-30 14:01:54 IST")
    assert "Give it with --lot" in done.stdout
    assert "--lot" not in oi(path, "--underlying", "TCS", "--lot", 175).stdout


def test_a_file_without_changes_of_the_day_tells_no_previous_close(write, oi):
    path = write(*(told.removesuffix("100") for told in chain("TCS")))

    day = json.loads(oi(path, "--json").stdout)["oi_anchors"][0]

    assert (day["name"], day["source"], day["at_us"], day["legs"]) == ("day", None, None, 0)
    assert "Since the previous close    -- " in oi(path).stdout


def test_a_sheet_says_why_something_is_missing(write, oi):
    told = " ".join(oi(write(*chain("TCS")), "--lot", 175).stdout.split())

    assert "Straddle: a leg at the money has no price." in told
    assert "Volatility at the money, Zero gamma: at the money: no price." in told
    assert "Last prices make no marks: the file does not say when they were" in told
    assert "PCR by open interest:" not in told


@pytest.mark.parametrize("names", [["TCS"], ["RELIANCE", "TCS"]])
def test_a_terminal_that_is_too_narrow_cuts_no_number(write, oi, names):
    path = write(*(row for name in names for row in chain(name)))

    assert oi(path, columns=40).stdout == oi(path, columns=80).stdout


def test_of_a_day_it_is_the_last_snapshot_and_of_that_the_nearest_expiry_that_lives(write):
    rows = [row(oi=1), row(ts="15:29:00", expiry="2026-01-29"), row(ts="15:29:00"), row(ts="15:29:00", expiry="2026-03-30")]  # fmt: skip
    path = write(*rows)

    page = read_pages(path)["RELIANCE"]

    assert (page.at.strftime("%H:%M"), page.expiry.isoformat()) == ("15:29", "2026-02-24")
    with pytest.raises(InputError, match="nothing of RELIANCE expires on 2026-02-25, found 2026-01-29, 2026-02-24"):  # fmt: skip
        raise read_pages(path, expiry=page.expiry.replace(day=25))["RELIANCE"]


def test_an_index_of_bse_is_in_its_own_segment(write):
    pages = read_pages(write(*chain("SENSEX"), *chain("NIFTY")))

    assert [page.segment for page in pages.values()] == [Segment.BFO, Segment.NFO]


def test_interest_that_looks_like_contracts_is_pointed_out_and_kept(write, oi):
    rows = [row("NIFTY", strike, right, oi=strike % 64 + 1) for strike in range(24_000, 26_000, 50) for right in ("CE", "PE")]  # fmt: skip
    path = write(*rows)

    as_units, as_lots = oi(path, "--json"), oi(path, "--json", "--oi-unit", "lots")

    assert "looks like lots and not qty; if so, do it again with --oi-unit lots" in as_units.stderr
    assert as_lots.stderr == ""
    first, counted = (json.loads(done.stdout)["chain"]["ce"] for done in (as_units, as_lots))
    assert [65 * oi for oi in first["oi"]] == counted["oi"]
    assert [65 * volume for volume in first["volume"]] == counted["volume"]


def test_options_that_do_not_go_with_the_file_are_refused(write, oi, tmp_path):
    several, page = write(*chain("RELIANCE"), *chain("TCS")), tmp_path / "page.json"
    page.write_text("{}", encoding="utf-8")

    assert isinstance(oi(several, "--lot", 65).exception, ConfigError)
    assert isinstance(oi(page, "--oi-unit", "lots").exception, ConfigError)


def test_a_compressed_file_is_the_same_file(write, tmp_path):
    path, packed = write(*chain()), tmp_path / "chains.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))

    page = read_pages(packed, unit=OiUnit.QTY)["RELIANCE"]

    assert np.array_equal(page.cells, read_pages(path)["RELIANCE"].cells, equal_nan=True)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_of_something_else_is_told_what_it_lacks(tmp_path, mark):
    path = tmp_path / "gold.csv"
    path.write_text(mark.join(["Date", "Symbol", "Close"]) + "\n" + mark.join("123") + "\n")

    with pytest.raises(
        InputError, match=r"line 1: no column is called ts, underlying, .* found Date"
    ):
        read_pages(path)
