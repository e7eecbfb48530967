"""The live table in a terminal: reads the bus, draws the newest; plain lines where there is no terminal.

The service itself draws nothing: ``oi watch`` runs this, and ``oi up`` starts it as one more child (ruling 20).
"""

import asyncio
import contextlib

from notifier.newest import QUOTES, Newest
from notifier.surfaces import Surface
from oimon.bus import Bus
from oimon.clock import Clock
from oimon.errors import ConfigError, TransientError
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS

STREAMS = (ANALYSIS, ADVICE_MINIMAL, ADVICE_RICH)
RETRY_S = 1.0
BOARDS_S = 1.0
FIRST = ("NIFTY", "SENSEX")
"""Shown when nobody names an underlying and one of these is watched: each exchange's headline index."""


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
            newest.trouble = (
                f"The bus is away, trying again: {error}. If nothing runs, start it with `oi up`"
            )
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
