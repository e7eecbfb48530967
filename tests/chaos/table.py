"""The table of a run: a line a row, for a terminal or a document (pure)."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.case import Row
from tests.chaos.plan import Outcome

_HEADS = (
    "row", "what was done", "faults", "beats", "missing", "duplicate", "unequal", "out of order",
    "refused writes", "recovery p50 s", "max s", "silence p50 s", "max s", "machine busy ×", "verdict", "fails without",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row as it is, and as it was without its protection."""

    outcome: Outcome
    without: Outcome | None = None

    @property
    def is_good(self) -> bool:
        """Whether the row held, and bit when its protection was gone."""
        return self.outcome.is_passed and (self.without is None or not self.without.is_passed)

    def cells(self) -> tuple[str, ...]:
        """Return what the table says of it."""
        row, outcome, found = self.outcome.row, self.outcome, self.outcome.findings
        if outcome.skipped:
            return (str(row.number), row.name, *["–"] * 12, f"left out: {outcome.skipped}", "–")
        return (
            str(row.number),
            row.name,
            str(outcome.faults),
            str(found.beats),
            str(found.missing),
            str(found.duplicate),
            str(found.unequal),
            str(found.out_of_order + found.hole),
            str(outcome.refused),
            *_seconds(outcome.recoveries),
            *_seconds(outcome.silences),
            f"{outcome.busyness.factor:.1f}",
            "; ".join(outcome.complaints) or "clean",
            self._without(),
        )

    def _without(self) -> str:
        if self.without is None:
            return "–"
        what = self.outcome.row.protection.replace(",", ", ")
        if self.without.is_passed:
            return f"{what}: NO"
        return f"{what}: {', '.join(self.without.complaints)}"


def text(lines: Sequence[Line]) -> str:
    """Return the table for a terminal."""
    cells = [_HEADS, *(line.cells() for line in lines), _total(lines)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(_HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def markdown(lines: Sequence[Line]) -> str:
    """Return the table for a document."""
    cells = [_HEADS, ("---",) * len(_HEADS), *(line.cells() for line in lines), _total(lines)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def catalogue(rows: Sequence[Row]) -> str:
    """Return what the rows are."""
    return "\n".join(
        f"{row.number:>3}  {row.name:<36} {row.faults or 'by time':>8} faults"
        f"{f', {row.quick} when quick' if row.quick else '':<16}  protected by {row.protection.replace(',', ', ')}"
        for row in rows
    )


def _total(lines: Sequence[Line]) -> tuple[str, ...]:
    ran = [line.outcome for line in lines if not line.outcome.skipped]
    sums = [
        sum(outcome.faults for outcome in ran),
        sum(outcome.findings.beats for outcome in ran),
        sum(outcome.findings.missing for outcome in ran),
        sum(outcome.findings.duplicate for outcome in ran),
        sum(outcome.findings.unequal for outcome in ran),
        sum(outcome.findings.out_of_order + outcome.findings.hole for outcome in ran),
        sum(outcome.refused for outcome in ran),
    ]
    failed = sum(1 for outcome in ran if not outcome.is_passed)
    verdict = f"{failed} failed" if failed else "all clean"
    return ("", "all rows", *map(str, sums), *[""] * 5, verdict, "")


def _seconds(values: Sequence[float]) -> tuple[str, str]:
    """Return the median and the greatest."""
    if not values:
        return "–", "–"
    return f"{statistics.median(values):.2f}", f"{max(values):.2f}"
