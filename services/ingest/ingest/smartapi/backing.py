"""What goes on beside the stream of a live day: requests in its place, comparisons, what was before.

Nothing of it ends the feed or holds a tick up. Source: smartapi, 9; rulings, 12; requirement B07.
"""

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from ingest.config import IngestSettings
from ingest.exchange_clock import FeedClock
from ingest.instruments import Instrument
from ingest.smartapi.before import Before
from ingest.smartapi.checking import Checking
from ingest.smartapi.filling import Filling
from ingest.smartapi.line import Line, Tokens
from ingest.smartapi.note import Notes
from ingest.smartapi.partition import Partition
from ingest.smartapi.quoting import Quoting
from ingest.smartapi.rest import Rest
from ingest.smartapi.upkeep import keep_on
from oimon.bus import Bus
from oimon.clock import Clock
from oimon.messages import Gap

CONNECTED_S = 5.0
"""A connection that is not there at first is none that was lost: all has just been quoted."""
ANALYSIS_S = 180.0
"""From one comparison of the newest analyses with the broker's Greeks and ratios to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What a live day uses."""

    bus: Bus
    clock: Clock  # of this machine
    settings: IngestSettings
    rest: Rest
    tokens: Tokens
    line: Line

    @property
    def by_exchange(self) -> bool:
        """Whether the exchange's clock counts, of a broker whose day is another than today."""
        return self.settings.feed_clock is FeedClock.EXCHANGE


class Day(Protocol):
    """The live day as its backing sees it."""

    @property
    def partitions(self) -> Sequence[Partition]:
        """Its underlyings."""
        ...

    def renew(self) -> None:
        """Have the sessions said again, with what is known of the instruments now."""
        ...

    def wanted(self) -> list[Instrument]:
        """Return all that is subscribed."""
        ...

    def put(self, packets: Sequence[bytes]) -> None:
        """Take packets that were made of requests."""
        ...

    def tell(self, underlying: str, message: Gap) -> None:
        """Have a partition told something before its next ticks."""
        ...

    def is_trading(self) -> bool:
        """Say whether there is something to ask for."""
        ...

    def is_down(self) -> bool:
        """Say whether a connection is missing."""
        ...


class Backing:
    """All of it for one day."""

    def __init__(self, tools: Tools, day: Day, on: date, run: str) -> None:
        """Prepare.

        Args:
            tools: what is used.
            day: what is backed.
            on: its date in India.
            run: its run.
        """
        self._tools, self._day, self._run = tools, day, run
        notes = Notes(tools.settings.data_dir, tools.settings.smartapi_url)
        self.before = Before(tools.rest, notes, day.partitions, on, day.renew)
        self._checking = Checking(tools.rest)
        self._quoting = Quoting(
            tools.rest,
            self._checking,
            clock=tools.clock,
            wanted=day.wanted,
            is_trading=day.is_trading,
            is_down=day.is_down,
            put=day.put,
            hands_over=not tools.by_exchange,
        )
        self._filling = Filling(tools.rest, tools.clock.now_us, day.tell, self._quoting.covered)

    def missed(self, partition: Partition, gap: Gap) -> None:
        """Fill a hole, which was told; not where the exchange's clock counts, for it was told by another."""
        if not self._tools.by_exchange:
            self._filling.add(partition, gap)

    def work(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Give what is to be run until cancelled."""
        yield keep_on("quotes", self._quoting.once, first_s=CONNECTED_S)
        yield keep_on("open interest of the session before", self.before.once)
        yield keep_on("note of open interest", self.before.note)
        yield keep_on("gaps", self._filling.once)
        yield keep_on("comparison with the broker", self._compare, first_s=ANALYSIS_S)

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of it."""
        return {
            "oi_prev": self.before.facts(),
            "checks": self._checking.facts(),
            "gaps": self._filling.facts(),
        }

    async def _compare(self) -> float:
        if self._day.is_trading():
            underlyings = [each.part.underlying for each in self._day.partitions]
            await self._checking.newest(self._tools.bus, underlyings, self._run)
        return ANALYSIS_S
