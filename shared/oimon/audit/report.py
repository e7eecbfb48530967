"""What an audit found, for people and for machines."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from oimon.audit.judging import Findings, Wrong
from oimon.audit.outbox import Texts

NAMED = 5
"""Places of a difference that a person is shown; machines are given ``LISTED``."""
LISTED = 100
ABREAST = 6
"""Underlyings side by side, so that a terminal of 80 columns has room."""
_MEANS = {
    Wrong.MISSING: "beats without an analysis",
    Wrong.PASSED_OVER: "beats without an analysis, or entries without a row, because they were set aside",
    Wrong.DUPLICATE: "second beats or analyses of one second, or batches of ticks published again",
    Wrong.OUT_OF_ORDER: "entries of an earlier second than the one before",
    Wrong.HOLE: "entries gone from within a stream, by their numbers",
    Wrong.UNEQUAL: "analyses that are not what their ticks make",
    Wrong.STRAY: "answers to what is not in the log",
    Wrong.NO_ROW: "entries without a row in the database",
    Wrong.NO_ENTRY: "rows in the database without an entry",
}


def is_clean(found: Sequence[Findings], texts: Texts) -> bool:
    """Return whether nothing is wrong anywhere."""
    return texts.is_clean and not any(each.differences for each in found)


def plain(found: Sequence[Findings], texts: Texts) -> dict[str, Any]:
    """Return all of it for machines: one object, ``clean`` when nothing is wrong anywhere."""
    return {
        "clean": is_clean(found, texts),
        "underlyings": [_plain(each) for each in found],
        "texts": {
            "outcomes": dict(texts.outcomes),
            "lost": list(texts.lost[:LISTED]),
            "holes": texts.holes,
        },
    }


def _plain(found: Findings) -> dict[str, Any]:
    return {
        "underlying": found.underlying,
        "beats": found.beats,
        "analyses": found.analyses,
        "pending": found.pending,
        "not_recomputed": found.not_recomputed,
        "trimmed": found.trimmed,
        **{what.name.lower(): _count(found, what) for what in Wrong},
        "advice": dict(found.advice),
        "longest_silence_ms": found.silence_ms,
        "parked": dict(found.parked),
        "differences": [
            {"what": each.what, "count": each.count, "places": list(each.places[:LISTED])}
            for each in found.differences
        ],
    }


def _count(found: Findings, what: Wrong) -> int | None:
    """Return how often something is wrong; ``None`` where nobody looked."""
    is_unseen = what in (Wrong.NO_ROW, Wrong.NO_ENTRY) and not found.has_rows
    return None if is_unseen else found.count(what)


def tables(found: Sequence[Findings], texts: Texts) -> Group:
    """Return all of it for people: a column an underlying, and below in words what is wrong and what else matters."""
    shown = [_table(found[start : start + ABREAST]) for start in range(0, len(found), ABREAST)]
    words = [Text(sentence) for each in found for sentence in _sentences(each)]
    words += [Text(sentence) for sentence in _of_texts(texts)]
    fine = is_clean(found, texts)
    verdict = Text("Clean" if fine else "Not clean", style="green" if fine else "bold red")
    return Group(*shown, *words, verdict)


def _table(found: Sequence[Findings]) -> Table:
    shown = Table(title="Audit", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("", *(each.underlying for each in found)):
        shown.add_column(heading, justify="right" if heading else "left")
    shown.add_row("beats", *(str(each.beats) for each in found))
    shown.add_row("analyses", *(str(each.analyses) for each in found))
    for what in Wrong:
        shown.add_row(what.value, *(_cell(_count(each, what)) for each in found))
    shown.add_row("advice", *(str(sum(each.advice.values())) for each in found))
    shown.add_row("set aside", *(str(sum(each.parked.values())) for each in found))
    shown.add_row("longest silence", *(_seconds(each.silence_ms) for each in found))
    return shown


def _seconds(ms: int | None) -> str:
    return "--" if ms is None else f"{ms / 1e3:.3f} s"


def _cell(count: int | None) -> Text:
    return Text("--" if count is None else str(count), style="bold red" if count else "")


def _of_texts(texts: Texts) -> Iterator[str]:
    if texts.outcomes:
        told = ", ".join(f"{count} {outcome}" for outcome, count in texts.outcomes.items())
        yield f"Texts: {told}"
    if texts.lost:
        more = f" and {len(texts.lost) - NAMED} more" if len(texts.lost) > NAMED else ""
        yield (
            f"Texts: {len(texts.lost)} lost, of which nobody knows what became: {', '.join(texts.lost[:NAMED])}{more}"
        )
    if texts.holes:
        yield f"Texts: {texts.holes} gone from within the outbox, by their numbers"


def _sentences(found: Findings) -> Iterator[str]:
    for each in found.differences:
        places = ", ".join(each.places[:NAMED])
        more = f" and {len(each.places) - NAMED} more" if len(each.places) > NAMED else ""
        yield f"{found.underlying}: {each.count} {_MEANS[each.what]}: {places}{more}"
    if found.pending:
        yield f"{found.underlying}: the newest {found.pending} beats are not worked yet"
    if found.not_recomputed:
        yield (
            f"{found.underlying}: not recomputed: {found.not_recomputed} analyses, since the log does not keep what they were made of"
        )
    if found.trimmed:
        yield (
            f"{found.underlying}: not judged: {found.trimmed} beats, older than the oldest analysis that the log keeps (ANALYSIS_KEEP)"
        )
    for role, count in found.parked.items():
        if count:
            yield f"{found.underlying}: {role} has set {count} entries aside; see `oi dead list`"
