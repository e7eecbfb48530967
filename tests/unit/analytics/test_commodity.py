"""Options on a commodity's futures: when they are analysed, by which price, and what is not said of them."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.keeping import KEEPING
from analytics.run import commodity_market, standing_now
from analytics.why import explained
from oimon import codec
from oimon.core.greeks import black76, years_to_expiry
from oimon.errors import ConfigError
from oimon.messages import ChainAnalysis, Instruments, QuoteBoard
from oimon.terms import Direction, Kind, Quality, Segment, Signal
from tests.unit.analytics.days import (
    START_US,
    Tape,
    make_batch,
    make_beat,
    make_session,
    make_ticks,
)

LOT, FUTURES, LEVELS = 100, ("2026-08-20", "2026-09-21"), (5_320.0, 5_400.0)
EXPIRIES = ("2026-08-19", "2026-08-21")
"""The first devolves into the near future, the second into the next one."""
STRIKES = np.arange(5_200.0, 5_451.0, 50.0)
SIGMA = 0.30


def commodity(*, mcx_oi=True, futures=FUTURES):
    """A session of futures and of two expiries of options on them; without an index."""
    rows = [(f"CRUDEOIL {day} FUT", Kind.FUT, day, None) for day in futures]
    rows += [(f"CRUDEOIL {day} {strike:g} {kind}", kind, day, strike) for day in EXPIRIES for strike in STRIKES for kind in (Kind.CE, Kind.PE)]  # fmt: skip
    n = len(rows)
    return replace(
        make_session(segment=Segment.MCX),
        date="2026-08-18",
        underlying="CRUDEOIL",
        mcx_oi=mcx_oi,
        instruments=Instruments(
            token=[str(3_000 + i) for i in range(n)], symbol=[row[0] for row in rows], kind=[row[1] for row in rows],
            expiry=[row[2] for row in rows], strike=[row[3] for row in rows], lot=[LOT] * n, tick=[1.0] * len(futures) + [0.05] * (n - len(futures)),
            prev_close=[None] * n, oi_prev=[None] * n, oi_open=[None] * n,
        ),
        table="cc" * 8,
    )  # fmt: skip


class Market:
    """A tape on which every instrument ticks, options priced by Black-76 on the future they devolve into."""

    def __init__(self, session, *, lots=100):
        self.tape, self.session, self.lots, self.seq = Tape(), session, lots, 0
        self.tape.put(session)

    def beat(self, second, *, moved=0.0, grown=1.0, level=None):
        told, at_us, self.seq = (
            self.session.instruments,
            START_US + second * 1_000_000,
            self.seq + 1,
        )
        levels = dict(zip(FUTURES, level or LEVELS, strict=False))
        price = [levels[day] + moved if kind is Kind.FUT else self._premium(kind, day, strike, levels, at_us, moved) for kind, day, strike in zip(told.kind, told.expiry, told.strike, strict=True)]  # fmt: skip
        paise = np.rint(np.array(price) * 100).astype(np.int64)
        oi = np.full(len(price), round(self.lots * grown) * LOT)
        oi[[strike == 5_300.0 and kind is Kind.PE for strike, kind in zip(told.strike, told.kind, strict=True)]] *= 3  # fmt: skip
        ticks = make_ticks(self.session, np.arange(len(price)), at_us, seq=self.seq, ltp=paise, bid=paise - 1, ask=paise + 1, oi=oi, volume=self.seq * 1_000)  # fmt: skip
        self.tape.put(make_batch(self.session, ticks, at_us))
        return self.tape.beat(second)

    @staticmethod
    def _premium(kind, day, strike, levels, at_us, moved):
        future = next(level for expiry, level in levels.items() if expiry >= day)
        # MCX closes at 23:30 on these days
        left_s = np.datetime64(f"{day}T18:00").astype("datetime64[s]").astype(int) - at_us / 1e6
        found = black76(future + moved, np.array([strike]), years_to_expiry(left_s), np.array([SIGMA]), 0.055)  # fmt: skip
        return float(found.price[int(kind is Kind.PE), 0])


def test_commodities_have_quotes_only_unless_their_open_interest_was_asked_for():
    market = Market(commodity(mcx_oi=False))
    for second in range(0, 901, 60):
        told = market.beat(second, moved=second / 10, grown=1 + second / 1_800)

    assert isinstance(told, QuoteBoard)
    assert [quote.build_up for quote in told.rows] == [None] * len(told.rows)
    assert told.rows[0].oi_change_day is None  # nobody told the previous close
    assert told.off[1] == "build-up and option analysis: off for commodities unless MCX_OI=1"


def test_each_expiry_goes_by_the_nearest_future_that_expires_with_it_or_later():
    market = Market(commodity())

    told = market.beat(0)

    assert isinstance(told, ChainAnalysis)
    assert [(e.expiry, e.forward, e.forward_source) for e in (told, *told.more)] == [
        (EXPIRIES[0], LEVELS[0], "future"),
        (EXPIRIES[1], LEVELS[1], "future"),
    ]
    assert (told.x, told.atm, told.more[0].atm) == (LEVELS[0], 5_300.0, 5_400.0)
    assert (told.quality, told.quality_why) == (Quality.OK, [])
    assert [e.atm_iv for e in (told, *told.more)] == pytest.approx([SIGMA] * 2, abs=2e-3)


def test_ratios_pain_and_levels_are_those_of_any_chain():
    told = Market(commodity()).beat(0)

    assert told.pcr == (5 + 3) / 6
    assert told.max_pain == 5_300.0
    assert (told.support_wall, told.resistance_wall) == (5_300.0, 5_350.0)
    assert told.lot == LOT


def test_there_is_no_spot_no_direction_and_no_signal_and_each_says_why():
    told = Market(commodity()).beat(0)

    for name in ("spot", "atm_spot", "score", "agreement", "coverage", "label", "spot_prev_close"):
        assert getattr(told, name, None) is None
        assert "commodit" in told.why_null[name], name
    assert (told.direction, told.confidence_factor) == (Direction.NEUTRAL, 0.0)
    assert (told.signal.signal, told.components, told.contributions) == (Signal.HOLD, {}, [])
    assert told.more[0].score is None
    assert told.off == ["direction, signals and coaches: not made for commodities"]
    assert told.future.basis is None  # of the price that is its own level


def test_changes_over_the_window_make_classes_verdicts_and_no_change_of_direction():
    market = Market(commodity())
    for second in range(0, 901, 60):
        grown = 1 + second / 1_800
        told = market.beat(second, moved=second / 10, grown=grown)

    call = told.chain.ce.build_up[-1]
    assert (told.future.build_up, call) == ("LONG_BUILDUP", "LONG_BUILDUP")
    assert told.quotes[0].build_up == "LONG_BUILDUP"
    assert told.coi.balance is not None
    assert {event.kind for event in told.events} <= {"BUILD_UP_FLIP", "MAX_PAIN_SHIFT", "OI_SPEED"}
    assert [minute[4:6] for minute in told.history] == [(None, "NEUTRAL")] * len(told.history)


def test_a_future_has_one_build_up_in_the_analysis_and_on_its_quotes():
    market = Market(commodity())
    for second in range(0, 901, 60):
        told = market.beat(second, moved=second / 225, grown=1 + second / 1_800)

    assert 0.0005 * LEVELS[0] < 4.0 < 0.35 * told.em_window
    assert told.future.build_up == "NONE"
    assert [quote.build_up for quote in told.quotes] == ["NONE", "NONE"]


def test_the_futures_quotes_come_with_the_analysis():
    told = Market(commodity()).beat(0)

    assert [quote.symbol for quote in told.quotes] == [f"CRUDEOIL {day} FUT" for day in FUTURES]
    assert told.quotes[0].calendar_spread == LEVELS[1] - LEVELS[0]


@pytest.mark.parametrize(("lots", "kind"), [(35, QuoteBoard), (36, ChainAnalysis)])
def test_a_chain_below_500_lots_is_not_analysed(lots, kind):
    # 12 legs, one of which has thrice the lots: 14 × 36 = 504
    told = Market(commodity(), lots=lots).beat(0)

    assert isinstance(told, kind)
    if kind is QuoteBoard:
        assert "500 lots of open interest" in told.off[1]


def test_once_analysed_a_chain_stays_so_for_the_run_also_after_a_restore():
    market = Market(commodity(), lots=36)
    market.beat(0)
    market.tape.desk = KEEPING.thaw("NIFTY", KEEPING.freeze(market.tape.desk))

    assert isinstance(market.beat(1, grown=0.9), ChainAnalysis)


def test_without_a_future_there_is_nothing_to_go_by():
    told = Market(commodity(futures=())).tape.beat(0)

    assert isinstance(told, QuoteBoard)


@pytest.mark.parametrize(
    ("age_s", "quality", "why"),
    [
        (10, Quality.OK, []),
        (11, Quality.DEGRADED, ["underlying_slow"]),
        (31, Quality.BAD, ["underlying_stale"]),
    ],
)
def test_a_future_that_stands_still_spoils_the_quality(age_s, quality, why):
    market = Market(commodity())
    market.beat(0)

    told = market.tape.beat(age_s)

    assert (told.quality, told.quality_why) == (quality, why)


def test_options_alone_have_no_price_to_go_by():
    session, tape = commodity(), Tape()
    tape.put(session)
    rows = np.arange(len(FUTURES), len(session.instruments.token))
    ticks = make_ticks(session, rows, START_US, ltp=10_000, bid=9_995, ask=10_005, oi=100 * LOT)
    tape.put(make_batch(session, ticks, START_US))

    told = tape.beat(0)

    assert (told.x, told.forward, told.quality) == (None, None, Quality.BAD)
    assert told.pcr == 1.0


def test_the_level_of_a_window_s_start_is_the_future_s_mark():
    market = Market(commodity())
    for second in range(0, 961, 60):
        market.beat(second, moved=second / 10)
    run, beat = market.tape.desk.run, make_beat(START_US + 960 * 1_000_000)

    seen = commodity_market(run, standing_now(run, beat).cells, beat, 0)

    assert (seen.level_then, seen.future.mark) == (LEVELS[0] + 6.0, LEVELS[0] + 96.0)


def test_a_strike_s_verdict_can_be_explained_and_a_direction_is_refused():
    told = Market(commodity()).beat(0)

    assert "CRUDEOIL 5300 of 2026-08-19: Neutral" in explained(told, told, 5_300.0).sentences[0]
    with pytest.raises(ConfigError, match=r"CRUDEOIL has no direction .*; name a strike"):
        explained(told, told, None)


def test_the_message_goes_over_the_bus_and_back():
    told = Market(commodity()).beat(0)

    data = codec.encode(told)

    assert codec.encode(codec.decode(codec.kind_of(told), codec.SCHEMA, data)) == data
