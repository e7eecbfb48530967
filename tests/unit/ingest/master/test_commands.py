import json
from datetime import date

import pytest
from typer.testing import CliRunner

from ingest.config import IngestSettings
from ingest.master import commands
from ingest.master.library import Dated
from oimon import cli
from oimon.clock import ManualClock
from oimon.errors import ConfigError, TransientError
from tests.unit.ingest.master.masters import at, read_master


@pytest.fixture
def instruments(monkeypatch, tmp_path):
    """Run ``oi instruments`` at 10:00 against a list of that morning; return its output."""
    for name in IngestSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    dated = Dated(master=read_master(), fetched_us=at(9), warnings=("the list is old",))

    class Shelf:
        @classmethod
        def of(cls, settings, clock):
            url = settings.smartapi_master_url
            assert (settings.data_dir.name, url[:8]) == ("data", "https://")
            return cls()

        async def today(self):
            return dated

    monkeypatch.setattr(commands, "Library", Shelf)
    monkeypatch.setattr(commands, "SystemClock", lambda: ManualClock(at(10)))

    def run(*arguments):
        done = CliRunner().invoke(cli.app, ["instruments", *arguments])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done

    return run


def test_an_underlying_is_shown_with_the_age_of_the_list(instruments):
    done = instruments("nifty", "--spot", "26040")

    assert "at the money 26050: 82 contracts, 25050 to 27050" in done.stdout
    assert "From the broker's list of 2026-11-26, fetched 1h00m ago: 486 instruments" in done.stdout
    assert "Note: the list is old" in done.stderr


@pytest.mark.parametrize(
    ("name", "line"),
    [("SENSEX", "SENSEX, BFO"), ("GOLDMIC", "GOLDM, MCX"), ("RELIANCE", "RELIANCE, NSE"), ("IEX", "IEX, NFO")],
)  # fmt: skip
def test_a_name_is_looked_for_in_every_segment(instruments, name, line):
    assert instruments(name).stdout.startswith(line)


def test_a_segment_can_be_given(instruments):
    assert instruments("IEX", "--segment", "nse").stdout.startswith("IEX, NSE")


def test_without_a_name_it_is_what_the_settings_say(instruments, monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "MCX")
    monkeypatch.setenv("MCX_NAME", "copper, goldmic")

    done = instruments()

    assert done.stdout.startswith("COPPER, MCX")
    assert "\nGOLDM, MCX" in done.stdout
    assert "Note: MCX_NAME: MCX lists no GOLDMIC; using GOLDM" in done.stderr


def test_it_can_be_shown_as_on_another_day(instruments):
    told = json.loads(instruments("NIFTY", "--on", "2026-12-02", "--json").stdout)

    assert [chain["expiry"] for chain in told["parts"][0]["chains"]] == ["2026-12-08"]


def test_an_expiry_can_be_chosen(instruments):
    told = json.loads(instruments("NIFTY", "--expiry", "2026-12-08", "--json").stdout)

    assert [chain["expiry"] for chain in told["parts"][0]["chains"]] == ["2026-12-08"]
    assert told["master"]["day"] == date(2026, 11, 26).isoformat()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["NIFTI"], "NFO and BFO list no underlying with options called 'NIFTI'; near to it: NIFTY"),
        (["NIFTI", "--segment", "NSE"], "NSE lists no share called 'NIFTI'"),
        (["NIFTY", "--segment", "moon"], "--segment takes one of NFO, MCX, NSE, BFO, found 'moon'"),
        (["--spot", "5"], "--spot is the price of one underlying; name that one"),
        (["NIFTY", "SENSEX", "--spot", "5"], "--spot is the price of one underlying; name that one"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_told(instruments, arguments, what):
    with pytest.raises(ConfigError) as caught:
        instruments(*arguments)

    assert what in str(caught.value)


def test_a_list_that_cannot_be_had_is_told_with_what_to_do(instruments, monkeypatch):
    async def today(_):
        raise TransientError(
            "https://broker/list: the instrument master cannot be fetched: no route."
        )

    monkeypatch.setattr(commands.Library, "today", today)

    with pytest.raises(ConfigError, match=r"no route\. Check the network"):
        instruments("NIFTY")
