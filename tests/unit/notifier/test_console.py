import asyncio

import pytest

from notifier.console import watch
from oimon.bus import Output, Role
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.errors import BusDown, ConfigError
from oimon.messages import ANALYSIS, TICKS
from tests.eventually import eventually
from tests.unit.notifier.samples import (
    PULSE,
    make_analysis,
    make_board,
    make_gap,
    make_quote,
    role,
)


class Shown:
    """A surface that keeps what it was shown."""

    period_s = 0.01

    def __init__(self):
        self.views = []
        self.is_closed = False

    def show(self, view):
        self.views.append(view)
        return False

    def close(self):
        self.is_closed = True


async def test_the_watch_shows_each_new_analysis_until_it_is_stopped():
    bus, shown, stop = MemoryBus(), Shown(), asyncio.Event()
    await bus.declare(["BANKNIFTY", "NIFTY", "SENSEX"])

    async with asyncio.TaskGroup() as tasks:
        owning = tasks.create_task(bus.own(role(ANALYSIS, make_analysis)))
        watching = tasks.create_task(watch(bus, SystemClock(), shown, underlying=None, stop=stop))
        await bus.publish("NIFTY", [make_gap()], PULSE)
        view = await eventually(
            lambda: next((v for v in shown.views if v.analysis is not None), None)
        )
        stop.set()
        await watching
        owning.cancel()

    assert (view.underlying, view.others) == ("NIFTY", ["BANKNIFTY", "SENSEX"])
    assert view.analysis.spot == 24_512.35
    assert view.written_age_s < 5
    assert shown.is_closed


async def test_an_underlying_that_is_not_watched_is_named_with_those_that_are():
    bus = MemoryBus()
    await bus.declare(["NIFTY", "SENSEX"])

    with pytest.raises(ConfigError, match="BANKEX is not watched; there are NIFTY, SENSEX"):
        await watch(bus, SystemClock(), Shown(), underlying="BANKEX", stop=asyncio.Event())


class AwayThenBack(MemoryBus):
    """A bus whose server refuses the first call."""

    refusals = 1

    async def partitions(self):
        if self.refusals:
            self.refusals -= 1
            raise BusDown("Redis at 127.0.0.1:1: refused")
        return await super().partitions()


async def test_a_bus_that_is_away_is_shown_and_tried_again():
    bus, shown, stop = AwayThenBack(), Shown(), asyncio.Event()
    await bus.declare(["NIFTY"])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch(bus, SystemClock(), shown, underlying="NIFTY", stop=stop))
        away = await eventually(lambda: next((v for v in shown.views if v.trouble), None))
        await eventually(lambda: shown.views[-1].underlying == "NIFTY" and not bus.refusals)
        stop.set()

    assert away.trouble == (
        "The bus is away, trying again: Redis at 127.0.0.1:1: refused. If nothing runs, start it with `oi up`"
    )


@pytest.mark.parametrize(
    ("asked", "shown"),
    [(None, ["ITC-EQ", "SBIN-EQ", "TCS-EQ"]), ("SBIN", ["SBIN-EQ"])],
)
async def test_quotes_of_all_underlyings_are_one_table_unless_one_is_asked_for(asked, shown):
    surface, stop, bus = Shown(), asyncio.Event(), MemoryBus()
    names = ["ITC", "SBIN", "TCS"]
    await bus.declare(names)

    def board(partition):
        return make_board(underlying=partition, rows=[make_quote(symbol=f"{partition}-EQ")])

    def is_whole():
        found = surface.views[-1].analysis if surface.views else None
        return found is not None and len(found.rows) == len(shown) and surface.views[-1]

    quoted = Role(
        name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda partition: partition,
        handle=lambda partition, _: (partition, [Output(ANALYSIS, board(partition))]),
    )  # fmt: skip
    async with asyncio.TaskGroup() as tasks:
        owning = tasks.create_task(bus.own(quoted))
        watching = tasks.create_task(
            watch(bus, SystemClock(), surface, underlying=asked, stop=stop)
        )
        for name in names:
            await bus.publish(name, [make_gap()], PULSE)
        view = await eventually(is_whole)
        stop.set()
        await watching
        owning.cancel()

    assert [row.symbol for row in view.analysis.rows] == shown
    assert view.analysis.off == make_board().off, "each reason once"
    assert view.others == ([] if asked is None else ["ITC", "TCS"])
