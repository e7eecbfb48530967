"""Every file of market data beside the checkout goes through the command that takes it, or is refused in one sentence."""

import csv
import gzip
import json
from collections import Counter

import pytest
from typer.testing import CliRunner

from oimon import cli
from oimon.errors import InputError

pytestmark = pytest.mark.needs_shared
FIVE_MINUTES = "intraday/NIFTY_BANKNIFTY_5min_2026-01-30.csv.gz"
SNAPSHOT = "intraday/stocks_snapshot_2026-01-30_14-02.csv.gz"


def oi(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_each_underlying_of_a_day_is_imported_without_a_warning(shared_dir, tmp_path, underlying):
    made = oi(
        "import", shared_dir / "data" / FIVE_MINUTES, tmp_path / "day.oirec", "--underlying", underlying
    )  # fmt: skip

    assert (made.exit_code, made.stderr) == (0, "")
    assert f"{underlying} on 2026-01-30" in made.stdout


@pytest.mark.parametrize(("underlying", "lot"), [("RELIANCE", 500), ("360ONE", 500)])
def test_a_snapshot_of_one_of_206_shares_is_imported_and_played(
    shared_dir, tmp_path, underlying, lot
):
    day, out = tmp_path / "day.oirec", tmp_path / "out"

    made = oi("import", shared_dir / "data" / SNAPSHOT, day, "--underlying", underlying, "--lot", lot)  # fmt: skip
    played = oi("replay", day, "--out", out)

    assert (made.exit_code, made.stderr, played.exit_code) == (0, "", 0)
    lines = [json.loads(line) for path in out.rglob("*") if path.is_file() for line in path.read_text().splitlines()]  # fmt: skip
    assert {line["underlying"] for line in lines} == {underlying}
    assert any(line.get("max_pain") for line in lines)


def test_all_206_shares_are_analysed_in_one_go_and_agree_with_their_own_sums(shared_dir):
    sums: Counter[tuple[str, str]] = Counter()
    strikes: dict[str, dict[float, list[float]]] = {}
    with gzip.open(shared_dir / "data" / SNAPSHOT, "rt") as file:
        for row in csv.DictReader(file):
            name, right, oi_ = row["underlying"], row["right"], float(row["oi"])
            sums[name, right] += int(oi_)
            strikes.setdefault(name, {}).setdefault(float(row["strike"]), [0, 0])[right == "PE"] += oi_  # fmt: skip

    done = oi("analyse", shared_dir / "data" / SNAPSHOT, "--json")

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.exit_code, done.stderr, len(told)) == (0, "", 206)
    for each in told:
        name, chain = each["underlying"], strikes[each["underlying"]]
        assert each["pcr"] == pytest.approx(sums[name, "PE"] / sums[name, "CE"], rel=1e-8)
        pains = {at: sum(ce * max(0, at - k) + pe * max(0, k - at) for k, (ce, pe) in chain.items()) for at in chain}  # fmt: skip
        assert pains[each["max_pain"]] == min(pains.values())
        assert each["direction"] == "NEUTRAL"  # of one moment nothing else can be told


def test_a_share_whose_lot_nobody_knows_is_asked_for_it(shared_dir, tmp_path):
    asked = oi("import", shared_dir / "data" / SNAPSHOT, tmp_path / "x.oirec", "--underlying", "RELIANCE")  # fmt: skip

    assert isinstance(asked.exception, InputError)
    assert "Give it with --lot" in str(asked.exception)


@pytest.mark.parametrize("command", ["import", "analyse"])
@pytest.mark.parametrize(
    "file", ["mcx/gold_futcom_bhavcopy.csv", "equity/nse_eq_ticks_2024-06-21.jsonl.gz"]
)
def test_what_holds_no_option_chain_is_refused_in_one_sentence(shared_dir, tmp_path, command, file):
    target = [tmp_path / "x.oirec"] if command == "import" else []

    refused = oi(command, shared_dir / "data" / file, *target)

    assert isinstance(refused.exception, InputError)
    assert not list(tmp_path.iterdir())
