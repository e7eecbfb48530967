"""One live day: the plan on the stream, the money followed, holes told, and requests where the stream has nothing.

Source: smartapi, 9; rulings, 12; requirement B07.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ingest.config import IngestSettings
from ingest.exchange_clock import FeedClock
from ingest.exchange_pump import ExchangePump
from ingest.feed import TICKS_CACHE
from ingest.instruments import Instrument
from ingest.master.follow import Held, Moved, follow
from ingest.master.plan import Ask, Part, Plan
from ingest.pump import Pump
from ingest.smartapi.beside import as_packet
from ingest.smartapi.day import Key, LiveDay, live_day
from ingest.smartapi.envelope import Quote
from ingest.smartapi.errors import BrokerError
from ingest.smartapi.registry import Registry
from ingest.smartapi.rest import Rest
from ingest.smartapi.stream import Line, Outage, Stream, Tokens
from ingest.smartapi.wire import Subscription
from ingest.tokens import TokenTable
from oimon import calendar
from oimon.bus import Bus
from oimon.clock import Clock
from oimon.messages import Gap
from oimon.terms import FeedState, MarketState, Segment

LOOK_S = 1.0
"""How often the money's place, the day and the stream's state are looked at."""
AGAIN_S = 30.0
"""From one attempt to have quotes to the next, where the broker gives none."""
SILENT_S = 10.0
"""Without a packet on any connection while the market trades, the feed is said to be silent."""
_TRADING = (MarketState.OPEN, MarketState.OPEN_CAS)

logger = logging.getLogger(__name__)


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


@dataclass(kw_only=True, eq=False)
class _Partition:
    """One underlying's instruments in the order of their rows, and what is known of them from before."""

    part: Part
    found: list[Instrument] = field(default_factory=list)
    prev_close: dict[Key, float] = field(default_factory=dict)
    oi_prev: dict[Key, int] = field(default_factory=dict)

    def add(self, asks: Iterable[Ask]) -> bool:
        """Take in instruments that are new and of this partition; say whether there were any."""
        mine = {ask.instrument for ask in self.part.always}
        mine |= {leg for chain in self.part.chains for some in chain.legs.values() for leg in some}
        known = set(self.found)
        asked = dict.fromkeys(ask.instrument for ask in asks)
        new = [each for each in asked if each in mine and each not in known]
        self.found += new
        return bool(new)

    def day(self, iso_day: str, *, mcx_oi: bool) -> LiveDay:
        """Return the day as it is known now."""
        return live_day(
            self.part.underlying,
            self.part.segment,
            iso_day,
            self.found,
            prev_close=self.prev_close,
            oi_prev=self.oi_prev,
            mcx_oi=mcx_oi,
        )


class LiveRun:
    """One day of the live feed."""

    def __init__(self, tools: Tools, found: Plan, iso_day: str) -> None:
        """Prepare.

        Args:
            tools: what is used.
            found: what is wanted of the day's master, at least one partition.
            iso_day: the day in India.
        """
        self._tools, self._plan, self._iso_day = tools, found, iso_day
        self._run = f"{iso_day}-live-{secrets.token_hex(3)}"
        self._partitions = [_Partition(part=part) for part in found.parts]
        self._held = Held()
        self._registry = Registry()
        self._streams: dict[int, Stream] = {}
        self._pump: Pump | ExchangePump | None = None
        self._notes: Sequence[str] = ()
        self._running: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Follow the day until the next one has begun."""
        always = [ask for part in self._plan.parts for ask in part.always]
        quotes = await self._quotes(always)
        spots = {
            ask.instrument.symbol: quotes[key].ltp
            for ask in always
            if (key := _key(ask.instrument)) in quotes
        }
        moved = self._follow(spots)
        quotes |= await self._quotes(ask for ask in moved.wanted if ask not in set(always))
        closes = {key: each.prev_close for key, each in quotes.items() if each.prev_close}
        for partition in self._partitions:
            partition.prev_close = closes
            partition.add([*partition.part.always, *moved.wanted])
        self._pump = await self._new_pump()
        async with asyncio.TaskGroup() as tasks:
            self._running = [
                tasks.create_task(each)
                for each in (self._pump.run(), self._beside(), self._before())
            ]
            self._ask(moved.wanted, tasks)
            while self._tools.by_exchange or self._today() == self._iso_day:
                await asyncio.sleep(LOOK_S)
                self._move(tasks)
            for task in self._running:
                task.cancel()

    async def _new_pump(self) -> Pump | ExchangePump:
        days, tools = self._days(), self._tools
        sessions = [day.session(self._run) for day in days]
        TICKS_CACHE.start(*sessions)
        await tools.bus.declare([each.underlying for each in sessions])
        if tools.by_exchange:
            return ExchangePump(tools.bus, days, self._run, beat_ms=tools.settings.beat_ms)
        return Pump(
            tools.bus,
            tools.clock,
            sessions,
            self._table(),
            flush_ms=tools.settings.flush_ms,
            beat_ms=tools.settings.beat_ms,
            state=self.state,
        )

    def _renew(self) -> None:
        """Go on with what is known of the instruments now."""
        days = self._days()
        if isinstance(self._pump, ExchangePump):
            self._pump.renew(days)
        elif self._pump is not None:
            self._pump.renew([day.session(self._run) for day in days], self._table())

    def _today(self) -> str:
        return calendar.day_of(self._tools.clock.now_us()).isoformat()

    # --- what is subscribed ----------------------------------------------------------------------------------------

    def _follow(self, spots: Mapping[str, float | None]) -> Moved:
        moved = follow(self._plan, {name: spot for name, spot in spots.items() if spot}, self._held)
        self._held, self._notes = moved.held, moved.notes
        return moved

    def _move(self, tasks: asyncio.TaskGroup) -> None:
        """Follow the money: add strikes, and remove where there is no more room."""
        symbols = {chain.spot.symbol for part in self._plan.parts for chain in part.chains}
        moved = self._follow(
            {name: TICKS_CACHE[name].ltp for name in symbols if name in TICKS_CACHE}
        )
        if not moved.steps:
            return
        grown = [partition.add(moved.wanted) for partition in self._partitions]
        if any(grown):
            self._renew()
        self._ask(moved.wanted, tasks)

    def _ask(self, asks: Sequence[Ask], tasks: asyncio.TaskGroup) -> None:
        assert self._pump is not None  # noqa: S101 - made before anything is asked for
        tools = self._tools
        for change in self._registry.want([Subscription(*ask.key) for ask in asks]):
            stream = self._streams.get(change.connection)
            if stream is None:
                stream = self._streams[change.connection] = Stream(
                    change.connection,
                    tools.line,
                    tools.tokens,
                    self._pump.buffer,
                    tools.clock,
                    market=self._market,
                    over=self._over,
                )
                self._running.append(tasks.create_task(stream.run()))
            stream.ask(change)

    def _days(self) -> list[LiveDay]:
        mcx_oi = self._tools.settings.mcx_oi
        return [each.day(self._iso_day, mcx_oi=mcx_oi) for each in self._partitions]

    def _table(self) -> TokenTable:
        found = [each for partition in self._partitions for each in partition.found]
        return TokenTable.of(
            [i.exchange for i in found], [i.token for i in found], [i.kind for i in found]
        )

    # --- beside the stream -----------------------------------------------------------------------------------------

    async def _quotes(self, asks: Iterable[Ask]) -> dict[Key, Quote]:
        """Return the quotes of instruments, as far as the broker gives them; without any the stream tells prices itself."""
        found: dict[Key, Quote] = {}
        try:
            async for batch in self._tools.rest.quotes(_key(ask.instrument) for ask in asks):
                found |= batch.quotes
        except BrokerError as error:
            logger.warning("no quotes", extra={"why": str(error)})
        return found

    async def _before(self) -> None:
        """Ask for the open interest of the previous session, contract by contract, and say the session again when all is there."""
        for partition in self._partitions:
            keys = [_key(each) for each in partition.found if each.expiry]
            with contextlib.suppress(BrokerError):
                async for key, point in self._tools.rest.all_oi_prev(
                    keys, date.fromisoformat(self._iso_day)
                ):
                    if point is not None:
                        partition.oi_prev[key] = point.oi
        self._renew()

    async def _beside(self) -> None:
        """Take the place of the stream by requests for as long as a connection is down while the market trades."""
        tools = self._tools
        while True:
            await asyncio.sleep(LOOK_S)
            is_down = any(s.state is not FeedState.OK for s in self._streams.values())
            if not is_down or self._market(tools.clock.now_us()) not in _TRADING:
                continue
            keys = [_key(ask.instrument) for ask in self._held.asks]
            try:
                async for batch in tools.rest.quotes(keys):
                    packets = map(as_packet, batch.quotes.values())
                    if self._pump is not None:
                        some = [each for each in packets if each is not None]
                        self._pump.beside.put_all(some, tools.clock.now_us())
            except BrokerError as error:
                logger.info("no quotes beside the stream", extra={"why": str(error)})
                await asyncio.sleep(AGAIN_S)

    # --- what is known ---------------------------------------------------------------------------------------------

    def _over(self, outage: Outage) -> None:
        """Tell every partition that had instruments on a connection of the hole that it left."""
        lost = {(each.exchange_type, each.token) for each in self._registry.on(outage.connection)}
        for partition in self._partitions:
            rows = [row for row, each in enumerate(partition.found) if Ask(each, 0).key[1:] in lost]
            if rows and self._pump is not None:
                is_whole = len(rows) == len(partition.found)
                gap = Gap(
                    from_us=outage.from_us, to_us=outage.to_us, why=outage.why, rows=None if is_whole else rows
                )  # fmt: skip
                self._pump.tell(partition.part.underlying, gap)

    def _market(self, ts_us: int) -> MarketState:
        return calendar.market_state(self._segment, ts_us)

    @property
    def _segment(self) -> Segment:
        return self._partitions[0].part.segment

    def state(self) -> FeedState:
        """Return the worst of what is known of the connections."""
        states = {each.state for each in self._streams.values()}
        if FeedState.LOGIN_FAILED in states:
            return FeedState.LOGIN_FAILED
        if not states or FeedState.DOWN in states:
            return FeedState.DOWN
        now_us = self._tools.clock.now_us()
        newest_us = max((each.packet_us or 0 for each in self._streams.values()), default=0)
        if self._market(now_us) in _TRADING and now_us - newest_us > SILENT_S * 1e6:
            return FeedState.SILENT
        return FeedState.OK

    def why(self) -> str:
        """Return why it is not better, in words."""
        return "; ".join(dict.fromkeys(each.why for each in self._streams.values() if each.why))

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of the day."""
        first = self._partitions[0]
        spot = first.part.always[0].instrument.symbol
        return {
            "run": self._run,
            "underlying": first.part.underlying,
            "underlyings": len(self._partitions),
            "instruments": sum(len(each.found) for each in self._partitions),
            "connections": [each.facts() for each in self._streams.values()],
            "spot": TICKS_CACHE[spot].ltp if spot in TICKS_CACHE else None,
            "off": list(dict.fromkeys(why for each in self._plan.parts for why in each.off)),
            "notes": [*self._plan.notes, *self._notes],
        }


def _key(instrument: Instrument) -> Key:
    return instrument.exchange, instrument.token
