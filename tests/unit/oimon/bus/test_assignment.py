from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.bus.assignment import share_out

SIX = ("BANKEX", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTY", "SENSEX")
names = st.lists(st.text("abcdefgh", min_size=1, max_size=3), unique=True, max_size=6)
partitions = st.lists(st.text("XYZ", min_size=1, max_size=4), unique=True, max_size=30)


def test_six_partitions_are_shared_two_two_two():
    owners = share_out(["one", "two", "three"], SIX, {})

    assert set(owners) == set(SIX)
    assert sorted(Counter(owners.values()).values()) == [2, 2, 2]


def test_who_comes_is_given_just_its_share_and_nothing_else_moves():
    before = share_out(["one", "two"], SIX, {})

    after = share_out(["one", "two", "three"], SIX, before)

    moved = [name for name in SIX if before[name] != after[name]]
    assert len(moved) == 2
    assert {after[name] for name in moved} == {"three"}


def test_what_a_leaver_had_goes_to_the_others_and_nothing_else_moves():
    before = share_out(["one", "two", "three"], SIX, {})

    after = share_out(["one", "two"], SIX, before)

    assert all(after[name] == before[name] for name in SIX if before[name] != "three")
    assert sorted(Counter(after.values()).values()) == [3, 3]


def test_without_members_nobody_owns_anything():
    assert share_out([], SIX, {}) == {}


@given(names.filter(bool), partitions, st.data())
def test_everything_is_owned_and_nobody_has_more_than_a_share(members, wanted, data):
    holders = {name: data.draw(st.sampled_from([*members, "gone"])) for name in wanted}

    owners = share_out(members, wanted, holders)

    assert owners.keys() == set(wanted)
    assert all(
        count <= -(-len(wanted) // len(members)) for count in Counter(owners.values()).values()
    )
    assert share_out(members[::-1], wanted[::-1], holders) == owners
    assert share_out(members, wanted, owners) == owners


@pytest.mark.parametrize("members", [2, 3, 5])
def test_rendezvous_gives_a_partition_to_the_same_member_whoever_else_is_there(members):
    many = [f"U{n}" for n in range(200)]
    before = share_out([f"m{n}" for n in range(members)], many, {})

    after = share_out([f"m{n}" for n in range(members + 1)], many, {})

    moved = sum(before[name] != after[name] for name in many)
    assert moved < 200 * 2 / (members + 1)
