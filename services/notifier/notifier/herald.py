"""Reads what the coaches and the analyses say, and hands over to Telegram what is news."""

import asyncio
import logging
from typing import Protocol

from notifier import news
from oimon.bus import Bus, Entry
from oimon.errors import PoisonMessage, TransientError
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, Advice, ChainAnalysis

STREAMS = (ANALYSIS, ADVICE_MINIMAL, ADVICE_RICH)
WATCH_S = 2.0
RETRY_S = 1.0

log = logging.getLogger(__name__)


class Sender(Protocol):
    """Takes news without ever waiting."""

    def offer(self, news: news.News, /) -> None:
        """Take a text that is to be sent."""
        ...


class Herald:
    """Remembers what each coach and each chain said last."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._advice: dict[tuple[str, str], Advice] = {}
        self._analysis: dict[str, ChainAnalysis] = {}

    async def run(self, bus: Bus) -> None:
        """Follow every declared underlying, until cancelled or the bus is stopped."""
        followed: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    for partition in await bus.partitions():
                        if partition not in followed:
                            followed.add(partition)
                            tasks.create_task(
                                self._follow(bus, partition), name=f"news {partition}"
                            )
                except TransientError as error:
                    log.warning("the bus is away", extra={"error": str(error)})
                await asyncio.sleep(WATCH_S)

    async def _follow(self, bus: Bus, partition: str) -> None:
        while True:
            try:
                async for entry in bus.subscribe(STREAMS, partition):
                    self.take(entry)
                return  # the bus was stopped
            except TransientError:
                await asyncio.sleep(RETRY_S)

    def take(self, entry: Entry) -> None:
        """Compare an entry with the one before it, and hand over what is news."""
        try:
            message = entry.message
        except PoisonMessage as error:
            log.error("an entry brings no news", extra={"id": entry.key, "error": str(error)})  # noqa: TRY400 - a known cause needs no traceback
            return
        found: news.News | None = None
        if isinstance(message, Advice):
            of = (message.underlying, message.coach)
            analysis = self._analysis.get(message.underlying)
            found = news.decision(entry.key, message, self._advice.get(of), analysis)
            self._advice[of] = message
        elif isinstance(message, ChainAnalysis):
            found = news.turn(entry.key, message, self._analysis.get(message.underlying))
            self._analysis[message.underlying] = message
        if found is not None:
            self._sender.offer(found)
