"""Going on with the unfinished run of a live day: what the log says of it, and whether it fits what is wanted now.

The log must suffice: who takes over on another machine has no recording. Source: rulings, 11.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.instruments import Instrument
from ingest.master.plan import Ask, Part
from ingest.packets import SNAP_QUOTE
from ingest.smartapi.day import SOURCE, Key
from oimon.bus import Bus
from oimon.errors import PoisonMessage
from oimon.messages import Beat, Message, Session
from oimon.terms import Mode


class NoFit(Exception):  # noqa: N818 - a finding, told to the user
    """What was published before is not what is wanted now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What was published of a partition in the run that is not finished."""

    found: Sequence[Instrument]
    """In the order of their rows."""
    prev_close: Mapping[Key, float]
    oi_prev: Mapping[Key, int]
    beat_us: int
    """Time of its last beat."""

    def asks(self, part: Part) -> list[Ask]:
        """Return what was subscribed: each instrument as the plan has it."""
        modes = {ask.instrument: ask.mode for ask in part.always}
        return [Ask(each, modes.get(each, SNAP_QUOTE)) for each in self.found]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfinished:
    """The run to go on with, or a new one where nothing is to be gone on with."""

    run: str = ""
    partitions: Mapping[str, Published] = field(default_factory=dict)
    """Those that were part of it; none: the run is new."""
    why: str = ""
    """Why it is new, where there was another."""

    @property
    def since_us(self) -> int:
        """From when on nothing was published."""
        return min(each.beat_us for each in self.partitions.values())


async def unfinished(
    bus: Bus, parts: Sequence[Part], iso_day: str, *, suffix: str, mcx_oi: bool
) -> Unfinished:
    """Return what the log says of the run that was published last, taking the partitions over.

    A partition that is wanted now and was not part of it joins it; one whose instruments do not fit ends it.

    Args:
        bus: whose log.
        parts: what is wanted now.
        iso_day: the day in India.
        suffix: ``RUN``: go on with the run of that name only; empty: with whichever is of this day.
        mcx_oi: whether a commodity's open interest is analysed.
    """
    name = f"{iso_day}-live-{suffix}"
    run, found, why = "", {}, ""
    for part in parts:
        place = await bus.place(part.underlying)
        if not place.run.startswith(name) or (run and place.run != run):
            why = why or (f"{place.run} is of another day, feed or start" if place.run else "")
            continue
        try:
            session = await _newest_session(bus, part.underlying, place.run)
            found[part.underlying] = _published(
                part, session, iso_day, place.beat_us, mcx_oi=mcx_oi
            )
        except NoFit as error:
            return Unfinished(
                run=new_run(iso_day, suffix), why=f"{part.underlying} of {place.run}: {error}"
            )
        run = place.run
    if run:
        return Unfinished(run=run, partitions=found)
    return Unfinished(run=name if suffix else new_run(iso_day, suffix), why=why)


def new_run(iso_day: str, suffix: str) -> str:
    """Return a name that no run has; where runs are named, one that who comes back knows for one of that name."""
    return f"{iso_day}-live-{suffix}{secrets.token_hex(3)}"


async def since(
    bus: Bus, underlying: str, run: str, beat_us: int
) -> tuple[Sequence[Message], bool]:
    """Return what a run published after a beat, in order, and whether the log still has all of it."""
    found: list[Message] = []
    async for message in _of_run(bus, underlying, run):
        if isinstance(message, Beat) and message.ts_us <= beat_us:
            return found[::-1], True
        found.append(message)
    return found[::-1], False


async def _newest_session(bus: Bus, underlying: str, run: str) -> Session:
    async for message in _of_run(bus, underlying, run):
        if isinstance(message, Session):
            return message
    raise NoFit("the log no longer says what its ticks are of")


async def _of_run(bus: Bus, underlying: str, run: str) -> AsyncIterator[Message]:
    """Give what a run published, the newest first."""
    async for entry in bus.backwards(underlying):
        try:
            message = entry.message
        except PoisonMessage:  # nobody else could use it either
            continue
        if isinstance(message, Session) and message.run != run:
            return
        yield message


def _published(
    part: Part, session: Session, iso_day: str, beat_us: int, *, mcx_oi: bool
) -> Published:
    """Return what a session says, in the words of what is wanted now.

    Raises:
        NoFit: it says anything else.
    """
    said = (session.mode, session.source, session.date, session.segment, session.mcx_oi)
    if said != (Mode.LIVE, SOURCE, iso_day, part.segment, mcx_oi):
        raise NoFit("its day, source, segment or MCX_OI is another")
    wanted = {each.symbol: each for each in wanted_of(part)}
    columns, found = session.instruments, []
    for row, symbol in enumerate(columns.symbol):
        now = wanted.get(symbol)
        if now is None:
            raise NoFit(f"{symbol} is no longer among what is wanted")
        then = tuple(
            column[row]
            for column in (
                columns.token, columns.kind, columns.expiry, columns.strike, columns.lot, columns.tick,
            )
        )  # fmt: skip
        if then != (now.token, now.kind, now.expiry, now.strike, now.lot, now.tick):
            raise NoFit(f"the broker's list says something else of {symbol} now")
        found.append(now)
    keys = [(each.exchange, each.token) for each in found]
    closes = zip(keys, columns.prev_close, strict=True)
    interest = zip(keys, columns.oi_prev, strict=True)
    return Published(
        found=found,
        prev_close={key: close for key, close in closes if close is not None},
        oi_prev={key: oi for key, oi in interest if oi is not None},
        beat_us=beat_us,
    )


def wanted_of(part: Part) -> list[Instrument]:
    """Return every instrument that the partition may come to have."""
    legs = (leg for chain in part.chains for some in chain.legs.values() for leg in some)
    return list(dict.fromkeys([*(ask.instrument for ask in part.always), *legs]))
