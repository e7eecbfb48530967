"""A broker on this machine whose every number is known, with a live ingest and analytics that follow it: where rows 22 to 29 take place.

The broadcast goes by the machine's clock, a packet of each instrument a second, so that ages and states are those of a live day;
whoever takes part is told that the market is open (``planted``), at whatever hour this runs.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ingest.fakebroker.account import Account, Credentials, Denial, Tokens
from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.faults import Fault
from ingest.fakebroker.packet import name_of_row
from ingest.fakebroker.source import Listed, Source
from ingest.instruments import MasterRow
from ingest.packets import LTP, SNAP_QUOTE, book, packet
from oimon import codec
from oimon.calendar import IST
from oimon.messages import ANALYSIS, ChainAnalysis
from tests.chaos.case import Case
from tests.chaos.replica import Replica
from tests.chaos.waiting import until

UNDERLYING = "NIFTY"
SECOND = 1_000_000
LOT = 65
STRIKES = (24_150, 24_200, 24_250)
LONG_S = 4 * 3600
"""The broadcast is longer than any row."""
RECOVERS_S = 200.0
"""Whatever has not recovered by then never will: the longest wait is that for a second login, then for a crowded line."""
_AHEAD_S = 1.0
_STEP_S = 0.05


class Values(NamedTuple):
    """What the newest packet of an instrument said: price in paise, quantities."""

    ltp: int
    volume: int
    oi: int


@dataclass(eq=False)
class Market:
    """The made-up market: in the second ``s`` every price is five paise times ``s`` above its first."""

    opens_us: int
    rows: list[MasterRow]
    newest: dict[str, Values] = field(default_factory=dict)
    """By symbol, what has been sent."""
    second: int = -1
    """The last whole one that has been sent."""
    quiet: set[str] = field(default_factory=set)
    """Symbols of which nothing comes."""
    extra: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By symbol, packets that come once before the next true one, each said by the fields that differ."""

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Give packets as they come due; what is newest is noted when the next one is asked for, for then it has been sent."""
        sequence = 0
        for second in range(LONG_S):
            for place, row in enumerate(self.rows):
                if row.symbol in self.quiet:  # nobody subscribes to the last row: it always comes
                    continue
                at_us = self.opens_us + second * SECOND + place
                values = _values(place, second)
                for wrong in self.extra.pop(row.symbol, ()):
                    sequence += 1
                    yield at_us, _packet(row, sequence, at_us, values, wrong)
                sequence += 1
                yield at_us, _packet(row, sequence, at_us, values, {})
                self.newest[row.symbol] = values
            self.second = second

    def source(self) -> Source:
        listed = {
            name_of_row(each): Listed(row=each, prev_close=100.0, oi_prev=LOT * 900)
            for each in self.rows
        }
        day = datetime.fromtimestamp(self.opens_us / 1e6, IST).date()
        return Source(
            title="made for the fault matrix",
            date=day.isoformat(),
            listed=listed,
            opens_us=self.opens_us,
            last_us=self.opens_us + LONG_S * SECOND,
            frames=LONG_S * len(self.rows),
            play=self.frames,
        )

    def symbols(self, kind: str) -> list[str]:
        """Return the symbols of calls (CE), puts (PE) or futures (FUT)."""
        return [row.symbol for row in self.rows if row.symbol.endswith(kind)]


def make_market() -> Market:
    """Return a market that opens now: an index, its future, three strikes that expire within the week, and a share that nobody wants."""
    now = datetime.now(UTC).astimezone(IST)
    expiry, later = now.date() + timedelta(days=5), now.date() + timedelta(days=30)
    written, short = f"{expiry:%d%b%Y}".upper(), f"{expiry:%d%b%y}".upper()
    rows = [
        _row("99926000", "Nifty 50", "AMXIDX", exchange="NSE", lot="1"),
        _row("51001", f"NIFTY{later:%d%b%y}FUT".upper(), "FUTIDX", expiry=f"{later:%d%b%Y}".upper()),
    ]  # fmt: skip
    for strike in STRIKES:
        for right in ("CE", "PE"):
            token = str(40_000 + len(rows))
            symbol = f"NIFTY{short}{strike}{right}"
            rows.append(_row(token, symbol, "OPTIDX", expiry=written, strike=f"{strike}00.000000"))
    rows.append(_row("2885", "RELIANCE-EQ", "", exchange="NSE", lot="1"))
    return Market(opens_us=int((now.timestamp() + _AHEAD_S) // 1) * SECOND, rows=rows)


@dataclass(eq=False, kw_only=True)
class Scene:
    """A broker that plays, and the ingest that follows it."""

    case: Case
    market: Market
    broker: FakeBroker
    ingest: Replica
    logins: list[float]
    """When logins were asked for that the broker granted, in seconds."""
    since_s: float = 0.0
    """When the fault came that is to be recovered from."""

    def begins(self) -> None:
        """Note that whatever is to be recovered from begins, or ends, now."""
        self.since_s = time.monotonic()

    async def shows(self) -> dict[str, Any]:
        """Return what ingest's ``/status`` says of the feed."""
        status, body = await self.ingest.get("/status")
        return dict(json.loads(body)["feed"]) if status == 200 else {}

    async def newest(self) -> ChainAnalysis | None:
        """Return the newest analysis."""
        found = await self.case.world.newest(ANALYSIS, UNDERLYING)
        if found is None:
            return None
        entry = found.entry
        message = codec.decode(entry.kind, entry.version, entry.data)
        return message if isinstance(message, ChainAnalysis) else None

    async def is_true(self, after: int) -> bool:
        """Say whether the newest analysis holds, leg by leg, what the broker sent last, in a later second than ``after``."""
        if self.market.second <= after:
            return False
        sent, told = dict(self.market.newest), _told(await self.newest())
        return bool(told) and all(told[symbol] == sent[symbol] for symbol in told)

    async def strike(self, *faults: str, times: int = 1) -> None:
        """Let faults strike at their next occasions, and wait until the last of these has, so many times."""
        wanted = self.broker.faults.struck[Fault(faults[-1])] + times
        for name in faults:
            self.broker.faults.next(name, times)

        async def has_struck() -> bool:
            return self.broker.faults.struck[Fault(faults[-1])] >= wanted

        await until(has_struck, f"strike with {faults[-1]}", within_s=RECOVERS_S)
        self.begins()

    async def recovered(self, what: str, *, connects: int = 0) -> None:
        """Wait until every connection is up and the analysis is true again; take down how long that was.

        Args:
            what: the fault, for a complaint.
            connects: connections that must have been made by then.
        """
        after = self.market.second

        async def is_well() -> bool:
            shown = await self.shows()
            lines = shown.get("connections", ())
            is_up = (
                shown.get("state") == "ok" and sum(each["connects"] for each in lines) >= connects
            )
            return is_up and await self.is_true(after)

        await until(is_well, f"recover from {what}", within_s=RECOVERS_S)
        self.case.recoveries.append(time.monotonic() - self.since_s)

    async def connects(self) -> int:
        """Return how many connections have been made."""
        return sum(each["connects"] for each in (await self.shows()).get("connections", ()))


@contextlib.asynccontextmanager
async def live(case: Case, *, market: str = "open", **environment: str) -> AsyncIterator[Scene]:
    """Give a scene in which the first analysis is true; ``market`` is what ingest takes its state for: open, closed."""
    world = case.world
    world.partitions = (UNDERLYING,)
    await world.start("analytics")
    made = make_market()
    async with FakeBroker(made.source(), by_hand=True, credentials=Credentials()) as broker:
        playing = asyncio.ensure_future(_play(broker))
        try:
            ingest = follower(case, broker, market=market, **environment)
            scene = Scene(
                case=case, market=made, broker=broker, ingest=ingest, logins=_noted(broker.account)
            )
            yield scene
            await _end(scene)
        finally:
            playing.cancel()
            await asyncio.wait((playing,))


def follower(
    case: Case, broker: FakeBroker, *, market: str = "open", **environment: str
) -> Replica:
    """Start a live ingest of the broker."""
    return case.world.replica(
        "ingest", planted=(f"market-{market}",), FEED="live", **broker.settings(), **environment
    )


async def begun(scene: Scene) -> None:
    """Wait for the first analysis that is true."""

    async def is_true() -> bool:
        await scene.ingest.has_name()
        return await scene.is_true(-1)

    await until(is_true, "make a true analysis", within_s=60)


async def _end(scene: Scene) -> None:
    """Stop ingest, and wait until all it published is answered."""
    await scene.ingest.look()
    scene.case.expect(scene.ingest.is_alive, f"ingest ended with code {scene.ingest.process.code}")
    scene.ingest.terminate()
    code = await scene.ingest.ended(within_s=10)
    scene.case.expect(code == 0, f"ingest ended with code {code}")
    await scene.case.world.settled()


def _noted(account: Account) -> list[float]:
    """Return when logins are granted from now on."""
    times: list[float] = []
    login = account.login

    def noted(*words: str) -> Tokens | Denial:
        found = login(*words)
        if isinstance(found, Tokens):
            times.append(time.monotonic())
        return found

    account.login = noted
    return times


async def _play(broker: FakeBroker) -> None:
    """Send what is due, again and again."""
    while True:
        await broker.broadcast.play(until_us=time.time_ns() // 1000)
        await asyncio.sleep(_STEP_S)


def _told(analysis: ChainAnalysis | None) -> dict[str, Values]:
    """Return what an analysis holds of each leg that it has, by symbol; nothing where a leg lacks something."""
    if analysis is None:
        return {}
    chain, day = analysis.chain, datetime.fromisoformat(analysis.expiry)
    found = {}
    for right, legs in (("CE", chain.ce), ("PE", chain.pe)):
        for strike, *numbers in zip(chain.strike, legs.ltp, legs.volume, legs.oi, strict=True):
            if any(number != number for number in numbers):  # noqa: PLR0124 - NaN is unlike itself
                continue
            ltp, volume, oi = numbers
            symbol = f"NIFTY{day:%d%b%y}{strike:.0f}{right}".upper()
            found[symbol] = Values(round(ltp * 100), round(volume), round(oi))
    return found


def _values(place: int, second: int) -> Values:
    first = {0: 2_419_635, 1: 2_430_000}.get(place, 12_000 + 100 * place)
    return Values(
        ltp=first + 5 * second, volume=650 * (second + 1), oi=LOT * (1000 + place + second // 60)
    )


def _packet(
    row: MasterRow, sequence: int, at_us: int, values: Values, wrong: dict[str, Any]
) -> bytes:
    told = {"sequence": sequence, "exchange_ms": at_us // 1000, "ltp": values.ltp}
    if row.exch_seg == "NSE":
        return packet(LTP, "NSE", row.token, **told | wrong)
    told |= {
        "volume": values.volume,
        "oi": values.oi,
        "traded_s": at_us // SECOND,
        "prev_close": 10_000,
        "levels": book(buys=[(LOT, values.ltp - 5, 1)], sells=[(LOT, values.ltp + 5, 1)]),
    }
    return packet(SNAP_QUOTE, row.exch_seg, row.token, **told | wrong)


def _row(token: str, symbol: str, kind: str, *, expiry: str = "", strike: str = "-1.000000", exchange: str = "NFO", lot: str = str(LOT)) -> MasterRow:  # fmt: skip
    return MasterRow(
        token=token, symbol=symbol, name=UNDERLYING, expiry=expiry, strike=strike, lotsize=lot,
        instrumenttype=kind, exch_seg=exchange, tick_size="5.000000",
    )  # fmt: skip
