from hypothesis import given
from hypothesis import strategies as st

from ingest.smartapi.registry import Change, Registry, in_order
from ingest.smartapi.wire import Subscription


def options(*tokens):
    return [Subscription(3, 2, str(token)) for token in tokens]


def test_what_fits_on_one_connection_is_on_one():
    registry = Registry()

    (change,) = registry.want(options(1, 2, 3))

    assert change == Change(connection=0, add=options(1, 2, 3), remove=[])
    assert registry.connections == 1


def test_more_than_a_thousand_go_to_further_connections_and_the_last_are_left_out():
    registry = Registry()

    changes = registry.want(options(*range(3005)))

    assert [len(change.add) for change in changes] == [1000, 1000, 1000]
    assert registry.left_out == options(*range(3000, 3005))


def test_what_stays_wanted_stays_where_it_is():
    registry = Registry(connections=2, most=2)
    registry.want(options(1, 2, 3))

    changes = registry.want(options(3, 2, 4))

    assert changes == [Change(connection=0, add=options(4), remove=options(1))]
    assert set(registry.on(0)) == set(options(2, 4))
    assert registry.on(1) == options(3)


def test_adding_comes_before_removing_as_far_as_there_is_room():
    change = Change(connection=0, add=options(1, 2, 3), remove=options(8, 9))

    assert in_order(change, 8, most=10) == [
        (True, options(1, 2)),
        (False, options(8, 9)),
        (True, options(3)),
    ]
    assert in_order(change, 2, most=10) == [(True, options(1, 2, 3)), (False, options(8, 9))]


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=8))
def test_connections_hold_what_is_wanted_once_and_never_more_than_they_may(wishes):
    registry, held = Registry(connections=2, most=5), [set(), set()]

    for wish in wishes:
        for change in registry.want(options(*wish)):
            at_broker = held[change.connection]
            for adds, some in in_order(change, len(at_broker), most=5):
                at_broker = at_broker | set(some) if adds else at_broker - set(some)
                assert len(at_broker) <= 5
            held[change.connection] = at_broker
        assert held == [set(registry.on(0)), set(registry.on(1))]
        wanted = set(options(*wish))
        assert held[0] | held[1] | set(registry.left_out) == wanted
        assert len(held[0]) + len(held[1]) == min(len(wanted), 10)
