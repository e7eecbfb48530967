"""Each fault does what its label says, and no other fault notices."""

import numpy as np
import pytest

from ingest.replay import Replay
from ingest.simulator.day import Plan, SimulatedDay
from ingest.simulator.faults import Fault, Faults, parse
from ingest.simulator.universe import INDICES
from oimon.messages import TickBatch
from oimon.terms import FeedState

LEGS = slice(4, 248)


def played(text, seconds=20, seed=7):
    truth = []
    day = SimulatedDay(
        Plan(seed=seed, seconds=seconds, faults=parse(text)), INDICES[0], truth.append
    )
    steps = list(Replay(day, "run").steps())
    batches = [m.records for step in steps for m in step.messages if isinstance(m, TickBatch)]
    planted = [line for line in truth if "fault" in line]
    return np.concatenate(batches), planted, steps, day


def test_no_fault_plants_nothing():
    ticks, planted, steps, _ = played("")

    assert planted == []
    assert len(ticks) == 20 * 248
    assert {step.pulse.feed for step in steps} == {FeedState.OK, FeedState.ENDED}


def test_zero_open_interest_and_ten_times_it_come_where_they_were_planted():
    honest, _, _, day = played("")
    ticks, planted, _, _ = played("zero_oi=0.01,oi_x10=0.01")
    rows = {symbol: row for row, symbol in enumerate(day.session("r").instruments.symbol)}

    assert {line["fault"] for line in planted} == {"zero_oi", "oi_x10"}
    wrong = np.flatnonzero(ticks["oi"] != honest["oi"])
    assert len(wrong) == len({(line["at_us"], line["symbol"]) for line in planted})
    assert set(ticks["row"][wrong].tolist()) == {rows[line["symbol"]] for line in planted}
    ratio = ticks["oi"][wrong] / honest["oi"][wrong]
    assert set(ratio.tolist()) == {0.0, 10.0}


def test_a_crossed_quote_reaches_the_decoder_as_no_book():
    ticks, planted, _, _ = played("crossed_quote=0.02")

    without_book = (ticks["flags"] & 2) == 0
    assert np.count_nonzero(without_book & (ticks["row"] > 1)) == len(planted) > 0


def test_a_duplicate_comes_twice_with_one_number_and_a_late_packet_after_its_next():
    twice, planted, _, _ = played("duplicate=0.01")
    late, held_back, _, _ = played("out_of_order=0.01")

    assert len(twice) == 20 * 248 + len(planted)
    again = twice[1:][(twice["row"][1:] == twice["row"][:-1])]
    assert len(again) > 0.9 * len(planted)
    fell = sum(
        int((np.diff(late["seq"][late["row"] == row].astype(np.int64)) < 0).sum())
        for row in range(248)
    )
    assert len(late) == 20 * 248
    assert 0 < fell <= len(held_back)


def test_a_missing_leg_never_comes():
    ticks, _, _, _ = played("missing_leg=0.25")

    come = np.isin(np.arange(248), ticks["row"])
    assert come[:4].all()
    assert 0.15 < 1 - come[LEGS].mean() < 0.35


@pytest.mark.parametrize(
    ("label", "lasts_s", "state"),
    [
        ("disconnect", 30, FeedState.DOWN),
        ("silent", 30, FeedState.SILENT),
        ("halt", 120, FeedState.OK),
    ],
)
def test_an_outage_lasts_and_the_feed_says_what_it_knows(label, lasts_s, state):
    ticks, planted, steps, day = played(f"{label}=20", seconds=300)

    begun = [(line["at_us"] - day.last.first_us) // 1_000_000 for line in planted]
    assert begun
    assert {line["symbol"] for line in planted} == {None}
    seen = set(((ticks["exchange_us"] - day.last.first_us) // 1_000_000).tolist())
    away = {s for b in begun for s in range(b, min(b + lasts_s, 300))}
    assert seen == set(range(300)) - away
    said = {s.pulse.feed for s in steps if (s.due_us - day.last.first_us) // 1_000_000 - 1 in away}
    assert state in said


def test_with_another_lot_open_interest_is_no_multiple_of_it():
    ticks, _, _, day = played("lot_change=1")

    session = day.session("r")
    assert session.instruments.lot[4] == 75
    oi = ticks["oi"][ticks["row"] >= 4]
    assert (oi % 65 == 0).all()
    assert np.mean(oi % 75 == 0) < 0.5


def test_one_fault_changes_nothing_of_another():
    alone = played("zero_oi=0.01")[1]
    among = played("zero_oi=0.01,duplicate=0.05")[1]

    assert [line for line in among if line["fault"] == "zero_oi"] == alone


def test_rates_are_read_and_what_is_wrong_is_named():
    assert parse(" zero_oi=0.01, halt = 2 ,") == {Fault.ZERO_OI: 0.01, Fault.HALT: 2.0}
    assert parse("") == {}
    for text, what in [
        ("halt", "found 'halt'"),
        ("halt=often", "found 'halt=often'"),
        ("gremlins=1", "labels: disconnect, silent"),
        ("zero_oi=nan", "lies between 0 and 1, was nan"),
    ]:
        with pytest.raises(ValueError, match=what):
            parse(text)


def test_beyond_the_day_the_feed_is_well():
    faults = Faults(1, "X", {}, is_leg=np.array([True]), seconds=10)

    assert faults.state(-5) is faults.state(10**6) is FeedState.OK
