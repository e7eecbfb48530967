import numpy as np
import pytest

from ingest.smartapi import envelope
from ingest.smartapi.cross_check import (
    Newest,
    Outcome,
    compare_greeks,
    compare_oi,
    compare_pcr,
    our_greeks,
)
from ingest.smartapi.envelope import BrokerGreeks
from oimon.terms import OptionKind
from tests.unit.coach.market import make_analysis


def quote(token, oi, at_s):
    raw = {"exchange": "NFO", "symbolToken": token, "tradingSymbol": f"S{token}", "opnInterest": oi}
    ((found,), _) = envelope.quotes(
        {"fetched": [raw | {"exchFeedTime": f"25-Nov-2026 09:15:{at_s:02}"}]}
    )
    return found


NINE_FIFTEEN_US = 1_795_578_300_000_000


def newest(oi, at_s):
    return Newest(oi=oi, exchange_us=NINE_FIFTEEN_US + at_s * 1_000_000)


@pytest.mark.parametrize(
    ("theirs", "ours", "outcome"),
    [
        (quote("1", 650, 10), newest(650, 10), Outcome.EQUAL),
        (quote("1", 650, 20), newest(650, 10), Outcome.EQUAL),  # later, but no other value
        (quote("1", 715, 20), newest(650, 10), Outcome.NEWER),
        (quote("1", 650, 20), newest(None, 10), Outcome.NEWER),
        (quote("1", 650, 20), None, Outcome.NEWER),
        (quote("1", 715, 10), newest(650, 10), Outcome.DIFFERS),
        (quote("1", 715, 5), newest(650, 10), Outcome.DIFFERS),
        (quote("1", None, 20), newest(650, 10), Outcome.MISSING),
        (quote("1", 0, 20), newest(650, 10), Outcome.NEWER),
    ],
)
def test_a_quote_s_open_interest_is_held_against_the_stream_s(theirs, ours, outcome):
    found = compare_oi([theirs], {("NFO", "1"): ours} if ours else {})

    assert {o: n for o, n in found.counts.items() if n} == {outcome: 1}
    assert found.newer == ([theirs] if outcome is Outcome.NEWER else [])
    assert len(found.differences) == (outcome is Outcome.DIFFERS)


def test_the_same_token_of_another_exchange_is_another_contract():
    found = compare_oi([quote("1", 650, 10)], {("BFO", "1"): newest(650, 10)})

    assert found.counts[Outcome.NEWER] == 1


def test_greeks_are_compared_within_what_two_models_may_differ():
    rows = [
        BrokerGreeks(
            strike=k,
            kind=OptionKind.CE,
            iv=iv,
            delta=d,
            gamma=None,
            theta=None,
            vega=None,
            volume=None,
        )
        for k, iv, d in (
            (100.0, 0.16, 0.50),
            (110.0, 0.20, 0.30),
            (120.0, None, 0.2),
            (999.0, 0.1, 0.1),
        )
    ]
    ours = {
        (100.0, OptionKind.CE): (0.17, 0.52),
        (110.0, OptionKind.CE): (0.15, 0.31),
        (120.0, OptionKind.CE): (0.15, None),
    }

    ivs, deltas = compare_greeks(rows, ours)

    assert [ivs.counts[o] for o in (Outcome.EQUAL, Outcome.DIFFERS, Outcome.MISSING)] == [1, 1, 1]
    assert [deltas.counts[o] for o in (Outcome.EQUAL, Outcome.DIFFERS, Outcome.MISSING)] == [
        2,
        0,
        1,
    ]
    assert [(d.what, d.ours, d.theirs) for d in ivs.differences] == [("110CE", 0.15, 0.2)]


@pytest.mark.parametrize(
    ("ours", "outcome"),
    [(1.0, Outcome.EQUAL), (1.2, Outcome.DIFFERS), (None, Outcome.MISSING), (0.0, Outcome.DIFFERS)],
)
def test_the_put_call_ratio_is_compared_by_the_future_s_symbol(ours, outcome):
    found = compare_pcr({"NIFTY25JAN24FUT": 1.04}, "NIFTY25JAN24FUT", ours)

    assert found.counts[outcome] == 1
    assert compare_pcr({}, "NIFTY25JAN24FUT", 1.0).counts[Outcome.MISSING] == 1


def test_our_greeks_are_by_strike_and_kind_of_the_expiry_asked_for():
    analysis = make_analysis()
    chain = analysis.chain

    ours = our_greeks(analysis, analysis.expiry)

    assert ours is not None
    assert len(ours) == 2 * len(chain.strike)
    iv, delta = ours[float(chain.strike[0]), OptionKind.CE]
    assert iv == (None if np.isnan(chain.iv[0]) else chain.iv[0])
    assert delta == (None if np.isnan(chain.ce.delta[0]) else chain.ce.delta[0])
    assert our_greeks(analysis, "2031-01-01") is None
