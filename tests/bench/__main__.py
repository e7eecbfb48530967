"""Every benchmark: ``python -m tests.bench --quick`` (0.6 of each goal) or ``--full``."""

import sys
from importlib import import_module
from pathlib import Path

from tests.bench.harness import Result, main


def run(quick: bool) -> list[Result]:
    """Return the results of every ``bench_*`` file beside this one."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    return [result for name in names for result in import_module(f"tests.bench.{name}").run(quick)]


if __name__ == "__main__":
    sys.exit(main(run))
