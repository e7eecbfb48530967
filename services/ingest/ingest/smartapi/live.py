"""One live day: the plan on the stream, the money followed, holes told, and requests where the stream has nothing.

Source: smartapi, 9; rulings, 12; requirement B07.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ingest.exchange_pump import ExchangePump
from ingest.feed import TICKS_CACHE
from ingest.instruments import Instrument
from ingest.live_recorder import LiveRecorder
from ingest.master.follow import Held, Moved, follow
from ingest.master.plan import Ask, Plan
from ingest.pump import Pump
from ingest.smartapi.again import Unfinished
from ingest.smartapi.backing import Backing, Tools
from ingest.smartapi.day import LiveDay
from ingest.smartapi.kept import new_recorder
from ingest.smartapi.partition import Partition, key_of
from ingest.smartapi.quoting import quotes_now
from ingest.smartapi.registry import Registry
from ingest.smartapi.stream import Outage, Stream
from ingest.smartapi.wire import Subscription
from oimon import calendar
from oimon.messages import Gap
from oimon.terms import FeedState, MarketState, Segment

LOOK_S = 1.0
"""How often the money's place, the day and the stream's state are looked at."""
SILENT_S = 10.0
"""Without a packet on any connection while the market trades, the feed is said to be silent."""
AWAY = "ingest was not running"
"""Why a run that is gone on with has a hole."""
_TRADING = (MarketState.OPEN, MarketState.OPEN_CAS)


class LiveRun:
    """One day of the live feed."""

    def __init__(
        self, tools: Tools, found: Plan, iso_day: str, before: Unfinished, *, until_us: int
    ) -> None:
        """Prepare.

        Args:
            tools: what is used.
            found: what is wanted of the day's master, at least one partition.
            iso_day: the day in India.
            before: what of its run was published, and the run's name.
            until_us: when it ends: the day is over, or there is a newer master.
        """
        self._tools, self._plan, self._iso_day = tools, found, iso_day
        self._run, self._before, self._until_us = before.run, before, until_us
        self.partitions = [Partition(part=part) for part in found.parts]
        self._held = Held(asks=self._go_on())
        self._away = (before.since_us, AWAY) if before.partitions else None
        self._recorder: LiveRecorder | None = None
        self._registry = Registry()
        self._streams: dict[int, Stream] = {}
        self._pump: Pump | ExchangePump | None = None
        self._notes: Sequence[str] = ()
        self._running: list[asyncio.Task[None]] = []
        self._backing = Backing(tools, self, date.fromisoformat(iso_day), self._run)

    async def run(self) -> None:
        """Follow the day until the next one has begun, or there is a newer master."""
        rest = self._tools.rest
        always = [ask.instrument for part in self._plan.parts for ask in part.always]
        quotes = await quotes_now(rest, always)
        spots = {each.symbol: quotes[key].ltp for each in always if (key := key_of(each)) in quotes}
        moved = self._follow(spots)
        others = dict.fromkeys(ask.instrument for ask in moved.wanted)
        quotes |= await quotes_now(rest, (each for each in others if each not in set(always)))
        closes = {key: each.prev_close for key, each in quotes.items() if each.prev_close}
        for partition in self.partitions:
            partition.prev_close = closes | partition.prev_close  # as they were said before
            partition.add([*partition.part.always, *moved.wanted])
        await self._backing.before.read()
        try:
            self._pump = await self._new_pump()
            async with asyncio.TaskGroup() as tasks:
                self._running = [
                    tasks.create_task(each) for each in (self._pump.run(), *self._backing.work())
                ]
                self._ask(moved.wanted, tasks)
                self._away = None  # connections that are made later fill no hole
                try:
                    while self._tools.by_exchange or not self._is_over():
                        await asyncio.sleep(LOOK_S)
                        self._move(tasks)
                finally:
                    self._backing.before.note_now()
                    if isinstance(self._pump, Pump):
                        await self._pump.hold()
                for task in self._running:
                    task.cancel()
        finally:
            if self._recorder is not None:
                await self._recorder.close()

    def _go_on(self) -> frozenset[Ask]:
        """Begin with what was published before; return what was subscribed then."""
        asks: list[Ask] = []
        for partition in self.partitions:
            published = self._before.partitions.get(partition.part.underlying)
            if published is not None:
                partition.go_on(published)
                asks += published.asks(partition.part)
        return frozenset(asks)

    async def _new_pump(self) -> Pump | ExchangePump:
        days, tools = self._days(), self._tools
        TICKS_CACHE.start(*(day.session(self._run) for day in days))
        await tools.bus.declare([day.header.underlying for day in days])
        if tools.by_exchange:  # such a day is a recording already
            return ExchangePump(tools.bus, days, self._run, beat_ms=tools.settings.beat_ms)
        self._recorder = await new_recorder(tools, days, self._before)
        return Pump(
            tools.bus,
            tools.clock,
            days,
            self._run,
            flush_ms=tools.settings.flush_ms,
            beat_ms=tools.settings.beat_ms,
            state=self.state,
            recorder=self._recorder,
        )

    def renew(self) -> None:
        """Go on with what is known of the instruments now."""
        if self._pump is not None:
            self._pump.renew(self._days())

    def _is_over(self) -> bool:
        now_us = self._tools.clock.now_us()
        return now_us >= self._until_us or calendar.day_of(now_us).isoformat() != self._iso_day

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
        grown = [partition.add(moved.wanted) for partition in self.partitions]
        if any(grown):
            self._backing.before.know()
            self.renew()
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
                    down=self._away,
                )
                self._running.append(tasks.create_task(stream.run()))
            stream.ask(change)

    def _days(self) -> list[LiveDay]:
        mcx_oi, run = self._tools.settings.mcx_oi, "" if self._tools.by_exchange else self._run
        return [each.day(self._iso_day, mcx_oi=mcx_oi, run=run) for each in self.partitions]

    # --- what is known ---------------------------------------------------------------------------------------------

    def wanted(self) -> list[Instrument]:
        """Return all that is subscribed."""
        return list(dict.fromkeys(ask.instrument for ask in self._held.asks))

    def put(self, packets: Sequence[bytes]) -> None:
        """Take packets that were made of requests."""
        if self._pump is not None:
            self._pump.beside.put_all(packets, self._tools.clock.now_us())

    def is_trading(self) -> bool:
        """Say whether there is something to ask for; a broker of another day has its market open."""
        return self._tools.by_exchange or self._market(self._tools.clock.now_us()) in _TRADING

    def is_down(self) -> bool:
        """Say whether a connection is missing."""
        return any(each.state is not FeedState.OK for each in self._streams.values())

    def _over(self, outage: Outage) -> None:
        """Tell every partition that had instruments on a connection of the hole that it left."""
        lost = {(each.exchange_type, each.token) for each in self._registry.on(outage.connection)}
        for partition in self.partitions:
            rows = [row for row, each in enumerate(partition.found) if Ask(each, 0).key[1:] in lost]
            if rows:
                is_whole = len(rows) == len(partition.found)
                gap = Gap(
                    from_us=outage.from_us, to_us=outage.to_us, why=outage.why, rows=None if is_whole else rows
                )  # fmt: skip
                self.tell(partition.part.underlying, gap)
                self._backing.missed(partition, gap)

    def tell(self, underlying: str, message: Gap) -> None:
        """Have a partition told something before its next ticks."""
        if self._pump is not None:
            self._pump.tell(underlying, message)

    def _market(self, ts_us: int) -> MarketState:
        return calendar.market_state(self._segment, ts_us)

    @property
    def _segment(self) -> Segment:
        return self.partitions[0].part.segment

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
        first = self.partitions[0]
        spot = first.part.always[0].instrument.symbol
        return {
            "run": self._run,
            "underlying": first.part.underlying,
            "underlyings": len(self.partitions),
            "instruments": sum(len(each.found) for each in self.partitions),
            "connections": [each.facts() for each in self._streams.values()],
            "spot": TICKS_CACHE[spot].ltp if spot in TICKS_CACHE else None,
            "off": list(dict.fromkeys(why for each in self._plan.parts for why in each.off)),
            "notes": [*self._plan.notes, *self._notes],
            "recording": None if self._recorder is None else self._recorder.facts(),
            **self._backing.facts(),
        }
