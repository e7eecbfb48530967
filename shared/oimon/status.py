"""How every service is, read from the bus: what ``oi status`` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

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
    for column in ("service", "state", "partitions", "feed, model, database", "last error"):
        shown.add_column(column)
    for item in sorted(found, key=lambda s: (s["service"], s["replica"])):
        held = ", ".join(f"{p['partition']} (lag {p['lag']})" for p in item["partitions"]) or "--"
        errors = [p["last_error"] for p in item["partitions"] if p["last_error"]]
        words = (
            "; ".join(
                dict.fromkeys([*item["problems"], *errors, *filter(None, [item["last_error"]])])
            )
            or "--"
        )
        shown.add_row(item["service"], item["state"], held, _facts(item), words)
    for name in missing:
        shown.add_row(name, "not running", "--", "--", "no status in the last 10 s")
    return shown


def _facts(item: Mapping[str, Any]) -> str:
    """Return what a service says of its feed, its database, its model, in words."""
    words = []
    feed = item.get("feed")
    if isinstance(feed, Mapping):
        words.append(
            f"{feed.get('mode', '')} {feed.get('state', '')} {str(feed.get('position') or '')[:19]}".strip()
        )
    for name in ("model", "database", "telegram"):
        fact = item.get(name)
        if isinstance(fact, Mapping):
            words.append(str(fact.get("text") or f"{name} {fact.get('off') or 'on'}"))
    return "; ".join(words) or "--"
