from dataclasses import replace

import pytest

from ingest.frames import decode
from ingest.packets import fields
from ingest.smartapi.beside import as_packet
from ingest.smartapi.envelope import Quote
from ingest.tokens import TokenTable
from oimon.messages import TickFlag
from oimon.terms import Kind

QUOTE = Quote(
    exchange="NFO", token="40637", symbol="NIFTY01DEC2624200CE", exchange_us=1_795_578_302_000_000, traded_us=1_795_578_301_000_000,
    ltp=123.85, open=118.0, high=135.0, low=109.55, prev_close=117.6, average=121.4, bid=123.8, ask=123.9, bid_qty=130, ask_qty=65,
    volume=9_876_555, oi=7_284_615, upper_circuit=512.6, lower_circuit=0.05,
)  # fmt: skip


def test_a_quote_is_the_packet_that_the_stream_would_have_sent():
    told = fields(as_packet(QUOTE))

    assert (told["token"], told["exchange_ms"], told["ltp"]) == ("40637", 1_795_578_302_000, 12_385)
    assert (told["volume"], told["oi"], told["traded_s"]) == (9_876_555, 7_284_615, 1_795_578_301)
    best = [
        (level["flag"], level["qty"], level["price"]) for level in told["levels"] if level["qty"]
    ]
    assert best == [(1, 130, 12_380), (0, 65, 12_390)]
    assert (told["low"], told["prev_close"], told["average"]) == (10_955, 11_760, 12_140)


def test_what_is_unknown_is_left_out_and_without_price_or_time_there_is_no_packet():
    told = fields(as_packet(replace(QUOTE, bid=None, traded_us=None)))

    assert [level["price"] for level in told["levels"] if level["qty"]] == [12_390]
    assert told["traded_s"] == 0
    assert as_packet(replace(QUOTE, ltp=None)) is None
    assert as_packet(replace(QUOTE, exchange_us=None)) is None


@pytest.mark.parametrize(
    ("unknown", "flags"),
    [
        ({}, TickFlag.PRICE | TickFlag.VOLUME | TickFlag.OI | TickFlag.QUOTE),
        ({"oi": None}, TickFlag.PRICE | TickFlag.VOLUME),
        ({"volume": None}, TickFlag.PRICE),
    ],
)
def test_an_unknown_quantity_is_no_tick_of_0(unknown, flags):
    tokens = TokenTable.of(["NFO"], ["40637"], [Kind.CE])

    ((tick,), _) = decode([as_packet(replace(QUOTE, **unknown))], [0], tokens)

    assert (tick["flags"], tick["ltp"]) == (flags, 12_385)
