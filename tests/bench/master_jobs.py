"""One way of loading the instrument master, in a process of its own: ``python -m tests.bench.master_jobs cold FILE``.

Prints its CPU time and the most memory the process ever had (VmHWM: ``ru_maxrss`` survives exec), then what it answers to some
questions, so that the ways can be held against each other.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

EXPIRY = "01DEC2026"
TOKENS = range(35_000, 75_000, 400)


def hwm_kb() -> int:
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return int(line.split()[1])


def dictionary(path: Path) -> Any:
    """Parse with ``json`` and index the rows by exchange and token, and by exchange, name and expiry."""
    with path.open(encoding="utf-8") as file:
        rows = json.load(file)
    by_token, by_chain = {}, {}
    for row in rows:
        by_token[row["exch_seg"], row["token"]] = row
        by_chain.setdefault((row["exch_seg"], row["name"], row["expiry"]), []).append(row)
    return by_token, by_chain


def dictionary_answers(found: Any) -> Any:
    by_token, by_chain = found
    chain = by_chain["NFO", "NIFTY", EXPIRY]
    tokens = [by_token.get(("NFO", str(token))) for token in TOKENS]
    return [
        [[row["token"], row["symbol"], float(row["strike"]) / 100, int(row["lotsize"])] for row in chain],
        [row and row["symbol"] for row in tokens],
        sum(exchange in ("NSE", "NFO", "BSE", "BFO", "MCX") for exchange, _ in by_token),
    ]  # fmt: skip


def cold(path: Path) -> Any:
    from ingest.master.reading import MasterReader  # noqa: PLC0415 - the other way has no need of it

    reader = MasterReader(str(path))
    with path.open("rb", buffering=0) as file:
        while piece := file.read(1 << 16):
            reader.take(piece)
    return reader.close()


def cached(path: Path) -> Any:
    from ingest.master.keeping import read  # noqa: PLC0415

    return read(path).master


def answers(master: Any) -> Any:
    from datetime import date  # noqa: PLC0415

    chain = master.instruments(master.find(exchange="NFO", name="NIFTY", expiry=date(2026, 12, 1)))
    tokens = [master.find(exchange="NFO", token=str(token)) for token in TOKENS]
    return [
        [[i.token, i.symbol, i.strike, i.lot] for i in chain],
        [master.instruments(rows)[0].symbol if len(rows) else None for rows in tokens],
        len(master),
    ]


WAYS = {
    "json": (dictionary, dictionary_answers),
    "cold": (cold, answers),
    "cached": (cached, answers),
}


def main() -> None:
    way, path = sys.argv[1], Path(sys.argv[2])
    load, ask = WAYS[way]
    if way != "json":
        import ingest.master.keeping  # noqa: PLC0415 - importing is not loading
        import ingest.master.reading  # noqa: F401, PLC0415
    start = time.process_time_ns()
    found = load(path)
    spent_us = (time.process_time_ns() - start) / 1e3
    peak_kb = hwm_kb()  # before the questions: they are not what is measured
    print(json.dumps({"cpu_us": spent_us, "peak_kb": peak_kb, "answers": ask(found)}))


if __name__ == "__main__":
    main()
