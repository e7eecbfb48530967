"""Many underlyings of one file on paper: a line each, within 80 columns (pure)."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from analytics.sheet import levels_text, ratio_text, strike_text
from oimon.calendar import IST
from oimon.core.compare import reaches
from oimon.core.direction_filter import MIN_COVERAGE
from oimon.figures import grouped
from oimon.messages import ChainAnalysis
from oimon.terms import Quality

_NAMED = 8  # underlyings of a note that names them; of more it tells how many
_QUALITIES = {Quality.OK: "green", Quality.DEGRADED: "yellow", Quality.BAD: "red"}
_MISSING = (
    ("pcr", "PCR", "pcr"),
    ("max_pain", "max pain", "max_pain"),
    ("support", "support", "support_wall"),
    ("resistance", "resistance", "resistance_wall"),
)
"""What a line shows and may be missing: the message's field, its name here, the field that has the reason."""


def roll(analyses: Sequence[ChainAnalysis]) -> Group:
    """Return what a terminal shows of the analyses of one file: a table an expiry, then why something is missing.

    Args:
        analyses: at least one, of the same file.
    """
    at = datetime.fromtimestamp(analyses[0].ts_us / 1e6, IST)
    head = Text(f"{len(analyses)} underlyings", style="bold")
    head.append(f" as of {at:%Y-%m-%d %H:%M:%S} IST, from a file", style="default")
    expiries = sorted({analysis.expiry for analysis in analyses})
    tables = [_table(expiry, [a for a in analyses if a.expiry == expiry]) for expiry in expiries]
    return Group(head, *tables, *(Text(note, style="yellow") for note in _notes(analyses)))


def _table(expiry: str, analyses: Sequence[ChainAnalysis]) -> Table:
    table = Table(title=f"Expiry {expiry}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("Underlying", no_wrap=True)
    for name in ("Spot", "PCR", "Max pain", "Support", "Resistance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Direction", no_wrap=True)
    table.add_column("Quality", no_wrap=True)
    for analysis in analyses:
        table.add_row(
            Text(analysis.underlying),
            grouped(analysis.spot),
            ratio_text(analysis.pcr),
            strike_text(analysis.max_pain),
            levels_text(analysis.support[:1]),
            levels_text(analysis.resistance[:1]),
            str(analysis.direction),
            Text(str(analysis.quality), style=_QUALITIES[analysis.quality]),
        )
    return table


def _notes(analyses: Sequence[ChainAnalysis]) -> Iterator[str]:
    """Give each reason of a quality and of a value that is missing, with whose it is, and what one moment cannot tell."""
    whose: dict[str, list[str]] = {}
    for analysis in analyses:
        for reason in _reasons(analysis):
            whose.setdefault(reason, []).append(analysis.underlying)
    for reason, names in whose.items():
        some = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} underlyings"
        yield f"{reason}: {'each' if len(names) == len(analyses) else some}"
    most = max(analysis.coverage or 0.0 for analysis in analyses)
    if not reaches(most, MIN_COVERAGE):
        yield (
            f"One moment has no changes over time: at most {most:.0%} of the evidence is known, so no direction but NEUTRAL "
            "can be told. A day of moments can: see oi import."
        )


def _reasons(analysis: ChainAnalysis) -> Iterator[str]:
    if analysis.quality_why:
        why = ", ".join(reason.replace("_", " ") for reason in analysis.quality_why)
        yield f"Quality {analysis.quality} for {why}"
    for field, name, reason in _MISSING:
        if getattr(analysis, field) in (None, []):
            yield f"No {name}, as there is {analysis.why_null[reason]}"
