"""Open interest at the previous session's close: ingest's own note of it, then the broker's history. Source: rulings, 12."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from ingest.feed import TICKS_CACHE, Interest
from ingest.smartapi.day import Key
from ingest.smartapi.note import Notes, last_of_session
from ingest.smartapi.partition import Partition, key_of
from ingest.smartapi.rest import Rest
from oimon import calendar

NOTE_S = 60.0
"""From one note to the next."""
LOOK_S = 5.0
TRIES = 3
"""Of one contract; then it stays unknown."""
PORTION = 25
"""Contracts whose open interest of yesterday is told together: each renewal is a whole session entry."""

log = logging.getLogger(__name__)


class Before:
    """What is known of the session before, and what the next one will know of this."""

    def __init__(
        self,
        rest: Rest,
        notes: Notes,
        partitions: Sequence[Partition],
        day: date,
        renew: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            rest: the requests.
            notes: ingest's own.
            partitions: whose contracts these are; they are told.
            day: of the session.
            renew: has the session said again.
        """
        self._rest, self._notes, self._partitions = rest, notes, partitions
        self._day, self._renew = day, renew
        self._tries: Counter[Key] = Counter()
        self._closed: dict[Key, int] = {}  # at the close before, as noted
        self._noted: dict[Key, Interest] = {}  # today
        self._sources = {"note": 0, "broker": 0}

    async def read(self) -> None:
        """Read the notes: the one of the previous session, and today's, of contracts that may not come again."""
        self._noted = await asyncio.to_thread(self._notes.read, self._day)
        segments = dict.fromkeys(each.part.segment for each in self._partitions)
        for segment in segments:
            before = calendar.previous_trading_day(segment, self._day)
            if before is not None:
                noted = await asyncio.to_thread(self._notes.read, before)
                self._closed |= last_of_session(noted, [segment], before)
        self.know()

    def know(self) -> None:
        """Take what the note says of contracts that are new."""
        for partition, key in self._unknown():
            if key in self._closed:
                partition.oi_prev[key] = self._closed[key]
                self._sources["note"] += 1

    async def once(self) -> float:
        """Ask the broker for what the note does not have, and have the session said again after each portion.

        Returns:
            When to look for new contracts, in seconds.

        Raises:
            BrokerError: the broker does not answer; what it has answered is told.
        """
        self.know()
        new = 0
        try:
            for partition, key in self._missing():
                answers = [each async for _, each in self._rest.all_oi_prev([key], self._day)]
                # Answered, if only that there is none; where there is no session nobody was asked.
                self._tries[key] = TRIES if answers else self._tries[key] + 1
                for point in answers:
                    if point is not None:
                        partition.oi_prev[key] = point.oi
                        self._sources["broker"] += 1
                        new += 1
                if new >= PORTION:
                    new = 0
                    self._renew()
        finally:
            if new:
                self._renew()
        return LOOK_S

    async def note(self) -> float:
        """Note the newest open interest; return when to do so again, in seconds."""
        await asyncio.to_thread(self._write, self._today())
        return NOTE_S

    def note_now(self) -> None:
        """Note the newest open interest at once: the day ends."""
        with contextlib.suppress(OSError):
            self._write(self._today())

    def facts(self) -> dict[str, int]:
        """Return how many contracts know their open interest of the session before, by where it is from."""
        return {**self._sources, "unknown": sum(1 for _ in self._unknown())}

    def _unknown(self) -> Iterator[tuple[Partition, Key]]:
        for partition in self._partitions:
            for each in partition.contracts:
                if key_of(each) not in partition.oi_prev:
                    yield partition, key_of(each)

    def _missing(self) -> list[tuple[Partition, Key]]:
        """Return what is to be asked for, in the order of the partitions; what was not answered comes again, after all others."""
        found = [each for each in self._unknown() if self._tries[each[1]] < TRIES]
        return sorted(found, key=lambda each: self._tries[each[1]])

    def _today(self) -> dict[Key, Interest]:
        for partition in self._partitions:
            for each in partition.contracts:
                interest = TICKS_CACHE.interest(each.symbol)
                if interest is not None:
                    self._noted[key_of(each)] = interest
        return dict(self._noted)

    def _write(self, found: dict[Key, Interest]) -> None:
        if found:
            self._notes.write(self._day, found)
