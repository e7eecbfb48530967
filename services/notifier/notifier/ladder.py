"""The option chain as a ladder of strikes, as a rich table (pure).

Calls stand left and red (resistance), puts right and green (support); words and arrows say the same without colour.
Source: screens, section 2.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.box import Box
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from oimon import figures
from oimon.messages import ChainAnalysis, Legs
from oimon.terms import BuildUp, Verdict

OI_OLD_S = 600.0
"""A leg whose last message is older than this is grey. Source: specification 1.6."""

FRAME = Box(
    "    \n    \n ── \n    \n ── \n    \n    \n    \n"
)  # a line below the head and around the money
_WORDS = {
    BuildUp.LONG_BUILDUP: ("Long build", "LB"),
    BuildUp.SHORT_BUILDUP: ("Short build", "SB"),
    BuildUp.SHORT_COVERING: ("Short cover", "SC"),
    BuildUp.LONG_UNWINDING: ("Long unwind", "LU"),
    BuildUp.NONE: ("steady", "="),
}
_VERDICTS = {
    Verdict.BULL: ("▲ Bull", "green"),
    Verdict.BEAR: ("▼ Bear", "red"),
    Verdict.NEUTRAL: ("- Neutral", "yellow"),
}
_CALL, _PUT = "red", "green"


@dataclass(frozen=True, kw_only=True)
class _Column:
    head: str
    width: int  # at least
    cell: Callable[["_Row"], Text]
    justify: JustifyMethod = "right"
    colour: str = ""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One strike with what its cells need."""

    strike: float
    index: int
    ce: Legs
    pe: Legs
    mark: str
    verdict: str | None
    is_atm: bool
    is_stale: bool
    now_us: int
    divisor: float

    def is_old(self, side: str) -> bool:
        heard_us = (self.ce if side == "ce" else self.pe).received_us[self.index]
        return not heard_us >= self.now_us - OI_OLD_S * 1e6  # NaN, never heard, is old


def chain_table(
    analysis: ChainAnalysis,
    *,
    width: int,
    each_side: int | None = 5,
    contracts: bool = False,
    is_stale: bool = False,
) -> Table:
    """Return the strikes around the money, the at-the-money one framed.

    Where there is no room words are shortened and columns left out, as no number is ever cut.

    Args:
        analysis: what to draw.
        width: columns of the terminal.
        each_side: strikes above and below the money; ``None`` for the whole chain.
        contracts: show open interest in contracts instead of quantity.
        is_stale: draw every verdict grey, as the analysis is too old to act on.
    """
    rows = _rows(analysis, each_side, contracts=contracts, is_stale=is_stale)
    columns = _fitting(rows, width)
    table = Table(box=FRAME, padding=0, show_edge=False)
    for column, least in columns:
        table.add_column(
            column.head,
            width=least,
            justify=column.justify,
            no_wrap=True,
            header_style=f"bold {column.colour}",
        )
    for row, below in zip(rows, [*rows[1:], None], strict=True):
        table.add_row(
            *(column.cell(row) for column, _ in columns),
            end_section=row.is_atm or (below is not None and below.is_atm),
        )
    return table


_Cell = Callable[[Legs, _Row], str]
_Side = tuple[str, int, _Cell]
"""Head, least width and text of a column that both sides have."""


def _fitting(rows: Sequence[_Row], width: int) -> Sequence[tuple[_Column, int]]:
    """Return the fullest columns that fit, each with its width; the fewest where none do."""
    found: Sequence[tuple[_Column, int]] = ()
    for columns in _layouts():
        found = [
            (column, max([column.width, *(column.cell(row).cell_len for row in rows)]))
            for column in columns
        ]
        if sum(least + 1 for _, least in found) <= width + 1:
            break
    return found


def _rows(
    analysis: ChainAnalysis, each_side: int | None, *, contracts: bool, is_stale: bool
) -> list[_Row]:
    strikes = analysis.chain.strike
    supports = {strike for strike, _ in analysis.support}
    resistances = {strike for strike, _ in analysis.resistance}
    verdicts = {strike: verdict for strike, _, _, verdict, _ in analysis.verdicts}
    divisor = float(analysis.lot) if contracts and analysis.lot else 1.0
    rows = [
        _Row(
            strike=float(strikes[i]),
            index=i,
            ce=analysis.chain.ce,
            pe=analysis.chain.pe,
            mark="S" * (strikes[i] in supports) + "R" * (strikes[i] in resistances),
            verdict=verdicts.get(float(strikes[i])),
            is_atm=float(strikes[i]) == analysis.atm,
            is_stale=is_stale,
            now_us=analysis.ts_us,
            divisor=divisor,
        )
        for i in _shown(strikes.tolist(), analysis.atm, each_side)
    ]
    return rows[::-1]  # the highest strike on top


def _shown(strikes: Sequence[float], atm: float | None, each_side: int | None) -> range:
    """Indexes of the strikes to draw: around the money, or around the middle while it is unknown."""
    if each_side is None or not strikes:
        return range(len(strikes))
    middle = len(strikes) // 2 if atm is None else int(np.argmin(np.abs(np.array(strikes) - atm)))
    return range(max(0, middle - each_side), min(len(strikes), middle + each_side + 1))


def _leg(head: str, width: int, cell: _Cell, *, side: str) -> _Column:
    colour = _CALL if side == "ce" else _PUT

    def draw(row: _Row) -> Text:
        text = cell(row.ce if side == "ce" else row.pe, row)
        return Text(text, style="bright_black" if row.is_old(side) else colour)

    return _Column(
        head=head.format(side=side.upper()),
        width=width,
        cell=draw,
        justify="left" if cell in (_long_word, _short_word) else "right",
        colour=colour,
    )


def build_up_word(name: str | None, place: int = 0) -> str:
    """Return a class of build-up in words, or (``place`` 1) in two letters."""
    return figures.UNKNOWN if name is None else _WORDS[BuildUp(name)][place]


def _word(legs: Legs, row: _Row, place: int) -> str:
    name = legs.build_up[row.index]
    return build_up_word(name, place)


def _long_word(legs: Legs, row: _Row) -> str:
    return _word(legs, row, 0)


def _short_word(legs: Legs, row: _Row) -> str:
    return _word(legs, row, 1)


def _oi(legs: Legs, row: _Row) -> str:
    return figures.lakh_crore(legs.oi[row.index] / row.divisor)


def _oi_day(legs: Legs, row: _Row) -> str:
    return figures.lakh_crore_change(legs.oi_change_day[row.index] / row.divisor)


def _oi_5m(legs: Legs, row: _Row) -> str:
    return figures.lakh_crore_change(legs.oi_change_5m[row.index] / row.divisor)


def _ltp(legs: Legs, row: _Row) -> str:
    return figures.grouped(legs.ltp[row.index])


def _strike(row: _Row) -> Text:
    name = figures.plain(row.strike)
    if row.is_atm:
        return Text(f"*{name}*{row.mark or ' '}", style="bold reverse")
    return Text(f" {name} {row.mark or ' '}", style="bold")


def _verdict(row: _Row) -> Text:
    if row.verdict is None:
        return Text(figures.UNKNOWN, style="bright_black")
    word, colour = _VERDICTS[Verdict(row.verdict)]
    grey = row.is_stale or (row.is_old("ce") and row.is_old("pe"))
    return Text(word, style="bright_black" if grey else colour)


_FULL: Sequence[_Side] = (
    ("{side} build-up", 11, _long_word),
    ("ΔOI 5m", 8, _oi_5m),
    ("ΔOI day", 8, _oi_day),
    ("OI", 8, _oi),
    ("LTP", 9, _ltp),
)
_SHORT: Sequence[_Side] = (
    ("{side}", 2, _short_word),
    ("ΔOI 5m", 7, _oi_5m),
    ("ΔOI day", 7, _oi_day),
    ("OI", 7, _oi),
    ("LTP", 8, _ltp),
)
_DISPENSABLE = (_oi_day, _short_word, _ltp, _oi_5m, _oi)
"""What a narrow terminal goes without, one after the other."""


def _layouts() -> Iterator[Sequence[_Column]]:
    """Give the columns, the fullest first."""
    yield _columns(_FULL, middle=11)
    for gone in range(len(_DISPENSABLE) + 1):
        yield _columns([each for each in _SHORT if each[2] not in _DISPENSABLE[:gone]], middle=9)


def _columns(sides: Sequence[_Side], *, middle: int) -> Sequence[_Column]:
    """Return those of calls from the edge on, what stands in the middle, and those of puts towards the edge."""
    return [
        *(_leg(*each, side="ce") for each in sides),
        _Column(head="STRIKE", width=middle, cell=_strike, justify="center"),
        _Column(head="Verdict", width=9, cell=_verdict, justify="left"),
        *(_leg(*each, side="pe") for each in reversed(sides)),
    ]
