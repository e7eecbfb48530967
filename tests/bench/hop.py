"""One hop by way of a Redis stream, the least that a message between two processes costs: ``python -m tests.bench.hop URL COUNT``.

A process adds small entries, one a ms, each with the time at which it was sent; another waits for them.
"""

import sys
import time
from pathlib import Path

import numpy as np
import redis

from tests.chaos.processes import Process, clean_environment, python

STREAM = "bench.hop"
_EVERY_S = 0.001
_FILL = b"x" * 200


def hop_ms(url: str, folder: Path, count: int) -> float:
    """Return the median time from sending to having read, in ms."""
    waited_ns = []
    with redis.Redis.from_url(url) as client:
        client.delete(STREAM)
        sender = Process(
            python("tests.bench.hop", url, str(count)),
            output=folder / "hop.out",
            environment=clean_environment(),
            folder=folder,
        )
        try:
            last = "0-0"
            while len(waited_ns) < count:
                found = client.xread({STREAM: last}, block=5000)
                now_ns = time.monotonic_ns()
                assert found, f"the sender has stopped, see {sender.output}"
                for last, fields in found[0][1]:  # noqa: B007 - the last one is where to read on
                    waited_ns.append(now_ns - int(fields[b"at"]))
        finally:
            sender.kill()
    return float(np.median(waited_ns)) / 1e6


def main(url: str, count: int) -> None:
    """Send."""
    with redis.Redis.from_url(url) as client:
        due_s = time.monotonic()
        for _ in range(count):
            due_s = max(due_s + _EVERY_S, time.monotonic())
            time.sleep(max(0.0, due_s - time.monotonic()))
            client.xadd(STREAM, {"at": time.monotonic_ns(), "d": _FILL})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
