"""One partition's analyst: takes entries in, answers each beat with one analysis.

The state is what a restart must rebuild from the log: book, history, filters. Only a beat makes an analysis, so how
ticks were batched never shows. Source: bus contract, section 7; rulings, 5, 11, 13, 14.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from analytics.analyse import analyse
from analytics.board import future_quotes, quote_board, why_null
from analytics.book import ChainBook
from analytics.cells import Cell
from analytics.commodity import commodity_analysis, options_found, options_now, with_classes
from analytics.findings import Findings
from analytics.history import RollingTicks, Sample
from analytics.message import chain_analysis
from analytics.quotes import with_deals, with_opening, with_year
from analytics.run import (
    Run,
    Standing,
    chain_now,
    let_go_of_cells,
    market_now,
    standing_now,
    tracked,
)
from analytics.situation import Before
from oimon.bus import Entry, Output
from oimon.core.chain import FloatArray
from oimon.core.oi import WINDOW_S
from oimon.messages import ANALYSIS, Beat, ChainAnalysis, Gap, QuoteBoard, Session, TickBatch

_WINDOW_US = int(WINDOW_S * 1e6)


@dataclass(kw_only=True, eq=False)
class Desk:
    """State of one partition."""

    partition: str
    run: Run | None = None
    last_n: int = 0  # number of the last entry: the next is one more, or the log has a hole
    has_hole: bool = False  # since the last beat
    gapped_until_us: int = 0
    gaps: dict[int, int] = field(default_factory=dict)  # until when data of a row are missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answer:
    """A beat with what was found at it, by expiry; nothing is found where no options are analysed."""

    run: Run
    beat: Beat
    is_gapped: bool
    has_ticked: bool  # since the beat before
    cells: FloatArray
    found: Sequence[Findings] = ()


def handle(desk: Desk, entry: Entry) -> tuple[Desk, Sequence[Output]]:
    """Take one entry of a partition's ticks in; answer a beat with one analysis, anything else with nothing.

    Raises:
        PoisonMessage: the entry cannot be used.
    """
    answer = _take(desk, entry)
    if answer is None:
        return desk, []
    message = _message(answer)
    _let_go(answer)
    return desk, [Output(ANALYSIS, message)]


def replay(desk: Desk, entry: Entry) -> Desk:
    """Take one entry in as :func:`handle` does, when nobody wants the answer again.

    Raises:
        PoisonMessage: the entry cannot be used.
    """
    answer = _take(desk, entry)
    if answer is not None:
        _let_go(answer)
    return desk


def _take(desk: Desk, entry: Entry) -> _Answer | None:
    """Take one entry in; return what is to be said, where it is a beat."""
    message = entry.message
    desk.has_hole |= 0 < desk.last_n < entry.n - 1
    desk.last_n = entry.n
    match message:
        case Session():
            _meet(desk, message)
        case Gap():
            _fill(desk, message) if message.filled else _lose(desk, message)
        case TickBatch() if desk.run is not None:
            desk.run.book.apply(message)
            if desk.run.is_quoted:
                desk.run.quotes = with_year(with_deals(desk.run.quotes, message), message)
        case Beat() if desk.run is not None:
            if desk.has_hole:
                desk.has_hole, desk.gapped_until_us = False, message.ts_us + _WINDOW_US
            return _answer(desk.run, message, is_gapped=_is_gapped(desk, message.ts_us))
        case _:
            pass  # ticks and beats before the first session: nobody could say what they mean
    return None


def _meet(desk: Desk, session: Session) -> None:
    """Start anew for a new run; within a run take in what was added."""
    run = desk.run
    if run is None or run.book.session.run != session.run:
        desk.run = Run(book=ChainBook(session), history=RollingTicks(session.instruments.symbol))
        desk.has_hole, desk.gapped_until_us, desk.gaps = False, 0, {}
    elif run.book.adopt(session):
        run.history.widen(session.instruments.symbol)


def _lose(desk: Desk, gap: Gap) -> None:
    """Note of which rows a stretch is missing, until the window has passed it."""
    if desk.run is None:
        return  # the first session starts anew, with nothing that could be missing
    until_us, rows = gap.to_us + _WINDOW_US, gap.rows
    if rows is None:
        rows = list(range(len(desk.run.book.session.instruments.token)))
    desk.gaps |= {row: max(desk.gaps.get(row, 0), until_us) for row in rows}


def _fill(desk: Desk, gap: Gap) -> None:
    """Take in what is known of a stretch after all, and note that of these rows it is not missing any more."""
    if desk.run is None:
        return
    rows = set(gap.rows or ())
    desk.gaps = {
        row: until_us
        for row, until_us in desk.gaps.items()
        if row not in rows or until_us > gap.to_us + _WINDOW_US
    }
    known: dict[int, list[tuple[float, float]]] = {}
    for row, at_us, oi in gap.oi:
        if 0 <= row < len(desk.run.book.session.instruments.token):
            known.setdefault(row, []).append((at_us / 1e6, float(oi)))
    if known:
        desk.run.history.fill(known, gap.from_us / 1e6, gap.to_us / 1e6)


def _is_gapped(desk: Desk, now_us: int) -> bool:
    """Say whether anything of the last window is missing."""
    if desk.gaps:
        desk.gaps = {row: until_us for row, until_us in desk.gaps.items() if until_us > now_us}
    return bool(desk.gaps) or now_us < desk.gapped_until_us


def _answer(run: Run, beat: Beat, *, is_gapped: bool) -> _Answer:
    """Analyse a beat and keep of it what later ones need."""
    has_ticked = run.book.has_ticked
    standing = standing_now(run, beat)
    cells = standing.cells
    if run.is_quoted:
        segment = run.book.session.segment
        run.quotes = with_opening(run.quotes, cells, segment=segment, ts_us=beat.ts_us)
        found = options_found(run, standing, beat, options_now(run, cells, beat.ts_us))
    else:
        found = _found(run, standing, beat)
    for findings in found:
        run.before[findings.chain.expiry] = findings.after
    _sample(run, cells, beat.ts_us / 1e6, found[0].reference.level if found else None)
    if found:
        _note_minute(run, found[0])
    return _Answer(
        run=run, beat=beat, is_gapped=is_gapped, has_ticked=has_ticked, cells=cells, found=found
    )


def _let_go(answer: _Answer) -> None:
    """Keep the cells for the next beat only where none has come since the one before: then mostly none comes."""
    if answer.has_ticked:
        let_go_of_cells(answer.run)


def _found(run: Run, standing: Standing, beat: Beat) -> list[Findings]:
    """Return what each tracked expiry of an underlying with a spot says."""
    expiries = tracked(run, beat.ts_us)
    return analyse(
        [chain_now(run, expiry, standing, beat.ts_us) for expiry in expiries],
        market_now(run, standing.cells, beat),
        [run.before.get(expiry.expiry, Before()) for expiry in expiries],
    )


def _message(answer: _Answer) -> ChainAnalysis | QuoteBoard:
    """Return what is said of a beat."""
    run, beat = answer.run, answer.beat
    if not answer.found:
        return quote_board(run, beat, answer.cells)
    told = chain_analysis(
        run.book,
        beat,
        answer.found,
        answer.cells,
        minutes=run.minutes,
        history=run.history,
        is_gapped=answer.is_gapped,
    )
    if not run.is_quoted:
        return told
    quotes = with_classes(future_quotes(run, beat, answer.cells), answer.found)
    return commodity_analysis(told, quotes, why_null(quotes))


def _sample(run: Run, cells: FloatArray, now_s: float, level: float | None) -> None:
    if run.history.is_due(now_s, cells[Cell.OI]):
        run.history.append(
            Sample(
                at_s=now_s,
                oi=cells[Cell.OI].copy(),
                mark=cells[Cell.MARK].copy(),
                ltp=cells[Cell.LTP].copy(),
                level=level,
            )
        )


def _note_minute(run: Run, found: Findings) -> None:
    """Keep one line a minute, of its first beat."""
    at_s = found.market.ts_us // 1_000_000
    if run.minutes and run.minutes[-1][0] // 60 == at_s // 60:
        return
    interest, judged = found.interest, found.judgement
    run.minutes.append(
        (
            at_s,
            found.reference.level,
            interest.pcr.by_oi,
            interest.coi.balance,
            judged.scored.score,
            judged.state.label.value,
            None if interest.pain is None else interest.pain.strike,
        )
    )
