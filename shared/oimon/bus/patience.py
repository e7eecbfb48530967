"""Waiting out a log that is away, and the wish to stop: what all loops of one replica share."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from oimon.bus.log import Log
from oimon.errors import BusDown

T = TypeVar("T")
logger = logging.getLogger(__name__)

BACKOFF_S = (0.05, 2.0)
BATCH = 64
BLOCK_MS = 1000
WATCH_S = 1.0  # how often the partitions are looked up


def backoff_s(attempt: int) -> float:
    """Return the longest wait after so many attempts in vain; an outage may last for thousands of them."""
    low, high = BACKOFF_S
    return min(high, low * 2.0 ** min(attempt, 10))


class Patience:
    """Knows whether the log is away and whether the replica is to stop."""

    def __init__(self) -> None:
        self.away: str | None = "waiting for Redis"
        """Why the log cannot be used, in plain words."""
        self.stopping = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the replica is to stop."""
        return self.stopping.is_set()

    def answered(self) -> None:
        """Note that the log has answered."""
        self.away = None

    async def wait_out(self, error: BusDown, attempt: int = 0) -> None:
        """Note that the log is away and wait, longer with each attempt, with full jitter."""
        if self.away is None:
            logger.warning("the log is away", extra={"error": str(error)})
        self.away = str(error)
        low, high = BACKOFF_S
        await asyncio.sleep(random.uniform(low, min(high, backoff_s(attempt) + low)))  # noqa: S311 - jitter

    async def until_done(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the call's result, however long the log is away.

        Raises:
            BusDown: the log is away and the replica is to stop.
        """
        attempt = 0
        while True:
            try:
                result = await call()
            except BusDown as error:
                if self.is_over:
                    raise
                await self.wait_out(error, attempt)
                attempt += 1
            else:
                self.answered()
                return result

    async def partitions(self, log: Log) -> Sequence[str]:
        """Return the declared partitions; none when the replica is to stop and the log is away."""
        try:
            return await self.until_done(log.partitions)
        except BusDown:
            return ()

    async def sleep(self, seconds: float) -> None:
        """Sleep, or less when the replica is to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
