import dataclasses
import itertools
from dataclasses import replace

import msgspec
import numpy as np
import orjson
import pytest

from analytics import intake
from oimon import codec
from oimon.errors import PoisonMessage
from oimon.messages import ChainAnalysis, ExpiryAnalysis, Gap, Instruments, QuoteBoard, TickFlag
from oimon.terms import FeedState, Kind, MarketState, Quality, Segment
from tests.unit.analytics.days import (
    EXPIRIES,
    FULL,
    START_US,
    Tape,
    day_records,
    make_batch,
    make_session,
    make_ticks,
    market_ticks,
    play,
    widened,
)

MINUTE_FILE = 60.0  # cadence of a source of one price a minute


def started(session, second=0, **ticks):
    tape = Tape()
    tape.put(session)
    tape.put(make_batch(session, market_ticks(session, second, **ticks), at(second)))
    return tape


def expiry_part(answer):
    """Return what a message says of its headline expiry, as JSON."""
    read = orjson.loads(codec.encode(answer))
    return {field.name: read[field.name] for field in dataclasses.fields(ExpiryAnalysis)}


def at(second):
    return START_US + second * 1_000_000


def test_how_ticks_are_batched_changes_no_byte():
    session = make_session(strikes=5, cadence_s=MINUTE_FILE)

    whole = play(session, range(400))
    single = play(session, range(400), one_at_a_time=True)

    assert [codec.encode(a) for a in whole] == [codec.encode(a) for a in single]


def test_several_ticks_of_one_instrument_in_a_batch_count_in_their_order():
    session = make_session(strikes=5)
    first, second = market_ticks(session, 1, oi_step=1), market_ticks(session, 2, oi_step=2)
    apart, together = started(session), started(session)

    for ticks in (first, second):
        apart.put(make_batch(session, ticks, at(3)))
    together.put(make_batch(session, np.concatenate((first, second)), at(3)))

    assert codec.encode(apart.beat(4)) == codec.encode(together.beat(4))


def test_only_a_beat_makes_an_analysis():
    tape = Tape()
    session = make_session()

    assert tape.put(session) == []
    assert tape.put(make_batch(session, market_ticks(session, 0), START_US)) == []
    assert isinstance(tape.beat(1), ChainAnalysis)


def test_the_spot_of_a_share_with_options_is_the_share():
    index = make_session(strikes=5)
    kinds = [Kind.EQ if kind is Kind.INDEX else kind for kind in index.instruments.kind]
    share = replace(index, instruments=replace(index.instruments, kind=kinds))

    of_index, of_share = started(index).beat(1), started(share).beat(1)

    assert of_share.spot is not None
    assert expiry_part(of_share) == expiry_part(of_index)
    assert (of_share.spot, of_share.spot_prev_close) == (of_index.spot, of_index.spot_prev_close)


def test_nothing_is_said_before_the_first_session():
    tape = Tape()
    session = make_session()

    assert tape.put(make_batch(session, market_ticks(session, 0), START_US)) == []


def test_every_null_at_the_top_has_a_reason():
    session = make_session(strikes=5, with_future=False)

    for answer in (started(session).beat(1), play(session, range(0, 1000, 5))[-1]):
        plain = msgspec.json.decode(codec.encode(answer))
        without = {name for name, value in plain.items() if value is None} - set(plain["why_null"])
        assert not without
        for other in plain["more"]:
            nulls = {name for name, value in other.items() if value is None}
            assert not nulls - set(other["why_null"])


def test_the_reason_of_a_null_is_the_one_that_holds():
    session, everything = make_session(strikes=5, with_future=False), set(range(21))
    no_spot, no_legs, no_puts = "no price of the underlying yet", "no strike has come yet", "less than 80% of the legs around the money have a change over 15 minutes"  # fmt: skip

    def why(missing, seconds):
        tape = Tape()
        tape.put(session)
        for second in range(0, seconds, 20):
            ticks = market_ticks(session, second)
            tape.put(make_batch(session, ticks[~np.isin(ticks["row"], list(missing))], at(second)))
            answer = tape.beat(second + 1)
        return answer.why_null

    unknown = why({0}, 1_000)
    assert {unknown[name] for name in ("pcr_window", "support_wall", "resistance_wall", "straddle", "rr25", "coi.balance")} == {no_spot}  # fmt: skip
    empty = why(everything - {0}, 1_000)
    assert {empty[name] for name in ("atm", "atm_spot", "pcr_window", "straddle", "atm_iv", "rr25", "gex", "coi.balance")} == {no_legs}  # fmt: skip
    one_sided = why(set(range(2, 21, 2)), 1_000)
    assert one_sided["coi.balance"] == no_puts
    assert one_sided["support_weak_towards"] == "no second strike"
    assert why(set(), 100)["coi.balance"] == "history is younger than 5 minutes"


def test_an_analysis_survives_the_bus():
    answer = play(make_session(strikes=5), range(100))[-1]
    data = codec.encode(answer)

    again = codec.decode("analysis", codec.SCHEMA, data)

    assert codec.encode(again) == data


def test_history_must_reach_back_five_minutes_to_be_warm():
    session = make_session(strikes=5, cadence_s=MINUTE_FILE)

    answers = play(session, range(400))

    assert [answers[i].is_warm for i in (0, 299, 300, 399)] == [False, False, True, True]
    assert answers[399].history_s == 399
    assert (answers[299].coi.balance, answers[299].why_null["coi.balance"]) == (
        None,
        "history is younger than 5 minutes",
    )
    assert answers[301].coi.balance is not None


def test_the_change_of_the_day_is_from_the_previous_close_and_of_the_session_from_its_first():
    session = make_session(strikes=5)
    tape = started(session)
    row = session.instruments.kind.index("CE")
    first = tape.desk.run.book.copy()[6, row]
    later = make_ticks(session, [row], at(10), seq=99, flags=TickFlag.OI, oi=int(first) + 6_500)
    tape.put(make_batch(session, later, at(10)))

    legs = tape.beat(11).chain.ce

    place = 0  # the first call listed is the lowest strike
    assert legs.oi_change_open[place] == 6_500
    assert legs.oi_change_day[place] == first + 6_500 - 650_000
    assert np.isnan(legs.oi_change_15m[place])
    assert legs.oi_changed_us[place] == at(10)


def test_a_window_counts_from_its_start_and_a_younger_history_from_its_oldest():
    session = make_session(strikes=5, cadence_s=MINUTE_FILE)
    answers = play(session, range(1202))

    def oi(second):
        return answers[second].chain.pe.oi

    assert np.array_equal(answers[1200].chain.pe.oi_change_15m, oi(1200) - oi(300))
    assert np.array_equal(answers[1200].chain.pe.oi_change_5m, oi(1200) - oi(900))
    assert np.array_equal(answers[600].chain.pe.oi_change_15m, oi(600) - oi(0))
    assert np.isnan(answers[600].chain.pe.oi_change_30m).sum() == 0
    assert answers[200].chain.pe.oi_change_3m[0] == oi(200)[0] - oi(20)[0]


def test_open_interest_that_nobody_confirms_has_no_change_after_ten_minutes():
    session = make_session(strikes=5, cadence_s=MINUTE_FILE)
    tape = started(session)
    for second in range(0, 590, 10):
        tape.beat(second)
    assert not np.isnan(tape.beat(590).chain.ce.oi_change_15m).any()

    late = tape.beat(610)

    assert np.isnan(late.chain.ce.oi_change_15m).all()
    assert not np.isnan(late.chain.ce.oi).any()


def test_old_and_repeated_ticks_are_dropped_and_counted():
    session = make_session(strikes=5)
    tape = started(session, 10)
    before = tape.desk.run.book.copy()

    tape.put(make_batch(session, market_ticks(session, 9, oi_step=5), at(11)))
    tape.put(make_batch(session, market_ticks(session, 10, oi_step=5), at(11)))

    assert np.array_equal(tape.desk.run.book.copy(), before, equal_nan=True)
    assert tape.desk.run.book.dropped["old"] == 2 * len(session.instruments.token)


@pytest.mark.parametrize("field", ["ltp", "bid", "ask", "oi", "volume"])
def test_a_negative_value_rejects_its_tick(field):
    session = make_session(strikes=5)
    tape = started(session)
    before = tape.desk.run.book.copy()

    bad = make_ticks(session, [3], at(5), seq=9, **{field: -1})
    tape.put(make_batch(session, bad, at(5)))

    assert np.array_equal(tape.desk.run.book.copy(), before, equal_nan=True)
    assert tape.desk.run.book.dropped == {"absurd": 1}


def test_a_batch_of_another_table_or_an_unknown_row_is_poison():
    session = make_session(strikes=5)
    tape = started(session)

    with pytest.raises(PoisonMessage, match="but the session's is"):
        tape.put(make_batch(widened(session), market_ticks(session, 5), at(5)))
    with pytest.raises(PoisonMessage, match="tick of row 999"):
        tape.put(make_batch(session, make_ticks(session, [999], at(5)), at(5)))


def test_a_new_run_empties_the_state():
    session = make_session(strikes=5)
    tape = started(session)
    tape.beat(1)

    tape.put(make_session(run="r2", strikes=5))

    answer = tape.beat(2)
    assert (answer.run, answer.history_s, len(answer.chain.strike)) == ("r2", 0.0, 0)


def test_the_same_session_again_changes_nothing():
    session = make_session(strikes=5)
    once, twice = started(session), started(session)

    twice.put(session)

    assert codec.encode(once.beat(1)) == codec.encode(twice.beat(1))


def test_an_instrument_added_in_the_middle_joins_the_chain():
    session = make_session(strikes=5, cadence_s=MINUTE_FILE)
    tape = started(session)
    for second in range(0, 400, 10):
        tape.beat(second)
    wider = widened(session)
    tape.put(wider)
    row = len(session.instruments.token)

    before = tape.beat(400)
    new = make_ticks(wider, [row], at(401), ltp=500, bid=495, ask=505, oi=6_500)
    tape.put(make_batch(wider, new, at(401)))
    after = tape.beat(402)

    assert 25_000.0 not in before.chain.strike
    assert after.chain.strike[-1] == 25_000.0
    assert not np.isnan(after.chain.ce.oi_change_15m[:-1]).any()
    assert np.isnan(after.chain.ce.oi_change_15m[-1])
    assert np.isnan(after.chain.pe.oi[-1])


def test_the_forward_of_an_expiry_without_pairs_is_its_own_future_s_price():
    session = make_session(strikes=5, expiries=("2026-08-18", "2026-08-25", "2026-09-29"))
    told = {name: getattr(session.instruments, name) for name in Instruments.__slots__}
    told = {name: [*values, values[1]] for name, values in told.items()}  # one more future
    told["token"][-1], told["symbol"][-1], told["expiry"][-1] = "9999", "SEP FUT", "2026-09-29"
    session = replace(session, instruments=Instruments(**told))
    tape = started(session)
    ticks = make_ticks(
        session, [0, 1, len(told["token"]) - 1], at(90), seq=99, flags=TickFlag.PRICE,
        ltp=[2_450_000, 2_453_000, 2_462_000],
    )  # fmt: skip

    tape.put(make_batch(session, ticks, at(90)))
    answer = tape.beat(91)

    assert (answer.forward_source, answer.quality_why) == ("carry", ["no_forward"])
    assert [(one.forward, one.forward_source, one.quality_why) for one in answer.more] == [
        (24_530.0, "future", []),
        (24_620.0, "future", []),
    ]


def test_what_is_known_of_the_day_before_may_come_later():
    session = make_session(strikes=5, cadence_s=MINUTE_FILE)
    columns = session.instruments
    unknown = replace(columns, oi_prev=[None] * len(columns.oi_prev))
    told = replace(columns, oi_open=[None if k is None else 585_000 for k in columns.strike])
    tape = started(replace(session, instruments=unknown))

    _, before = tape.beat(10), tape.beat(11)
    tape.put(replace(session, instruments=told))
    after = tape.beat(12)  # no tick came in between

    assert np.isnan(before.chain.ce.oi_prev).all()
    assert np.isnan(before.chain.ce.oi_change_day).all()
    assert not np.isnan(after.chain.ce.oi_prev).any()
    assert (after.chain.ce.oi_change_day == after.chain.ce.oi - after.chain.ce.oi_prev).all()
    assert (after.chain.ce.oi_change_open == after.chain.ce.oi - 585_000).all()
    assert (after.chain.ce.oi == before.chain.ce.oi).all()
    assert [anchor.source for anchor in before.oi_anchors[:2]] == [None, "first seen in this run"]
    assert [anchor.source for anchor in after.oi_anchors[:2]] == [
        "previous close, as test tells it",
        "first of the day, as test tells it",
    ]


def test_a_table_that_loses_instruments_within_a_run_is_poison():
    session = make_session(strikes=5)
    tape = started(widened(session))

    with pytest.raises(PoisonMessage, match="only added"):
        tape.put(session)


def test_old_market_data_are_stale_while_the_market_is_open():
    live, slow = started(make_session()), started(make_session(cadence_s=MINUTE_FILE))

    assert not live.beat(1, age_ms=10_000).is_stale
    assert live.beat(2, age_ms=10_001).is_stale
    assert not slow.beat(1, age_ms=60_000).is_stale
    assert slow.beat(2, age_ms=90_001).is_stale
    assert not live.beat(3, age_ms=10_001, market=MarketState.CLOSED).is_stale
    assert live.beat(4, age_ms=None).is_stale


def test_a_minute_without_any_tick_looks_like_a_halt():
    tape = started(make_session())

    assert tape.beat(1, age_ms=59_999).market is MarketState.OPEN
    assert tape.beat(1, age_ms=60_000).market is MarketState.HALT_SUSPECTED
    assert tape.beat(2, age_ms=60_001, feed=FeedState.DOWN).market is MarketState.OPEN
    assert "market_not_open" in tape.beat(3, age_ms=60_001).signal.vetoes


def test_a_gap_shows_until_the_window_has_passed_it():
    tape = started(make_session(strikes=5))
    tape.put(Gap(from_us=at(0), to_us=at(10), why="socket closed"))

    assert tape.beat(11).is_gapped
    assert tape.beat(909).is_gapped
    assert not tape.beat(910).is_gapped


def test_a_gap_ends_row_by_row_as_it_is_filled_and_a_later_one_of_a_row_stays():
    tape = started(make_session(strikes=5))
    gap = Gap(from_us=at(0), to_us=at(10), why="closed", rows=[1, 2])
    tape.put(gap)
    tape.put(replace(gap, filled=True, rows=[1]))

    assert tape.beat(11).is_gapped
    tape.put(replace(gap, filled=True, rows=[2]))
    assert not tape.beat(12).is_gapped

    later = replace(gap, from_us=at(20), to_us=at(30), rows=[2])
    tape.put(later)
    tape.put(replace(gap, filled=True, rows=[2]))
    assert tape.beat(31).is_gapped
    assert not tape.beat(930).is_gapped


def test_what_was_published_in_a_gap_is_where_a_window_counts_from():
    session = make_session(strikes=5)
    row = session.instruments.kind.index("CE")
    filled, as_told = started(session), started(session)
    gap = Gap(from_us=at(100), to_us=at(400), why="closed")
    for tape in (filled, as_told):
        for second in (5, 100, 250, 400):
            tape.beat(second)
        tape.put(gap)
    was = filled.desk.run.history[session.instruments.symbol[row]][-1]["oi"]
    filled.put(replace(gap, filled=True, rows=[row], oi=[(row, at(200), was + 650)]))

    changes = []
    for tape in (filled, as_told):
        tape.put(make_batch(session, market_ticks(session, 1150, oi_step=3), at(1150)))
        changes.append(tape.beat(1151).chain.ce.oi_change_15m)

    assert (changes[1][0] - changes[0][0], changes[1][1] - changes[0][1]) == (650, 0)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_hole_in_the_log_shows_like_a_gap(lost):
    tape = started(make_session(strikes=5))
    tape.n += lost

    assert tape.beat(5).is_gapped
    assert tape.beat(904).is_gapped
    assert not tape.beat(905).is_gapped


def test_a_log_that_was_trimmed_begins_without_a_hole():
    tape = Tape(n=7)
    tape.put(Gap(from_us=at(0), to_us=at(1), why="of a run that nobody knows"))
    tape.put(make_session(strikes=5))

    assert not tape.beat(5).is_gapped


def test_a_chain_without_puts_still_answers():
    session = make_session(strikes=5, with_future=False)
    tape = Tape()
    tape.put(session)
    ticks = market_ticks(session, 0)
    is_put = np.array([kind == "PE" for kind in session.instruments.kind])
    tape.put(make_batch(session, ticks[~is_put], at(0)))

    answer = tape.beat(1)

    assert answer.pcr == 0.0
    assert answer.forward_source == "carry"
    assert answer.quality is Quality.DEGRADED
    assert answer.support == []
    assert answer.future is None


def test_without_the_underlying_only_ratios_are_known():
    session = make_session(strikes=5, with_future=False)
    tape = Tape()
    tape.put(session)
    tape.put(make_batch(session, market_ticks(session, 0)[1:], at(0)))

    answer = tape.beat(1)

    assert answer.pcr is not None
    assert answer.max_pain is not None
    assert (answer.spot, answer.forward, answer.atm_iv) == (None, None, None)
    assert (answer.quality, answer.signal.signal) == (Quality.BAD, "HOLD")


def test_a_session_in_which_nothing_has_ticked_answers_too():
    tape = Tape()
    tape.put(make_session(strikes=5))

    answer = tape.beat(1, age_ms=None)

    assert (answer.pcr, answer.tick_received_us, answer.direction) == (None, None, "NEUTRAL")


def test_other_expiries_stand_in_more():
    answer = play(make_session(strikes=5), [0])[0]

    assert answer.expiry == "2026-08-18"
    assert [other.expiry for other in answer.more] == ["2026-08-25"]


def test_an_expiry_says_the_same_alone_and_beside_another_that_is_younger():
    session, alone, beside = make_session(), Tape(), Tape()
    last_of_headline = 2 + 2 * 11
    for tape in (alone, beside):
        tape.put(session)

    for second in range(0, 1200, 60):
        ticks = market_ticks(session, second, oi_step=second // 60)
        headline, joins_s = ticks[ticks["row"] < last_of_headline], 600
        alone.put(make_batch(session, headline, at(second)))
        beside.put(make_batch(session, ticks if second >= joins_s else headline, at(second)))
        one, other = alone.beat(second + 2), beside.beat(second + 2)
        assert expiry_part(one) == expiry_part(other)

    assert other.more[0].components["net_buildup"].status == "ok"
    assert one.components["net_buildup"].score != 0


def test_after_the_close_of_the_expiry_day_the_next_one_leads():
    session = make_session(strikes=5)
    tape = started(session)

    answer = tape.beat(5 * 3600 + 40 * 60, market=MarketState.CLOSED)

    assert (answer.expiry, answer.more) == ("2026-08-25", [])


def test_the_chain_holds_what_the_feed_delivered_and_no_other_strike():
    session = make_session(strikes=5)
    tape = Tape()
    tape.put(session)
    ticks = market_ticks(session, 0)
    tape.put(make_batch(session, ticks[:6], at(0)))

    answer = tape.beat(1)

    assert answer.chain.strike.tolist() == [24_400.0, 24_450.0]


def test_one_line_a_minute_is_kept_for_half_an_hour():
    answers = play(make_session(strikes=3), range(0, 2400, 5))

    history = answers[-1].history
    assert len(history) == 30
    assert all(b[0] - a[0] == 60 for a, b in itertools.pairwise(history))


def test_the_reference_level_follows_the_forward_in_the_closing_auction():
    session = make_session(strikes=5)
    tape = started(session)
    tape.beat(1)
    ticks = market_ticks(session, 60, spot=24_560.0)
    tape.put(make_batch(session, ticks[1:], at(60)))  # options move on, the index stands still

    before = tape.beat(2)
    auction = tape.beat(61, market=MarketState.OPEN_CAS)

    assert before.x == before.spot
    assert auction.spot == before.spot
    assert auction.x == pytest.approx(24_560.0, abs=1.0)


def test_the_reference_level_follows_the_forward_however_long_the_index_is_silent():
    session = make_session(strikes=5)
    tape, levels = started(session), []

    for minute in range(40):
        ticks = market_ticks(session, 60 * minute, spot=24_500.0 if minute < 5 else 24_560.0)
        ticks = ticks if minute < 5 else ticks[1:]  # options move on, the index stands still
        tape.put(make_batch(session, ticks, at(60 * minute)))
        levels.append(tape.beat(60 * minute + 1).x)

    assert set(levels[:5]) == {24_500.0}
    assert levels[5:] == pytest.approx([24_560.0] * 35, abs=1.0)


def test_the_reference_level_stays_where_the_index_was_once_nothing_moves():
    session = make_session(strikes=5)
    tape = started(session)
    for second in range(0, 100, 10):
        tape.put(make_batch(session, market_ticks(session, second, spot=24_500.0), at(second)))
        tape.beat(second + 1)

    silent = tape.beat(1_000)

    assert silent.forward_source == "carry"
    assert silent.x == silent.spot == 24_500.0


def test_a_chain_that_grows_makes_no_slope_of_pcr():
    session, tape = make_session(strikes=5), Tape()
    told = enumerate(zip(session.instruments.kind, session.instruments.expiry, strict=True))
    puts = [row for row, leg in told if leg == (Kind.PE, EXPIRIES[0])]
    tape.put(session)
    slopes, ratios = [], []

    for second in range(0, 1_500, 20):
        ticks = market_ticks(session, second, spot=24_500.0)
        ticks["oi"][puts[0]] += 0 if second < 1_000 else 65 * second
        missing = puts[1:] if second < 60 else puts[-1:] if second < 600 else []
        tape.put(make_batch(session, ticks[~np.isin(ticks["row"], missing)], at(second)))
        answer = tape.beat(second + 1)
        ratios.append(answer.pcr)
        slopes.append(answer.pcr_slope_per_hour)

    assert len({*ratios[:50]}) == 3
    known = [slope for slope in slopes[:50] if slope is not None]
    assert known == pytest.approx([0.0] * 34, abs=1e-9)
    assert slopes[-1] > 0.1  # interest that changes does make one


def test_commodities_and_shares_get_a_quote_board():
    for segment in (Segment.MCX, Segment.NSE):
        session = make_session(segment=segment, strikes=0, expiries=())
        tape = Tape()
        tape.put(session)
        flags = TickFlag.PRICE | TickFlag.VOLUME | TickFlag.DAY
        tick = make_ticks(session, [0], at(0), flags=flags, ltp=2_450_000, volume=130)
        day = day_records(1, open=2_440_000, low=2_430_000, high=2_470_000, average=2_451_000)
        tape.put(make_batch(session, tick, at(0), day))

        board = tape.beat(2)

        assert isinstance(board, QuoteBoard)
        (row,) = board.rows
        assert (row.ltp, row.volume, row.oi, row.age_ms) == (24_500.0, 130, None, 2_000)
        assert row.range_position == 0.5
        assert row.gap_pct == 0.0
        assert row.change_pct == pytest.approx(100 / 244)


def test_the_spread_of_a_quote_that_is_too_old_is_unknown():
    session = make_session(strikes=5)
    tape = started(session)
    quoted = tape.beat(60)
    ticks = market_ticks(session, 61)
    ticks["flags"] = FULL & ~TickFlag.QUOTE

    tape.put(make_batch(session, ticks, at(61)))
    answer = tape.beat(61)

    assert "wide_spread" not in quoted.signal.vetoes
    assert set(answer.chain.ce.mark_source) == {"ltp"}
    assert "wide_spread" in answer.signal.vetoes


def test_a_side_of_the_book_where_nobody_stands_has_no_price():
    session = make_session(strikes=5)
    tape, ticks = Tape(), market_ticks(session, 0)
    tape.put(session)
    ticks["bid"][2], ticks["bid_qty"][2], ticks["ask"][3], ticks["ask_qty"][3] = 0, 0, 0, 0

    tape.put(make_batch(session, ticks, at(0)))
    chain = tape.beat(1).chain

    assert (np.isnan(chain.ce.bid[0]), chain.ce.bid_qty[0], chain.ce.mark_source[0]) == (True, 0, "ltp")  # fmt: skip
    assert (np.isnan(chain.pe.ask[0]), chain.pe.ask_qty[0], chain.pe.mark_source[0]) == (True, 0, "ltp")  # fmt: skip
    assert not np.isnan(chain.ce.ask[0])


@pytest.mark.parametrize("is_compiled", [True, False])
def test_where_no_side_of_the_book_is_told_its_quantities_are_unknown(is_compiled, monkeypatch):
    if not is_compiled:
        monkeypatch.setattr(intake, "loops", lambda: None)
    session = make_session(strikes=5)
    tape, ticks = Tape(), market_ticks(session, 0)
    tape.put(session)
    for name in ("bid", "ask", "bid_qty", "ask_qty"):
        ticks[name][2] = 0

    tape.put(make_batch(session, ticks, at(0)))
    calls = tape.beat(1).chain.ce

    assert np.isnan([calls.bid[0], calls.ask[0], calls.bid_qty[0], calls.ask_qty[0]]).all()
    assert (calls.bid_qty[1], calls.ask_qty[1]) == (65, 130)


def test_a_source_without_quotes_is_not_said_to_have_its_own():
    session = make_session(strikes=5)
    tape, ticks = Tape(), market_ticks(session, 0)
    tape.put(session)
    for name in ("bid", "ask", "bid_qty", "ask_qty"):
        ticks[name] = 0

    tape.put(make_batch(session, ticks, at(0)))
    answer = tape.beat(1)

    assert np.isnan([answer.chain.ce.bid, answer.chain.pe.ask]).all()
    assert answer.why_null["quotes_assumed"] == "none were: what quotes there are, the source told"


def test_a_last_price_of_zero_is_no_price():
    session = make_session(strikes=5)
    tape = started(session)
    before = tape.desk.run.book.copy()[0, 5]

    tape.put(
        make_batch(session, make_ticks(session, [5], at(5), seq=9, flags=TickFlag.PRICE), at(5))
    )

    assert tape.desk.run.book.copy()[0, 5] == before
