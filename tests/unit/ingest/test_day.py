"""The day record of packets: which have one, and what it says."""

import numpy as np
import pytest

from ingest.day import with_day
from ingest.frames import decode
from ingest.packets import LTP, QUOTE, SNAP_QUOTE, packet
from ingest.replay import Replay
from ingest.simulator.day import Plan, SimulatedDay, markets
from ingest.simulator.universe import Universe
from ingest.tokens import TokenTable
from oimon.messages import TickBatch, TickFlag
from oimon.terms import Kind

TOKENS = TokenTable.of(["NSE"] * 2, ["2885", "3045"], [Kind.EQ] * 2)
DAY = {"open": 1_000, "high": 1_100, "low": 990, "prev_close": 1_005, "average": 1_040}
YEAR = {"low_52w": 700, "high_52w": 1_500}


def make(mode=SNAP_QUOTE, token="2885", **fields):  # noqa: S107 - a token of the exchange
    return packet(mode, "NSE", token, exchange_ms=1_795_000_000_000, ltp=1_050, **fields)


def told(frames):
    ticks, _ = decode(frames, list(range(len(frames))), TOKENS)
    return with_day(ticks, frames, TOKENS)


def flags_of(ticks):
    return (ticks["flags"] & TickFlag.DAY > 0).tolist()


def test_a_snap_quote_tells_the_day_and_the_year():
    ticks, day = told([make(**DAY, **YEAR)])

    assert flags_of(ticks) == [True]
    assert day.tolist() == [(1_000, 1_100, 990, 1_005, 1_040, 700, 1_500)]


def test_a_quote_tells_the_day_only_and_an_ltp_packet_nothing():
    ticks, day = told([make(LTP), make(QUOTE, **DAY), make()])

    assert flags_of(ticks) == [False, True, False]
    assert day["high"].tolist() == [1_100]
    assert day["high_52w"].tolist() == [0]
    assert told([make(LTP)])[1] is None


@pytest.mark.parametrize("wrong", [{"low": 1_200}, {"low": -5, "high": 10}, {"high": 0, "low": 0}])
def test_a_range_that_is_none_is_not_told(wrong):
    ticks, day = told([make(**(DAY | wrong))])

    assert (flags_of(ticks), day) == ([False], None)


@pytest.mark.parametrize("count", [2, 40])  # the two ways of the decoder
def test_frames_that_are_no_ticks_shift_nothing(count):
    frames = [make(token="9999", **DAY), b"short"]
    frames += [make(token="3045", **(DAY | {"high": 1_100 + k})) for k in range(count)]

    ticks, day = told(frames)

    assert ticks["row"].tolist() == [1] * count
    assert day["high"].tolist() == [1_100 + k for k in range(count)]


@pytest.mark.parametrize(("name", "tells"), [("SBIN", True), ("CRUDEOIL", True), ("NIFTY", False)])
def test_only_the_modes_of_quotes_publish_it(name, tells):
    plan = Plan(universe=Universe.DEFAULT, seconds=30)
    day = SimulatedDay(plan, next(market for market in markets(plan) if market.name == name))

    batches = [m for step in Replay(day, "r").steps() for m in step.messages if isinstance(m, TickBatch)]  # fmt: skip

    assert {batch.day is not None for batch in batches} == {tells}
    if tells:
        share = np.concatenate([batch.day for batch in batches])
        assert (share["low"] <= share["average"]).all()
        assert (share["average"] <= share["high"]).all()
        assert (share["low"] <= share["open"]).all()


def test_the_simulated_day_s_range_is_that_of_its_trades():
    plan = Plan(universe=Universe.NSE, seconds=60)
    day = SimulatedDay(plan, next(market for market in markets(plan) if market.name == "SBIN"))
    prices, units, volume = [], [], 0

    for step in Replay(day, "r").steps():
        for batch in (m for m in step.messages if isinstance(m, TickBatch)):
            for tick, record in zip(batch.records, batch.day, strict=True):
                prices.append(int(tick["ltp"]))
                units.append(int(tick["volume"]) - volume)
                volume = int(tick["volume"])
                assert (record["high"], record["low"], record["open"]) == (max(prices), min(prices), prices[0])  # fmt: skip
                assert record["average"] == pytest.approx(np.average(prices, weights=units), abs=0.5)  # fmt: skip
