"""Prices and open interest of half an hour come back to the last bit, however they were packed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.changes import Changes
from analytics.packing import LTP_STEPS, MARK_STEPS, pack, row_of, unpack, unpack_marks, values_of
from analytics.prices import Prices

ODD = np.array([np.nan, -0.0, 0.1 + 0.2, 5e-324, 1e308])
paise = st.one_of(st.none(), st.integers(0, 2**31 - 1))
rows = st.lists(st.tuples(paise, st.integers(0, 60), paise), min_size=3, max_size=3)
floats = st.one_of(st.just(np.nan), st.floats(allow_nan=False))


def columns(found):
    """Return marks between bids and asks, and last prices, as a book has them."""
    bid, ask = (
        np.array([np.nan if b is None else (b + k * w) / 100.0 for b, w, _ in found])
        for k in range(2)
    )
    return (bid + ask) * 0.5, np.array([np.nan if p is None else p / 100.0 for _, _, p in found])


def packed(marks, ltps):
    return pack([row_of(m, MARK_STEPS) for m in marks], [row_of(p, LTP_STEPS) for p in ltps])


def read(piece, width):
    """Return the bytes of all columns of a piece."""
    found = unpack(piece, width)
    assert [row.tobytes() for row in unpack_marks(piece, width)] == [
        row.tobytes() for row in found[0]
    ]
    return [
        [values_of(row, steps).tobytes() for row in part]
        for part, steps in zip(found, (MARK_STEPS, LTP_STEPS), strict=True)
    ]


@settings(deadline=None)
@given(minute=st.lists(rows, min_size=1, max_size=8))
def test_a_minute_of_prices_comes_back_to_the_last_bit(minute):
    marks, ltps = zip(*map(columns, minute), strict=True)

    found = read(packed(marks, ltps), 3)

    assert found == [[row.tobytes() for row in part] for part in (marks, ltps)]
    assert all(row_of(mark, MARK_STEPS).dtype != np.float64 for mark in marks)


@settings(deadline=None)
@given(minute=st.lists(st.lists(floats, min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_is_no_price_comes_back_too(minute):
    marks = [np.array(row) for row in minute]

    assert read(packed(marks, marks[::-1]), 2) == [
        [row.tobytes() for row in part] for part in (marks, marks[::-1])
    ]


def test_quiet_and_moving_prices_take_little_room():
    dice, price = np.random.default_rng(1), np.arange(5, 2005, 5)
    minute = []
    for _ in range(60):
        price = np.maximum(price + 5 * dice.integers(-2, 3, len(price)), 5)
        minute.append(price / 100.0)

    assert len(packed(minute, minute)) < 60 * len(price) * 0.5  # of 16 bytes


def test_damaged_or_other_pieces_are_refused():
    piece = packed([ODD, ODD], [ODD, ODD])

    for place in range(len(piece)):
        with pytest.raises(ValueError, match=r"damaged|numbers"):
            unpack(piece[:place], len(ODD))
    with pytest.raises(ValueError, match="a sample has 4 numbers, found 5"):
        unpack(piece, 4)
    with pytest.raises(ValueError, match="damaged"):
        unpack(bytes(4) + piece[4:], len(ODD))


def filled(count):
    """Return prices of so many seconds, and the rows."""
    prices, found = Prices(len(ODD)), []
    for second in range(count):
        mark = ODD.copy() if second % 7 == 0 else np.arange(5.0) + second
        found.append(mark)
        prices.append(mark, mark[::-1].copy(), is_new_minute=second % 10 == 0)
    return prices, found


@pytest.mark.parametrize("dropped", [0, 3, 10, 25, 39])
def test_prices_are_those_that_were_added_whatever_was_dropped_or_kept(dropped):
    prices, found = filled(40)
    prices.drop(dropped)
    again = Prices.of(len(ODD), prices.pieces(), prices.skipped)

    for each in (prices, again, again.wider(6)):
        assert len(each) == 40 - dropped
        marks = [each.mark(place) for place in range(len(each))]
        assert [m[:5].tobytes() for m in marks] == [m.tobytes() for m in found[dropped:]]
        assert [p[:5].tobytes() for p in each.ltps()] == [
            m[::-1].tobytes() for m in found[dropped:]
        ]
    assert again.pieces() == prices.pieces()
    assert np.isnan(again.wider(6).mark(0)[5])
    for each in (prices, again):
        each.append(ODD, ODD, is_new_minute=False)
    assert again.pieces() == prices.pieces()


def test_no_more_rows_wait_to_be_packed_than_a_third_of_a_minute_s():
    prices = Prices(len(ODD))
    for second in range(45):
        prices.append(ODD, ODD, is_new_minute=second == 0)

    assert [len(unpack(piece, len(ODD))[0]) for piece in prices.pieces()] == [20, 20, 5]
    assert Prices.of(len(ODD), prices.pieces(), 0).pieces() == prices.pieces()


def test_more_rows_than_there_are_cannot_be_left_out():
    prices, _ = filled(3)

    with pytest.raises(ValueError, match="4 rows cannot be left out"):
        Prices.of(len(ODD), prices.pieces(), 4)


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(st.sampled_from([0.0, -0.0, 65.0, np.nan]), min_size=3, max_size=3), min_size=1, max_size=20),
    dropped=st.integers(0, 19),
    asked=st.lists(st.integers(0, 19), max_size=20),
)  # fmt: skip
def test_open_interest_is_what_it_was_in_whatever_order_it_is_asked_for(rows, dropped, asked):
    dropped = min(dropped, len(rows) - 1)
    changes, found = Changes(3), [np.array(row) for row in rows]
    for row in found:
        changes.append(row)
    places = [place for place in asked if place < len(rows) - dropped]
    before = [changes.at(place, "one").tobytes() for place in places]

    changes.drop(dropped)
    again = Changes.of(3, changes.oldest, changes.changes)

    assert before == [found[place].tobytes() for place in places]
    for each in (changes, again):
        assert [each.at(place, "one").tobytes() for place in places] == [
            found[dropped + place].tobytes() for place in places
        ]
        assert [row.tobytes() for row in each.rows()] == [row.tobytes() for row in found[dropped:]]
        assert each.newest.tobytes() == found[-1].tobytes()


def test_changes_that_fit_no_row_are_refused():
    with pytest.raises(ValueError, match="a row has 3 places"):
        Changes.of(3, np.zeros(2), [])
    for change in (b"1", bytes([3, 0, 0, 0]) + bytes(8)):
        with pytest.raises(ValueError, match="cannot change so"):
            Changes.of(3, np.zeros(3), [change])
    with pytest.raises(IndexError):
        Changes(3).at(0, "one")
