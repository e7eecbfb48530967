"""The whole screen of one underlying, and its one-line summary, from what is known now (pure).

Source: screens, section 2; requirement B01 (an age on every number); rulings 10, 11, 13.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from notifier.board import (
    MODE_STYLE,
    STALE_S,
    arrow,
    board_header,
    of_then,
    off_lines,
    quote_table,
)
from notifier.fitting import cut, flow
from notifier.ladder import chain_table
from notifier.readings import (
    DIRECTIONS,
    anchors,
    coaches,
    counted_from,
    iv,
    levels,
    nearest,
    other_expiry,
    paper,
    readings,
)
from notifier.render import call
from oimon import figures
from oimon.explain.ages import DataState, states
from oimon.explain.direction import is_conflict
from oimon.explain.minutes import pcr_change
from oimon.figures import UNKNOWN, age, clock_time, grouped, percent, plain, signed
from oimon.messages import Advice, ChainAnalysis, QuoteBoard
from oimon.terms import FeedState, MarketState, Quality

WIDE = 112
"""Columns that the full header needs; below it some of it is left out."""

_OPEN = (MarketState.OPEN, MarketState.OPEN_CAS)


@dataclass(frozen=True, kw_only=True)
class View:
    """What one drawing of the screen is made from."""

    underlying: str
    analysis: ChainAnalysis | QuoteBoard | None = None
    minimal: Advice | None = None
    rich: Advice | None = None
    written_age_s: float | None = None  # since it was written; of several boards the oldest
    others: Sequence[str] = ()
    trouble: str | None = None  # why nothing new comes: the bus is away


def is_stale(view: View) -> bool:
    """Say whether the reader must not act on the analysis: it says so itself, or it was written too long ago.

    A day that has ended and a closed market give one beat a minute; silence there is no sign of trouble.
    """
    analysis = view.analysis
    if not isinstance(analysis, ChainAnalysis):
        return False
    if analysis.feed is FeedState.ENDED or analysis.market not in _OPEN:
        return analysis.is_stale
    return analysis.is_stale or (view.written_age_s or 0.0) > STALE_S


def screen(
    view: View, *, width: int, each_side: int | None = 5, contracts: bool = False
) -> RenderableType:
    """Return everything that the terminal shows.

    Args:
        view: what is known.
        width: columns of the terminal; 112 and more give the full header.
        each_side: strikes above and below the money, ``None`` for the whole chain.
        contracts: open interest in contracts instead of lakh and crore of quantity.
    """
    match view.analysis:
        case None:
            body: list[RenderableType] = [_waiting(view)]
        case QuoteBoard() as board:
            body = [
                board_header(board),
                quote_table(board.rows, width=width),
                *of_then(view.written_age_s),
                *off_lines(board.off),
            ]
        case ChainAnalysis() as analysis:
            body = [
                *_flowed(_header(analysis, view, width=width), width),
                chain_table(
                    analysis,
                    width=width,
                    each_side=each_side,
                    contracts=contracts,
                    is_stale=is_stale(view) or DataState.OI_OLD in states(analysis),
                ),
                *_flowed(anchors(analysis, width=width, contracts=contracts), width),
                *(cut(line, width) for line in counted_from(analysis)),
                *flow(levels(analysis), width),
                *(cut(line, width) for line in readings(analysis)),
                *([] if analysis.off else _coaches(analysis, view, width=width)),
                *_flowed(_other_expiries(analysis), width),
                *([quote_table(analysis.quotes, width=width)] if analysis.quotes else []),
                *_notes(analysis, view, contracts=contracts),
                *off_lines(analysis.off),
            ]
    if view.others:
        others = Text(f"Also watched: {', '.join(view.others)}", style="bright_black")
        body.append(cut(others, width))
    if view.trouble:
        body.append(Text(view.trouble, style="bold red"))
    return Group(*body)


def summary(view: View) -> str:
    """Return the state in one line, for output that is no terminal."""
    analysis = view.analysis
    if view.trouble:
        return view.trouble
    if analysis is None:
        return _waiting(view).plain
    head = f"{clock_time(analysis.ts_us)} IST {analysis.mode} {analysis.underlying}"
    if isinstance(analysis, QuoteBoard):
        quotes = "  ".join(f"{quote.symbol} {grouped(quote.ltp)}" for quote in analysis.rows)
        board = f"{clock_time(analysis.ts_us)} IST {analysis.mode} {analysis.segment} | {quotes}"
        is_old = (view.written_age_s or 0.0) > STALE_S
        return f"{board} | made more than {age(STALE_S)} ago" if is_old else board
    stale = " STALE" if is_stale(view) else ""
    said = " | ".join(
        f"{name} {call(advice)} ({advice.by})"
        for name, advice in (("minimal", view.minimal), ("rich", view.rich))
        if advice is not None
    )
    parts = [
        f"{head} {_price(analysis)} {_change(analysis).plain}".rstrip(),
        f"PCR {figures.decimal(analysis.pcr)}",
        f"MaxPain {plain(analysis.max_pain)}",
        f"{_bias('', analysis).strip()}{_conflict(analysis)}",
        f"S {nearest(analysis.support)} R {nearest(analysis.resistance)}",
        *([said] if said else []),
        f"{_ages(analysis)}{stale}",
    ]
    return " | ".join(parts)


def _conflict(analysis: ChainAnalysis) -> str:
    return " CONFLICT" if is_conflict(analysis) else ""


def _flowed(lines: Iterable[Text], width: int) -> Iterator[Text]:
    return (part for line in lines for part in flow(line, width))


def _coaches(analysis: ChainAnalysis, view: View, *, width: int) -> list[Text]:
    said = (cut(line, width) for line in coaches(analysis, view.minimal, view.rich))
    return [*said, *_flowed(paper(analysis, view.minimal), width)]


def _other_expiries(analysis: ChainAnalysis) -> Iterator[Text]:
    return (other_expiry(each, has_direction=not analysis.off) for each in analysis.more)


def _waiting(view: View) -> Text:
    return Text(
        f"{view.underlying or 'OI Monitor'}: waiting for the first analysis… "
        "(is a feed running? `oi status` says what is)",
        style="yellow",
    )


# --- header --------------------------------------------------------------------------------------------------------


def _header(analysis: ChainAnalysis, view: View, *, width: int) -> list[Text]:
    wide = width >= WIDE
    mark, colour = DIRECTIONS[analysis.direction]
    bias_style = "bright_black" if is_stale(view) else f"bold {colour}"
    first = Text.assemble(
        (f"{analysis.underlying} ", "bold"),
        (_price(analysis), "bold"),
        " ",
        _change(analysis),
        *([f"  FUT {_future(analysis)}"] if wide and not analysis.quotes else []),
        f"  EXP {figures.short_date(analysis.expiry)} ({_days(analysis.days_to_expiry)})",
        f"  {clock_time(analysis.ts_us)} IST  ",
        *([f"{analysis.segment} {analysis.market}  "] if wide else []),
        (f" {analysis.mode} ", MODE_STYLE[analysis.mode]),
    )
    second = Text.assemble(
        f"PCR {figures.decimal(analysis.pcr)}",
        *([f" ({signed(pcr_change(analysis))} 5m)"] if wide else []),
        f"  MaxPain {plain(analysis.max_pain)}",
        *([f"  ATM {plain(analysis.atm)}  IV {iv(analysis.atm_iv)}"] if wide else []),
        "  Bias " if wide else "  ",
        (_bias(mark, analysis), bias_style),
        *([("  CONFLICT", "bold yellow")] if is_conflict(analysis) else []),
        *([f"  VIX {figures.decimal(analysis.vix, 1)}"] if wide else []),
    )
    ages = _ages(
        analysis
    )  # are never cut off: where there is no room they have a line of their own
    if second.cell_len + 2 + cell_len(ages) > width:
        return [first, second, Text(ages)]
    return [first, second.append(f"  {ages}")]


def _price(analysis: ChainAnalysis) -> str:
    """Return spot; of a commodity, which has none, the price of the future that stands for it."""
    if analysis.spot is None and analysis.quotes and analysis.x is not None:
        return f"FUT {grouped(analysis.x)}"
    return grouped(analysis.spot)


def _bias(mark: str, analysis: ChainAnalysis) -> str:
    if analysis.off:
        return "no direction"
    return f"{mark} {analysis.direction} {percent(analysis.confidence_factor)}"


def _change(analysis: ChainAnalysis) -> Text:
    close, spot = analysis.spot_prev_close, analysis.spot
    if close is None or spot is None or close <= 0:
        return Text("")
    change = (spot / close - 1) * 100
    return Text(f"{arrow(change)} {signed(change)}%", style="green" if change >= 0 else "red")


def _future(analysis: ChainAnalysis) -> str:
    if analysis.future is None or analysis.future.mark is None:
        return UNKNOWN
    ahead = None if analysis.spot is None else analysis.future.mark - analysis.spot
    return f"{grouped(analysis.future.mark)} ({signed(ahead, 1)})"


def _days(days: float | None) -> str:
    return UNKNOWN if days is None else f"{age(days * 86_400)} left"


def _ages(analysis: ChainAnalysis) -> str:
    tick_s = None if analysis.tick_age_ms is None else analysis.tick_age_ms / 1e3
    cadence = f" (each {age(analysis.cadence_s)})" if analysis.cadence_s >= 1 else ""
    feed = "" if analysis.feed is FeedState.OK else f" {analysis.feed.upper().replace('_', ' ')}"
    return f"feed {age(tick_s)}{feed}{cadence}  OI {age(analysis.oi_age_s)}"


# --- what a reader has to know beside the numbers ------------------------------------------------------------------


def _notes(analysis: ChainAnalysis, view: View, *, contracts: bool) -> list[Text]:
    notes = []
    if analysis.feed is FeedState.ENDED:
        notes.append(Text("This day has ended. Play it again: ./oi up", style="bold yellow"))
    if is_stale(view):
        notes.append(Text(_stale_reason(analysis, view), style="bold red"))
    if analysis.market not in _OPEN:
        notes.append(Text(f"Market: {analysis.market.lower().replace('_', ' ')}", style="yellow"))
    for state, reason in states(analysis).items():
        if state in (DataState.OI_OLD, DataState.ONE_SIDED):
            title = state.replace("_", " ").upper()
            notes.append(Text(f"{title}: {reason}; verdicts are not to act on", style="bold red"))
    doubts = _doubts(analysis)
    if contracts and analysis.lot:
        doubts.append("open interest in contracts, in reasons in quantity")
    if doubts:
        notes.append(Text(" · ".join(doubts), style="yellow"))
    return notes


def _stale_reason(analysis: ChainAnalysis, view: View) -> str:
    if analysis.is_stale:
        return f"STALE ({_ages(analysis)}): do not act on these numbers"
    return f"STALE (last analysis {age(view.written_age_s)} ago): do not act on these numbers"


def _doubts(analysis: ChainAnalysis) -> list[str]:
    doubts = []
    if analysis.quotes_assumed is not None:
        doubts.append(f"quotes assumed {analysis.quotes_assumed * 100:g} %")
    if analysis.lot is None:
        doubts.append("lot unknown: open interest in the source's own unit")
    if analysis.quality is not Quality.OK:
        reasons = ", ".join(analysis.quality_why).replace("_", " ")
        doubts.append(f"quality {analysis.quality}: {reasons}")
    if analysis.is_gapped:
        doubts.append("gap in the data")
    if not analysis.is_warm:
        doubts.append(f"only {age(analysis.history_s)} of history")
    return doubts
