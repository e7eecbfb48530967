"""Each fault does what its label says, and no other fault notices."""

from dataclasses import replace

import numpy as np
import pytest

from ingest.replay import Replay
from ingest.simulator.day import Plan, SimulatedDay
from ingest.simulator.faults import Fault, Faults, parse
from ingest.simulator.universe import INDICES, SHARES
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


def test_a_duplicate_comes_twice_with_one_number():
    twice, planted, _, _ = played("duplicate=0.01")

    assert len(twice) == 20 * 248 + len(planted)
    again = twice[1:][(twice["row"][1:] == twice["row"][:-1])]
    assert len(again) > 0.9 * len(planted)


def overtaken(ticks):
    """Return which ticks come after a newer one of their instrument."""
    found = np.zeros(len(ticks), bool)
    for row in range(248):
        of_row = np.flatnonzero(ticks["row"] == row)
        numbers = ticks["seq"][of_row].astype(np.int64)
        found[of_row] = numbers < np.maximum.accumulate(numbers)
    return found


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_as_many_packets_as_the_rate_says_come_after_their_next_even_where_that_is_late_too(share):
    ticks, planted, _, _ = played(f"out_of_order={share}")

    assert len(ticks) == 20 * 248
    assert overtaken(ticks).sum() == len(planted)
    assert len(planted) / len(ticks) == pytest.approx(share, abs=0.012)


def test_a_packet_is_not_late_where_its_next_one_never_comes():
    def seconds_of(text):
        small = replace(INDICES[0], strikes=5)
        day = SimulatedDay(Plan(seconds=900, faults=parse(text)), small)
        return np.unique(np.concatenate([each.received_us for each in day.blocks()]) // 1_000_000)

    calm = seconds_of("disconnect=40")

    assert len(calm) < 800, "it was away"
    assert seconds_of("disconnect=40,out_of_order=0.5").tolist() == calm.tolist()


def test_a_missing_leg_never_comes_and_the_truth_names_it():
    ticks, planted, _, day = played("missing_leg=0.25")

    come = np.isin(np.arange(248), ticks["row"])
    assert come[:4].all()
    assert 0.15 < 1 - come[LEGS].mean() < 0.35
    symbols = np.array(day.session("r").instruments.symbol)
    assert {line["fault"] for line in planted} == {"missing_leg"}
    assert [line["symbol"] for line in planted] == symbols[~come].tolist()


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
    ticks, planted, _, day = played("lot_change=1")

    assert planted == [
        {"at_us": day.last.first_us, "underlying": "NIFTY", "fault": "lot_change", "symbol": None}
    ]
    session = day.session("r")
    assert session.instruments.lot[4] == 75
    oi = ticks["oi"][ticks["row"] >= 4]
    assert (oi % 65 == 0).all()
    assert np.mean(oi % 75 == 0) < 0.5


def test_only_options_have_wrong_open_interest_or_are_missing():
    ticks, *_ = played("zero_oi=1")
    truth = []
    share = SimulatedDay(Plan(seconds=2, faults=parse("missing_leg=1")), SHARES[0], truth.append)

    assert set(ticks["row"][ticks["oi"] > 0].tolist()) == {2, 3}, "the futures"
    assert share.header.underlying.endswith("CE")  # as a call's symbol does
    assert sum(len(block.frames) for block in share.blocks()) == 2
    assert [line for line in truth if "fault" in line] == []


def test_a_share_has_no_lot_that_could_change():
    truth = []

    day = SimulatedDay(Plan(seconds=2, faults=parse("lot_change=1")), SHARES[0], truth.append)

    assert list(day.blocks())
    assert [line for line in truth if "fault" in line] == []


def test_asked_again_a_day_plants_the_same():
    truth = []
    plan = Plan(seconds=20, faults=parse("zero_oi=0.01,missing_leg=0.1,lot_change=1"))
    day = SimulatedDay(plan, INDICES[0], truth.append)

    once = [frame for block in day.blocks() for frame in block.frames]
    told, truth[:] = list(truth), []
    again = [frame for block in day.blocks() for frame in block.frames]

    assert once == again
    assert told == truth


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
    faults = Faults(1, "X", {}, is_leg=np.array([True]), has_lot=True, seconds=10)

    assert faults.state(-5) is faults.state(10**6) is FeedState.OK
