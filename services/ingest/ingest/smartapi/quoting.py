"""Quotes by request beside the stream: in its place while it is down; else now and then, to hold its open interest against.

Source: smartapi, 2.3 and 9.7; requirement B07.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from typing_extensions import override

from ingest.feed import TICKS_CACHE
from ingest.instruments import Instrument
from ingest.smartapi.beside import as_packet
from ingest.smartapi.checking import Checking
from ingest.smartapi.cross_check import Newest
from ingest.smartapi.day import Key
from ingest.smartapi.envelope import Quote
from ingest.smartapi.errors import BrokerError
from ingest.smartapi.partition import key_of
from ingest.smartapi.rest import Rest
from oimon.clock import Clock

LOOK_S = 1.0
CHECK_S = 60.0
"""From one round of comparing to the next: open interest is published every one to three minutes."""
COVERED_US = 30_000_000
"""An underlying whose price is older makes the quality bad. Source: analytics specification, 1.6."""
ROUNDS = 4096

log = logging.getLogger(__name__)


class Quoting:
    """Asks for quotes and hands on what the stream has not brought."""

    def __init__(
        self,
        rest: Rest,
        checking: Checking,
        *,
        clock: Clock,
        wanted: Callable[[], Iterable[Instrument]],
        is_trading: Callable[[], bool],
        is_down: Callable[[], bool],
        put: Callable[[Sequence[bytes]], None],
        hands_over: bool,
    ) -> None:
        """Prepare.

        Args:
            rest: the requests.
            checking: counts how the stream's open interest compares.
            clock: paces the rounds, and says when quotes came.
            wanted: all that is subscribed.
            is_trading: nothing is asked for while the market is closed.
            is_down: whether a connection is missing.
            put: takes packets made of quotes.
            hands_over: whether open interest that is newer than the stream's goes on; not where the exchange's clock counts, for a
                quote may overtake the stream by a moment, and the day would not be that of its replay.
        """
        self._rest, self._checking, self._clock = rest, checking, clock
        self._wanted, self._is_trading, self._is_down = wanted, is_trading, is_down
        self._put, self._hands_over = put, hands_over
        self._due_s = clock.monotonic_s() + CHECK_S
        self._rounds_us: deque[int] = deque(maxlen=ROUNDS)

    async def once(self) -> float:
        """Do what is due now; return when to look again, in seconds.

        Raises:
            BrokerError: the broker gives no quotes.
        """
        if self._is_trading():
            if self._is_down():
                async for batch in self._rest.quotes(map(key_of, self._wanted())):
                    self._hand_on(batch.quotes.values())
                self._rounds_us.append(self._clock.now_us())
            elif self._clock.monotonic_s() >= self._due_s:
                self._due_s = self._clock.monotonic_s() + CHECK_S
                await self._compare()
        return LOOK_S

    def covered(self, from_us: int, to_us: int) -> bool:
        """Say whether quotes of everything came through a stretch of time, so often that no price grew old."""
        inside = [at_us for at_us in self._rounds_us if from_us <= at_us <= to_us]
        ends = pairwise([from_us, *inside, to_us])
        return all(later - earlier <= COVERED_US for earlier, later in ends)

    async def _compare(self) -> None:
        contracts = [each for each in self._wanted() if each.expiry]
        symbols = {key_of(each): each.symbol for each in contracts}
        async for _, comparison in self._checking.oi(symbols, lambda: Brought(symbols)):
            if self._hands_over:
                self._hand_on(comparison.newer)
            if self._is_down():
                return  # there is something better to ask for now

    def _hand_on(self, quotes: Iterable[Quote]) -> None:
        packets = [found for each in quotes if (found := as_packet(each)) is not None]
        if packets:
            self._put(packets)


class Brought(Mapping[Key, Newest]):
    """The open interest that the feed brought last, by instrument: looked up when it is asked for, as 50 of 3,000 are."""

    def __init__(self, symbols: Mapping[Key, str]) -> None:
        self._symbols = symbols

    @override
    def __getitem__(self, key: Key) -> Newest:
        interest = TICKS_CACHE.interest(self._symbols[key])
        if interest is None:
            raise KeyError(key)
        return Newest(oi=interest.oi, exchange_us=interest.at_us)

    @override
    def __iter__(self) -> Iterator[Key]:
        return iter(self._symbols)

    @override
    def __len__(self) -> int:
        return len(self._symbols)


async def quotes_now(rest: Rest, instruments: Iterable[Instrument]) -> dict[Key, Quote]:
    """Return the quotes of instruments, as far as the broker gives them; without any the stream tells prices itself."""
    found: dict[Key, Quote] = {}
    try:
        async for batch in rest.quotes(map(key_of, instruments)):
            found |= batch.quotes
    except BrokerError as error:
        log.warning("no quotes", extra={"why": str(error)})
    return found
