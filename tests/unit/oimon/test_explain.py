"""The explanation's numbers are the engine's numbers."""

from dataclasses import replace

import numpy as np
import pytest

from oimon.core.build_up import WhyNone, em_window
from oimon.core.direction import NOT_APPLICABLE, Component, Part, confidence_factor, direction_score
from oimon.explain.ages import DataState, states
from oimon.explain.direction import is_conflict, read_direction, supporting
from oimon.explain.leg import leg_sentences, read_leg
from oimon.explain.strike import nearest_strike, read_strike
from oimon.figures import date_time
from oimon.messages import ComponentReading, LabelReading, SignalReading
from oimon.terms import Direction, FeedState, MarketState, Mode, OptionKind, Quality
from tests.unit.analytics.days import make_session, play
from tests.unit.notifier.samples import (
    NOW_US,
    make_analysis,
    make_chain,
    make_legs,
    make_unknown_analysis,
)

EM_W = em_window(26_052.4, 0.118, 900.0, 23_100.0)  # emw-01: 38.224758
CE, PE = OptionKind.CE, OptionKind.PE


def one_leg(*, price, then, oi, oi_then, delta, build_up):
    """Return one strike's column of a side whose price and open interest went from then to now."""
    numbers = {
        "mark": price, "price_change_15m": price - then, "oi": oi, "oi_change_15m": oi - oi_then,
        "delta": delta, "received_us": NOW_US - 2e6, "exchange_us": NOW_US - 3e6,
        "traded_us": NOW_US - 4e6, "oi_changed_us": NOW_US - 150e6,
    }  # fmt: skip
    columns = {name: np.array([float(value)]) for name, value in numbers.items()}
    return make_legs(+1, **columns, build_up=[build_up])


def one_strike(call, put, **given):
    chain = make_chain(strike=np.array([26_000.0]), iv=np.array([0.118]), ce=call, pe=put)
    return make_analysis(chain=chain, em_window=EM_W, lot=65, tick=0.05, **given)


BU_01 = {"price": 138.0, "then": 150.0, "oi": 4_745_000, "oi_then": 4_550_000, "delta": 0.49}
BU_05 = {"price": 153.0, "then": 150.0, "oi": 4_745_000, "oi_then": 4_550_000, "delta": 0.52}


def verdict_01():
    call = one_leg(
        price=175.1, then=149.45, oi=4_829_500, oi_then=5_063_500, delta=0.6,
        build_up="SHORT_COVERING",
    )  # fmt: skip
    put = one_leg(
        price=122.8, then=143.05, oi=7_728_500, oi_then=7_124_000, delta=-0.4,
        build_up="SHORT_BUILDUP",
    )  # fmt: skip
    return one_strike(call, put)


@pytest.fixture(scope="module")
def day():
    """Analyses of a market that moves, of the second half hour."""
    answers = play(make_session(strikes=21, cadence_s=60.0), range(0, 2400, 20))
    return answers[60::6]


# --- a leg ---------------------------------------------------------------------------------------------------------


def test_bu_01_is_told_with_both_dead_bands_reached():
    analysis = one_strike(one_leg(**BU_01, build_up="SHORT_BUILDUP"), verdict_01().chain.pe)

    leg = read_leg(analysis, CE, 0)

    assert (leg.price_change, leg.oi_change, leg.says, leg.why_none) == (-12.0, 195_000, -1.0, None)
    assert (leg.price_band, leg.oi_band) == (pytest.approx(0.35 * 0.49 * EM_W), 45_500.0)
    assert leg_sentences(leg) == [
        "Call: short buildup (call writing), which says -1.0.",
        "  Price 150.00 → 138.00 (-12.00); it must move by 6.56 (0.35 × |delta| 0.49 × expected move 38.22): reached.",
        "  Open interest 45,50,000 → 47,45,000 (+1,95,000); it must change by 45,500 (1 % of the old): reached.",
    ]


def test_bu_05_names_the_dead_band_that_was_missed_and_by_how_much():
    analysis = one_strike(one_leg(**BU_05, build_up="NONE"), verdict_01().chain.pe)

    leg = read_leg(analysis, CE, 0)

    assert (leg.why_none, leg.says) == (WhyNone.PRICE_DEADBAND, 0.0)
    assert leg_sentences(leg)[:2] == [
        "Call: no build-up: the price did not move enough. It says nothing.",
        "  Price 150.00 → 153.00 (+3.00); it must move by 6.96 (0.35 × |delta| 0.52 × expected move 38.22): missed by 3.96.",
    ]


def test_bu_06_says_that_25_lots_were_asked():
    few = {"price": 160.0, "then": 150.0, "oi": 70_699, "oi_then": 70_000, "delta": np.nan}
    analysis = one_strike(one_leg(**few, build_up="NONE"), verdict_01().chain.pe)

    leg = read_leg(analysis, CE, 0)

    assert (leg.why_none, leg.oi_band, leg.oi_rule) == (WhyNone.OI_DEADBAND, 1625.0, "25 lots")
    assert leg.price_rule == "1 % of the old"


def test_what_is_unknown_of_a_leg_is_said_and_not_invented():
    analysis = make_unknown_analysis()

    told = "\n".join(read_strike(analysis, analysis, 24_500.0).sentences)

    assert "Call: not in the chain." in told
    assert "Ages: call unknown; put unknown." in told
    assert "Flow, what changed in 15 min: unknown, which counts as none: +0.000." in told
    assert "held: unknown, which counts as none: +0.000." in told
    assert "nan" not in told
    assert "None" not in told


# --- a strike ------------------------------------------------------------------------------------------------------


def test_verdict_01_is_told_as_the_specification_works_it_out():
    analysis = verdict_01()

    reading = read_strike(analysis, analysis, 26_000.0)

    assert reading.verdict == "Bull"
    assert reading.score == pytest.approx(0.7791930280706824, abs=1e-12)
    assert reading.flow == pytest.approx(0.9162790697674419, abs=1e-12)
    assert reading.balance == pytest.approx(0.2308488612836439, abs=1e-12)
    told = reading.sentences
    assert told[0].startswith("NIFTY 26000 of 2026-08-20: Bull, score +0.779 (Bull from +0.25")
    assert told[8:13] == [
        "Flow, what changed in 15 min: (+0.7 × 2,34,000 +1.0 × 6,04,500) / 8,38,500 = +0.916.",
        "Balance, puts against calls held: (77,28,500 - 48,29,500) / 1,25,58,000 = +0.231.",
        "Score: 0.8 × +0.916 + 0.2 × +0.231 = +0.779.",
        "Against it: nothing that counts.",
        "It would be Neutral with 0.529 less in its own direction.",
    ]
    assert told[13].startswith(
        "Ages: call heard 2.0 s ago (exchange's time 3.0 s), traded 4.0 s ago"
    )
    assert "open interest moved 2 min ago" in told[13]


def test_what_did_not_change_is_told_otherwise_than_what_is_unknown():
    still = one_leg(price=100.0, then=100.0, oi=650, oi_then=650, delta=0.5, build_up="NONE")
    gone = one_leg(price=np.nan, then=np.nan, oi=np.nan, oi_then=np.nan, delta=np.nan, build_up=None)  # fmt: skip

    quiet = "\n".join(read_strike(*2 * (one_strike(still, still),), 26_000.0).sentences)
    alone = "\n".join(read_strike(*2 * (one_strike(gone, still),), 26_000.0).sentences)

    assert "Flow, what changed in 15 min: no open interest changed: +0.000." in quiet
    assert "held: (650 - --) / 650 = +1.000." in alone


def test_the_strongest_contrary_evidence_of_a_strike_is_named():
    put = one_leg(
        price=122.8, then=143.05, oi=1_000_000, oi_then=400_000, delta=-0.4,
        build_up="SHORT_BUILDUP",
    )  # fmt: skip
    analysis = one_strike(verdict_01().chain.ce, put)

    reading = read_strike(analysis, analysis, 26_000.0)

    assert reading.verdict == "Bull"
    assert reading.against == "the balance of what is held, -0.131 of the score"


def test_every_strike_of_a_day_is_explained_by_what_the_engine_found(day):
    seen = set()
    for analysis in day:
        for expiry in (analysis, *analysis.more):
            for strike, *classes, verdict, score in expiry.verdicts:
                reading = read_strike(analysis, expiry, strike)
                assert (reading.verdict, reading.score) == (
                    verdict,
                    pytest.approx(score, abs=1e-12),
                )
                for leg, name in zip((reading.call, reading.put), classes, strict=True):
                    assert leg.build_up == name
                    assert (leg.why_none is None) == (name not in (None, "NONE"))
                    seen.add((name, leg.why_none))

    assert len(seen) >= 6


def test_the_flow_of_a_younger_history_is_told_with_its_age():
    young, old = play(make_session(cadence_s=60.0), [0, 60, 120, 180, 240, 300, 360, 420]), verdict_01()  # fmt: skip

    told = read_strike(young[-1], young[-1], 24_500.0).sentences

    assert any(line.startswith("Flow, what changed in 7 min: ") for line in told)
    assert any(
        line.startswith("Flow, what changed in 15 min: ")
        for line in read_strike(old, old, 26_000.0).sentences
    )


def test_a_strike_that_is_not_listed_has_a_nearest_one():
    analysis = verdict_01()

    with pytest.raises(LookupError, match="26010 is not listed"):
        read_strike(analysis, analysis, 26_010.0)
    assert nearest_strike(analysis, 26_010.0) == 26_000.0


# --- the direction -------------------------------------------------------------------------------------------------

DIR_01 = {
    "pcr_level": -0.2, "pcr_slope": 0.6, "coi_balance": 0.8, "net_buildup": 0.7,
    "sr_position": 0.1, "iv_skew": 0.2, "futures": 0.7,
}  # fmt: skip
DIR_02 = {
    "pcr_level": 0.9, "pcr_slope": -0.8, "coi_balance": -0.5, "net_buildup": 0.4,
    "max_pain": 0.2, "sr_position": -0.3, "iv_skew": -0.1, "futures": 0.3,
}  # fmt: skip


def of_components(scores, **given):
    """Return an analysis whose direction is weighed from these scores, max pain n/a unless given."""
    parts = {Component(name): Part.of(score) for name, score in scores.items()}
    components = {name: ComponentReading(score=s, status="ok") for name, s in scores.items()}
    if "max_pain" not in scores:
        components["max_pain"] = ComponentReading(score=None, status="n/a")
        parts[Component.MAX_PAIN] = NOT_APPLICABLE
    found = direction_score(parts)
    told = [
        (name.value, part, f"{name} {scores[name]:+.2f} → {part:+.3f}: told")
        for name, part in found.contributions
    ]
    fields = {
        "components": components, "contributions": told, "score": found.score,
        "agreement": found.agreement, "coverage": found.coverage,
        "against": [item for item in told if item[1] * found.score < 0],
        "confidence_factor": confidence_factor(
            found.score, found.agreement, found.coverage, Quality.OK
        ),
        "label": LabelReading(
            smoothed=found.score, since_us=NOW_US - 95_000_000, wanted=None, wanted_since_us=None
        ),
    }  # fmt: skip
    return make_analysis(**fields | given)


def test_dir_01_is_told_as_the_specification_works_it_out():
    analysis = of_components(DIR_01)

    reading = read_direction(analysis, analysis)

    assert reading.score == pytest.approx(0.5157894736842105)
    assert not reading.is_conflict
    told = reading.sentences
    assert told[0].startswith(
        "NIFTY 2026-08-20: BULLISH, confidence 0.83 (strength of the evidence"
    )
    assert told[3:5] == [
        "Inputs: score +0.516, smoothed +0.516, agreement 0.92, coverage 1.00, quality ok.",
        "Confidence: min(1, 0.516 / 0.60) × (0.5 + 0.5 × 0.925) × 1.000 × 1.0 = 0.827.",
    ]
    assert told[6] == "  weight 0.25 of 0.95: net_buildup +0.70 → +0.184: told"
    assert "Not counted: max_pain (n/a)." in told
    assert "Against it: pcr_level -0.20 → -0.021: told." in told
    assert (
        "It has stood for 95 s; NEUTRAL comes when the smoothed score loses 0.416, the opposite when it loses 0.716."
        in told
    )
    assert "Without its largest part, net_buildup, the score would be +0.332." in told


def test_dir_02_is_a_conflict_and_said_to_be_one():
    analysis = of_components(DIR_02, direction=Direction.NEUTRAL)

    reading = read_direction(analysis, analysis)

    assert reading.agreement == pytest.approx(0.031579, abs=1e-6)
    assert reading.is_conflict
    assert any(
        line.startswith("CONFLICT: agreement 0.03 is below 0.35") for line in reading.sentences
    )
    assert "It has stood for 95 s; BULLISH needs +0.185 of smoothed score, BEARISH -0.215." in (
        reading.sentences
    )


def test_what_speaks_for_a_label_that_still_stands_is_not_what_turned_the_score():
    def names(direction):
        return [name for name, _, _ in supporting(of_components(DIR_01, direction=direction))]

    assert names(Direction.BEARISH) == ["pcr_level"]
    assert names(Direction.NEUTRAL) == names(Direction.BULLISH)
    assert names(Direction.BULLISH)[:3] == ["net_buildup", "coi_balance", "futures"]


def test_no_evidence_is_no_conflict():
    nothing = of_components(dict.fromkeys(DIR_01, 0.0))

    assert nothing.agreement == 0.0
    assert not is_conflict(nothing)
    assert not is_conflict(make_unknown_analysis())


@pytest.mark.parametrize(("stood_s", "needed_s"), [(600, 30), (42, 30), (22, 50), (12, 60)])
def test_a_change_that_waits_is_told_with_how_long_it_has_to(stood_s, needed_s):
    waiting = LabelReading(
        smoothed=-0.3,
        since_us=NOW_US - stood_s * 1_000_000,
        wanted=Direction.BEARISH,
        wanted_since_us=NOW_US - 12_000_000,
    )
    analysis = of_components(DIR_01, label=waiting)

    assert f"BEARISH is wanted since 12 s; it counts after {needed_s} s." in (
        read_direction(analysis, analysis).sentences
    )


@pytest.mark.parametrize(
    ("direction", "smoothed", "says"),
    [
        (Direction.NEUTRAL, 0.212, "the smoothed score is enough for BULLISH, BEARISH needs -0.412 of it"),
        (Direction.NEUTRAL, -0.266, "the smoothed score is enough for BEARISH, BULLISH needs +0.466 of it"),
        (Direction.BEARISH, -0.073, "the smoothed score is not enough to keep it, the opposite comes when it loses 0.273"),
        (Direction.BEARISH, 0.259, "the smoothed score is enough for the opposite"),
        (Direction.BULLISH, 0.25, "NEUTRAL comes when the smoothed score loses 0.150, the opposite when it loses 0.450"),
    ],
)  # fmt: skip
def test_what_the_smoothed_score_has_reached_already_is_not_told_as_a_distance(
    direction, smoothed, says
):
    label = LabelReading(smoothed=smoothed, since_us=NOW_US - 95_000_000, wanted=None, wanted_since_us=None)  # fmt: skip
    analysis = of_components(DIR_01, direction=direction, label=label)

    assert f"It has stood for 95 s; {says}." in read_direction(analysis, analysis).sentences


def test_an_analysis_without_label_and_scores_is_explained_without_inventing():
    analysis = make_unknown_analysis(components={})

    told = read_direction(analysis, analysis).sentences

    assert "Contributions: none; no component has a score." in told
    assert "Ages: newest price --, open interest not seen to move, history 0.0 s." in told
    assert "smoothed --" in told[3]
    assert "Quality: bad (chain incomplete)." in told


def test_every_direction_of_a_day_is_explained_by_what_the_engine_found(day):
    for analysis in day:
        reading = read_direction(analysis, analysis)
        told = "\n".join(reading.sentences)
        assert reading.smoothed is not None
        assert f"= {analysis.confidence_factor:.3f}." in told
        assert sum(part for _, part, _ in reading.contributions) == pytest.approx(analysis.score)
        for _, _, text in analysis.contributions:
            assert text in told


def test_a_veto_is_told_as_holding_back_only_what_was_asked_for():
    def signal(raw, *vetoes):
        held = SignalReading(signal="HOLD", raw=raw, vetoes=list(vetoes))
        return read_direction(*2 * (make_analysis(signal=held),)).sentences

    assert "Signal: HOLD; it would be BUY, held back by wide spread." in signal("BUY", "wide_spread")  # fmt: skip
    assert "Signal: HOLD; an entry would be vetoed by data quality." in signal("HOLD", "data_quality")  # fmt: skip
    assert "Signal: HOLD." in signal("HOLD")


# --- ages and states -----------------------------------------------------------------------------------------------


def test_every_explanation_says_of_when_it_is_and_whether_the_market_is_real():
    made = {"mode": Mode.SIMULATED, "spot": 24_512.35, "x": 24_510.0, "forward": 24_530.1}
    simulated = make_analysis(**made, forward_source="synthetic_mid")
    ended = make_analysis(mode=Mode.REPLAY, feed=FeedState.ENDED, spot=None, x=None, forward=None, forward_source=None)  # fmt: skip

    for analysis, says in (
        (simulated, "SIMULATED: spot 24,512.35, forward 24,530.10 (synthetic mid), levels measured from X 24,510.00."),
        (ended, "REPLAY, feed ended: spot --, forward --, levels measured from X --."),
    ):  # fmt: skip
        strike = analysis.chain.strike[0]
        for reading in (read_direction(analysis, analysis), read_strike(analysis, analysis, strike)):  # fmt: skip
            assert reading.sentences[1] == f"As of {date_time(NOW_US)} IST, {says}"
            assert (reading.ts_us, reading.mode) == (NOW_US, analysis.mode)


@pytest.mark.parametrize(
    ("given", "state", "reason"),
    [
        ({"market": MarketState.CLOSED}, DataState.CLOSED, "the market is closed"),
        (
            {"is_stale": True, "tick_age_ms": 42_000},
            DataState.STALE,
            "the newest price is 42 s old",
        ),
        ({"is_gapped": True}, DataState.GAPPED, "data of the last 15 min are missing"),
        (
            {"is_warm": False, "history_s": 61.0},
            DataState.COLD,
            "only 61 s of history, 5 min are needed",
        ),
    ],
)
def test_each_state_is_named_with_its_reason(given, state, reason):
    assert states(make_analysis(**given))[state] == reason


def test_a_market_in_order_has_no_state():
    assert states(make_analysis()) == {}


def test_a_chain_of_calls_alone_is_one_sided():
    nothing = np.full(len(make_analysis().chain.strike), np.nan)

    analysis = make_analysis(chain=make_chain(pe=make_legs(-1, oi=nothing)))

    assert states(analysis) == {DataState.ONE_SIDED: "the puts have no open interest"}


def test_another_expiry_is_explained_by_its_own_quality_ages_and_states():
    headline = make_analysis()
    (other,) = headline.more
    moved = np.full(len(other.chain.strike), NOW_US - 90e6)
    nothing = np.full(len(moved), np.nan)
    chain = make_chain(
        ce=make_legs(+1, oi_changed_us=moved), pe=make_legs(-1, oi=nothing, oi_changed_us=moved)
    )
    other = replace(other, chain=chain, quality=Quality.DEGRADED, quality_why=["oi_stale"])

    told = read_direction(headline, other).sentences

    assert "Quality: degraded (oi stale)." in told
    assert any("open interest last moved 90 s ago" in line for line in told)
    assert "ONE SIDED: the puts have no open interest." in told


def test_open_interest_that_has_not_moved_for_ten_minutes_is_old_and_says_so():
    long_ago = np.full(len(make_analysis().chain.strike), NOW_US - 660e6)
    chain = make_chain(
        ce=make_legs(+1, oi_changed_us=long_ago), pe=make_legs(-1, oi_changed_us=long_ago)
    )

    assert states(make_analysis(chain=chain)) == {
        DataState.OI_OLD: "no open interest has moved for 11 min"
    }
    assert DataState.OI_OLD not in states(make_analysis(chain=chain, market=MarketState.CLOSED))
