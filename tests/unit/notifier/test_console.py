import asyncio
import io

import pytest
from rich.console import Console

from notifier.console import Lines, Newest, Picture, Table, watch
from notifier.screen import View
from oimon.bus import Output, Role
from oimon.bus.memory import MemoryBus
from oimon.clock import ManualClock, SystemClock
from oimon.errors import BusDown, ConfigError, InputError
from oimon.messages import ANALYSIS, TICKS
from tests.eventually import eventually
from tests.unit.notifier.samples import (
    NOW_US,
    PULSE,
    make_advice,
    make_analysis,
    make_board,
    make_entry,
    make_gap,
    make_quote,
    make_rich_advice,
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

    assert away.trouble == "The bus is away, trying again: Redis at 127.0.0.1:1: refused"


def test_the_newest_of_each_stream_is_what_is_drawn():
    newest = Newest("NIFTY")

    for message in (
        make_analysis(pcr=0.9),
        make_advice(),
        make_rich_advice(),
        make_analysis(pcr=1.1),
    ):
        newest.take(make_entry(message))
    view = newest.view(NOW_US + 2_000_000)

    assert view.analysis.pcr == 1.1
    assert (view.minimal.coach, view.rich.coach) == ("minimal", "rich")
    assert view.written_age_s == pytest.approx(2.0)


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


def test_an_entry_that_cannot_be_read_is_told_and_does_not_end_the_watch():
    newest = Newest("NIFTY")
    newest.take(make_entry(make_analysis(), data=b"{"))

    view = newest.view(NOW_US)

    assert view.analysis is None
    assert newest.trouble.startswith(f"{ANALYSIS}:NIFTY/{NOW_US // 1000}-0 cannot be read")


def test_lines_are_printed_only_when_they_say_something_new():
    out = io.StringIO()
    lines = Lines(Console(file=out))

    for pcr in (1.0, 1.0, 1.2):
        lines.show(View(underlying="NIFTY", analysis=make_analysis(pcr=pcr)))

    printed = out.getvalue().splitlines()
    assert [line.split(" | ")[1] for line in printed] == ["PCR 1.00", "PCR 1.20"]


def test_the_table_is_redrawn_in_place_and_shows_fewer_strikes_in_a_short_window():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, height=24, no_color=True)
    table = Table(console, width=None, whole_chain=False, contracts=False)

    for _ in range(2):
        table.show(View(underlying="NIFTY", analysis=make_analysis()))
    table.close()

    assert "\x1b[1A" in out.getvalue()  # the cursor goes up before the second drawing
    assert "24800" in out.getvalue()
    assert "24900" not in out.getvalue()
    assert "\x1b[3" not in out.getvalue()  # NO_COLOR: not one colour


def test_the_picture_waits_for_the_fast_coach_and_asks_no_other_server(tmp_path):
    path = tmp_path / "table.svg"
    picture = Picture(path, width=120, whole_chain=False, contracts=False)

    assert not picture.show(View(underlying="NIFTY"))
    assert not picture.show(View(underlying="NIFTY", analysis=make_analysis()))
    assert not path.exists()
    assert picture.show(View(underlying="NIFTY", analysis=make_analysis(), minimal=make_advice()))

    drawing = path.read_text(encoding="utf-8")
    assert "BULLISH" in drawing
    assert "REPLAY" in drawing
    assert "url(http" not in drawing


def test_a_picture_that_cannot_be_written_is_named_with_its_remedy(tmp_path):
    path = tmp_path / "no such folder" / "table.svg"
    picture = Picture(path, width=80, whole_chain=False, contracts=False)

    with pytest.raises(InputError, match=r"table\.svg: the picture.*Name a file"):
        picture.show(View(underlying="SILVERMIC", analysis=make_board()))


@pytest.mark.parametrize("shown", [make_board(), make_analysis(off=["coaches: not made for it"])])
def test_the_picture_of_a_mode_without_coaches_waits_for_none(tmp_path, shown):
    path = tmp_path / "board.svg"
    picture = Picture(path, width=80, whole_chain=False, contracts=False)

    assert picture.show(View(underlying="SILVERMIC", analysis=shown))
    assert path.exists()


def test_now_is_an_argument_so_that_an_old_entry_reads_old():
    newest = Newest("NIFTY")
    newest.take(make_entry(make_analysis()))

    assert newest.view(ManualClock(NOW_US + 60_000_000).now_us()).written_age_s == 60.0
