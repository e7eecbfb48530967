"""`oi why` from files: what it prints, and what it says when it cannot."""

import json

import pytest
import typer
from typer.testing import CliRunner

from analytics.why import register_why
from oimon import offline
from oimon.errors import ConfigError, InputError
from tests.unit.analytics.recorded import DAY
from tests.unit.analytics.test_nse import make_page, make_row, write


def why(*arguments):
    """Return what the command prints; its errors are raised."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register_why(app)
    done = CliRunner().invoke(app, ["why", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture
def page(tmp_path):
    return write(tmp_path, make_page(*(make_row(strike) for strike in (24_550, 24_600, 24_650))))


def test_a_page_s_direction_is_explained(page):
    told = why("nifty", "--file", page)

    assert told.startswith("NIFTY 2025-08-07: NEUTRAL, confidence")
    assert "Rule: eight components" in told
    assert "COLD: only" in told


def test_a_strike_of_a_page_is_explained_as_json_too(page):
    told = json.loads(why("NIFTY", 24_600, "--file", page, "--json"))

    assert (told["strike"], told["verdict"]) == (24_600.0, "Neutral")
    assert told["call"]["why_none"] == "missing"
    assert told["sentences"][0].startswith("NIFTY 24600 of 2025-08-07: Neutral")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["NIFTY", 24_610], "has no strike 24610; the nearest is 24600"),
        (["BANKNIFTY"], "is of NIFTY, not of BANKNIFTY; ask for NIFTY"),
        (["NIFTY", "--expiry", "soon"], "--expiry takes a day as 2026-08-18; found 'soon'"),
        (["NIFTY", "--expiry", "2025-08-14"], "expires on 2025-08-14, found 2025-08-07"),
        (["NIFTY", "--oi-unit", "lots"], "--oi-unit goes with a CSV of chains"),
        (["NIFTY", "--at", "12:00"], "--at goes with a recording"),
    ],
)
def test_what_cannot_be_explained_is_named_with_what_can(page, arguments, words):
    with pytest.raises((ConfigError, InputError), match=words):
        why(*arguments, "--file", page)


def test_any_expiry_of_a_page_is_explained(tmp_path):
    rows = [make_row(24_600, day) for day in ("07-Aug-2025", "14-Aug-2025")]
    path = write(tmp_path, make_page(*rows))

    assert why("NIFTY", "--file", path).startswith("NIFTY 2025-08-07: ")
    assert why("NIFTY", "--file", path, "--expiry", "2025-08-14").startswith("NIFTY 2025-08-14: ")


def test_a_page_without_a_lot_says_what_its_open_interest_is_in(page):
    contracts = "Lot unknown: open interest is in contracts."

    assert contracts in why("NIFTY", "--file", page).splitlines()
    assert contracts in why("NIFTY", 24_600, "--file", page).splitlines()
    assert "Lot unknown" not in why("NIFTY", "--file", page, "--lot", 75)


def test_a_csv_is_explained_in_the_unit_that_it_counts_in(tmp_path):
    path = tmp_path / "chains.csv"
    rows = [f"2026-08-18T14:00:00+05:30,NIFTY,2026-08-18,{24_000 + 50 * n},CE,1,1,{n},24155" for n in range(1, 41)]  # fmt: skip
    path.write_text("\n".join(["ts,underlying,expiry,strike,right,ltp,volume,oi,spot", *rows]))

    as_is, lots = (why("NIFTY", 24_250, "--file", path, *unit) for unit in ([], ["--oi-unit", "lots"]))  # fmt: skip

    assert "which looks like lots and not qty" in as_is
    assert "  Open interest 5; its" in as_is
    assert "Note" not in lots
    assert "  Open interest 325; its" in lots


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["NIFTY", 24_610], "NIFTY has no strike 24610; the nearest is 24600"),
        (["NIFTY", 24_610, "--expiry", "2026-08-25"], "NIFTY 2026-08-25 has no strike 24610"),
        (["NIFTY", "--expiry", "2026-08-26"], "there are 2026-08-18, 2026-08-25"),
        (["BANKNIFTY"], "is of NIFTY, not of BANKNIFTY"),
    ],
)
def test_what_a_recorded_day_does_not_list_is_said_before_it_is_played(
    monkeypatch, arguments, words
):
    monkeypatch.setattr(offline, "play", lambda *_, **__: pytest.fail("it was played"))

    with pytest.raises(ConfigError, match=words):
        why(*arguments, "--file", DAY)


def test_a_folder_of_recordings_is_asked_like_one(tmp_path):
    (tmp_path / "NIFTY-001.oirec").symlink_to(DAY)

    with pytest.raises(ConfigError, match="NIFTY has no strike 24610"):
        why("NIFTY", 24_610, "--file", tmp_path)


def test_one_of_many_underlyings_of_a_csv_is_explained(tmp_path):
    path = tmp_path / "chains.csv"
    rows = [f"2026-01-30T14:00:00+05:30,{name},2026-02-24,1400,{right},1,1,500,1401" for name in ("ABB", "TCS") for right in ("CE", "PE")]  # fmt: skip
    path.write_text("\n".join(["ts,underlying,expiry,strike,right,ltp,volume,oi,spot", *rows]))

    assert why("TCS", 1_400, "--file", path).startswith("TCS 1400 of 2026-02-24: Neutral")
    with pytest.raises(ConfigError, match="is of ABB, TCS, not of ACC; ask for one of those"):
        why("ACC", "--file", path)


def test_a_time_without_a_file_is_refused():
    with pytest.raises(ConfigError, match="--at, --lot and --oi-unit go with --file"):
        why("NIFTY", "--at", "12:00")
