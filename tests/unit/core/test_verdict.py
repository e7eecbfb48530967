import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.build_up import CLASSES
from oimon.core.net_build_up import net_build_up
from oimon.core.verdict import VERDICTS, strike_verdict
from oimon.terms import BuildUp, Verdict
from tests.unit.core.chains import chains, changes, column, is_finite, levels, like, two_sided


def codes(calls, puts):
    return np.array([[CLASSES.index(c) for c in calls], [CLASSES.index(p) for p in puts]], np.int8)


def test_written_puts_and_covered_calls_are_bullish():
    build_up = codes([BuildUp.SHORT_COVERING], [BuildUp.SHORT_BUILDUP])

    found = strike_verdict(
        build_up, two_sided((-234_000,), (604_500,)), two_sided((4_829_500,), (7_728_500,))
    )

    assert VERDICTS[found.code[0]] is Verdict.BULL
    assert found.score[0] == pytest.approx(0.779193, abs=1e-6)


@pytest.mark.parametrize(("written", "verdict"), [(325, 1), (324, 0)])
def test_a_verdict_starts_at_a_quarter(written, verdict):
    bull, bear = [BuildUp.NONE, BuildUp.SHORT_BUILDUP], [BuildUp.SHORT_BUILDUP, BuildUp.NONE]
    build_up = codes(*zip(bull, bear, strict=True))
    moved = two_sided((715, written), (written, 715))  # 0.8 × 325 / (325 + 715) = 0.25

    found = strike_verdict(build_up, moved, two_sided((65, 65), (65, 65)))

    wanted = [Verdict.BULL, Verdict.BEAR] if verdict else [Verdict.NEUTRAL] * 2
    assert [VERDICTS[code] for code in found.code] == wanted


def test_static_balance_alone_can_never_decide():
    nothing = codes([BuildUp.NONE], [BuildUp.NONE])

    found = strike_verdict(nothing, two_sided((0,), (0,)), two_sided((0,), (999_000,)))

    assert (VERDICTS[found.code[0]], found.balance[0]) == (Verdict.NEUTRAL, 1.0)


def test_a_strike_that_nobody_holds_is_neutral():
    nothing = codes([BuildUp.NONE], [BuildUp.NONE])

    found = strike_verdict(nothing, two_sided((None,), (None,)), two_sided((None,), (None,)))

    assert (found.score[0], VERDICTS[found.code[0]]) == (0.0, Verdict.NEUTRAL)


@given(chains(), levels, st.data())
def test_scores_are_bounded_and_finite(chain, level, data):
    strike, oi = chain
    moved = like(data.draw, oi, changes)
    build_up = like(data.draw, oi, st.integers(0, 4)).astype(np.int8)

    verdicts = strike_verdict(build_up, moved, oi)
    net = net_build_up(strike, build_up, moved, oi, forward=level, level_change=9.0, em_w=38.0)

    assert (np.abs(verdicts.score) <= 1 + 1e-12).all()
    assert is_finite([verdicts.score, verdicts.flow, verdicts.balance])
    assert abs(net.score) <= abs(net.net) <= 1 + 1e-12
    assert is_finite([net.net, net.participation, net.significance, net.score])


def test_a_market_that_has_not_moved_discounts_the_flow():
    build_up = codes([BuildUp.SHORT_COVERING], [BuildUp.SHORT_BUILDUP])
    flow = (column(26_050), build_up, two_sided((-9e5,), (9e5,)), two_sided((4e6,), (4e6,)))

    still = net_build_up(*flow, forward=26_052.4, level_change=0.0, em_w=38.0)
    moved = net_build_up(*flow, forward=26_052.4, level_change=-40.0, em_w=38.0)
    unknown = net_build_up(*flow, forward=26_052.4, level_change=None, em_w=None)

    half = net_build_up(*flow, forward=26_052.4, level_change=-19.0, em_w=38.0)

    assert still.score == 0
    assert half.score == pytest.approx(0.5 * half.net)
    assert moved.score == unknown.score == moved.net
    for known in ({"level_change": 0.0, "em_w": None}, {"level_change": None, "em_w": 38.0}):
        assert net_build_up(*flow, forward=26_052.4, **known).significance == 1.0


def test_a_flow_of_less_than_a_hundredth_of_what_is_held_participates_in_part():
    build_up = codes([BuildUp.NONE], [BuildUp.SHORT_BUILDUP])

    def found(flow, held):
        columns = two_sided((-9e9,), (flow,)), two_sided((held,), (held,))
        return net_build_up(
            column(26_050), build_up, *columns, forward=26_050.0, level_change=None, em_w=None
        )

    assert (found(4e4, 4e6).net, found(4e4, 4e6).participation) == (1.0, 0.5)
    assert found(4e4, 4e6).score == 0.5
    assert found(9e5, 4e6).participation == 1.0
    assert found(4e4, 0.0).score == 0.0
