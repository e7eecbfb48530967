"""From the log and the database to what an audit finds: everything up to one moment, so that a running system is clean too."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oimon import codec
from oimon.audit.judging import Evidence, Findings, Line, Rows, judge
from oimon.audit.lines import Reading, digest, entries
from oimon.audit.recomputing import Recomputation, kept_snapshot
from oimon.bus import Entry, Output, Role
from oimon.bus.log import NEVER, Log, Parked, stamp
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, TRADES
from oimon.service import Archive
from oimon.terms import Group

ADVICE = (ADVICE_MINIMAL, ADVICE_RICH)
OTHERS = (*ADVICE, TRADES)
ROWS_WITHIN_S = 5.0  # so long an entry may wait for its row
LOOK_AGAIN_S = 0.25


@dataclass(frozen=True, kw_only=True)
class _Ends:
    """The newest entry of each stream at the audit's moment, and how far analytics was then."""

    of: Mapping[str, str]
    cursor: str
    snapshot: bytes | None


class Audit:
    """Audits one underlying after the other.

    Args:
        log: what is audited.
        role: the duty of analytics, to do its work again.
        setters_aside: every role and group that may have set entries aside.
        archive: the database; ``None``: it is not looked at.
        tell: told what is being done.
    """

    def __init__(
        self,
        log: Log,
        role: Role[Any],
        setters_aside: Sequence[str],
        *,
        archive: Archive | None,
        tell: Callable[[str], None],
    ) -> None:
        self._log = log
        self._role = role
        self._setters_aside = setters_aside
        self._archive = archive
        self._tell = tell

    async def of(self, underlying: str) -> Findings:
        """Return what is wrong with an underlying.

        Raises:
            BusDown: the log cannot be reached.
            TransientError: the database cannot.
        """
        role, ends = self._role, await self._ends(underlying)
        parked = {name: await self._log.parked(name, underlying) for name in self._setters_aside}
        passed_over = {each.entry.id for each in parked.get(role.name, ())}
        others = {stream: await self._lines(stream, underlying, ends) for stream in OTHERS}
        analyses = await self._lines(role.writes, underlying, ends)
        recomputation = Recomputation(
            self._log,
            role,
            underlying,
            passed_over=passed_over,
            snapshot=kept_snapshot(role, underlying, ends.snapshot, at_most=ends.cursor),
            answers_from=analyses[0].id if analyses else NEVER,
        )
        again = await self._again(underlying, recomputation, ends)
        streams = {role.reads: again.ticks, role.writes: analyses, **others}
        return judge(
            Evidence(
                underlying=underlying,
                names=(role.reads, role.writes),
                ticks=again.ticks,
                analyses=analyses,
                others=others,
                advice=ADVICE,
                cursor=ends.cursor,
                passed_over=passed_over,
                wanted=again.wanted,
                covered=again.covered,
                failed=recomputation.failed,
                rows=await self._rows(underlying, streams, parked.get(Group.DATABASE, ())),
                parked={name: len(found) for name, found in parked.items()},
            )
        )

    async def _ends(self, underlying: str) -> _Ends:
        """Return one moment's end of everything.

        What must be there with something is looked up after it: with advice its analysis, with the cursor the analyses up to it,
        with an analysis its beat. Between two look-ups a running system goes on.
        """
        log, role = self._log, self._role
        snapshot = await log.snapshot(role.name, underlying)
        of = {stream: await self._end(stream, underlying) for stream in OTHERS}
        record = (await log.records(role.name, [underlying]))[underlying]
        of |= {stream: await self._end(stream, underlying) for stream in (role.writes, role.reads)}
        return _Ends(of=of, cursor=record.cursor, snapshot=snapshot)

    async def _end(self, stream: str, underlying: str) -> str:
        newest = await self._log.newest(stream, underlying)
        return NEVER if newest is None else newest.id

    async def _lines(self, stream: str, underlying: str, ends: _Ends) -> list[Line]:
        self._tell(f"{underlying}: reading {stream}")
        reading, until = Reading(), ends.of[stream]
        return [
            reading.line(entry, self._row(entry))
            async for entry in entries(self._log, stream, underlying, until=until)
        ]

    def _row(self, entry: Entry) -> str | None:
        return None if self._archive is None else self._archive.row_name(entry)

    async def _again(
        self, underlying: str, recomputation: Recomputation[Any], ends: _Ends
    ) -> "_Again":
        """Read the ticks and work them again, as far as analytics has."""
        stream, reading = self._role.reads, Reading()
        self._tell(f"{underlying}: working {stream} again")
        found = _Again(ticks=[], covered=set(), wanted={})
        async for entry in entries(self._log, stream, underlying, until=ends.of[stream]):
            found.ticks.append(reading.line(entry, self._row(entry)))
            if stamp(entry.id) <= stamp(ends.cursor):
                outputs = await recomputation.take(entry)
                if outputs is not None:
                    found.covered.add(entry.id)
                    found.wanted.update(_written(entry, outputs))
        return found

    async def _rows(
        self, underlying: str, streams: Mapping[str, Sequence[Line]], parked: Sequence[Parked]
    ) -> Mapping[str, Rows]:
        """Return the rows of each stream, once all are there, or after a while those that are."""
        if self._archive is None:
            return {}
        self._tell(f"{underlying}: comparing with the database")
        until_s = asyncio.get_running_loop().time() + ROWS_WITHIN_S
        found = {}
        for stream, lines in streams.items():
            aside = {each.entry.id for each in parked if each.entry.stream == stream}
            wanted = {line.row for line in lines if line.row is not None and line.id not in aside}
            oldest, newest = (lines[0].id, lines[-1].id) if lines else (NEVER, NEVER)
            while True:
                known = await self._archive.row_names(stream, underlying, oldest)
                if wanted <= known.keys() or asyncio.get_running_loop().time() > until_s:
                    break
                await asyncio.sleep(LOOK_AGAIN_S)
            found[stream] = Rows(newest=newest, known=known, parked=aside)
        return found


@dataclass(frozen=True, kw_only=True)
class _Again:
    """The ticks, and what came of working them again."""

    ticks: list[Line]
    covered: set[str]
    wanted: dict[str, bytes]


def _written(entry: Entry, outputs: Sequence[Output]) -> Iterator[tuple[str, bytes]]:
    """Give the id and digest that each output has in the log; one that is too large for an entry is not in it."""
    for output in outputs:
        try:
            data = codec.encode(output.message)
        except ValueError:
            continue
        kind = codec.kind_of(output.message)
        yield output.id or entry.id, digest(kind, codec.SCHEMA, data)
