"""Quotes as a table: the board of commodities and shares, and a commodity's futures under its options (pure).

Source: screens, section 2; analytics specification, 10.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from notifier.ladder import FRAME, build_up_word
from oimon import figures
from oimon.figures import UNKNOWN
from oimon.messages import Quote, QuoteBoard
from oimon.terms import Mode

STALE_S = 5.0
"""An analysis written longer ago than this is stale, whatever it says. Source: bus contract, section 11."""
MODE_STYLE = {
    Mode.LIVE: "bold white on dark_green",
    Mode.REPLAY: "bold black on yellow",
    Mode.SIMULATED: "bold white on magenta",
}


@dataclass(frozen=True, kw_only=True)
class _Column:
    head: str
    cell: Callable[[Quote], str]
    justify: JustifyMethod = "right"

    def width(self, quotes: Sequence[Quote]) -> int:
        """Return how wide it is, with the gap before the next."""
        return max([len(self.head), *(cell_len(self.cell(quote)) for quote in quotes)]) + 1

    def is_told(self, quotes: Sequence[Quote]) -> bool:
        """Say whether it says anything of any of them."""
        return any(self.cell(quote) not in ("", UNKNOWN) for quote in quotes)


def board_header(board: QuoteBoard) -> Text:
    """Return whose quotes of when these are."""
    return Text.assemble(
        (f"{board.underlying}  ", "bold"),
        f"{board.segment}  {figures.clock_time(board.ts_us)} IST  ",
        (f" {board.mode} ", MODE_STYLE[board.mode]),
    )


def of_then(written_age_s: float | None) -> list[Text]:
    """Say so where quotes are not of now; a board does not know whether the market is closed or its day has ended."""
    if (written_age_s or 0.0) <= STALE_S:
        return []
    told = f"Of {figures.age(written_age_s)} ago, and so are the ages in it"
    return [Text(told, style="yellow")]


def quote_table(quotes: Sequence[Quote], *, width: int) -> Table:
    """Return the quotes, a line each: the plain columns, then as many of what else is known as there is room for.

    Where there is no room for the plain ones, those that matter least are left out: no number is ever cut.
    """
    columns = list(_PLAIN)
    for heads in _DISPENSABLE:
        if _width(columns, quotes) > width:
            columns = [column for column in columns if column.head not in heads]
    for column in _MORE:
        if column.is_told(quotes) and _width([*columns, column], quotes) <= width:
            columns.append(column)
    table = Table(box=FRAME, padding=0, show_edge=False)
    for column in columns:
        table.add_column(column.head, justify=column.justify, no_wrap=True, header_style="bold")
    for quote in quotes:
        table.add_row(*(Text(column.cell(quote)) for column in columns))
    return table


def _width(columns: Sequence[_Column], quotes: Sequence[Quote]) -> int:
    return sum(column.width(quotes) for column in columns) - 1


def arrow(change: float | None) -> str:
    """Return ▲ for a rise, ▼ for a fall, nothing for neither."""
    if change is None or not figures.is_known(change) or change == 0:
        return ""
    return "▲" if change > 0 else "▼"


def off_lines(off: Sequence[str]) -> list[Text]:
    """Return a line for each feature that is off in this mode, with its reason."""
    return [Text(f"Off: {feature}", style="yellow") for feature in off]


def _percent(value: float | None) -> str:
    change = figures.signed(value)
    return change if change == UNKNOWN else f"{arrow(value)} {change}%"


def _opening(quote: Quote) -> str:
    if quote.opening_low is None or quote.opening_high is None:
        return UNKNOWN
    broken = f" {quote.opening_broken}" if quote.opening_broken else ""
    return f"{figures.grouped(quote.opening_low)}-{figures.grouped(quote.opening_high)}{broken}"


_PLAIN = (
    _Column(head="Symbol", cell=lambda q: q.symbol, justify="left"),
    _Column(head="LTP", cell=lambda q: figures.grouped(q.ltp)),
    _Column(head="Change", cell=lambda q: _percent(q.change_pct)),
    _Column(head="Bid", cell=lambda q: figures.grouped(q.bid)),
    _Column(head="Ask", cell=lambda q: figures.grouped(q.ask)),
    _Column(head="Volume", cell=lambda q: figures.lakh_crore(q.volume)),
    _Column(head="Age", cell=lambda q: figures.age(None if q.age_ms is None else q.age_ms / 1e3)),
)
_DISPENSABLE = (("Volume",), ("Bid", "Ask"), ("Change",))
"""What a narrow terminal goes without, one after the other."""
_MORE = (
    _Column(head="OI", cell=lambda q: figures.lakh_crore(q.oi or None)),  # 0: a share has none
    _Column(head="ΔOI day", cell=lambda q: figures.lakh_crore_change(q.oi_change_day)),
    _Column(head="Build-up", cell=lambda q: build_up_word(q.build_up), justify="left"),
    _Column(head="VWAP", cell=lambda q: figures.grouped(q.vwap)),
    _Column(head="Next", cell=lambda q: figures.signed(q.calendar_spread)),
    _Column(head="Range", cell=lambda q: figures.percent(q.range_position)),
    _Column(head="Gap", cell=lambda q: _percent(q.gap_pct)),
    _Column(head="First 15 min", cell=_opening),
    _Column(head="52 weeks", cell=lambda q: figures.percent(q.position_52w)),
)
"""What else is known, by its worth. ``Next``: the next future's price less this one's; ``Range`` and ``52 weeks``: 0 % at the low."""
