"""What `oi sim score` prints and answers, of days that are already scored."""

import json

import pytest
from typer.testing import CliRunner

from ingest.simulator import commands
from ingest.simulator.scoring import Delay, Grade, Marks
from oimon import cli

GOOD = [[90, 2, 8], [2, 90, 8], [5, 5, 90]]

FIGURES = (
    "balanced accuracy, mean",
    "its 10th percentile",
    "opposite direction",
    "detection, median",
    "label changes an hour",
    "sure − unsure, 5 min on",
)


@pytest.fixture
def scored(monkeypatch):
    """Run the command on days made by hand: ``scored(confusion, *arguments)``."""

    def run(confusion, *arguments):
        day = {
            "delays": [Delay(0, 1, 100.0), Delay(1, -1, None), Delay(-1, 0, 30.0)],
            "changes": 12,
            "hours": 6.0,
        }
        found = Marks(seed=1, confusion=confusion, sure=(100, 70), unsure=(100, 52), **day)
        monkeypatch.setattr(commands, "_trials", lambda plans, jobs: iter([found] * len(plans)))
        return CliRunner().invoke(cli.app, ["sim", "score", *arguments])

    return run


def test_days_that_reach_every_figure_are_exit_code_0(scored):
    done = scored(GOOD, "--seeds", "2", "--publish", "180")

    assert done.exit_code == 0
    assert (
        "2 simulated days of NIFTY (seeds 1 to 2), 2026-11-18, open interest published every 180 s"
        in " ".join(done.output.split())
    )
    assert done.output.count("reached") == 6
    assert "MISSED" not in done.output
    assert "nothing of real markets or of profit" in " ".join(done.output.split())
    assert "180 (90%)" in done.output
    assert "Balanced accuracy of all days together: 0.900" in done.output


def test_each_figure_stands_beside_its_standard_error(scored):
    told = scored(GOOD, "--seeds", "2").output

    assert "0.900 ± 0.000" in told, "all days were read alike"
    assert "100 ± 0 s" in told
    assert "±: standard error" in told
    assert "0.900 ± --" in scored(GOOD, "--seeds", "1").output, "one day says nothing of others"


def test_each_figure_is_a_line_within_80_columns(monkeypatch, scored):
    monkeypatch.setattr(commands.Figure, "grade", Grade.OPEN)

    lines = scored(GOOD, "--seeds", "2").output.splitlines()

    told = [line for line in lines if line.endswith(Grade.OPEN)]
    assert [line.startswith(name) for line, name in zip(told, FIGURES, strict=True)] == [True] * 6
    assert max(map(len, lines)) <= 80


def test_a_figure_that_is_missed_is_exit_code_1_and_named(scored):
    done = scored([[40, 20, 40], [20, 40, 40], [0, 0, 100]], "--seeds", "1")

    assert done.exit_code == 1
    assert done.output.count("MISSED") == 3
    assert "a direction reverses     1          1                   --" in done.output, (
        "the reversal was never read, and is counted"
    )


def test_machines_get_figures_delays_confusion_and_the_caveat(scored):
    told = json.loads(scored(GOOD, "--seeds", "1", "--json").stdout)

    assert [each["grade"] for each in told["figures"]] == ["reached"] * 6
    assert told["confusion"] == {"labels": ["BULLISH", "BEARISH", "NEUTRAL"], "rows": GOOD}
    assert told["delays"]["a direction begins"] == {
        "count": 1,
        "unread": 0,
        "median_s": 100.0,
    }
    assert told["delays"]["a direction reverses"] == {
        "count": 1,
        "unread": 1,
        "median_s": None,
    }
    assert told["caveat"] == commands.CAVEAT


def test_ctrl_c_is_one_line_and_exit_code_130(monkeypatch):
    def interrupted(plans, jobs):
        yield Marks(
            seed=1, confusion=GOOD, delays=[], changes=0, hours=1.0, sure=(0, 0), unsure=(0, 0)
        )
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_trials", interrupted)
    done = CliRunner().invoke(cli.app, ["sim", "score", "--seeds", "3"])

    assert done.exit_code == 130
    assert done.stderr.splitlines() == ["Stopped after 1 of 3 days; nothing of it is left running"]
    assert not done.stdout


@pytest.mark.parametrize(
    "arguments", [["--seeds", "0"], ["--publish", "601"], ["--every", "60"], ["--date", "soon"]]
)
def test_an_option_out_of_range_is_refused(scored, arguments):
    assert scored(GOOD, *arguments).exit_code == 2
