import pytest
import typer
from typer.testing import CliRunner

from ingest.commands import register
from ingest.recording import open_recording
from oimon.errors import ConfigError, InputError
from tests.unit.ingest.test_importing import FIRST, HEADER, SECOND, line


@pytest.fixture
def oi():
    """Return a function that runs ``oi`` with ingest's commands."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)

    def run(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)

    return run


@pytest.fixture
def chain_csv(tmp_path):
    path = tmp_path / "chain.csv"
    rows = [line(FIRST), line(SECOND), line(SECOND, expiry="2026-08-25")]
    path.write_text("\n".join([HEADER, *rows]))
    return path


def test_import_writes_a_recording_and_says_how_to_play_it(oi, chain_csv, tmp_path):
    target = tmp_path / "day.oirec"

    result = oi("import", chain_csv, target)

    assert result.exit_code == 0
    assert "2 contracts, 5 frames" in result.output
    assert f"oi replay {target}" in result.output


@pytest.mark.parametrize(("asked", "named"), [("nifty", "NIFTY"), ("NIFTY", "Nifty")])
def test_an_underlying_may_be_written_in_small_letters(oi, tmp_path, asked, named):
    path = tmp_path / "chain.csv"
    path.write_text("\n".join([HEADER, line(underlying=named), line(underlying="SENSEX")]))

    result = oi("import", path, tmp_path / "day.oirec", "--underlying", asked)

    assert result.exit_code == 0
    assert open_recording(tmp_path / "day.oirec").header.underlying == "NIFTY"


def test_the_header_keeps_the_command_without_folders(oi, chain_csv, tmp_path):
    oi("import", chain_csv, tmp_path / "day.oirec", "--underlying", "NIFTY", "--expiry", "2026-08-25",
       "--strikes-each-side", "3", "--oi-unit", "lots", "--lot", "75", "--assume-spread", "0.3",
       "--origin", "some place")  # fmt: skip

    header = open_recording(tmp_path / "day.oirec").header
    assert header.command == (
        "oi import chain.csv day.oirec --underlying NIFTY --expiry 2026-08-25 --strikes-each-side 3 "
        "--oi-unit lots --lot 75 --assume-spread 0.3 --origin 'some place'"
    )
    assert header.origin == "some place"
    assert header.quotes_assumed == 0.003
    assert header.master[1].lotsize == "65"  # of the dated table


def test_another_recording_is_replaced_by_force_alone(oi, chain_csv, tmp_path):
    target = tmp_path / "day.oirec"
    oi("import", chain_csv, target)

    with pytest.raises(InputError, match="--force"):
        oi("import", chain_csv, target, "--expiries", "1")

    assert open_recording(target).last.frames == 5
    assert oi("import", chain_csv, target, "--expiries", "1", "--force").exit_code == 0
    assert open_recording(target).last.frames == 4
    assert "--force" not in open_recording(target).header.command


def test_a_bad_csv_is_one_error_for_the_command_line(oi, tmp_path):
    with pytest.raises(InputError, match="none"):
        oi("import", tmp_path / "none.csv", tmp_path / "day.oirec")


def test_flags_that_contradict_each_other_are_refused(oi, chain_csv, tmp_path):
    with pytest.raises(ConfigError, match="--expiries"):
        oi("import", chain_csv, tmp_path / "d.oirec", "--expiries", "1", "--expiry", "2026-08-25")
    with pytest.raises(ConfigError, match="a number or all"):
        oi("import", chain_csv, tmp_path / "d.oirec", "--strikes-each-side", "few")
