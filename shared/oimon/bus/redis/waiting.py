"""One blocking read for all who wait for entries: an owner of 200 underlyings asks a few times a second, not 200 times.

Whoever waits is in one read. Where it brings something to some of its company, it goes on at once for the others; those who were
served come back by and by, and are taken along together. All reads end at the same moments, and become one again.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.exceptions import ConnectionError as RedisConnectionError

from oimon.bus.log import stamp
from oimon.bus.redis.entries import text
from oimon.bus.turn import Turn

Rows: TypeAlias = Sequence[tuple[Any, Mapping[Any, Any]]]
Send: TypeAlias = Callable[[Mapping[str, str], int, int], Awaitable[Any]]

GATHER_S = 0.00025
"""For each of its company, how long a read that served some of them waits for these to come back before it goes on with others."""
QUEUE_S = 0.05
"""While entries in hand queue up for answers, the next read is not sooner than so long after the last."""
MOST = 1024
"""Entries that one read may bring, of all streams together."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiter:
    key: str
    after: str
    until_s: float
    found: "asyncio.Future[tuple[Rows, bool]]"
    """Entries, and whether there may be more than one read could bring."""


class Waiting:
    """Reads streams for all who wait.

    Args:
        send: reads up to so many entries of each of these streams, each after an id, and waits so many milliseconds for the first
            (0: not at all).
        turn: while several wait for it, nothing more is read: what comes meanwhile comes together.
    """

    def __init__(self, send: Send, turn: Turn) -> None:
        self._send = send
        self._turn = turn
        self._pending: list[_Waiter] = []
        self._served: set[str] = set()  # and not back yet
        self._reads: set[asyncio.Task[None]] = set()
        self._next: asyncio.Handle | None = None
        self._company = 1  # of the newest read
        self._go_by_s = 0.0  # whatever is left to answer

    async def read(self, key: str, after: str, count: int, block_ms: int) -> Rows:
        """Return up to ``count`` entries after an id, none when there was none for about ``block_ms``.

        Raises:
            redis.exceptions.RedisError: the server refused it, or the connection was lost.
            OSError: there is no connection.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[tuple[Rows, bool]] = loop.create_future()
        until_s = _end_s(loop.time(), block_ms / 1000)
        self._pending.append(_Waiter(key=key, after=after, until_s=until_s, found=found))
        self._served.discard(key)
        if not self._served:
            self._go_at_once()
        elif self._next is None:
            self._next = loop.call_later(GATHER_S * self._company, self._go_without)
        rows, is_cut = await found
        if is_cut and len(rows) < count:
            reply = await self._send({key: after}, count, 0)
            rows = reply[0][1] if reply else rows
        return rows[:count]

    def close(self) -> None:
        """End all reads: nobody waits any more."""
        for read in self._reads:
            read.cancel()

    def _go_at_once(self) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_soon(self._go)

    def _go_without(self) -> None:
        """Go on without whoever was served last and is not back: it comes later, by a read of its own."""
        self._served.clear()
        self._go()

    def _go(self) -> None:
        """Read for all who are here, once there is little left to answer, or after a while: leases are renewed between reads."""
        loop = asyncio.get_running_loop()
        if self._turn.has_queue and loop.time() < self._go_by_s:
            self._next = loop.call_soon(self._go)
            return
        self._next, self._go_by_s = None, loop.time() + QUEUE_S
        company = [waiter for waiter in self._pending if not waiter.found.done()]
        self._pending = []
        if company:
            self._company = len(company)
            read = asyncio.get_running_loop().create_task(self._read(company), name="waiting")
            self._reads.add(read)
            read.add_done_callback(self._reads.discard)

    async def _read(self, company: Sequence[_Waiter]) -> None:
        after: dict[str, str] = {}
        for waiter in company:  # two roles may read one stream, each from a place of its own
            after[waiter.key] = min(after.get(waiter.key, waiter.after), waiter.after, key=stamp)
        count = max(1, MOST // len(after))
        rest_s = min(waiter.until_s for waiter in company) - asyncio.get_running_loop().time()
        try:
            reply = await self._send(after, count, max(1, math.ceil(rest_s * 1000)))
        except BaseException as error:
            _lose(company, error)
            if isinstance(error, Exception):
                return  # it is told to those who waited
            raise
        self._hand_out(company, {text(key): rows for key, rows in reply or ()}, count)

    def _hand_out(self, company: Sequence[_Waiter], reply: Mapping[str, Rows], count: int) -> None:
        now_s, is_over = asyncio.get_running_loop().time(), not reply
        for waiter in company:
            if waiter.found.done():  # it does not wait any more
                continue
            rows, least = reply.get(waiter.key, ()), stamp(waiter.after)
            new = [row for row in rows if stamp(text(row[0])) > least]
            if new:
                self._served.add(waiter.key)
                waiter.found.set_result((new, len(rows) == count))
            elif is_over or now_s >= waiter.until_s:
                waiter.found.set_result(((), False))
            else:
                self._pending.append(waiter)
        if self._pending:
            self._go_at_once()


def _end_s(now_s: float, block_s: float) -> float:
    """Return when to wait no longer: at a moment that is the same for all, about ``block_s`` from now."""
    end_s = math.ceil(now_s / block_s) * block_s
    return end_s if end_s - now_s > block_s / 4 else end_s + block_s


def _lose(company: Sequence[_Waiter], error: BaseException) -> None:
    """Tell everybody who waited."""
    told = error if isinstance(error, Exception) else RedisConnectionError("the read was cancelled")
    for waiter in company:
        if not waiter.found.done():
            waiter.found.set_exception(told)
