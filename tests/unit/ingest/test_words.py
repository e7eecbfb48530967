from ingest.packets import SNAP_QUOTE, book, packet
from ingest.words import join, keys, split, usual
from oimon.messages import TICK
from tests.builders import make_frame

NAME = make_frame()[:24]


def test_each_number_stands_where_a_tick_has_it():
    numbers = {"sequence": 1, "exchange_ms": 2, "ltp": 3, "volume": 4, "traded_s": 5, "oi": 6}
    levels = book([(7, 8, 99), (99, 99, 99)], [(9, 10, 99)])

    records, _, _ = split(join([packet(SNAP_QUOTE, "NFO", "40637", levels=levels, **numbers)] * 2))

    tick = dict(zip(TICK.names, records.view(TICK)[1, 0].item(), strict=True))
    del tick["row"], tick["flags"], tick["received_after_us"]
    assert tick == {
        "seq": 1, "exchange_us": 2, "ltp": 3, "volume": 4, "traded_s": 5, "oi": 6,
        "bid_qty": 7, "bid": 8, "ask_qty": 9, "ask": 10,
    }  # fmt: skip


def test_a_usual_packet_has_the_words_of_its_instrument():
    _, words, _ = split(join([make_frame(ltp=2**32 - 1, oi=2**48 - 1, exchange_ms=2**48 - 1)]))

    assert words.tobytes() == usual(NAME)


def test_a_number_that_is_too_large_has_other_words():
    large = [
        {"ltp": 2**32},
        {"traded_s": 2**32},
        {"oi": 2**48},
        {"volume": -1},
        {"exchange_ms": 2**48},
        {"levels": book([(2**32, 1, 1)])},
        {"levels": book([(1, 2**32, 1)])},
        {"levels": book([], [(2**32, 1, 1)])},
        {"levels": book([], [(1, 2**32, 1)])},
    ]

    _, words, _ = split(join([make_frame(**fields) for fields in large]))

    assert usual(NAME) not in [row.tobytes() for row in words]


def test_keys_are_the_first_characters_of_the_tokens():
    _, words, _ = split(join([make_frame("123456789"), make_frame("7")]))

    assert keys(words).tobytes() == b"12345678" + b"7".ljust(8, b"\0")


def test_a_sign_of_any_price_or_bid_is_noticed():
    last, bid = make_frame(ltp=2**31), make_frame(levels=book([(1, -1, 1)]))
    usual_frame = make_frame(ltp=2**31 - 1)

    assert [
        split(join(frames))[2]
        for frames in ([usual_frame, last], [bid, usual_frame], [usual_frame, make_frame(oi=-1)])
    ] == [True, True, False]
