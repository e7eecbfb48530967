"""What is wrong with one underlying's log, by what was read of it (pure). Source: bus contract, section 17."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from oimon.bus.log import NEVER, stamp

BEAT = "beat"
BATCH = "ticks"


class Wrong(StrEnum):
    """What may be wrong."""

    MISSING = "missing"  # a beat that nobody answered
    PASSED_OVER = "passed over"  # a beat without an answer, or an entry without a row, because it was set aside
    DUPLICATE = "duplicate"  # a second of a run with two beats or two analyses; a batch of ticks published twice
    OUT_OF_ORDER = "out of order"
    HOLE = "hole"  # an entry between two that are there; its number says so
    UNEQUAL = "unequal"  # an analysis that is not what its input makes
    STRAY = "stray"  # an analysis of no beat, or an advice on no analysis
    NO_ROW = "without a row"
    NO_ENTRY = "row without an entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is kept of an entry while its log is judged."""

    id: str
    n: int
    at_ms: int
    """When it was written, server time; 0: it does not say."""
    kind: str
    digest: bytes
    """Of its kind, schema and message."""
    run: str = ""
    """The run that it is of; empty where nobody has said."""
    moment: tuple[str, int] | None = None
    """The run and the second that it is of, where it is of one."""
    row: str | None = None
    """What its row in the database is known by, where it should have one."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of one stream."""

    newest: str
    """Id of the newest entry that was in the log before the rows were looked at."""
    known: Mapping[str, str]
    """What each row is known by, and the id of the entry that it was made from."""
    parked: Collection[str]
    """Ids of entries that the database's sink has set aside."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One underlying, as the log and the database keep it; every stream in its order, up to one moment."""

    underlying: str
    ticks: Sequence[Line]
    analyses: Sequence[Line]
    others: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    """More streams by name; those of ``advice`` answer analyses."""
    advice: Collection[str] = ()
    names: tuple[str, str] = ("ticks", "analyses")
    """The names of the first two streams."""
    cursor: str
    """Id of the last entry of ticks that analytics has worked: what is newer may still be answered."""
    passed_over: Collection[str] = ()
    """Ids of entries of ticks that analytics has set aside."""
    wanted: Mapping[str, bytes] = field(default_factory=dict)
    """Id and digest of each analysis that a recomputation made."""
    covered: Collection[str] = ()
    """Ids of the entries of ticks that the recomputation worked."""
    failed: Sequence[str] = ()
    """Where the recomputation failed, and why."""
    rows: Mapping[str, Rows] = field(default_factory=dict)
    """By stream; empty when nobody looked."""
    parked: Mapping[str, int] = field(default_factory=dict)
    """How many entries each role has set aside."""

    @property
    def streams(self) -> Mapping[str, Sequence[Line]]:
        """Every stream by its name."""
        ticks, analyses = self.names
        return {ticks: self.ticks, analyses: self.analyses, **self.others}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What is wrong, how often, and where."""

    what: Wrong
    count: int
    places: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an audit says of one underlying."""

    underlying: str
    beats: int
    analyses: int
    pending: int
    """Beats that are newer than what analytics has worked, and have no answer."""
    not_recomputed: int
    """Analyses up to the cursor whose input the log does not keep far enough back."""
    trimmed: int
    """Beats that are older than the oldest analysis, of those that the log does not keep: they are not judged."""
    advice: Mapping[str, int]
    silence_ms: int | None
    """The longest time between a beat and its analysis, both as written; ``None``: there is no such pair."""
    parked: Mapping[str, int]
    has_rows: bool
    """Whether the database was looked at."""
    differences: Sequence[Difference]

    def count(self, what: Wrong) -> int:
        """Return how often that is wrong."""
        return sum(each.count for each in self.differences if each.what is what)


def judge(of: Evidence) -> Findings:
    """Return what is wrong, and the figures that go with it."""
    beats = [line for line in of.ticks if line.kind == BEAT]
    answered = {line.id: line for line in of.analyses}
    found = [
        _at(Wrong.MISSING, _missing(of, beats, answered)),
        _at(Wrong.PASSED_OVER, [*_beats_passed_over(of, beats, answered), *_rows_passed_over(of)]),
        _at(Wrong.DUPLICATE, [*_twice(beats), *_twice(of.analyses), *_published_twice(of.ticks)]),
        _at(Wrong.OUT_OF_ORDER, [*_backwards(beats), *_backwards(of.analyses)]),
        *(_holes(stream, lines) for stream, lines in of.streams.items()),
        _at(Wrong.UNEQUAL, [*_unequal(of), *of.failed]),
        _at(Wrong.STRAY, _strays(of, beats)),
        _at(Wrong.NO_ROW, _rowless(of)),
        _at(Wrong.NO_ENTRY, _entryless(of)),
    ]
    waits = [
        answered[beat.id].at_ms - beat.at_ms
        for beat in beats
        if beat.id in answered and beat.at_ms and answered[beat.id].at_ms
    ]
    covered, first, end = set(of.covered), _oldest(of.analyses), stamp(of.cursor)
    return Findings(
        underlying=of.underlying,
        beats=len(beats),
        analyses=len(of.analyses),
        pending=sum(stamp(b.id) > end and b.id not in answered for b in beats),
        not_recomputed=sum(a.id not in covered and stamp(a.id) <= end for a in of.analyses),
        trimmed=sum(stamp(b.id) < first for b in beats),
        advice={stream: len(of.others[stream]) for stream in of.advice},
        silence_ms=max(waits, default=None),
        parked=of.parked,
        has_rows=bool(of.rows),
        differences=[each for each in found if each.count],
    )


def _at(what: Wrong, places: Sequence[str]) -> Difference:
    return Difference(what=what, count=len(places), places=places)


def _oldest(lines: Sequence[Line]) -> tuple[int, int]:
    """Return the id from which on a stream is whole; the beginning of all where nothing of it was trimmed."""
    return stamp(lines[0].id if lines and lines[0].n > 1 else NEVER)


def _missing(of: Evidence, beats: Sequence[Line], answered: Collection[str]) -> list[str]:
    """Return the beats that should have been answered: where nobody could recompute, every one of them should."""
    covered, passed_over = set(of.covered), set(of.passed_over)
    expected = {*of.wanted, *(beat.id for beat in beats if beat.id not in covered)} - passed_over
    first, last = _oldest(of.analyses), stamp(of.cursor)
    return sorted(
        (id_ for id_ in expected - set(answered) if first <= stamp(id_) <= last), key=stamp
    )


def _beats_passed_over(of: Evidence, beats: Sequence[Line], answered: Collection[str]) -> list[str]:
    aside = set(of.passed_over) - set(answered)
    first = _oldest(of.analyses)
    return [f"{of.names[0]} {b.id}" for b in beats if b.id in aside and stamp(b.id) >= first]


def _rows_passed_over(of: Evidence) -> list[str]:
    return [
        f"{stream} {line.id}"
        for stream, rows in of.rows.items()
        for line in of.streams[stream]
        if line.row is not None and line.id in rows.parked and line.row not in rows.known
    ]


def _twice(lines: Sequence[Line]) -> list[str]:
    seen: Counter[tuple[str, int]] = Counter()
    found = []
    for line in lines:
        if line.moment is not None:
            seen[line.moment] += 1
            if seen[line.moment] > 1:
                found.append(line.id)
    return found


def _published_twice(ticks: Sequence[Line]) -> list[str]:
    """Return batches that a run already had before its last beat.

    Since its last beat it may have them again: who takes over, or comes back, goes on after that beat, and readers drop what they know.
    """
    found, known, fresh = [], set[tuple[str, bytes]](), set[tuple[str, bytes]]()
    for line in ticks:
        if line.kind == BEAT:
            known |= fresh
            fresh.clear()
        elif line.kind == BATCH:
            if (line.run, line.digest) in known:
                found.append(line.id)
            fresh.add((line.run, line.digest))
    return found


def _backwards(lines: Sequence[Line]) -> list[str]:
    """Return entries that are of an earlier second than the one before them, in the same run."""
    timed = [(line.id, line.moment) for line in lines if line.moment is not None]
    return [
        id_ for (_, before), (id_, now) in pairwise(timed) if now[0] == before[0] and now < before
    ]


def _holes(stream: str, lines: Sequence[Line]) -> Difference:
    gaps = [
        (later.id, abs(later.n - earlier.n - 1))
        for earlier, later in pairwise(lines)
        if later.n != earlier.n + 1
    ]
    places = [f"{stream} before {id_} ({count})" for id_, count in gaps]
    return Difference(what=Wrong.HOLE, count=sum(count for _, count in gaps), places=places)


def _unequal(of: Evidence) -> list[str]:
    covered = set(of.covered)
    return [
        line.id
        for line in of.analyses
        if line.id in covered and of.wanted.get(line.id) != line.digest
    ]


def _strays(of: Evidence, beats: Sequence[Line]) -> list[str]:
    """Return what answers nothing; what it answered may have been trimmed."""
    asked = {beat.id for beat in beats} - set(of.passed_over) | set(of.wanted)
    found = _answers_of_none(of.names[1], of.analyses, asked, _oldest(of.ticks))
    analyses = {line.id for line in of.analyses}
    for stream in of.advice:
        found += _answers_of_none(stream, of.others[stream], analyses, _oldest(of.analyses))
    return found


def _answers_of_none(
    stream: str, answers: Sequence[Line], asked: Collection[str], oldest: tuple[int, int]
) -> list[str]:
    return [
        f"{stream} {line.id}"
        for line in answers
        if line.id not in asked and stamp(line.id) >= oldest
    ]


def _rowless(of: Evidence) -> list[str]:
    return [
        f"{stream} {line.id}"
        for stream, rows in of.rows.items()
        for line in of.streams[stream]
        if line.row is not None and line.row not in rows.known and line.id not in rows.parked
    ]


def _entryless(of: Evidence) -> list[str]:
    """Return rows whose entry is not in the log, although older ones and newer ones are."""
    found = []
    for stream, rows in of.rows.items():
        lines = of.streams[stream]
        if not lines:
            continue
        named = {line.row for line in lines}
        oldest, newest = stamp(lines[0].id), stamp(rows.newest)
        found += [
            f"{stream} {id_}"
            for row, id_ in rows.known.items()
            if row not in named and oldest <= stamp(id_) <= newest
        ]
    return found
