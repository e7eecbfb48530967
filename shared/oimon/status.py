"""How every service is, read from the bus: what ``oi status`` prints."""

from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from oimon.bus.redis import RedisBus
from oimon.errors import BusDown, ConfigError


async def read(url: str) -> Sequence[Mapping[str, Any]]:
    """Return the status of every live replica.

    Raises:
        ConfigError: the bus cannot be reached.
    """
    bus = RedisBus(url, "oi-status")
    try:
        return await bus.statuses()
    except BusDown as error:
        raise ConfigError(
            f"{error}. Start everything with `oi up`, or set REDIS_URL to where it runs"
        ) from error
    finally:
        await bus.close()


def table(found: Sequence[Mapping[str, Any]], missing: Sequence[str]) -> Table:
    """Return the statuses as a table for people."""
    shown = Table(title="OI Monitor", title_justify="left")
    for column in ("service", "state", "partitions (epoch, lag)", "feed, ages", "last error"):
        shown.add_column(column)
    for item in sorted(found, key=lambda s: (s["service"], s["replica"])):
        held = (
            ", ".join(f"{p['partition']} ({p['epoch']}, {p['lag']})" for p in item["partitions"])
            or "--"
        )
        errors = [p["last_error"] for p in item["partitions"] if p["last_error"]]
        words = "; ".join([*item["problems"], *errors, *filter(None, [item["last_error"]])]) or "--"
        shown.add_row(item["service"], item["state"], held, _ages(item), words)
    for name in missing:
        shown.add_row(name, "not running", "--", "--", "no status in the last 10 s")
    return shown


def _ages(item: Mapping[str, Any]) -> str:
    found = [
        f"{name} {item[name]}"
        for name in ("mode", "feed", "age_ms", "position")
        if item.get(name) is not None
    ]
    return ", ".join(found) or "--"


def health(port: int, out: Console) -> int:
    """Print why the service at that port is not ready, or that it is; return 0 if it is, else 1."""
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/readyz")
        answer = orjson.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError) as error:
        out.print(f"no answer from 127.0.0.1:{port}: {error}", markup=False)
        return 1
    finally:
        connection.close()
    out.print(
        "ready" if answer["ready"] else "not ready: " + "; ".join(answer["reasons"]), markup=False
    )
    return 0 if answer["ready"] else 1
