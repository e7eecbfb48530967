"""What there is to show of one underlying: the newest message of each stream, as a view (pure)."""

from collections.abc import Sequence
from dataclasses import replace

from notifier.screen import View
from oimon.bus import Entry
from oimon.errors import PoisonMessage
from oimon.messages import (
    ADVICE_MINIMAL,
    ADVICE_RICH,
    ANALYSIS,
    Advice,
    ChainAnalysis,
    QuoteBoard,
)

QUOTES = "quotes"  # the kind of a board's entry


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
        ages_s = [_age_s(self._entries[ANALYSIS], now_us)] if ANALYSIS in self._entries else []
        if isinstance(shown, QuoteBoard) and self.boards:
            shown, others = self._together(shown), []
            ages_s += [_age_s(entry, now_us) for entry in self.boards.values()]
        minimal, rich = self._message(ADVICE_MINIMAL), self._message(ADVICE_RICH)
        return View(
            underlying=self.underlying,
            analysis=shown,
            minimal=minimal if isinstance(minimal, Advice) else None,
            rich=rich if isinstance(rich, Advice) else None,
            written_age_s=max(ages_s, default=None),
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
