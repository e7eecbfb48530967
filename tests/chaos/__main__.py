"""Do harm to a running OI Monitor and prove that its log is none the worse: ``python -m tests.chaos``."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos import table
from tests.chaos.case import Row
from tests.chaos.matrix import ROWS
from tests.chaos.plan import Outcome, Plan
from tests.chaos.server import clear

TEACHING = """\
A row starts a server and services of its own on free ports, publishes a made-up market, does one kind of harm again
and again, and then asks `oi audit` of the log: every beat answered once, in order, with the bytes of an undisturbed run.

  python -m tests.chaos --list               what the rows are, how many faults each has, what protects from them
  python -m tests.chaos 1                    one row: an owner is killed 50 times (five minutes)
  python -m tests.chaos 1 2 8 --quick        three rows with few faults each (a minute)
  python -m tests.chaos --quick              the fourteen rows that the tests run (three minutes)
  python -m tests.chaos 2 --without          row 2 as it is, then with its protection taken away: that must fail
  python -m tests.chaos --without --markdown table.md
                                             everything, for docs/reliability.md (three hours)

How to read the table:
  missing, duplicate, unequal, out of order  as `oi audit` counts them; out of order holds holes too
  refused writes    writes that the log refused: of owners that were paused past their lease, or repeats
  recovery          from a fault until another has answered; silence: how late the latest answer was
  machine busy ×    how much longer work took than its processor time; limits in seconds are stretched by it
  fails without     what the row finds when its protection is gone; NO: it proves nothing

A row that fails keeps its folder, whose name is the last line: what every process said, and the server's log, on which
`oi audit` can be run again (REDIS_URL). The same seed makes the same choices; what processes do in between differs.
Exit code 0: every row is clean, and failed without its protection where that was asked; 1: not so; 130: Ctrl-C.
"""


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        epilog=TEACHING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "rows", nargs="*", type=int, metavar="ROW", help="numbers of rows; none: all"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few faults, and only rows that are fast"
    )
    parser.add_argument(
        "--without", action="store_true", help="run each row without its protection too"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of all that is left to chance (%(default)s)"
    )
    parser.add_argument(
        "--minutes", type=float, default=2.0, help="length of row 5, each seed (%(default)s)"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the table there as well"
    )
    parser.add_argument("--list", action="store_true", help="say what the rows are, and end")
    return parser.parse_args(given)


def _chosen(numbers: Sequence[int], *, is_quick: bool) -> list[Row]:
    unknown = set(numbers) - {row.number for row in ROWS}
    if unknown:
        raise SystemExit(f"no such row: {', '.join(map(str, sorted(unknown)))}; --list shows all")
    rows = [row for row in ROWS if not numbers or row.number in numbers]
    return [row for row in rows if row.quick or not is_quick]


async def _run(
    plan: Plan, rows: Sequence[Row], *, without: bool, keep: Callable[[Sequence[table.Line]], None]
) -> list[table.Line]:
    """Run rows one after the other; what there is by then is kept after each, so that none is lost."""
    lines: list[table.Line] = []
    for row in rows:
        outcome = await plan.run(row)
        _tell(plan, row, outcome)
        bitten: Outcome | None = None
        if without and not outcome.skipped:
            bitten = await plan.run(row, removed=row.protections)
            _tell(plan, row, bitten, f" without {row.protection}")
        lines.append(table.Line(outcome=outcome, without=bitten))
        keep(lines)
    return lines


def _tell(plan: Plan, row: Row, outcome: Outcome, how: str = "") -> None:
    verdict = outcome.skipped or "; ".join(outcome.complaints) or "clean"
    plan.say(f"row {row.number}{how}: {verdict} ({outcome.seconds:.0f} s)")


def main(given: Sequence[str]) -> int:
    """Run rows and print the table; return the exit code."""
    arguments = _arguments(given)
    if arguments.list:
        print(table.catalogue(ROWS))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="oi-chaos-"))
    plan = Plan(
        folder=folder,
        seed=arguments.seed,
        is_quick=arguments.quick,
        minutes=arguments.minutes,
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )

    def keep(lines: Sequence[table.Line]) -> None:
        if arguments.markdown:
            arguments.markdown.write_text(table.markdown(lines), encoding="utf-8")

    rows = _chosen(arguments.rows, is_quick=arguments.quick)
    try:
        lines = asyncio.run(_run(plan, rows, without=arguments.without, keep=keep))
    except KeyboardInterrupt:
        clear(folder)
        print("stopped; all that was started has been ended", file=sys.stderr)
        return 130
    print(table.text(lines))
    is_good = all(line.is_good for line in lines)
    if is_good:
        clear(folder)
    else:
        print(f"what the failed rows left is in {folder}", file=sys.stderr)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
