"""From a feed's thread to the bus: what has arrived, what is newest, and how often it is handed on.

``WS_LOCK`` and ``TICKS_CACHE`` are the names of the system description (R130, R144). Source: rulings, 19 and 25; bus contract,
section 11 (what is kept when the bus is away).
"""

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from ingest.tokens import NAME_BYTES
from oimon import metrics
from oimon.messages import TICK, Message, Session, TickBatch, TickFlag

WS_LOCK = threading.Lock()
"""Guards what a feed's thread shares with the publisher: the frames that wait, and ``TICKS_CACHE``."""

MAX_WAITING = 16_384
"""Frames that may wait unread; then only the newest of each instrument is kept."""
_CALL_S = 0.0005  # the bus makes about 2,000 calls a second


class Feed(Protocol):
    """A source of market data, as ingest's service sees it."""

    async def run(self) -> None:
        """Publish until there is nothing more to come, or until cancelled.

        Raises:
            InputError: what the feed reads cannot be used.
        """
        ...

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of the feed."""
        ...


def flush_s(flush_ms: float, partitions: int) -> float:
    """Return the least time between two flushes: ``FLUSH_MS``, or more when many partitions need a call each.

    ``FLUSH_MS`` = 0 switches the rule off: a flush as soon as the one before is answered.
    """
    return max(flush_ms / 1000, _CALL_S * partitions) if flush_ms else 0.0


class AskingAgain:
    """How long until a beat that was held back is asked for again, where each batch is one: about when the one before is answered.

    Learnt from whether that was too soon: with an underlying it is an answer, with many a turn over all of them, and machine code
    takes half as long. Of one partition.
    """

    LEAST_S, MOST_S = 0.001, 0.05
    SOONER, LATER = 0.98, 1.6
    """By how much the time changes when the answer was there, and when it was not: nineteen times of twenty it is. Asking too soon costs
    those who answer more than it wins."""

    def __init__(self) -> None:
        self._s = 0.004
        self._is_waiting = False

    def after(self, *, has_beat: bool) -> float:
        """Return the time in seconds from a call to the next, 0 from one that had its beat."""
        if self._is_waiting:
            changed = self._s * (self.SOONER if has_beat else self.LATER)
            self._s = min(max(changed, self.LEAST_S), self.MOST_S)
        self._is_waiting = not has_beat
        return 0.0 if has_beat else self._s


class CachedTick(NamedTuple):
    """What is newest of one symbol; ``None`` where it is not known."""

    ltp: float | None
    bid: float | None
    ask: float | None
    volume: int | None
    timestamp: float | None  # exchange time, epoch seconds


class Interest(NamedTuple):
    """Open interest as it came last, and by the exchange's time when."""

    oi: int  # quantity
    at_us: int


_COLUMNS = 7  # of CachedTick, then of Interest
_TOGETHER = 2048  # ticks that wait for somebody to ask: a quarter of a millisecond's work


class TicksCache(Mapping[str, CachedTick]):
    """Symbol to its newest tick, as large as the session has instruments; safe to read from any thread."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._columns = np.empty((_COLUMNS, 0))
        self._waiting: list[tuple[npt.NDArray[np.void], int]] = []
        """Ticks until somebody asks, with their first row: many small batches cost what one large one does."""
        self._ticks_waiting = 0

    def start(self, *sessions: Session) -> None:
        """Forget everything and hold the sessions' instruments from now on, one session after the other."""
        symbols = [symbol for session in sessions for symbol in session.instruments.symbol]
        with WS_LOCK:
            self._rows = {symbol: row for row, symbol in enumerate(symbols)}
            self._columns = np.full((_COLUMNS, len(symbols)), np.nan)
            self._waiting, self._ticks_waiting = [], 0

    def renew(self, *sessions: Session) -> None:
        """Hold these sessions' instruments from now on; what is known of a symbol stays known."""
        with WS_LOCK:
            rows, columns = self._rows, self._settled()
        self.start(*sessions)
        kept = [symbol for symbol in rows if symbol in self._rows]
        with WS_LOCK:
            here, there = [self._rows[each] for each in kept], [rows[each] for each in kept]
            self._columns[:, here] = columns[:, there]

    def apply(self, ticks: npt.NDArray[np.void], first_row: int = 0) -> None:
        """Take over ticks, by their rows; of one instrument the last wins.

        Args:
            ticks: of dtype TICK, shape (n,).
            first_row: place of their session's first instrument among those of all sessions.
        """
        with WS_LOCK:
            self._waiting.append((ticks, first_row))
            self._ticks_waiting += len(ticks)
            if self._ticks_waiting >= _TOGETHER:
                self._settled()

    def _settled(self) -> npt.NDArray[np.float64]:
        """Return the columns with all that waited; for who holds the lock."""
        if not self._ticks_waiting:
            return self._columns
        waiting, self._waiting, self._ticks_waiting = self._waiting, [], 0
        ticks = np.frombuffer(b"".join([each.tobytes() for each, _ in waiting]), TICK)
        first_rows = np.repeat([row for _, row in waiting], [len(each) for each, _ in waiting])
        rows, flags = ticks["row"] + first_rows, ticks["flags"]
        has_quote, has_oi = (flags & TickFlag.QUOTE) != 0, (flags & TickFlag.OI) != 0
        known: npt.NDArray[np.bool_] | slice
        for column, name, known in (
            (0, "ltp", (flags & TickFlag.PRICE) != 0),
            (1, "bid", has_quote),
            (2, "ask", has_quote),
            (3, "volume", (flags & TickFlag.VOLUME) != 0),
            (4, "exchange_us", slice(None)),
            (5, "oi", has_oi),
            (6, "exchange_us", has_oi),
        ):
            self._columns[column, rows[known]] = _values(name, ticks[name][known])
        return self._columns

    @override
    def __getitem__(self, symbol: str) -> CachedTick:
        with WS_LOCK:
            ltp, bid, ask, volume, timestamp = self._settled()[:5, self._rows[symbol]].tolist()
        return CachedTick(
            ltp=_known(ltp),
            bid=_known(bid),
            ask=_known(ask),
            volume=None if np.isnan(volume) else int(volume),
            timestamp=_known(timestamp),
        )

    def interest(self, symbol: str) -> Interest | None:
        """Return a symbol's open interest, ``None`` where none has come."""
        row = self._rows.get(symbol)
        if row is None:
            return None
        with WS_LOCK:
            oi, at_s = self._settled()[5:, row].tolist()
        return None if np.isnan(oi) else Interest(int(oi), round(at_s * 1e6))

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    @override
    def __len__(self) -> int:
        return len(self._rows)


TICKS_CACHE = TicksCache()
"""What ingest published last, by symbol."""


def note_ticks(underlying: str, messages: Iterable[Message], first_row: int = 0) -> None:
    """Take down ticks that were published: in ``TICKS_CACHE``, from ``first_row`` on, and in the metrics."""
    for message in messages:
        if isinstance(message, TickBatch):
            TICKS_CACHE.apply(message.records, first_row)
            metrics.TICKS.labels(underlying).inc(len(message.records))


class FrameBuffer:
    """Frames between the thread that receives them and the loop that publishes them; bounded."""

    def __init__(self, wake: Callable[[], None], most: int = MAX_WAITING) -> None:
        """Make an empty buffer.

        Args:
            wake: called, in the feed's thread, when the first frame comes after a ``take``.
            most: frames that may wait.
        """
        self._wake = wake
        self._most = most
        self._frames: list[bytes] = []
        self._times = array("q")
        self._conflated = 0
        self._newest_us = 0

    def put(self, frame: bytes, received_us: int) -> None:
        """Add a frame with the time at which it came; a clock that was set back does not make times fall."""
        self.put_all([frame], received_us)

    def put_all(self, frames: Sequence[bytes], received_us: int) -> None:
        """Add the frames of one read, which came together."""
        with WS_LOCK:
            is_first = not self._frames
            self._newest_us = max(self._newest_us, received_us)
            self._frames += frames
            self._times.extend(repeat(self._newest_us, len(frames)))
            if len(self._frames) > self._most:
                self._conflate()
        if is_first and frames:
            self._wake()

    def take(self) -> tuple[list[bytes], Sequence[int], int]:
        """Return everything that waits, when each came, and how many frames gave way to newer ones; empty the buffer."""
        with WS_LOCK:
            taken = self._frames, self._times, self._conflated
            self._frames, self._times, self._conflated = [], array("q"), 0
        return taken

    def _conflate(self) -> None:
        """Keep the newest frame of each mode and instrument, at most half of what may wait, in order of arrival."""
        newest = {frame[:NAME_BYTES]: place for place, frame in enumerate(self._frames)}
        kept = sorted(newest.values())[-(self._most // 2) :]
        self._conflated += len(self._frames) - len(kept)
        self._frames = [self._frames[place] for place in kept]
        self._times = array("q", [self._times[place] for place in kept])


def _values(name: str, told: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return a field of ticks in the unit of the cache; NaN for an empty side of a book."""
    numbers = told.astype(np.float64)
    if name in ("volume", "oi", "exchange_us"):
        return numbers / 1e6 if name == "exchange_us" else numbers
    return np.where(numbers > 0, numbers / 100, np.nan)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
