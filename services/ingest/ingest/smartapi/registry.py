"""Which subscription is on which connection: at most a thousand on each of three (pure). Source: smartapi, 4.1 and 7.2."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ingest.smartapi.wire import Subscription

CONNECTIONS = 3
MOST = 1000
"""Subscriptions of one connection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What one connection has to ask for: first to add, then to remove, so that no instrument is ever without a stream."""

    connection: int
    add: Sequence[Subscription] = ()
    remove: Sequence[Subscription] = ()


class Registry:
    """What is wanted, shared out; what is on a connection stays there as long as it is wanted."""

    def __init__(self, connections: int = CONNECTIONS, most: int = MOST) -> None:
        self._most = most
        self._on: list[dict[Subscription, None]] = [{} for _ in range(connections)]
        self.left_out: Sequence[Subscription] = ()
        """What is wanted and has no room, in the order in which it was wanted."""

    @property
    def connections(self) -> int:
        """How many connections hold something."""
        return sum(map(bool, self._on))

    def on(self, connection: int) -> Sequence[Subscription]:
        """Return what a connection is to have, for instance after it was lost."""
        return list(self._on[connection])

    def want(self, wanted: Collection[Subscription]) -> list[Change]:
        """Want exactly these from now on; return what each connection has to ask for.

        A connection that is full adds what it can only after it has removed; the broker would refuse it before.

        Args:
            wanted: the most important first: what has no room at the end is left out.
        """
        asked = dict.fromkeys(wanted)
        gone = [[each for each in held if each not in asked] for held in self._on]
        for held, some in zip(self._on, gone, strict=True):
            for each in some:
                del held[each]
        known = {each for held in self._on for each in held}
        added: list[list[Subscription]] = [[] for _ in self._on]
        left_out = []
        for each in asked:
            if each in known:
                continue
            place = self._place()
            if place is None:
                left_out.append(each)
                continue
            self._on[place][each] = None
            added[place].append(each)
        self.left_out = left_out
        return [
            Change(connection=place, add=add, remove=remove)
            for place, (add, remove) in enumerate(zip(added, gone, strict=True))
            if add or remove
        ]

    def _place(self) -> int | None:
        """Return the first connection that has room: as few connections as are needed."""
        for place, held in enumerate(self._on):
            if len(held) < self._most:
                return place
        return None


def in_order(
    change: Change, held_before: int, most: int = MOST
) -> list[tuple[bool, Sequence[Subscription]]]:
    """Return the steps of a change, each with whether it adds: adding comes first as far as there is room before anything is removed.

    Args:
        change: of :meth:`Registry.want`.
        held_before: subscriptions that the connection has at the broker before it.
        most: that it may have.
    """
    room = max(most - held_before, 0)
    steps = [(True, change.add[:room]), (False, change.remove), (True, change.add[room:])]
    return [(adds, some) for adds, some in steps if some]
