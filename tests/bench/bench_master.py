"""The instrument master of 200,000 rows: ours against ``json`` and a dictionary, from the file and from the day's copy.

Each loading is a process of its own, so that its memory is its own. Asserted first: all ways answer alike. Source: performance
paper, section 7.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ingest.master.keeping import Kept, keep
from ingest.master.reading import MasterReader
from tests.bench.harness import Result, main
from tests.masters import as_file, large_market

ROWS = 200_000
COLD_GOAL, CACHED_GOAL, MEMORY_GOAL = 1.8, 8.0, 1 / 0.75
ROOT = Path(__file__).resolve().parents[2]


def loaded(way: str, path: Path) -> Any:
    """Return what a process of its own says of loading the master one way."""
    argv = [sys.executable, "-m", "tests.bench.master_jobs", way, str(path)]
    return json.loads(subprocess.run(argv, cwd=ROOT, check=True, capture_output=True).stdout)


def files(folder: Path) -> dict[str, Path]:
    """Write the master and the day's copy of it; return what each way loads."""
    rows = as_file(list(large_market(ROWS)))
    path = folder / "master.json"
    path.write_bytes(rows)
    reader = MasterReader(str(path))
    reader.take(rows)
    copy = keep(folder, Kept(master=reader.close(), fetched_us=0))
    return {"json": path, "cold": path, "cached": copy}


def run(quick: bool) -> list[Result]:
    """Compare time from the file, time from the day's copy, and memory."""
    told: dict[str, list[Any]] = {"json": [], "cold": [], "cached": []}
    with tempfile.TemporaryDirectory() as folder:
        paths = files(Path(folder))
        for _ in range(3 if quick else 9):
            for way, path in paths.items():
                told[way].append(loaded(way, path))
    for way in ("cold", "cached"):
        assert told[way][0]["answers"] == told["json"][0]["answers"], way

    def result(bench: str, way: str, what: str, goal: float) -> Result:
        ours, theirs = ([each[what] for each in told[name]] for name in (way, "json"))
        return Result.of(bench, ROWS, ours_us=ours, theirs_us=theirs, goal=goal)

    return [
        result("master, cold", "cold", "cpu_us", COLD_GOAL),
        result("master, day's copy", "cached", "cpu_us", CACHED_GOAL),
        result("master, kB at most", "cold", "peak_kb", MEMORY_GOAL),
        result("copy, kB at most", "cached", "peak_kb", MEMORY_GOAL),
    ]


if __name__ == "__main__":
    sys.exit(main(run))
