"""What REST says follows from the feed at the same instant."""

import math

import pytest

from ingest.fakebroker import boards, history, quotes
from ingest.fakebroker.greeks import option_greeks
from ingest.fakebroker.market import Market
from ingest.fakebroker.packet import name_of_row
from ingest.packets import SNAP_QUOTE, packet
from tests.fakes.smartapi import CALL, FUTURE, INDEX, OPENS_US, SECOND, a_source, frames

NAME = name_of_row(CALL)
OHLC = "exchange tradingSymbol symbolToken ltp open high low close"
FULL = (
    " lastTradeQty exchFeedTime exchTradeTime netChange percentChange avgPrice tradeVolume opnInterest"
    " lowerCircuit upperCircuit totBuyQuan totSellQuan 52WeekLow 52WeekHigh depth"
)


def market_after(seconds):
    market = Market(a_source())
    for at_us, frame in frames(seconds):
        market.apply(at_us, frame)
    return market


def test_what_is_no_packet_changes_nothing_but_the_time():
    market = market_after(1)
    before = market.newest[NAME]
    market.apply(OPENS_US + 9 * SECOND, before[:100])

    assert market.newest[NAME] == before
    assert market.now_us == OPENS_US + 9 * SECOND


def test_before_its_first_packet_a_token_is_all_zeros_as_at_the_broker():
    found = quotes.quote(Market(a_source()), "FULL", {"NFO": [CALL.token]})["fetched"][0]

    assert (found["ltp"], found["opnInterest"], found["close"]) == (0.0, 0, 243.0)
    assert len(found["depth"]["buy"]) == len(found["depth"]["sell"]) == 5


@pytest.mark.parametrize(
    ("mode", "keys"),
    [
        ("LTP", "exchange tradingSymbol symbolToken ltp"),
        ("OHLC", OHLC),
        (
            "FULL",
            OHLC + FULL,
        ),
    ],
)
def test_each_mode_has_the_broker_s_keys(mode, keys):
    found = quotes.quote(market_after(1), mode, {"NFO": [CALL.token]})["fetched"][0]

    assert list(found) == keys.split()


def test_an_index_day_is_what_was_seen_of_it():
    found = quotes.last_price(market_after(61), name_of_row(INDEX))

    assert [found[key] for key in ("open", "high", "low", "ltp")] == [24196.35, 24199.35, 24196.35, 24199.35]  # fmt: skip


def test_minutes_become_candles_of_each_interval():
    market = market_after(180)
    one, three = (
        history.candles(market, NAME, history.span(name, "2026-11-25 09:00", "2026-11-25 15:00"))
        for name in ("ONE_MINUTE", "THREE_MINUTE")
    )

    assert [row[0] for row in one] == [f"2026-11-25T09:{m}:00+05:30" for m in (15, 16, 17)]
    assert three == [["2026-11-25T09:15:00+05:30", one[0][1], one[2][2], one[0][3], one[2][4], 650 * 180]]  # fmt: skip
    assert sum(row[5] for row in one) == 650 * 180


def test_the_session_before_has_its_last_open_interest_and_shares_have_none():
    wanted = history.span("ONE_MINUTE", "2026-11-23 09:00", "2026-11-25 15:00")
    market = market_after(1)

    assert history.open_interest(market, NAME, wanted) == [
        {"time": "2026-11-23T15:39:00+05:30", "oi": 65 * 900},  # the 24th is a holiday
        {"time": "2026-11-25T09:15:00+05:30", "oi": 65 * 1004},
    ]
    assert history.open_interest(market, name_of_row(INDEX), wanted) == []


def test_a_span_is_of_whole_minutes_in_order_and_not_too_long():
    assert history.span("ONE_MINUTE", "2026-11-25 09:15", "2026-11-25 09:15") is None
    assert history.span("ONE_MINUTE", "2026-10-25 09:15", "2026-11-25 09:15") is None
    assert history.span("NO_MINUTE", "2026-11-25 09:15", "2026-11-25 09:16") is None
    for text in ("2026-11-25 09:15:00", "2026-11-25T09:15", "2026-11-25 9:15"):
        with pytest.raises(history.BadFormError):
            history.span("ONE_MINUTE", text, "2026-11-25 09:16")


def test_greeks_are_those_of_the_model_that_gives_the_price():
    market = Market(a_source())
    years, forward, sigma = 6.25 / 365 + 10 / 1440 / 365, 24_200.0, 0.15
    root = sigma * math.sqrt(years)
    price = forward * (math.erf(root / 2 / math.sqrt(2)))  # of both sides at the money
    for name, listed in market.listed.items():
        if "24200" in listed.row.symbol:
            frame = packet(SNAP_QUOTE, "NFO", listed.row.token, ltp=round(price * 100), volume=65)
            market.apply(OPENS_US, frame)
            assert name in market.newest
    found = option_greeks(market, "NIFTY", "01dec2026")

    assert [leg["optionType"] for leg in found] == ["CE", "PE"]
    assert all(isinstance(value, str) for leg in found for value in leg.values())
    assert float(found[0]["impliedVolatility"]) == pytest.approx(15, abs=0.15)
    assert float(found[0]["delta"]) - float(found[1]["delta"]) == pytest.approx(1, abs=2e-6)
    assert (found[0]["strikePrice"], found[0]["tradeVolume"]) == ("24200.000000", "65.00")
    assert found[0]["vega"] == found[1]["vega"]
    assert float(found[0]["theta"]) < 0 < float(found[0]["gamma"])


@pytest.mark.parametrize(
    ("name", "expiry"), [("GOLDM", "01DEC2026"), ("NIFTY", "02DEC2026"), ("NIFTY", "x")]
)
def test_of_others_there_are_no_greeks(name, expiry):
    assert option_greeks(market_after(1), name, expiry) is None


def test_movers_and_build_ups_are_the_futures_that_moved():
    market = market_after(1)
    found = boards.movers(market, "PercPriceGainers", "NEAR")

    assert [each["tradingSymbol"] for each in found] == [FUTURE.symbol]
    assert boards.movers(market, "PercPriceLosers", "NEAR") == []
    assert boards.movers(market, "PercOIGainers", "FAR") == []
    assert boards.build_ups(market, "Long Built Up", "NEAR")[0]["netChangeOpnInterest"] == "6565.0"
    assert boards.build_ups(market, "Short Covering", "NEAR") == []


def test_the_put_call_ratio_is_the_nearest_expiry_s_and_named_after_a_future():
    market = market_after(1)
    (found,) = boards.put_call_ratios(market)
    del market.listed[name_of_row(FUTURE)]
    (without,) = boards.put_call_ratios(market)

    puts, calls = 65 * (1003 + 1005 + 1007), 65 * (1002 + 1004 + 1006)
    assert found == {"pcr": round(puts / calls, 2), "tradingSymbol": "NIFTY29DEC26FUT"}
    assert without["tradingSymbol"] == "NIFTY01DEC26FUT"


def test_a_token_of_another_exchange_is_not_found():
    market = market_after(1)

    assert quotes.find(market, "NSE", CALL.token) is None
    assert quotes.find(market, "NFO", "१") is None
    assert quotes.find(market, "LSE", CALL.token) is None
