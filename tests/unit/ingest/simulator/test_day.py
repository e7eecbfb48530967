"""A simulated day: the same bytes again, another symbol's without effect, frames that the decoder takes."""

import hashlib
from datetime import date, datetime

import numpy as np
import pytest

from ingest.replay import Replay
from ingest.simulator.day import VERSION, Plan, SimulatedDay, markets
from ingest.simulator.dice import dice
from ingest.simulator.faults import parse
from ingest.simulator.listing import listing
from ingest.simulator.universe import INDICES, UNIVERSES, Universe
from oimon import calendar, codec
from oimon.errors import ConfigError
from oimon.messages import Session, TickBatch
from oimon.terms import FeedState, Mode

NIFTY = INDICES[0]


def sha(plan, market=NIFTY):
    found = hashlib.sha256()
    for block in SimulatedDay(plan, market).blocks():
        found.update(b"".join(block.frames) + block.received_us.tobytes())
    return found.hexdigest()


def steps(plan, tell=None):
    return list(Replay(SimulatedDay(plan, NIFTY, tell), "run").steps())


def test_a_stream_s_generator_is_seeded_by_the_first_eight_bytes_of_its_name_s_hash():
    # sha256("7:NIFTY:path") begins with these bytes, read big-endian
    first = int.from_bytes(hashlib.sha256(b"7:NIFTY:path").digest()[:8], "big")

    expected = np.random.Generator(np.random.PCG64(first)).random(3)

    assert dice(7, "NIFTY:path").random(3).tolist() == expected.tolist()
    assert dice(7, "NIFTY:oi").random() != expected[0]
    assert dice(8, "NIFTY:path").random() != expected[0]


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others():
    plan = Plan(seed=7, seconds=25)

    assert sha(plan) == sha(Plan(seed=7, seconds=25))
    assert sha(plan) != sha(Plan(seed=8, seconds=25))


def test_a_change_of_what_a_seed_gives_is_a_new_version():
    plan = Plan(seed=7, seconds=12, faults=parse("zero_oi=0.01,out_of_order=0.01"))
    named = {market.name: market for market in UNIVERSES[Universe.DEFAULT]}

    begun = [sha(plan, named[name])[:16] for name in ("NIFTY", "CRUDEOIL", "SBIN")]
    tape = SimulatedDay(plan, NIFTY).tape
    ended = (int(tape.options[0].true[-1].sum()), int(tape.futures[0].true[-1]))
    prices = np.rint(tape._single[-1]).astype(int).tolist()

    assert VERSION == 4, "note what it gives now"
    assert begun == ["99a00dbd4ad298f9", "42f05c40898372c0", "6501f9cebccf51e9"]
    assert (ended, prices) == ((1354233, 156040), [2589270, 1027, 2598712, 2612795])


@pytest.mark.parametrize("place", [0, 1, 4])
def test_more_symbols_change_none_of_those_there_were(place):
    alone = Plan(seed=3, seconds=12, universe=Universe.INDEX)
    among = Plan(seed=3, seconds=12, universe=Universe.DEFAULT)

    assert sha(alone, markets(alone)[place]) == sha(among, markets(among)[place])


def test_every_frame_passes_the_decoder_and_every_instrument_ticks_every_second():
    replay = Replay(SimulatedDay(Plan(seconds=30), NIFTY), "run")

    batches = [m for step in replay.steps() for m in step.messages if isinstance(m, TickBatch)]

    assert replay.dropped == {}
    assert len(batches) == 30
    assert {len(batch.records) for batch in batches} == {248}
    ticks = np.concatenate([batch.records for batch in batches])
    assert (ticks["bid"] < ticks["ask"]).all()
    assert (np.diff(ticks["volume"].reshape(30, 248), axis=0) >= 0).all()


def test_beats_stand_before_the_first_frame_of_their_second_and_the_last_says_ended():
    found = [step.pulse for step in steps(Plan(seconds=5))]

    beats = [pulse.event_us for pulse in found]
    assert sorted(set(beats) - {0}) == [1_794_973_500_000_000 + s * 1_000_000 for s in range(1, 7)]
    assert found[-1].feed is FeedState.ENDED


def test_the_session_says_simulated_and_names_the_seed():
    session = SimulatedDay(Plan(seed=7), NIFTY).session("run")

    assert (session.mode, session.source) == (Mode.SIMULATED, "simulator, seed 7")
    assert session.instruments.symbol[:2] == ["Nifty 50", "India VIX"]
    assert session.instruments.oi_prev[:2] == [None, None]


def test_the_truth_is_told_beside_the_stream_and_no_message_carries_it():
    truth = []
    faults = parse("oi_x10=0.01")

    with_truth = steps(Plan(seconds=60, faults=faults), truth.append)
    without = steps(Plan(seconds=60, faults=faults))

    data = [[codec.encode(m) for m in step.messages] for step in with_truth]
    assert data == [[codec.encode(m) for m in step.messages] for step in without]
    regimes = [line for line in truth if "regime" in line]
    assert {line["regime"] for line in regimes} == {"RANGE"}
    assert {line["label"] for line in regimes} == {"NEUTRAL"}
    assert {line["fault"] for line in truth if "fault" in line} == {"oi_x10"}
    (session,) = {codec.encode(m) for s in with_truth for m in s.messages if isinstance(m, Session)}
    for word in (b"regime", b"RANGE", b"NEUTRAL", b"label", b"fault", b"oi_x10"):
        assert word not in session


def test_ticks_carry_what_was_published_not_what_is_true():
    day = SimulatedDay(Plan(seconds=60), NIFTY)
    last = [m for s in Replay(day, "r").steps() for m in s.messages if isinstance(m, TickBatch)][-1]
    found = day.tape.options[0]
    legs = slice(4, 4 + found.true[0].size)

    assert (last.records["oi"][legs] == found.shown[11].ravel() * 65).all()
    assert (found.shown[11] != found.true[11]).any()


def test_ticks_further_apart_stand_one_second_before_their_beat():
    found = steps(Plan(every_s=5, seconds=15))

    ticks = [
        m.records["exchange_us"][0] for s in found for m in s.messages if isinstance(m, TickBatch)
    ]
    assert [(int(us) - 1_794_973_500_000_000) // 1_000_000 for us in ticks] == [4, 9, 14]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("CRUDEOIL", "09:00", "23:55"), ("NIFTY", "09:15", "15:40"), ("SBIN", "09:15", "15:15")],
)
def test_each_market_has_the_hours_of_its_segment(name, first, last):
    plan = Plan(universe=Universe.DEFAULT)

    day = SimulatedDay(plan, next(market for market in markets(plan) if market.name == name))

    seen = [datetime.fromtimestamp(us // 1_000_000 + end, calendar.IST) for us, end in ((day.last.first_us, 0), (day.last.last_us, 1))]  # fmt: skip
    assert [f"{at:%H:%M}" for at in seen] == [first, last]


def test_only_a_commodity_s_session_asks_for_its_open_interest_and_only_when_told_to():
    named = {market.name: market for market in UNIVERSES[Universe.DEFAULT]}
    asked, silent = (Plan(mcx_oi=on, seconds=2) for on in (True, False))

    told = [SimulatedDay(plan, named[name]).session("r").mcx_oi for plan in (asked, silent) for name in ("GOLDM", "NIFTY")]  # fmt: skip

    assert told == [True, False, False, False]


def test_a_day_without_trading_is_one_sentence():
    with pytest.raises(ConfigError, match="SIM_DATE: NFO is closed on 2026-11-24; choose"):
        SimulatedDay(Plan(day=date(2026, 11, 24)), NIFTY)
    with pytest.raises(ConfigError, match="not in the calendar"):
        SimulatedDay(Plan(day=date(2027, 2, 3)), NIFTY)
    with pytest.raises(ConfigError, match="no lot of NIFTY on 2025-11-18; choose a later day"):
        SimulatedDay(Plan(day=date(2025, 11, 18)), NIFTY)
    with pytest.raises(ConfigError, match="lists on 2026-12-30 or later; choose an earlier day"):
        SimulatedDay(Plan(day=date(2026, 12, 29)), NIFTY)


def test_the_default_universe_lists_the_616_legs_of_the_specification():
    day = date(2026, 11, 18)

    rows = [row for market in UNIVERSES[Universe.DEFAULT] for row in listing(market, day).rows]

    kinds = [row.instrumenttype for row in rows]
    assert sum(kind.startswith("OPT") for kind in kinds) == 616
    assert sum(kind.startswith("FUT") for kind in kinds) == 14 + 2  # and SILVERMIC
    assert kinds.count("AMXIDX") == 6
    assert kinds.count("") == 20
    assert len({(row.exch_seg, row.token) for row in rows}) == len(rows) == 656 + 2


def test_expiries_of_the_week_are_moved_by_the_holiday():
    found = listing(NIFTY, date(2026, 11, 18))

    assert [each.isoformat() for each in found.options] == ["2026-11-23", "2026-12-01"]
    assert [each.isoformat() for each in found.futures] == ["2026-11-23", "2026-12-29"]


def test_spot_stands_still_from_the_closing_auction_on():
    tape = SimulatedDay(Plan(), NIFTY).tape
    spot = tape._single[:, 0]

    assert len(set(spot[6 * 3600 :].tolist())) == 1
    assert len(set(tape._single[6 * 3600 :, 2].tolist())) > 1000
    assert spot[6 * 3600 - 100] != spot[6 * 3600]
