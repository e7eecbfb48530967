"""The live feed: the broker's account and stream, day after day. Source: smartapi, 9; rulings, 4 and 11."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from ingest.config import IngestSettings
from ingest.feed import Feed
from ingest.master.columns import Master
from ingest.master.library import Dated, Library, newest_until_us
from ingest.master.plan import Plan, plan
from ingest.master.wish import wanted
from ingest.smartapi.account import Account
from ingest.smartapi.again import Unfinished, new_run, unfinished
from ingest.smartapi.backing import Tools
from ingest.smartapi.day import SOURCE, Key
from ingest.smartapi.envelope import Quote
from ingest.smartapi.errors import BrokerError
from ingest.smartapi.line import Line
from ingest.smartapi.live import LiveRun
from ingest.smartapi.partition import key_of
from ingest.smartapi.rest import Rest
from ingest.smartapi.stream_tokens import StreamTokens
from oimon import calendar
from oimon.bus import Bus
from oimon.clock import Clock
from oimon.errors import InputError, TransientError
from oimon.terms import FeedState, Mode

AGAIN_S = 30.0
"""From one attempt to have the master to the next."""

logger = logging.getLogger(__name__)


class LiveFeed(Feed):
    """Follows the market until cancelled: a run from each midnight, and one from when the broker has made its list of the day."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        settings: IngestSettings,
        account: Account,
        library: Library,
        line: Line,
    ) -> None:
        """Prepare.

        Args:
            bus: where to.
            clock: of this machine.
            settings: what is wanted.
            account: with the broker.
            library: of instrument masters.
            line: how the stream is called.
        """
        self._tools = Tools(
            bus=bus,
            clock=clock,
            settings=settings,
            rest=Rest(account),
            tokens=StreamTokens(account),
            line=line,
        )
        self._account, self._library = account, library
        self._why = "the instrument master is being read"
        self._master: Dated | None = None
        self._day: LiveRun | None = None

    @override
    async def run(self) -> None:
        while True:
            until_us = newest_until_us(self._tools.clock.now_us())
            self._master = await self._newest_master()
            now_us = await self._now_us(self._master.master)
            found = plan(self._master.master, wanted(self._tools.settings), now_us)
            for note in (*self._master.warnings, *found.notes):
                logger.warning("not quite what was asked for", extra={"note": note})
            if not found.parts:
                what = "; ".join(found.notes) or "nothing that is wanted is listed"
                raise InputError(
                    "the instrument master", "what is wanted", what, "See oi instruments"
                )
            iso_day = calendar.day_of(now_us).isoformat()
            before = await self._before(found, iso_day)
            self._day = LiveRun(self._tools, found, iso_day, before, until_us=until_us)
            await self._day.run()

    async def _before(self, found: Plan, iso_day: str) -> Unfinished:
        """Return the run to go on with, or a new one; say which in the log."""
        settings = self._tools.settings
        if self._day is None:
            before = await unfinished(
                self._tools.bus, found.parts, iso_day, suffix=settings.run, mcx_oi=settings.mcx_oi
            )
        else:  # its own run of before is over
            before = Unfinished(
                run=new_run(iso_day, settings.run), why="there is a new list of instruments"
            )
        said = "an unfinished run goes on" if before.partitions else "a new run begins"
        logger.info(said, extra={"run": before.run, "why": before.why})
        return before

    async def _now_us(self, master: Master) -> int:
        """Return what time it is: by the exchange's clock, where that counts, the time of the newest quote of what is wanted."""
        if not self._tools.by_exchange:
            return self._tools.clock.now_us()
        ever = plan(master, wanted(self._tools.settings), 0)  # nothing has expired yet
        keys = [key_of(ask.instrument) for part in ever.parts for ask in part.always]
        while keys:
            found: dict[Key, Quote] = {}
            try:
                async for batch in self._tools.rest.quotes(keys):
                    found |= batch.quotes
            except BrokerError as error:
                self._why = str(error)
            times = [quote.exchange_us for quote in found.values() if quote.exchange_us]
            if times:
                return max(times)
            self._why = (
                self._why
                or "nothing that is wanted has a quote, so the exchange's time is not known"
            )
            logger.warning("no time of the exchange", extra={"why": self._why})
            await asyncio.sleep(AGAIN_S)
        return self._tools.clock.now_us()

    async def _newest_master(self) -> Dated:
        while True:
            try:
                return await self._library.today()
            except (InputError, TransientError) as error:
                self._why = str(error)
                logger.warning("no instrument master", extra={"why": self._why})
                await asyncio.sleep(AGAIN_S)

    @override
    def facts(self) -> Mapping[str, Any]:
        day = self._day
        return {
            "state": FeedState.DOWN if day is None else day.state(),
            "why": self._why if day is None else day.why(),
            "mode": Mode.LIVE,
            "source": SOURCE,
            "session": self._account.facts(),
            "master": None if self._master is None else self._master.facts(),
            **({} if day is None else day.facts()),
        }
