"""When a direction is worth a trade."""

import dataclasses

import pytest

from oimon.core.signal import Conditions, Veto, signal, vetoes
from oimon.terms import Direction, MarketState, Quality, Signal

IN_ORDER = Conditions(
    market=MarketState.OPEN, is_in_entry_window=True, quality=Quality.OK, spread_share=0.004
)


@pytest.mark.parametrize(
    ("direction", "confidence", "raw"),
    [
        (Direction.BULLISH, 0.55, Signal.BUY),
        (Direction.BEARISH, 0.9, Signal.SELL),
        (Direction.BULLISH, 0.5499, Signal.HOLD),
        (Direction.NEUTRAL, 1.0, Signal.HOLD),
    ],
)
def test_a_sure_direction_is_a_signal(direction, confidence, raw):
    assert signal(direction, confidence, IN_ORDER).raw is raw


@pytest.mark.parametrize(
    ("changed", "veto"),
    [
        ({"market": MarketState.OPEN_CAS}, Veto.MARKET_NOT_OPEN),
        ({"market": MarketState.UNKNOWN}, Veto.MARKET_NOT_OPEN),
        ({"is_in_entry_window": False}, Veto.OUTSIDE_ENTRY_WINDOW),
        ({"quality": Quality.DEGRADED}, Veto.DATA_QUALITY),
        ({"spread_share": 0.0301}, Veto.WIDE_SPREAD),
        ({"spread_share": None}, Veto.WIDE_SPREAD),
        ({"cooldown_s": 0.5}, Veto.COOLDOWN),
        ({"day_loss_share": 0.02}, Veto.DAILY_LOSS_LIMIT),
        ({"trades_today": 10}, Veto.MAX_TRADES),
    ],
)
def test_each_condition_alone_turns_a_signal_into_hold(changed, veto):
    view = signal(Direction.BULLISH, 0.9, dataclasses.replace(IN_ORDER, **changed))

    assert view.signal is Signal.HOLD
    assert view.vetoes == (veto,)


def test_vetoes_stand_in_their_fixed_order():
    worst = Conditions(
        market=MarketState.CLOSED,
        is_in_entry_window=False,
        quality=Quality.BAD,
        spread_share=None,
        cooldown_s=1,
        day_loss_share=1,
        trades_today=99,
    )

    assert vetoes(worst) == tuple(Veto)


def test_a_spread_of_exactly_three_percent_is_not_wide():
    assert vetoes(dataclasses.replace(IN_ORDER, spread_share=0.03)) == ()
