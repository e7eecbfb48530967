"""A recording of a feed: one day of one underlying, frame by frame, with what explains it.

``oirec`` is the file. A day recorded live may be several, ``NIFTY-001.oirec``, ``NIFTY-002.oirec`` …, each a recording by itself;
opening the first opens all of them. Source: rulings, 5 and 24.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from typing_extensions import override

from ingest import blocks
from ingest.blocks import Block
from ingest.header import Header, Last
from ingest.instruments import Instrument, instruments, read_row, table_hash, token_table
from ingest.oirec import FRAMES, LIVE, SUFFIX, damaged, pieces
from ingest.parts import Part, is_empty, look_through, parts_after
from ingest.tokens import TokenTable
from oimon.errors import InputError
from oimon.messages import Session
from oimon.terms import FeedState, Mode


class Day(ABC):
    """One day of one underlying that can be played: what explains it, its summary, its blocks on demand."""

    mode = Mode.REPLAY

    def __init__(self, header: Header, last: Last) -> None:
        self.header, self.last = header, last

    @cached_property
    def instruments(self) -> list[Instrument]:
        """What each row is."""
        return [read_row(row) for row in self.header.master]

    @cached_property
    def tokens(self) -> TokenTable:
        """The look-up from packet to row."""
        return token_table(self.instruments)

    @property
    def newest_header(self) -> Header:
        """What explains the frames at its end: a live day may have instruments that its beginning did not."""
        return self.header

    def session(self, run: str) -> Session:
        """Return what the day's ticks mean."""
        header = self.header
        columns = instruments(
            self.instruments,
            prev_close=header.prev_close,
            oi_prev=header.oi_prev,
            oi_open=header.oi_open,
        )
        return Session(
            run=run,
            mode=self.mode,
            segment=header.segment,
            underlying=header.underlying,
            date=header.date,
            source=header.source,
            oi_unit=header.oi_unit,
            cadence_s=header.cadence_s,
            quotes_assumed=header.quotes_assumed,
            instruments=columns,
            table=table_hash(columns),
            mcx_oi=header.mcx_oi,
        )

    def state(self, ts_us: int) -> FeedState:  # noqa: ARG002 - of a recorded feed nothing else is known
        """Return what the feed is to say of itself at a beat."""
        return FeedState.OK

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Give the blocks of frames one after the other.

        Raises:
            InputError: a block is damaged; names it.
        """


class Renewed(Day):
    """A day of which more is known than at its beginning, or that has instruments added at the end."""

    def __init__(self, day: Day, header: Header) -> None:
        super().__init__(header, day.last)
        self.mode, self._day = day.mode, day

    @override
    def state(self, ts_us: int) -> FeedState:
        return self._day.state(ts_us)

    @override
    def blocks(self) -> Iterator[Block]:
        return self._day.blocks()


class Recording(Day):
    """A recording that was looked through."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__(parts[0].header, _together([part.last for part in parts]))
        self.path = parts[0].path
        """Its file, the first if there are several."""
        self.parts = parts

    @property
    @override
    def newest_header(self) -> Header:
        return self.parts[-1].newest_header

    @property
    def warnings(self) -> Sequence[str]:
        """What is to be said of files that end early, in plain words."""
        return [
            f"{part.path} has no end: its writer was ended, or the copy is cut. What it holds is whole, and is played"
            for part in self.parts
            if not part.is_finished
        ]

    @override
    def blocks(self) -> Iterator[Block]:
        for part in self.parts:
            if part is not self.parts[0]:  # what is known by then; mostly nothing new
                yield Block(frames=[], received_us=blocks.NO_TIMES, told=[(0, part.header)])
            yield from _blocks(part)


def open_recording(path: Path) -> Recording:
    """Return a recording of which every block is whole; frames are unpacked as they are read.

    All checksums are compared at once: damage at the end of a day must not be told after the day was played. A folder stands for
    the one underlying that was recorded in it, a first part for all of them.

    Raises:
        InputError: no recording, of a newer version, damaged or empty; names the file, the block and the remedy.
    """
    try:
        found = _first_part(path)
        part = look_through(found)
        parts = [part, *_more_parts(part)]
    except OSError as error:
        raise InputError(
            path, "the file", f"cannot be read ({error.strerror})", "Name a recording"
        ) from error
    return Recording(parts)


# --- reading -------------------------------------------------------------------------------------------------------


def _blocks(part: Part) -> Iterator[Block]:
    with part.path.open("rb") as file:
        for piece in pieces(part.path, file):
            if piece.kind in (FRAMES, LIVE):
                try:
                    yield blocks.unpack(piece.data)
                except ValueError as error:
                    raise damaged(part.path, piece.number, str(error)) from error


def _first_part(path: Path) -> Path:
    if not path.is_dir():
        return path
    firsts = sorted(path.glob(f"*-001{SUFFIX}"))
    if len(firsts) == 1:
        return firsts[0]
    what = f"holds {len(firsts)} recordings ({', '.join(each.name for each in firsts)})"
    raise InputError(
        path,
        "the folder",
        what if firsts else "holds no recording",
        f"Name one of its {SUFFIX} files",
    )


def _more_parts(first: Part) -> Iterator[Part]:
    """Give the parts that go on with the first; one that was begun and holds nothing is left out."""
    for path in parts_after(first.path) if first.header.run else ():
        if not is_empty(path):
            part = look_through(path)
            if part.header.run == first.header.run:
                yield part


def _together(lasts: Sequence[Last]) -> Last:
    if len(lasts) == 1:
        return lasts[0]
    return Last(
        frames=sum(last.frames for last in lasts),
        first_us=lasts[0].first_us,
        last_us=max(last.last_us for last in lasts),
        digest=hashlib.sha256("".join(last.digest for last in lasts).encode()).hexdigest(),
    )
