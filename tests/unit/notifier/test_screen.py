import dataclasses
import io
import re

import numpy as np
import pytest
from rich.console import Console

from notifier.screen import View, is_stale, screen, summary
from oimon import figures
from oimon.messages import DayTotals, OiAnchor
from oimon.terms import FeedState, MarketState, Mode, Quality, Segment
from tests.unit.notifier.samples import (
    NOW_US,
    STRIKES,
    make_advice,
    make_analysis,
    make_board,
    make_chain,
    make_legs,
    make_position,
    make_quote,
    make_rich_advice,
    make_unknown_analysis,
)


def drawn(view, width=120, **options):
    """The lines that a terminal without colours shows, trailing blanks off."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(screen(view, width=width, **options))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def styles_of(view, words, width=120):
    """Style of the first drawn segment that holds the words."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    segments = console.render(screen(view, width=width))
    return next(str(segment.style) for segment in segments if words in segment.text)


def make_view(**given):
    return View(
        **{
            "underlying": "NIFTY",
            "analysis": make_analysis(),
            "minimal": make_advice(position=make_position()),
            "rich": make_rich_advice(),
            "written_age_s": 0.2,
            **given,
        }
    )


WIDE = """\
NIFTY 24,512.35 ▲ +0.42%  FUT 24,548.05 (+35.7)  EXP 20 Aug (2d 03h left)  12:41:07 IST  NFO OPEN   REPLAY
PCR 1.18 (+0.04 5m)  MaxPain 24450  ATM 24500  IV 12.8%  Bias ▲ BULLISH 62%  VIX 13.1  feed 0.3s  OI 1m12s
CE build-up   ΔOI 5m  ΔOI day       OI       LTP   STRIKE    Verdict         LTP       OI  ΔOI day   ΔOI 5m PE build-up
───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
Long unwind    +2.5L   +33.0L   1.63cr     48.09    25000    --           535.74   1.63cr   +33.0L    +2.5L Long unwind
Long build     +2.0L   +30.8L   1.51cr     73.09    24900    --           460.74   1.51cr   +30.8L    +2.0L Long build
Short cover    +1.6L   +28.6L   1.39cr     98.09    24800    --           385.74   1.39cr   +28.6L    +1.6L Short cover
steady         +1.2L   +26.4L   1.26cr    123.09   24700 R   --           310.74   1.26cr   +26.4L    +1.2L steady
Short build   +0.82L   +24.2L   1.14cr    148.09   24600 R   ▼ Bear       235.74   1.14cr   +24.2L   +0.82L Short build
───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
--            +0.41L   +22.0L   1.02cr    179.26   *24500*   - Neutral    166.91   1.02cr   +22.0L   +0.41L --
───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
Long unwind        0   +19.8L    89.8L    254.26   24400 S   ▲ Bull       141.91    89.8L   +19.8L        0 Long unwind
Long build    -0.41L   +17.6L    77.6L    329.26   24300 S   ▲ Bull       116.91    77.6L   +17.6L   -0.41L Long build
Short cover   -0.82L   +15.4L    65.4L    404.26    24200    --            91.91    65.4L   +15.4L   -0.82L Short cover
steady         -1.2L    -5.8L    53.2L    479.26    24100    --            66.91    53.2L    -5.8L    -1.2L steady
Short build    -1.6L    -8.0L    41.0L    554.26    24000    --            41.91    41.0L    -8.0L    -1.6L Short build
S 24400(91) 24300(60)   R 24600(91) 24700(72)   Straddle 344.6   ±345 by expiry
Why      net buildup +0.18: puts written at 24400 and 24500 · coi balance +0.13: puts +16.5L, calls +4.6L in 15 min
Against  sr position -0.02: call wall 24600 is near
MINIMAL  WAIT 0.61  by rule: no key, 12:41:07 (0.0s ago)  direction is NEUTRAL; no signal
RICH     HOLD CE 0.62  by model, 12:38:50 (2m17s ago)  support 24400 holds; puts are written at 24500 (oi change, 12 of…
PAPER    2x24500CE at 186.40 now 192.60 +₹806 before charges   today 3 trades +₹1,140 net   stop 139.80 target 260.95
25 Aug   PCR 1.02  MaxPain 24500  - NEUTRAL 12%  S 24400  R 24600  IV 12.8%"""

NARROW = """\
NIFTY 24,512.35 ▲ +0.42%  EXP 20 Aug (2d 03h left)  12:41:07 IST   REPLAY
PCR 1.18  MaxPain 24450  ▲ BULLISH 62%  feed 0.3s  OI 1m12s
CE  ΔOI 5m      OI      LTP  STRIKE   Verdict        LTP      OI  ΔOI 5m PE
───────────────────────────────────────────────────────────────────────────
SB  +0.82L  1.14cr   148.09  24600 R  ▼ Bear      235.74  1.14cr  +0.82L SB
───────────────────────────────────────────────────────────────────────────
--  +0.41L  1.02cr   179.26  *24500*  - Neutral   166.91  1.02cr  +0.41L --
───────────────────────────────────────────────────────────────────────────
LU       0   89.8L   254.26  24400 S  ▲ Bull      141.91   89.8L       0 LU"""


def test_the_wide_screen_shows_chain_levels_reasons_and_both_coaches():
    assert drawn(make_view()) == WIDE.splitlines()


def test_what_is_older_than_five_minutes_is_no_change_of_five_minutes():
    now_s = NOW_US // 1_000_000
    minute = (24_500.0, 1.1, 0.1, 0.2, "BULLISH", 24_450.0)

    fresh, gone = (
        drawn(make_view(analysis=make_analysis(history=[(now_s - ago_s, *minute)])))[1]
        for ago_s in (330, 3_600)
    )

    assert fresh.startswith("PCR 1.18 (+0.08 5m)")
    assert gone.startswith("PCR 1.18 (-- 5m)")


def test_the_narrow_screen_fits_80_columns():
    lines = drawn(make_view(), width=80, each_side=1)

    assert lines[:9] == NARROW.splitlines()
    assert max(len(line) for line in drawn(make_view(), width=80)) <= 80


def numbers_of(lines):
    return {word for line in lines for word in line.split() if re.search(r"\d", word)}


@pytest.mark.parametrize("width", [40, 52, 60, 74, 80, 100, 112, 118, 120])
def test_a_narrow_terminal_has_fewer_columns_and_never_a_part_of_a_number(width):
    big = {"ltp": np.full(len(STRIKES), 1_02_345.6), "oi_change_5m": np.full(len(STRIKES), -12.3e7)}
    chain = dataclasses.replace(make_chain(), ce=make_legs(+1, **big), pe=make_legs(-1, **big))
    analysis = make_analysis(
        chain=chain, support=[(24_500.0, 91.0)], resistance=[(24_500.0, 72.0)], cadence_s=60.0,
        quality=Quality.DEGRADED, quality_why=["oi_stale"], is_gapped=True, is_warm=False, is_stale=True,
    )  # fmt: skip
    view = make_view(analysis=analysis, others=["BANKNIFTY", "SENSEX"], trouble="The bus is away")

    lines = drawn(view, width=width)

    assert max(len(line) for line in lines) <= width
    assert {word.rstrip("…") for word in numbers_of(lines)} <= numbers_of(drawn(view, width=1000))
    for word in ("REPLAY", "STALE", "*24500*SR", "gap", "away", "1m12s"):
        assert word in " ".join(lines).split(), word


def test_what_a_narrow_terminal_leaves_out_matters_least():
    heads = {
        width: drawn(make_view(), width=width)[3 if width < 60 else 2].split()
        for width in (100, 74, 60)
    }

    assert " ".join(heads[100][:7]) == "CE ΔOI 5m ΔOI day OI LTP"
    assert " ".join(heads[74][:5]) == "ΔOI 5m OI LTP STRIKE"


def strikes_of(lines):
    """What stands in the strike column of the wide ladder."""
    cells = (line[49:60].strip() for line in lines)
    return [cell for cell in cells if re.fullmatch(r"\*?\d{5}\*? ?[SR]*", cell)]


def test_the_whole_chain_is_shown_when_asked():
    view = make_view(analysis=make_analysis(atm=24_000.0))

    assert len(strikes_of(drawn(view, each_side=None))) == len(STRIKES)


def test_an_at_the_money_strike_at_the_edge_leaves_out_what_is_beyond_the_chain():
    view = make_view(analysis=make_analysis(atm=24_000.0))

    assert strikes_of(drawn(view, each_side=1)) == ["24100", "*24000*"]


def test_open_interest_is_shown_in_contracts_when_asked():
    lines = drawn(make_view(), contracts=True)

    row = next(line for line in lines if "*24500*" in line)
    assert row.split()[3] == "1.6L"  # 10,200,000 / 65
    assert lines[-1] == "open interest in contracts, in reasons in quantity"


def test_what_is_unknown_is_a_dash_in_every_place():
    lines = drawn(View(underlying="NIFTY", analysis=make_unknown_analysis()))

    assert lines[0] == "NIFTY --   FUT --  EXP 20 Aug (--)  12:41:07 IST  NFO OPEN   REPLAY"
    assert lines[1] == (
        "PCR -- (-- 5m)  MaxPain --  ATM --  IV --  Bias - NEUTRAL 0%  VIX --  feed --  OI --"
    )
    assert lines[4].split() == ["--"] * 5 + ["25000"] + ["--"] * 6
    assert lines[15:] == [
        "S --   R --   Straddle --   ±-- by expiry",
        "Why      --",
        "Against  --",
        "MINIMAL  has not spoken yet",
        "RICH     has not spoken yet",
        "lot unknown: open interest in the source's own unit · quality bad: chain incomplete · only 0.0s of history",
    ]


def test_assumed_quotes_and_the_pace_of_a_slow_source_stand_on_the_screen():
    analysis = make_analysis(quotes_assumed=0.003, cadence_s=60.0, tick_age_ms=31_000)

    lines = drawn(make_view(analysis=analysis))

    assert lines[1].endswith("feed 31s (each 1m00s)  OI 1m12s")
    assert lines[-1] == "quotes assumed 0.3 %"


def test_a_stale_analysis_says_so_and_its_verdicts_turn_grey():
    stale = make_view(
        analysis=make_analysis(is_stale=True, feed=FeedState.SILENT, tick_age_ms=92_000)
    )

    assert drawn(stale)[-1] == "STALE (feed 1m32s SILENT  OI 1m12s): do not act on these numbers"
    assert styles_of(stale, "▼ Bear") == "bright_black"
    assert styles_of(make_view(), "▼ Bear") == "red"


def test_an_analysis_written_long_ago_is_stale_whatever_it_says():
    view = make_view(written_age_s=6.0)

    assert is_stale(view)
    assert drawn(view)[-1] == "STALE (last analysis 6.0s ago): do not act on these numbers"
    assert not is_stale(make_view(written_age_s=4.9))


def test_silence_of_an_ended_day_or_a_closed_market_is_not_stale():
    ended = make_analysis(feed=FeedState.ENDED)
    closed = make_analysis(market=MarketState.CLOSED)

    assert not is_stale(make_view(analysis=ended, written_age_s=600.0))
    assert not is_stale(make_view(analysis=closed, written_age_s=600.0))
    assert drawn(make_view(analysis=ended))[-1] == "This day has ended. Play it again: ./oi up"
    assert drawn(make_view(analysis=closed))[-1] == "Market: closed"


def test_a_leg_that_has_not_been_heard_of_for_ten_minutes_is_grey():
    heard_us = np.full(len(STRIKES), float(NOW_US - 601_000_000))
    calls = make_legs(+1, received_us=heard_us)
    view = make_view(analysis=make_analysis(chain=make_chain(ce=calls)))

    assert styles_of(view, "148.09") == "bright_black"
    assert styles_of(view, "235.74") == "green"
    assert styles_of(view, "▼ Bear") == "red"  # the put was heard of


def test_calls_are_red_and_puts_green():
    assert styles_of(make_view(), "148.09") == "red"
    assert styles_of(make_view(), "235.74") == "green"


def test_the_mode_is_a_watermark_of_its_own_colour():
    backgrounds = {
        mode: styles_of(make_view(analysis=make_analysis(mode=mode)), f" {mode} ") for mode in Mode
    }

    assert len(set(backgrounds.values())) == 3


def test_what_a_coach_said_in_an_earlier_run_is_not_shown():
    old = make_advice(run="r0", position=make_position())

    lines = drawn(make_view(minimal=old, rich=make_rich_advice(run="r0")))

    assert "MINIMAL  has not spoken yet" in lines
    assert "RICH     has not spoken yet" in lines
    assert not any(line.startswith("PAPER") for line in lines)


def test_a_cached_answer_shows_how_old_its_input_is():
    cached = make_advice(by="cached", by_why=None, input_ts_us=NOW_US - 4_000_000)

    lines = drawn(make_view(minimal=cached))

    assert (
        "MINIMAL  WAIT 0.61  by cached, 12:41:03 (4.0s ago)  direction is NEUTRAL; no signal"
        in lines
    )


def test_doubts_about_the_data_are_named():
    analysis = make_analysis(
        quality=Quality.DEGRADED, quality_why=["oi_stale"], is_gapped=True, is_warm=False,
        history_s=42.0,
    )  # fmt: skip

    assert drawn(make_view(analysis=analysis))[-1] == (
        "quality degraded: oi stale · gap in the data · only 42s of history"
    )


def test_the_empty_screen_speaks():
    assert drawn(View(underlying="NIFTY")) == [
        "NIFTY: waiting for the first analysis… (is a feed running? `oi status` says what is)"
    ]


def test_trouble_with_the_bus_stands_below_what_was_last_known():
    lines = drawn(make_view(trouble="The bus is away, trying again: refused"))

    assert lines[:-1] == WIDE.splitlines()
    assert lines[-1] == "The bus is away, trying again: refused"


def test_a_wide_board_shows_what_else_is_known_as_far_as_there_is_room():
    rows = [
        make_quote(oi_change_day=-410, build_up="SHORT_COVERING", calendar_spread=412.0),
        make_quote(symbol="SILVERMIC26NOVFUT", oi_change_day=None),
    ]
    share = make_quote(symbol="SBIN", oi=0, opening_low=975.0, opening_high=981.5, opening_broken="up", position_52w=0.62)  # fmt: skip

    futures = drawn(View(underlying="SILVERMIC", analysis=make_board(rows=rows)), width=160)
    narrower = drawn(View(underlying="SILVERMIC", analysis=make_board(rows=rows)), width=100)
    shares = drawn(View(underlying="SBIN", analysis=make_board(rows=[share])), width=160)

    assert " ".join(futures[1].split("Age")[1].split()) == "OI ΔOI day Build-up VWAP Next Range Gap"  # fmt: skip
    assert " ".join(futures[3].split("1.2s")[1].split()) == "0.28L -410 Short cover 1,13,020.50 +412.00 70% ▲ +0.20%"  # fmt: skip
    assert " ".join(futures[4].split("1.2s")[1].split()) == "0.28L -- -- 1,13,020.50 -- 70% ▲ +0.20%"  # fmt: skip
    assert " ".join(narrower[1].split("Age")[1].split()) == "OI ΔOI day Build-up"
    assert " ".join(shares[1].split("Age")[1].split()) == "VWAP Range Gap First 15 min 52 weeks"
    assert shares[3].endswith("975.00-981.50 up      62%")


def test_a_commodity_s_options_stand_above_its_futures_and_without_a_direction():
    analysis = make_analysis(
        spot=None, spot_prev_close=None, segment=Segment.MCX, off=["direction: not made for commodities"], quotes=[make_quote()],
    )  # fmt: skip

    lines = drawn(make_view(analysis=analysis), width=140)
    told = "\n".join(lines)

    assert f"FUT {figures.grouped(analysis.x)}" in lines[0]
    assert "Bias no direction" in lines[1]
    assert [word for word in ("BULLISH", "MINIMAL", "Why  ") if word in told] == []
    assert any(line.startswith("SILVERMIC26AUGFUT") for line in lines)
    assert lines[-1] == "Off: direction: not made for commodities"
    assert "| no direction |" in summary(make_view(analysis=analysis))


def test_other_underlyings_are_named():
    assert drawn(make_view(others=["BANKNIFTY", "SENSEX"]))[-1] == (
        "Also watched: BANKNIFTY, SENSEX"
    )


def test_a_narrow_board_leaves_out_what_matters_least_too():
    view = View(underlying="SILVERMIC", analysis=make_board(rows=[make_quote()]))

    lines = drawn(view, width=40)

    assert lines[1].split() == ["Symbol", "LTP", "Age", "OI"]
    assert lines[3].split() == ["SILVERMIC26AUGFUT", "1,13,245.00", "1.2s", "0.28L"]
    assert drawn(view, width=60)[1].split()[2:] == ["Change", "Age", "OI", "Range"]
    assert drawn(view, width=70)[1].split()[2:] == ["Change", "Bid", "Ask", "Age"]


def test_a_mode_without_option_analysis_shows_quotes_and_what_is_off():
    assert drawn(View(underlying="SILVERMIC", analysis=make_board()), width=76) == [
        "SILVERMIC  MCX  12:41:07 IST   REPLAY",
        "Symbol                    LTP   Change         Bid         Ask Volume  Age",
        "──────────────────────────────────────────────────────────────────────────",
        "SILVERMIC26AUGFUT 1,13,245.00 ▲ +0.84% 1,13,240.00 1,13,250.00  0.31L 1.2s",
        "SILVERMIC26NOVFUT          --       --          --          --     --   --",
        "Off: option analysis: off in MCX mode",
        "Off: coaches: need option analysis",
    ]


def test_a_board_that_was_made_long_ago_says_so():
    fresh = View(underlying="SILVERMIC", analysis=make_board(), written_age_s=4.9)
    old = dataclasses.replace(fresh, written_age_s=612.0)

    said = "Of 10m12s ago, and so are the ages in it"
    assert said in drawn(old)
    assert said not in drawn(fresh)
    assert summary(old) == f"{summary(fresh)} | made more than 5.0s ago"


def test_the_summary_says_the_same_in_one_line():
    assert summary(make_view()) == (
        "12:41:07 IST REPLAY NIFTY 24,512.35 ▲ +0.42% | PCR 1.18 | MaxPain 24450 | BULLISH 62%"
        " | S 24400 R 24600 | minimal WAIT (rule) | rich HOLD CE (model) | feed 0.3s  OI 1m12s"
    )


def test_the_summary_of_a_stale_analysis_says_stale():
    assert summary(make_view(written_age_s=9.0)).endswith("OI 1m12s STALE")


def test_the_summary_speaks_when_nothing_is_there_and_when_the_bus_is_away():
    assert summary(View(underlying="")).startswith("OI Monitor: waiting for the first analysis…")
    assert summary(View(underlying="NIFTY", trouble="The bus is away")) == "The bus is away"


def test_drawing_changes_nothing_in_the_message():
    analysis = make_analysis()
    before = dataclasses.asdict(analysis)

    drawn(make_view(analysis=analysis))

    np.testing.assert_equal(dataclasses.asdict(analysis), before)


def test_a_strike_can_be_support_and_resistance():
    analysis = make_analysis(support=[(24_500.0, 91.0)], resistance=[(24_500.0, 77.0)])

    assert "*24500*SR" in strikes_of(drawn(make_view(analysis=analysis)))
    assert "*24500*SR" in "\n".join(drawn(make_view(analysis=analysis), width=80))


def test_evidence_that_contradicts_itself_is_called_a_conflict():
    both = [("net_buildup", 0.2, "for"), ("pcr_slope", -0.19, "against")]
    analysis = make_analysis(agreement=0.03, contributions=both)

    for width in (80, 120):
        assert "CONFLICT" in drawn(make_view(analysis=analysis), width=width)[1]
        assert "CONFLICT" not in drawn(make_view(), width=width)[1]
    assert " CONFLICT | " in summary(make_view(analysis=analysis))


def test_evidence_stands_on_one_side_only_when_the_score_has_turned_before_the_label():
    contributions = [("coi_balance", -0.2, "calls written"), ("net_buildup", 0.1, "puts written")]
    analysis = make_analysis(score=-0.1, contributions=contributions, against=contributions[:1])

    lines = drawn(make_view(analysis=analysis))

    assert "Why      net buildup +0.10: puts written" in lines
    assert "Against  coi balance -0.20: calls written" in lines


def test_changes_on_all_anchors_are_told_whole_on_one_line_or_on_two():
    anchors = [
        OiAnchor(
            name=name,
            at_us=NOW_US,
            source="sample",
            is_partial=name == "30m",
            legs=82,
            ce_change=None if name == "open" else 199_900_000.0,
            pe_change=-80_600_000.0,
        )
        for name in ("day", "open", "3m", "5m", "15m", "30m")
    ]
    view = make_view(analysis=dataclasses.replace(make_analysis(), oi_anchors=anchors))

    (one,) = [line for line in drawn(view, width=160) if "ΔOI CE/PE" in line]
    lines = drawn(view, width=120)
    first = next(place for place, line in enumerate(lines) if "ΔOI CE/PE" in line)
    two = lines[first : first + 2]

    assert one.startswith("ΔOI CE/PE day +19.99cr/-8.06cr  open --/-8.06cr  3m")
    assert one.endswith("30m +19.99cr/-8.06cr~")
    assert " ".join(" ".join(two).split()) == " ".join(one.split())
    three = drawn(view, width=60)[first + 1 : first + 4]
    assert [line[:15] for line in three] == [
        "ΔOI CE/PE day +",
        "          3m +1",
        "          15m +",
    ]


def test_a_change_of_few_legs_is_not_told_as_the_chain_s():
    def day(legs):
        anchor = OiAnchor(
            name="day", at_us=NOW_US, source="note", is_partial=False, legs=legs, ce_change=2e5, pe_change=1e5
        )  # fmt: skip
        analysis = dataclasses.replace(make_analysis(), oi_anchors=[anchor])
        return next(line for line in drawn(make_view(analysis=analysis)) if "ΔOI CE/PE" in line)

    assert len(STRIKES) == 11
    assert day(22) == day(18) == "ΔOI CE/PE day +2.0L/+1.0L"
    assert day(8) == "ΔOI CE/PE day +2.0L/+1.0L (8 of 22 legs)"


def test_ages_are_never_cut_off_where_a_conflict_takes_their_room():
    calm = make_analysis(cadence_s=60.0, tick_age_ms=53_000)
    torn = dataclasses.replace(calm, agreement=0.1, score=0.05)

    for analysis in (calm, torn):
        for width in (80, 112, 120, 160):
            lines = drawn(make_view(analysis=analysis), width=width)[:3]
            assert any("OI 1m12s" in line for line in lines), (width, lines)
            assert not any(line.endswith("…") for line in lines), (width, lines)


def test_a_single_trade_is_one_trade():
    advice = make_advice(day=DayTotals(date="2026-08-18", trades=1, net="0.00"))

    assert any("today 1 trade +₹0 net" in line for line in drawn(make_view(minimal=advice)))
