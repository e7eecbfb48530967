"""`oi sim score`: how well the analytics read a market whose truth is known."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from multiprocessing.pool import Pool
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from ingest.simulator.day import EXPIRY_WEEK, Plan
from ingest.simulator.scoring import (
    LABELS,
    Figure,
    Grade,
    Marks,
    balanced_accuracy,
    by_turn,
    figures,
    together,
)
from ingest.simulator.trial import trial
from oimon.output import for_tables

CAVEAT = "These results show that the program reads its own model of the market. They say nothing of real markets or of profit."
_NOTE = (
    "±: standard error, as far as days differ; wanted: of this project; spec: required by the specification, 13.5; proto: found "
    "by its prototype. detection: from the start of a regime with a direction until its label stands; those never read have "
    "none. sure − unsure: by how many percentage points (pp) more of the signs are right 5 min on where confidence is ≥ 0.55 "
    "than where it is < 0.30"
)
app = typer.Typer(
    name="sim",
    help="The simulated market: how well is its truth read?\n\nExample: `oi sim score --seeds 4 --seconds 7200`",
    no_args_is_help=True,
)


@app.callback()
def _sim() -> None:
    """Keep ``score`` a word of its own: with a single command typer would drop it."""


@app.command()
def score(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="how many days, of seeds 1, 2, 3 …")] = 24,
    publish: Annotated[
        float,
        typer.Option(
            min=1, max=600, help="seconds between publications of one contract's open interest"
        ),
    ] = 60.0,
    every: Annotated[
        int, typer.Option(min=1, max=15, help="seconds of the day from analysis to analysis")
    ] = 5,
    date: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="the simulated day")
    ] = datetime(EXPIRY_WEEK.year, EXPIRY_WEEK.month, EXPIRY_WEEK.day),  # noqa: DTZ001 - a day, no instant
    first: Annotated[int, typer.Option(min=0, help="the first seed")] = 1,
    seconds: Annotated[
        int | None,
        typer.Option(min=2700, help="end each day after so many seconds, for a quick look"),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="processes; one a core when not given")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON object on standard output")
    ] = False,
) -> None:
    """Play simulated days of NIFTY through the real analytics and compare its direction with the truth.

    The truth never reaches the analytics. Left out: the first 1,800 s of a day, SHOCK, the first 900 s of each regime. Exit code 0
    when every figure is reached or lacks no more than its standard error, else 1. Ctrl-C stops all processes (130).

    Example: `oi sim score --seeds 24 --publish 60`, a few minutes on two cores; a first look: `oi sim score --seeds 2 --every 15`
    """
    plans = [
        Plan(
            seed=seed,
            day=date.date(),
            publish_s=publish,
            every_s=every,
            expiries=1,
            seconds=seconds,
        )
        for seed in range(first, first + seeds)
    ]
    found = _all_marks(plans, jobs or os.cpu_count() or 1)
    table = figures(found)
    if as_json:
        sys.stdout.buffer.write(_json(found, table) + b"\n")
    else:
        out = for_tables()
        out.print(_title(plans), highlight=False)
        out.print(_figures(table))
        out.print(_delays(found))
        matrix = together(found)
        out.print(_confusion(matrix))
        accuracy = balanced_accuracy(matrix)
        if accuracy is not None:
            out.print(f"Balanced accuracy of all days together: {accuracy:.3f}", highlight=False)
        out.print(f"\n{CAVEAT}", highlight=False)
    raise typer.Exit(1 if Grade.MISSED in [each.grade for each in table] else 0)


def _all_marks(plans: Sequence[Plan], jobs: int) -> list[Marks]:
    """Return the marks of all days, in the order of their seeds; Ctrl-C ends the program with one line."""
    found: list[Marks] = []
    try:
        found.extend(_trials(plans, jobs))
    except KeyboardInterrupt:
        days = f"{len(found)} of {len(plans)} days"
        Console(stderr=True, emoji=False).print(
            f"Stopped after {days}; nothing of it is left running"
        )
        raise typer.Exit(130) from None
    return sorted(found, key=lambda each: each.seed)


def _trials(plans: Sequence[Plan], jobs: int) -> Iterator[Marks]:
    """Give the marks of all days, in any order; leaving early ends the processes."""
    with _bar() as bar, _pool(min(jobs, len(plans))) as pool:
        task = bar.add_task("days", total=len(plans))
        for found in pool.imap_unordered(trial, plans):
            bar.advance(task)
            yield found


def _pool(jobs: int) -> Pool:
    """Return processes that Ctrl-C passes over from their first moment on, where they inherit what is ignored."""
    context = multiprocessing.get_context("spawn")  # forked threads of numpy would be of no use
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return context.Pool(jobs, _enter)
    finally:
        signal.signal(signal.SIGINT, heeded)


def _enter() -> None:
    """Leave Ctrl-C to the process that a person stops, as each would print a traceback of its own; however that one ends, end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process as soon as the one that started it is gone; a killed one has told it nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _bar() -> Progress:
    """Return a bar for a terminal's standard error; elsewhere it shows nothing."""
    console = Console(stderr=True, emoji=False)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip


def _title(plans: Sequence[Plan]) -> str:
    one = plans[0]
    return (
        f"{len(plans)} simulated days of NIFTY (seeds {one.seed} to {plans[-1].seed}), {one.day}, "
        f"open interest published every {one.publish_s:g} s, an analysis every {one.every_s} s"
    )


def _table(title: str, *columns: str, note: str | None = None) -> Table:
    """Return an empty table that is no wider than it must be: the first column of words, the others of numbers."""
    shown = Table(
        title=title,
        title_justify="left",
        caption=note,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    for place, name in enumerate(columns):
        shown.add_column(name, justify="right" if place else "left")
    return shown


def _figures(table: Sequence[Figure]) -> Table:
    shown = _table(
        "Direction against the truth", "figure", "found", "wanted", "spec", "proto", "", note=_NOTE
    )  # fmt: skip
    for each in table:
        sign = "≥" if each.at_least else "≤"
        shown.add_row(
            each.what, _told(each), f"{sign} {each.wanted:g}", f"{sign} {each.required:g}", each.prototype,
            each.grade.value,
        )  # fmt: skip
    return shown


def _delays(found: Sequence[Marks]) -> Table:
    title = "\nMedian time until the label stands, by what begins"
    shown = _table(title, "regimes in which", "count", "never read", "median of the others")
    for way, turn in by_turn(found).items():
        median = "--" if turn.median_s is None else f"{turn.median_s:.0f} s"
        shown.add_row(way, str(turn.count), str(turn.unread), median)
    return shown


def _confusion(matrix: Sequence[Sequence[int]]) -> Table:
    title = "\nAnalyses: truth down, label across"
    shown = _table(title, "truth", *(label.value for label in LABELS))
    for label, row in zip(LABELS, matrix, strict=True):
        total = sum(row)
        shown.add_row(
            label.value, *(f"{each:,} ({each / total:.0%})" if total else "--" for each in row)
        )
    return shown


def _told(figure: Figure) -> str:
    """Return a figure with its standard error, as ``0.821 ± 0.022``."""
    if figure.value is None:
        return "--"
    digits = {"": 3, "s": 0}.get(figure.unit, 1)
    error = "--" if figure.error is None else f"{figure.error:.{digits}f}"
    return f"{figure.value:.{digits}f} ± {error} {figure.unit}".rstrip()


def _json(found: Sequence[Marks], table: Sequence[Figure]) -> bytes:
    told = {
        "figures": [{**asdict(each), "grade": each.grade} for each in table],
        "delays": {way: asdict(turn) for way, turn in by_turn(found).items()},
        "confusion": {"labels": [label.value for label in LABELS], "rows": together(found)},
        "days": [asdict(each) for each in found],
        "caveat": CAVEAT,
    }
    return msgspec.json.encode(told)
