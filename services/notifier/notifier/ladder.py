"""The option chain as a ladder of strikes, as a rich table (pure).

Calls stand left and red (resistance), puts right and green (support); words and arrows say the same without colour.
Source: screens, section 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.box import Box
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from oimon import figures
from oimon.messages import ChainAnalysis, Legs
from oimon.terms import BuildUp, Verdict

WIDE = 112
"""Columns that the full ladder needs; below it the narrow one is drawn."""
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
    width: int
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

    Args:
        analysis: what to draw.
        width: columns of the terminal; below ``WIDE`` the day's change is left out and words are shortened.
        each_side: strikes above and below the money; ``None`` for the whole chain.
        contracts: show open interest in contracts instead of quantity.
        is_stale: draw every verdict grey, as the analysis is too old to act on.
    """
    columns = _wide_columns() if width >= WIDE else _narrow_columns()
    table = Table(box=FRAME, padding=0, show_edge=False)
    for column in columns:
        table.add_column(
            column.head,
            width=column.width,
            justify=column.justify,
            no_wrap=True,
            header_style=f"bold {column.colour}",
        )
    rows = _rows(analysis, each_side, contracts=contracts, is_stale=is_stale)
    for row, below in zip(rows, [*rows[1:], None], strict=True):
        table.add_row(
            *(column.cell(row) for column in columns),
            end_section=row.is_atm or (below is not None and below.is_atm),
        )
    return table


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


def _leg(
    head: str,
    width: int,
    side: str,
    cell: Callable[[Legs, _Row], str],
    justify: JustifyMethod = "right",
) -> _Column:
    colour = _CALL if side == "ce" else _PUT

    def draw(row: _Row) -> Text:
        text = cell(row.ce if side == "ce" else row.pe, row)
        return Text(text, style="bright_black" if row.is_old(side) else colour)

    return _Column(head=head, width=width, cell=draw, justify=justify, colour=colour)


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


def _wide_columns() -> list[_Column]:
    middle = [
        _Column(head="STRIKE", width=11, cell=_strike, justify="center"),
        _Column(head="Verdict", width=9, cell=_verdict, justify="left"),
    ]
    return [
        _leg("CE build-up", 11, "ce", _long_word, "left"),
        _leg("ΔOI 5m", 8, "ce", _oi_5m),
        _leg("ΔOI day", 8, "ce", _oi_day),
        _leg("OI", 8, "ce", _oi),
        _leg("LTP", 9, "ce", _ltp),
        *middle,
        _leg("LTP", 9, "pe", _ltp),
        _leg("OI", 8, "pe", _oi),
        _leg("ΔOI day", 8, "pe", _oi_day),
        _leg("ΔOI 5m", 8, "pe", _oi_5m),
        _leg("PE build-up", 11, "pe", _long_word, "left"),
    ]


def _narrow_columns() -> list[_Column]:
    middle = [
        _Column(head="STRIKE", width=9, cell=_strike, justify="center"),
        _Column(head="Verdict", width=9, cell=_verdict, justify="left"),
    ]
    return [
        _leg("CE", 2, "ce", _short_word),
        _leg("ΔOI 5m", 7, "ce", _oi_5m),
        _leg("OI", 7, "ce", _oi),
        _leg("LTP", 8, "ce", _ltp),
        *middle,
        _leg("LTP", 8, "pe", _ltp),
        _leg("OI", 7, "pe", _oi),
        _leg("ΔOI 5m", 7, "pe", _oi_5m),
        _leg("PE", 2, "pe", _short_word, "left"),
    ]
