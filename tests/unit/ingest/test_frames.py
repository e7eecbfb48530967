from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.frames import FEW, Drop, decode
from ingest.packets import LTP, QUOTE, SNAP_QUOTE, book, fields, packet
from ingest.tokens import TokenTable
from oimon.messages import TickFlag
from oimon.terms import Kind
from tests.builders import NINE_FIFTEEN_MS, make_frame, make_tokens
from tests.sdk_parser import sdk_parser
from tests.unit.ingest.test_packets import ANGEL, worked

SNAP_FLAGS = TickFlag.PRICE | TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI
TOKENS = [str(40_000 + n) for n in range(40)]
MANY = 2 * FEW + 3


def one(frame, tokens=None):
    ticks, drops = decode([frame], [5], tokens or make_tokens(["40637"]))
    assert not drops
    assert len(ticks) == 1
    return ticks[0]


def test_the_worked_snap_quote_packet_is_one_tick():
    tick = one(worked(3))

    assert tick.item() == (
        0,
        SNAP_FLAGS,
        1795578302000000,
        0,
        1795578301,
        4512346,
        12385,
        12380,
        12390,
        130,
        65,
        9876555,
        7284615,
    )


def test_the_worked_quote_packet_has_no_book_and_no_open_interest():
    tick = one(worked(2))

    assert tick["flags"] == TickFlag.PRICE | TickFlag.VOLUME
    assert (tick["ltp"], tick["volume"], tick["bid"], tick["oi"]) == (12385, 9876555, 0, 0)


def test_the_worked_ltp_packet_has_only_a_price():
    tick = one(worked(1), make_tokens(["99926000"], exchange="NSE", kind=Kind.INDEX))

    assert tick["flags"] == TickFlag.PRICE
    assert (tick["ltp"], tick["exchange_us"]) == (2419635, 1795578301000000)


def test_the_withdrawn_depth_packet_is_dropped():
    _, drops = decode([worked(4)], [5], make_tokens(["1594"], exchange="NSE"))

    assert drops == {Drop.LENGTH: 1}


def test_the_captured_packet_of_a_share_has_asks_only_and_no_open_interest():
    frame = (ANGEL / "snapquote_nse_cm_17758.bin").read_bytes()

    tick = one(frame, make_tokens(["17758"], exchange="NSE", kind=Kind.EQ))

    assert tick["flags"] == SNAP_FLAGS ^ TickFlag.OI
    assert (tick["ltp"], tick["bid"], tick["ask"] > 0) == (49950, 0, True)


def test_ages_count_from_the_first_frame():
    ticks, _ = decode([make_frame()] * 3, [70, 75, 90], make_tokens(["40637"]))

    assert ticks["received_after_us"].tolist() == [0, 5, 20]


def test_many_frames_at_once_give_the_ticks_of_one_at_a_time_in_order():
    tokens = make_tokens(TOKENS)
    frames = [
        make_frame(TOKENS[n % 40], sequence=n, ltp=10_000 + n, oi=65 * n) for n in range(1000)
    ]
    times = np.arange(1000, dtype=np.int64) + 7

    ticks, drops = decode(frames, times, tokens)

    alone = [decode([frame], [7], tokens)[0] for frame in frames]
    expected = np.concatenate(alone)
    expected["received_after_us"] = times - 7
    assert not drops
    assert ticks.tobytes() == expected.tobytes()
    assert ticks["row"].tolist() == [n % 40 for n in range(1000)]


def test_two_exchanges_may_use_one_token():
    tokens = TokenTable.of(["NSE", "NFO"], ["1594", "1594"], [Kind.EQ, Kind.CE])
    frames = [make_frame("1594", exchange="NSE"), make_frame("1594")] * FEW

    ticks, drops = decode(frames, [0] * len(frames), tokens)

    assert not drops
    assert ticks["row"].tolist() == [0, 1] * FEW


def test_tokens_that_begin_alike_are_told_apart():
    long = ["123456789012345", "123456789012346", "12345678"]
    frames = [make_frame(token) for token in long * FEW]

    ticks, drops = decode(frames, [0] * len(frames), make_tokens(long))

    assert not drops
    assert ticks["row"].tolist() == [0, 1, 2] * FEW


@pytest.mark.parametrize(
    ("exchanges", "tokens"),
    [(["NFO", "NFO"], ["1", "1"]), (["XYZ"], ["1"]), (["NFO"], [""]), (["NFO"], ["1" * 22])],
)
def test_a_table_of_impossible_tokens_is_refused(exchanges, tokens):
    with pytest.raises(ValueError, match=r"token|exchange"):
        TokenTable.of(exchanges, tokens, [Kind.CE] * len(tokens))


# --- the book ------------------------------------------------------------------------------------------------------


def quote(levels):
    tick = one(make_frame(levels=levels))
    return (
        bool(tick["flags"] & TickFlag.QUOTE),
        *(int(tick[name]) for name in ("bid", "ask", "bid_qty", "ask_qty")),
    )


def test_the_flag_says_which_side_is_which():
    swapped = np.roll(book([(130, 12_380, 2)], [(65, 12_390, 1)]), 5)

    assert swapped["flag"].tolist() == [0] * 5 + [1] * 5
    assert quote(swapped) == (True, 12_380, 12_390, 130, 65)


def test_a_side_without_orders_is_empty():
    assert quote(book([(130, 12_380, 2)], [])) == (True, 12_380, 0, 130, 0)
    assert quote(book([], [(65, 12_390, 1)])) == (True, 0, 12_390, 0, 65)
    assert quote(book()) == (True, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "levels",
    [
        book([(130, 12_390, 2)], [(65, 12_390, 1)]),
        book([(130, 12_395, 2)], [(65, 12_390, 1)]),
        book([(-1, -1, 0)], []),
        book([(2**32, 12_380, 2)], [(65, 12_390, 1)]),
        book([(130, 12_380, 2)], [(65, 2**31, 1)]),
    ],
    ids=["locked", "crossed", "an index' sentinel", "quantity too large", "price too large"],
)
def test_a_book_that_makes_no_sense_is_no_quote(levels):
    assert quote(levels) == (False, 0, 0, 0, 0)


def test_a_book_with_one_flag_on_both_sides_is_no_quote():
    levels = book([(130, 12_380, 2)], [(65, 12_390, 1)])
    levels["flag"] = 1

    assert quote(levels) == (False, 0, 0, 0, 0)


def test_an_index_is_believed_its_price_only():
    tokens = make_tokens(["99926000"], exchange="NSE", kind=Kind.INDEX)
    frame = make_frame("99926000", exchange="NSE", levels=book([(-1, -1, 0)], []))

    assert one(frame, tokens)["flags"] == TickFlag.PRICE


def test_an_instrument_that_never_traded_has_no_price():
    tick = one(make_frame(ltp=0))

    assert tick["flags"] == SNAP_FLAGS ^ TickFlag.PRICE


# --- bad input -----------------------------------------------------------------------------------------------------

BAD = {
    "cut short": (make_frame()[:200], Drop.LENGTH),
    "too long": (make_frame() + b"\0", Drop.LENGTH),
    "empty": (b"", Drop.LENGTH),
    "text": (b"pong", Drop.LENGTH),
    "mode of another length": (b"\2" + make_frame()[1:], Drop.MODE),
    "ltp packet of another mode": (b"\3" + worked(1)[1:], Drop.MODE),
    "unknown token": (make_frame("40638"), Drop.UNKNOWN),
    "known token of another exchange": (make_frame(exchange="NSE"), Drop.UNKNOWN),
    "negative price": (make_frame(ltp=-12_385), Drop.VALUE),
    "price beyond 32 bits": (make_frame(ltp=2**31), Drop.VALUE),
    "negative volume": (make_frame(volume=-1), Drop.VALUE),
    "negative volume of a quote": (make_frame(mode=QUOTE, volume=-1), Drop.VALUE),
    "negative open interest": (make_frame(oi=-65), Drop.VALUE),
    "time before 1970": (make_frame(exchange_ms=-1), Drop.VALUE),
    "time beyond 64 bits of microseconds": (make_frame(exchange_ms=2**62), Drop.VALUE),
    "trade beyond 2106": (make_frame(traded_s=2**32), Drop.VALUE),
    "random": (np.random.default_rng(1).bytes(379), Drop.MODE),
}


@pytest.mark.parametrize(("frame", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_frame_is_dropped_and_counted(frame, why):
    ticks, drops = decode([frame], [5], make_tokens(["40637"]))

    assert len(ticks) == 0
    assert drops == {why: 1}


@pytest.mark.parametrize(("frame", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_frame_among_many_spoils_no_other(frame, why):
    good = [make_frame(sequence=n) for n in range(MANY)]
    frames = [*good[:FEW], frame, *good[FEW:], frame]

    ticks, drops = decode(frames, list(range(len(frames))), make_tokens(["40637"]))

    assert ticks["seq"].tolist() == list(range(MANY))
    assert drops == {why: 2}


UNUSUAL = {
    "half-empty book": make_frame(levels=book([(130, 12_380, 2)])),
    "asks first": make_frame(levels=np.roll(book([(130, 12_380, 2)], [(65, 12_390, 1)]), 5)),
    "negative bid": make_frame(levels=book([(130, -1, 2)], [(65, 12_390, 1)])),
    "negative bid and ask": make_frame(levels=book([(130, -5, 2)], [(65, -1, 1)])),
    "quantity too large": make_frame(levels=book([(2**32, 12_380, 2)], [(65, 12_390, 1)])),
    "no price": make_frame(ltp=0),
    "sequence beyond 32 bits": make_frame(sequence=2**40 + 7),
    "huge volume": make_frame(volume=2**62, oi=2**50),
    "distant time": make_frame(exchange_ms=2**50),
    "flag with a second byte": b"".join([make_frame()[:148], b"\7", make_frame()[149:]]),
    "last bytes of the token": b"".join([make_frame()[:25], b"77", make_frame()[27:]]),
    "quote": worked(2),
}


@pytest.mark.parametrize("frame", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_an_unusual_frame_among_many_is_the_tick_that_it_is_alone(frame):
    tokens = make_tokens(["40637"])
    usual = make_frame()

    ticks, drops = decode([usual] * FEW + [frame, usual], [0] * (FEW + 2), tokens)

    assert not drops
    assert ticks[FEW].item() == one(frame, tokens).item()
    assert set(ticks[:FEW].tolist()) == {ticks[-1].item()} == {one(usual, tokens).item()}


@pytest.mark.parametrize("first", [0, 3])
def test_zeros_that_hold_a_price_and_a_book_are_of_no_instrument(first):
    levels = book([(130, 12_380, 2)], [(65, 12_390, 1)])
    frame = bytes([first, *bytes(26), *make_frame(levels=levels)[27:]])

    ticks, drops = decode([frame] * MANY, [0] * MANY, make_tokens(["40637"]))

    assert len(ticks) == 0
    assert drops == {Drop.UNKNOWN if first else Drop.MODE: MANY}


def test_lengths_that_are_right_in_sum_only_are_noticed():
    frames = [make_frame(sequence=n) for n in range(MANY)]
    frames[5], frames[6] = frames[5][:-1], frames[6] + b"\0"

    ticks, drops = decode(frames, [0] * MANY, make_tokens(["40637"]))

    assert drops == {Drop.LENGTH: 2}
    assert ticks["seq"].tolist() == [n for n in range(MANY) if n not in (5, 6)]


def test_no_frames_are_no_ticks():
    ticks, drops = decode([], [], make_tokens(["40637"]))

    assert len(ticks) == 0
    assert not drops


@given(
    st.lists(st.binary(max_size=400) | st.sampled_from([f for f, _ in BAD.values()]), max_size=60)
)
def test_no_bytes_are_an_exception(frames):
    ticks, drops = decode(frames, [0] * len(frames), make_tokens(["40637"]))

    assert len(ticks) + sum(drops.values()) == len(frames)


# --- any way of cutting gives the same -----------------------------------------------------------------------------

prices = st.integers(1, 2**31 - 1)
quantities = st.integers(0, 2**32 - 1)
levels = st.lists(st.tuples(quantities, prices, st.integers(0, 999)), max_size=5)
common = {
    "sequence": st.integers(0, 2**63 - 1),
    "exchange_ms": st.integers(0, 2**53),
    "ltp": st.integers(-5, 2**31 + 5),
}
snaps = st.fixed_dictionaries(
    common
    | {
        "volume": st.integers(-1, 2**63 - 1),
        "oi": st.integers(-1, 2**63 - 1),
        "traded_s": st.integers(0, 2**32),
        "levels": st.builds(book, levels, levels),
    }
)


@st.composite
def frames(draw):
    mode = draw(st.sampled_from([LTP, QUOTE, SNAP_QUOTE, SNAP_QUOTE, SNAP_QUOTE]))
    given_fields = draw(snaps if mode == SNAP_QUOTE else st.fixed_dictionaries(common))
    return packet(mode, "NFO", draw(st.sampled_from([*TOKENS[:3], "7"])), **given_fields)


@settings(deadline=None)
@given(st.lists(frames(), min_size=1, max_size=60), st.data())
def test_any_way_of_cutting_gives_the_same_ticks_and_drops(many, data):
    tokens = make_tokens(TOKENS)
    cut = data.draw(st.integers(0, len(many)))

    ticks, drops = decode(many, [9] * len(many), tokens)

    parts = [decode(part, [9] * len(part), tokens) for part in (many[:cut], many[cut:])]
    assert ticks.tobytes() == b"".join(part.tobytes() for part, _ in parts)
    assert Counter(drops) == Counter(parts[0][1]) + Counter(parts[1][1])


# --- the broker's own parser ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    prices,
    st.integers(1, 2**31 - 2),
    st.fixed_dictionaries(
        {
            "sequence": st.integers(0, 2**32 - 1),
            "exchange_ms": st.integers(0, 2**53),
            "volume": st.integers(0, 2**63 - 1),
            "oi": st.integers(0, 2**63 - 1),
            "traded_s": st.integers(0, 2**32 - 1),
        }
    ),
    st.tuples(quantities, quantities),
    st.booleans(),
)
def test_a_tick_says_what_the_sdk_reads(ltp, bid, numbers, qty, swapped):
    sides = book([(qty[0], bid, 2), (1, 1, 1)], [(qty[1], bid + 1, 4)])
    frame = make_frame(ltp=ltp, levels=np.roll(sides, 5) if swapped else sides, **numbers)

    tick = one(frame)
    theirs = sdk_parser()(frame)

    assert theirs["token"] == "40637"
    assert {
        "last_traded_price": tick["ltp"],
        "exchange_timestamp": tick["exchange_us"] // 1000,
        "sequence_number": tick["seq"],
        "volume_trade_for_the_day": tick["volume"],
        "open_interest": tick["oi"],
        "last_traded_timestamp": tick["traded_s"],
    }.items() <= theirs.items()
    buy, sell = theirs["best_5_buy_data"][0], theirs["best_5_sell_data"][0]
    assert (tick["bid"], tick["bid_qty"]) == (buy["price"], buy["quantity"])
    assert (tick["ask"], tick["ask_qty"]) == (sell["price"], sell["quantity"])


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_the_sdk_reads_the_worked_packets_to_the_same_fields(mode):
    ours, theirs = fields(worked(mode)), sdk_parser()(worked(mode))

    names = {
        "sequence_number": "sequence",
        "exchange_timestamp": "exchange_ms",
        "last_traded_price": "ltp",
    }
    assert {names[k]: theirs[k] for k in names}.items() <= ours.items()
    if mode == SNAP_QUOTE:  # the known difference: the SDK reads the change as an integer
        assert (
            np.int64(theirs["open_interest_change_percentage"]).view(np.float64)
            == ours["oi_change_pct"]
        )
    assert ours["exchange_ms"] >= NINE_FIFTEEN_MS
