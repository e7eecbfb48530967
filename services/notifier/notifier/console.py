"""The live table in a terminal: reads the bus, draws the newest; plain lines where there is no terminal.

The service itself draws nothing: ``oi watch`` runs this, and ``oi up`` starts it as one more child (ruling 20).
"""

import asyncio
import contextlib
import io
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live

from notifier.screen import View, screen, summary
from oimon.bus import Bus, Entry
from oimon.clock import Clock
from oimon.errors import ConfigError, InputError, PoisonMessage, TransientError
from oimon.messages import (
    ADVICE_MINIMAL,
    ADVICE_RICH,
    ANALYSIS,
    Advice,
    ChainAnalysis,
    QuoteBoard,
)

STREAMS = (ANALYSIS, ADVICE_MINIMAL, ADVICE_RICH)
QUOTES = "quotes"  # the kind of a board's entry
RETRY_S = 1.0
BOARDS_S = 1.0
FIRST = ("NIFTY", "SENSEX")
"""Shown when nobody names an underlying and one of these is watched: each exchange's headline index."""
_FONT_FROM_ELSEWHERE = re.compile(r"@font-face\s*{.*?}\s*", re.DOTALL)
"""rich asks a public server for its font; whoever looks at our picture shall ask nobody."""
_LINES_AROUND = 18  # of the screen, beside the strikes


class Newest:
    """The newest of each stream of one underlying; an analysis is decoded only when it is drawn."""

    def __init__(self, underlying: str) -> None:
        self.underlying = underlying
        self.others: Sequence[str] = ()
        self.trouble: str | None = None
        self.boards: dict[str, Entry] = {}
        """The newest quotes of the others: with quotes of one's own they are one table."""
        self._entries: dict[str, Entry] = {}

    @property
    def is_quoted(self) -> bool:
        """Whether the newest is a board of quotes."""
        entry = self._entries.get(ANALYSIS)
        return entry is not None and entry.kind == QUOTES

    def take(self, entry: Entry) -> None:
        """Remember an entry as the newest of its stream."""
        self._entries[entry.stream] = entry

    def view(self, now_us: int) -> View:
        """Return what to draw at an instant."""
        analysis = self._message(ANALYSIS)
        shown = analysis if isinstance(analysis, ChainAnalysis | QuoteBoard) else None
        others = self.others
        if isinstance(shown, QuoteBoard) and self.boards:
            shown, others = self._together(shown), []
        minimal, rich = self._message(ADVICE_MINIMAL), self._message(ADVICE_RICH)
        entry = self._entries.get(ANALYSIS)
        return View(
            underlying=self.underlying,
            analysis=shown,
            minimal=minimal if isinstance(minimal, Advice) else None,
            rich=rich if isinstance(rich, Advice) else None,
            written_age_s=None if entry is None else _age_s(entry, now_us),
            others=others,
            trouble=self.trouble,
        )

    def _together(self, board: QuoteBoard) -> QuoteBoard:
        found = [self._decoded(self.boards[name]) for name in self.others if name in self.boards]
        boards = [board, *(each for each in found if isinstance(each, QuoteBoard))]
        return replace(
            board,
            underlying=", ".join(each.underlying for each in boards),
            rows=[row for each in boards for row in each.rows],
            off=list(dict.fromkeys(why for each in boards for why in each.off)),
        )

    def _message(self, stream: str) -> object:
        entry = self._entries.get(stream)
        return None if entry is None else self._decoded(entry)

    def _decoded(self, entry: Entry) -> object:
        try:
            return entry.message
        except PoisonMessage as error:
            self.trouble = f"{entry.key} cannot be read: {error}"
            return None


def _age_s(entry: Entry, now_us: int) -> float:
    """How long ago Redis wrote an entry, by the milliseconds in its id."""
    return max(0.0, now_us / 1e6 - int(entry.id.split("-", maxsplit=1)[0]) / 1e3)


# --- ways to show --------------------------------------------------------------------------------------------------


class Surface(Protocol):
    """Where a view is shown."""

    period_s: float

    def show(self, view: View) -> bool:
        """Show a view; say whether that was all there is to do."""
        ...

    def close(self) -> None:
        """Give the terminal back."""
        ...


class Table:
    """The table, redrawn in place four times a second."""

    period_s = 0.25

    def __init__(
        self, console: Console, *, width: int | None, whole_chain: bool, contracts: bool
    ) -> None:
        self._console, self._width = console, width
        self._whole_chain, self._contracts = whole_chain, contracts
        self._live = Live(console=console, auto_refresh=False, screen=False)

    def show(self, view: View) -> bool:
        """Draw the view over the one before."""
        self._live.start()
        fitting = (self._console.height - _LINES_AROUND) // 2  # a short window shows fewer strikes
        self._live.update(
            screen(
                view,
                width=self._width or self._console.width,
                each_side=None if self._whole_chain else min(5, max(2, fitting)),
                contracts=self._contracts,
            ),
            refresh=True,
        )
        return False

    def close(self) -> None:
        """Leave the last table standing and show the cursor again."""
        self._live.stop()


class Lines:
    """One summary line every few seconds, when it says something new."""

    period_s = 3.0

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, ""

    def show(self, view: View) -> bool:
        """Print the view's line; a reader that has gone ends the watch."""
        line = summary(view)
        if line != self._last:
            self._last = line
            try:
                print(line, file=self._console.file, flush=True)
            except (
                BrokenPipeError
            ):  # and the interpreter's own flush at the end shall find an open file
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._console.file.fileno())
                return True
        return False

    def close(self) -> None:
        """Nothing to give back."""


class Picture:
    """The table once, as an SVG file."""

    period_s = 0.25

    def __init__(self, path: Path, *, width: int, whole_chain: bool, contracts: bool) -> None:
        self._path, self._width = path, width
        self._whole_chain, self._contracts = whole_chain, contracts

    def show(self, view: View) -> bool:
        """Write the file once an analysis is there and, where coaches speak, the fast one's word on it.

        Raises:
            InputError: the file cannot be written.
        """
        if view.analysis is None:
            return False
        if isinstance(view.analysis, ChainAnalysis) and not view.analysis.off and not view.minimal:
            return False
        console = Console(
            record=True, width=self._width, file=io.StringIO(), force_terminal=True, no_color=False
        )
        console.print(
            screen(
                view,
                width=self._width,
                each_side=None if self._whole_chain else 5,
                contracts=self._contracts,
            )
        )
        title = f"OI Monitor · {view.underlying} · {view.analysis.mode}"
        drawing = _FONT_FROM_ELSEWHERE.sub("", console.export_svg(title=title))
        try:
            self._path.write_text(drawing, encoding="utf-8")
        except OSError as error:
            raise InputError(
                self._path, "the picture", str(error), "Name a file that can be written"
            ) from error
        return True

    def close(self) -> None:
        """Nothing to give back."""


# --- the loop ------------------------------------------------------------------------------------------------------


async def watch(
    bus: Bus, clock: Clock, surface: Surface, *, underlying: str | None, stop: asyncio.Event
) -> None:
    """Show the newest of one underlying until stopped; while the bus is away, say so and keep trying.

    Args:
        bus: where the messages come from.
        clock: tells how old they are.
        surface: where they are shown.
        underlying: which one; ``None`` takes one of ``FIRST``, else the first there is, and where these are quotes all of them.
        stop: ends the watch.

    Raises:
        ConfigError: no such underlying is watched; names those that are.
        InputError: the picture's file cannot be written.
    """
    newest = Newest(underlying or "")
    reading = asyncio.ensure_future(_read(bus, newest, underlying))
    tasks = [reading]
    if underlying is None:
        tasks.append(asyncio.ensure_future(_read_boards(bus, newest)))
    try:
        while not stop.is_set() and not surface.show(newest.view(clock.now_us())):
            if reading.done():
                reading.result()  # raises what ended it
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), surface.period_s)
    finally:
        surface.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(bus: Bus, newest: Newest, underlying: str | None) -> None:
    while True:
        try:
            chosen = await _choose(bus, newest, underlying)
            async for entry in bus.subscribe(STREAMS, chosen):
                newest.trouble = None
                newest.take(entry)
            return  # the bus was stopped
        except TransientError as error:
            newest.trouble = f"The bus is away, trying again: {error}"
            await asyncio.sleep(RETRY_S)


async def _read_boards(bus: Bus, newest: Newest) -> None:
    """Keep the quotes of all others beside those that are watched: a list of shares is one table."""
    while True:
        with contextlib.suppress(TransientError):  # who reads the one that is watched tells of it
            for name in newest.others if newest.is_quoted else ():
                entry = await bus.latest(ANALYSIS, name)
                if entry is not None and entry.kind == QUOTES:
                    newest.boards[name] = entry
        await asyncio.sleep(BOARDS_S)


async def _choose(bus: Bus, newest: Newest, underlying: str | None) -> str:
    """Return the underlying to watch, waiting until there is one."""
    while not (partitions := await bus.partitions()):
        newest.trouble = None
        await asyncio.sleep(RETRY_S)
    chosen = underlying or next((name for name in FIRST if name in partitions), partitions[0])
    if chosen not in partitions:
        raise ConfigError(
            f"{chosen} is not watched; there are {', '.join(partitions)}. Name one of these"
        )
    newest.underlying = chosen
    newest.others = [name for name in partitions if name != chosen]
    return chosen
