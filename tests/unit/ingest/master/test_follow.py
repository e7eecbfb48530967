from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.master.follow import MOST, Held, follow
from ingest.master.plan import Chain, Wanted, plan
from oimon.terms import Segment
from tests.masters import DAY, chain, index, numbered
from tests.unit.ingest.master.masters import at, read_master

SPOT = "Nifty 50"


def make_plan(each_side=2, *, strikes=range(24_000, 28_050, 50), expiries=1):
    rows = [index("NIFTY", "99926000", SPOT)]
    for week in range(expiries):
        rows += chain("NIFTY", DAY + timedelta(5 + 7 * week), strikes)
    wanted = Wanted(segment=Segment.NFO, expiries=expiries, each_side=each_side)
    return plan(read_master(numbered(rows)), wanted, at(10))


PLAN = make_plan()


def strikes(asks):
    return sorted({ask.instrument.strike for ask in asks if ask.instrument.strike})


def moved_to(spot, held=None, *, wanted=PLAN, **limits):
    spots: Mapping[str, float] = {} if spot is None else {SPOT: spot}
    return follow(wanted, spots, held or Held(), **limits)


def test_without_a_price_only_the_index_is_subscribed():
    first = moved_to(None)

    assert [ask.instrument.symbol for ask in first.held.asks] == [SPOT]
    assert first.held.centres == {}


@pytest.mark.parametrize("spot", [0.0, -1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_moves_nothing(spot):
    held = moved_to(26_010).held

    assert moved_to(spot, held).steps == []
    assert moved_to(spot, held).held == held
    assert moved_to(spot).held.centres == {}


def test_the_strikes_around_the_money_are_added_by_list_position():
    held = moved_to(26_010).held

    assert strikes(held.asks) == [25_900, 25_950, 26_000, 26_050, 26_100]
    assert len(held.asks) == 11


def test_what_does_not_fit_is_not_made_a_width_at_a_time(monkeypatch):
    made, asks = [], Chain.asks
    monkeypatch.setattr(Chain, "asks", lambda *args: made.append(args) or asks(*args))
    wanted = make_plan(None, expiries=3)

    found = moved_to(26_010, wanted=wanted, most=100)

    assert len(found.wanted) <= 100
    assert ": 7 are subscribed on each side" in found.notes[0]
    assert len(made) == 3, (
        "once a chain: it is looked every second, on the loop that keeps the lease"
    )


def test_the_window_moves_only_when_the_spot_is_more_than_one_step_off():
    held = moved_to(26_010).held

    for spot in (26_049, 26_050, 25_951, 25_950):
        assert moved_to(spot, held).steps == []
    up, down = moved_to(26_051, held), moved_to(25_949, held)

    assert list(up.held.centres.values()) == [26_050]
    assert list(down.held.centres.values()) == [25_950]


def test_a_spot_on_the_boundary_does_not_make_the_window_flap():
    held, moves = moved_to(26_010).held, 0
    for spot in [26_050.5, 26_049.5] * 20:
        moved = moved_to(spot, held)
        moves += list(moved.held.centres.values()) != list(held.centres.values())
        held = moved.held

    assert moves == 1


def test_contracts_that_leave_the_window_stay_while_there_is_room():
    held = moved_to(26_010).held

    moved = moved_to(26_110, held)

    (step,) = moved.steps
    assert (strikes(step.add), step.remove) == ([26_150, 26_200], ())
    assert held.asks < moved.held.asks


def test_what_is_wanted_begins_with_what_matters_most():
    held = moved_to(26_010).held

    wanted = moved_to(26_110, held).wanted

    assert wanted[0].key == (1, 1, "99926000")
    assert [ask.instrument.strike for ask in wanted[1:]] == [
        26_100, 26_100, 26_050, 26_050, 26_150, 26_150, 26_000, 26_000, 26_200, 26_200,  # the window
        25_950, 25_950, 25_900, 25_900,  # what stayed
    ]  # fmt: skip


def test_when_there_is_no_room_the_farthest_leave_after_what_fits_was_added():
    held = moved_to(26_010, most=13).held

    moved = moved_to(26_200, held, most=13)

    first, second, third = moved.steps
    assert (len(first.add), first.remove) == (2, ())
    assert strikes(second.remove) == [25_900, 25_950, 26_000]  # of 25,900 both, of others one each
    assert (strikes(moved.held.asks)[-5:], len(moved.held.asks)) == (
        [26_100, 26_150, 26_200, 26_250, 26_300],
        13,
    )
    assert third.add
    assert not third.remove


def test_a_window_that_does_not_fit_gets_narrower_on_both_sides_and_says_so():
    first = moved_to(26_010, wanted=make_plan(20), most=31)

    assert strikes(first.held.asks) == [26_000 + 50 * n for n in range(-7, 8)]
    assert first.notes == [
        "STRIKES_EACH_SIDE=20 does not fit into 3000, the broker's limit: 7 are subscribed on each side"
    ]


def test_all_strikes_of_many_expiries_are_kept_within_the_limit():
    wide = make_plan(None, strikes=range(20_000, 32_050, 50), expiries=8)

    first = moved_to(26_010, wanted=wide)

    assert 2900 < len(first.held.asks) <= MOST
    assert "STRIKES_EACH_SIDE=all does not fit" in first.notes[0]


def test_all_strikes_are_held_where_they_fit():
    first = moved_to(26_010, wanted=make_plan(None))

    assert (len(strikes(first.held.asks)), first.notes) == (81, [])


@pytest.mark.parametrize("spot", [100.0, 24_000.0, 28_000.0, 99_999.0])
def test_at_an_edge_of_the_list_there_are_fewer_and_it_stands_still(spot):
    held = moved_to(spot).held

    assert len(strikes(held.asks)) == 3
    assert moved_to(spot, held).steps == []
    assert moved_to(spot + 1, held).steps == []


def test_too_many_instruments_are_cut_and_told():
    first = moved_to(None, most=0)

    assert first.held.asks == frozenset()
    assert first.notes == ["1 instruments do not fit into 0, the broker's limit"]


def test_what_the_plan_no_longer_names_leaves_first():
    old = moved_to(26_010, wanted=make_plan(1, expiries=2)).held
    new = plan(
        read_master(numbered([index("NIFTY", "99926000", SPOT), *chain("NIFTY", DAY + timedelta(12), range(24_000, 28_050, 50))], 50_000)),
        Wanted(segment=Segment.NFO, each_side=1), at(10),
    )  # fmt: skip

    moved = moved_to(26_010, old, wanted=new, most=len(old.asks))

    gone = {ask.instrument.expiry for step in moved.steps for ask in step.remove}
    assert gone <= {"2026-12-01", "2026-12-08"}
    assert "2026-12-01" in gone


@given(
    spots=st.lists(st.floats(23_000, 29_000), max_size=12),
    most=st.integers(12, 60),
    each_side=st.integers(0, 8),
)
def test_after_every_step_no_more_is_held_than_allowed(spots, most, each_side):
    wanted, held = make_plan_of(each_side), Held()
    for spot in spots:
        moved = moved_to(spot, held, wanted=wanted, most=most)
        now = set(held.asks)
        for step in moved.steps:
            assert not set(step.add) & now
            assert set(step.remove) <= now
            now = now - set(step.remove) | set(step.add)
            assert len(now) <= most
        assert now == moved.held.asks == set(moved.wanted)
        assert len(moved.wanted) == len(now)
        held = moved.held
        centre = next(iter(held.centres.values()))
        assert centre in strikes(held.asks)
        assert spot <= 23_950 or spot >= 28_050 or abs(spot - centre) <= 50


PLANS = {each_side: make_plan(each_side) for each_side in range(9)}


def make_plan_of(each_side):
    return PLANS[each_side]
