import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.smartapi import envelope
from ingest.smartapi.envelope import Answer, OiPoint
from oimon.terms import OptionKind

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=6,
)
FULL = {
    "exchange": "NFO",
    "tradingSymbol": "NIFTY25NOV2524200CE",
    "symbolToken": "40637",
    "ltp": 123.85,
    "open": 118.0,
    "high": 135.0,
    "low": 109.55,
    "close": 117.6,
    "lastTradeQty": 65,
    "exchFeedTime": "25-Nov-2026 09:15:02",
    "exchTradeTime": "25-Nov-2026 09:15:01",
    "netChange": 6.25,
    "percentChange": 5.31,
    "avgPrice": 121.4,
    "tradeVolume": 9876555,
    "opnInterest": 7284615,
    "lowerCircuit": 0.05,
    "upperCircuit": 512.6,
    "totBuyQuan": 512330,
    "totSellQuan": 498875,
    "52WeekLow": 10.05,
    "52WeekHigh": 300.0,
    "depth": {
        "buy": [{"price": 123.8, "quantity": 130, "orders": 2}],
        "sell": [{"price": 123.9, "quantity": 65, "orders": 1}],
    },
}


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (
            {"status": True, "message": "SUCCESS", "errorcode": "", "data": [1]},
            Answer(ok=True, code=None, message="SUCCESS", data=[1]),
        ),
        (
            {"status": False, "message": "Invalid totp", "errorcode": "AB1050", "data": None},
            Answer(ok=False, code="AB1050", message="Invalid totp", data=None),
        ),
        (
            {"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""},
            Answer(ok=False, code="AG8001", message="Invalid Token", data=""),
        ),
        ({"success": True, "data": {}}, Answer(ok=True, code=None, message="", data={})),
        ({"status": "true"}, Answer(ok=False, code=None, message="", data=None)),
    ],
)
def test_both_spellings_of_an_answer_are_read(raw, answer):
    assert envelope.read(raw) == answer


def test_what_is_no_object_is_no_answer():
    assert envelope.read([1]).message == "an answer must be an object, was list"


def test_a_full_quote_is_read_with_its_times_in_india():
    (quote,), missed = envelope.quotes({"fetched": [FULL], "unfetched": []})

    assert missed == []
    assert (quote.exchange, quote.token, quote.symbol) == ("NFO", "40637", "NIFTY25NOV2524200CE")
    assert quote.exchange_us == 1_795_578_302_000_000
    assert quote.traded_us == 1_795_578_301_000_000
    assert (quote.ltp, quote.prev_close, quote.volume, quote.oi) == (
        123.85,
        117.6,
        9876555,
        7284615,
    )
    assert (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty) == (123.8, 130, 123.9, 65)
    assert (quote.lower_circuit, quote.upper_circuit) == (0.05, 512.6)


def test_the_sentinel_book_of_an_index_is_no_book():
    level = [{"price": -0.01, "quantity": -1, "orders": 0}]
    index = FULL | {
        "symbolToken": "99926000",
        "exchange": "NSE",
        "depth": {"buy": level, "sell": []},
    }

    ((quote,), _) = envelope.quotes({"fetched": [index]})

    assert (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty) == (None, None, None, None)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("ltp", "NaN"),
        ("ltp", 0),
        ("ltp", None),
        ("ltp", True),
        ("ltp", -4.0),
        ("ltp", "inf"),
        ("ltp", []),
    ],
)
def test_a_price_that_is_none_is_unknown(field, bad):
    ((quote,), _) = envelope.quotes({"fetched": [FULL | {field: bad}]})

    assert quote.ltp is None


@pytest.mark.parametrize("bad", [-65, 1.5, "many", None, False, 2**60, math.nan])
def test_open_interest_that_is_no_quantity_is_unknown(bad):
    ((quote,), _) = envelope.quotes({"fetched": [FULL | {"opnInterest": bad}]})

    assert quote.oi is None


def test_no_open_interest_is_zero_and_a_numeric_string_is_a_number():
    ((first, second), _) = envelope.quotes(
        {"fetched": [FULL | {"opnInterest": 0}, FULL | {"opnInterest": "650.00", "ltp": " 5.25"}]}
    )

    assert (first.oi, second.oi, second.ltp) == (0, 650, 5.25)


def test_a_quote_without_a_date_or_a_name_has_no_time_or_is_left_out():
    (found, _) = envelope.quotes(
        {
            "fetched": [
                FULL | {"exchFeedTime": ""},
                FULL | {"symbolToken": None},
                FULL | {"symbolToken": 9},
                7,
            ]
        }
    )

    assert [(q.token, q.exchange_us is None) for q in found] == [("40637", True), ("9", False)]


def test_what_was_not_fetched_says_why():
    _, (missed,) = envelope.quotes(
        {
            "unfetched": [
                {
                    "exchange": "NFO",
                    "symbolToken": "",
                    "message": "Token empty",
                    "errorCode": "AB4018",
                }
            ]
        }
    )

    assert (missed.exchange, missed.code, missed.message) == ("NFO", "AB4018", "Token empty")


def test_open_interest_of_the_past_is_ascending_and_once_a_time():
    rows = [
        {"time": "2024-08-19T12:27:00+05:30", "oi": 166200},
        {"time": "2024-08-19T12:24:00+05:30", "oi": 166100},
        {"time": "2024-08-19T12:24:00+05:30", "oi": "166150"},
        {"time": "yesterday", "oi": 5},
        {"time": "2024-08-19T12:30:00+05:30", "oi": -5},
    ]

    assert envelope.oi_points(rows) == [
        OiPoint(at_us=1_724_050_440_000_000, oi=166150),
        OiPoint(at_us=1_724_050_620_000_000, oi=166200),
    ]


def test_greeks_are_read_from_strings():
    row = {
        "name": "NIFTY",
        "expiry": "25JAN2024",
        "strikePrice": "3900.000000",
        "optionType": "CE",
        "delta": "0.492400",
        "gamma": "0.002800",
        "theta": "-4.091800",
        "vega": "2.296700",
        "impliedVolatility": "16.330000",
        "tradeVolume": "24048.00",
    }

    found = envelope.greeks(
        [
            row,
            row | {"optionType": "XX"},
            row | {"strikePrice": "0"},
            row | {"impliedVolatility": "0.00"},
        ]
    )

    assert [(g.strike, g.kind, g.iv) for g in found] == [
        (3900.0, OptionKind.CE, pytest.approx(0.1633)),
        (3900.0, OptionKind.CE, None),
    ]
    assert (found[0].delta, found[0].theta, found[0].volume) == (0.4924, -4.0918, 24048)


def test_put_call_ratios_are_by_the_future_s_symbol():
    rows = [{"pcr": 1.04, "tradingSymbol": "NIFTY25JAN24FUT"}, {"pcr": None, "tradingSymbol": "X"}]

    assert envelope.put_call_ratios(rows) == {"NIFTY25JAN24FUT": 1.04}


def test_tokens_are_taken_without_bearer_and_only_all_three():
    data = {"jwtToken": "Bearer eyJ.a.b", "refreshToken": "r", "feedToken": "f"}

    assert envelope.tokens(data).jwt == "eyJ.a.b"
    assert envelope.tokens({"jwtToken": "j", "feedToken": "f"}, "kept").refresh == "kept"
    assert envelope.tokens(data | {"feedToken": ""}) is None
    assert envelope.tokens(None) is None


@settings(max_examples=25)
@given(JSON)
def test_nothing_that_json_can_hold_raises(data):
    answer = envelope.read(data)
    found, missed = envelope.quotes({"fetched": [data], "unfetched": [data]})

    assert answer.ok in (True, False)
    assert len(found) + len(missed) <= 2
    for part in (data, [data]):
        envelope.quotes(part)
        envelope.oi_points(part)
        envelope.greeks(part)
        envelope.put_call_ratios(part)
        envelope.tokens(part)
