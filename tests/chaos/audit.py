"""What the log says after a row: every beat answered once, in order, with the bytes of an undisturbed run (pure)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Self

import msgspec

from analytics.main import role
from oimon import codec
from oimon.bus import Entry
from oimon.errors import PoisonMessage


@dataclass(frozen=True, kw_only=True)
class Written:
    """An entry as it stands in the log, with when it was written (server ms) and by whom."""

    entry: Entry
    at: int
    by: str

    @classmethod
    def of(
        cls, stream: str, partition: str, entry_id: bytes, fields: Mapping[bytes, bytes]
    ) -> Self:
        """Return an entry as the server hands it over."""
        entry = Entry(
            stream=stream,
            partition=partition,
            id=entry_id.decode(),
            kind=fields[b"t"].decode(),
            version=int(fields[b"v"]),
            data=fields[b"d"],
            n=int(fields[b"n"]),
        )
        return cls(entry=entry, at=int(fields[b"at"]), by=fields[b"w"].decode())


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Counts over one or more underlyings; all but the first two are faults of the log."""

    beats: int = 0
    analyses: int = 0
    missing: int = 0
    duplicate: int = 0
    unequal: int = 0
    out_of_order: int = 0
    holes: int = 0

    def __add__(self, other: "Findings") -> "Findings":
        names = [field.name for field in fields(self)]
        return Findings(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def faults(self) -> dict[str, int]:
        """What is wrong: name to count, without those that are 0."""
        counts = asdict(self)
        return {name: counts[name] for name in list(counts)[2:] if counts[name]}


class _Session(msgspec.Struct):
    run: str


class _Analysis(msgspec.Struct):
    run: str
    ts_us: int


_SESSION = msgspec.json.Decoder(_Session)
_ANALYSIS = msgspec.json.Decoder(_Analysis)


def judge(
    ticks: Sequence[Written], analyses: Sequence[Written], parked: Collection[str] = ()
) -> Findings:
    """Return what is wrong with one underlying's log.

    Analyses are compared with a recomputation where the log still holds the first entry of its ticks; else only counted.

    Args:
        ticks: all its ticks entries, in order.
        analyses: all its analyses, in order.
        parked: ids of entries that were set aside, so nobody's handler saw them.
    """
    is_whole = bool(ticks) and ticks[0].entry.n == 1
    wanted = _recomputed(ticks, parked) if is_whole else {}
    found = {each.entry.id: each for each in analyses}
    beats = [each.entry.id for each in ticks if each.entry.kind == "beat"]
    expected = wanted if is_whole else beats
    oldest = analyses[0].entry.id if analyses and not is_whole else "0-0"
    moments = [_ANALYSIS.decode(each.entry.data) for each in analyses]
    times = Counter((moment.run, moment.ts_us) for moment in moments)
    return Findings(
        beats=len(beats),
        analyses=len(analyses),
        missing=sum(1 for id_ in expected if id_ not in found and _stamp(id_) >= _stamp(oldest)),
        duplicate=sum(times.values()) - len(times) + _published_twice(ticks),
        unequal=sum(1 for each in analyses if is_whole and _is_other(each.entry, wanted)),
        out_of_order=sum(
            1
            for before, after in pairwise(moments)
            if before.run == after.run and before.ts_us > after.ts_us
        ),
        holes=_holes(ticks) + _holes(analyses),
    )


def _recomputed(ticks: Sequence[Written], parked: Collection[str]) -> dict[str, tuple[str, bytes]]:
    """Return the analyses of an undisturbed run: id of the beat to kind and bytes."""
    duty = role()
    wanted: dict[str, tuple[str, bytes]] = {}
    state = duty.start(ticks[0].entry.partition)
    for each in ticks:
        if each.entry.id in parked:
            continue
        try:
            state, outputs = duty.handle(state, each.entry)
        except PoisonMessage:
            continue  # nobody can have used it
        for output in outputs:
            kind, data = codec.kind_of(output.message), codec.encode(output.message)
            wanted[output.id or each.entry.id] = (kind, data)
    return wanted


def _is_other(entry: Entry, wanted: dict[str, tuple[str, bytes]]) -> bool:
    return wanted.get(entry.id) != (entry.kind, entry.data) or entry.version != codec.SCHEMA


def _published_twice(ticks: Sequence[Written]) -> int:
    """Return how many batches one producer has put into the log more than once; each has bytes of its own.

    A successor may repeat what came since the last beat: readers drop it.
    """
    run, batches = "", Counter[tuple[str, str, bytes]]()
    for each in ticks:
        if each.entry.kind == "session":
            run = _SESSION.decode(each.entry.data).run
        elif each.entry.kind == "ticks":
            batches[run, each.by, each.entry.data] += 1
    return sum(batches.values()) - len(batches)


def _holes(entries: Sequence[Written]) -> int:
    numbers = [each.entry.n for each in entries]
    return sum(abs(after - before - 1) for before, after in pairwise(numbers))


def _stamp(entry_id: str) -> tuple[int, int]:
    ms, _, sequence = entry_id.partition("-")
    return int(ms), int(sequence or 0)
