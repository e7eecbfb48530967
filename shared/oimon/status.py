"""How every service is and how old what they know, read from the bus: what ``oi status`` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from oimon.bus import Entry
from oimon.bus.redis import RedisBus
from oimon.clock import Clock
from oimon.errors import BusDown, ConfigError, PoisonMessage
from oimon.messages import ANALYSIS, ChainAnalysis, QuoteBoard
from oimon.terms import SERVICES


@dataclass(frozen=True, kw_only=True)
class Ages:
    """How old the newest word on one underlying is."""

    underlying: str
    analysis_s: float | None  # since the newest analysis was written
    tick_s: float | None = None  # of the newest market data, at that analysis
    oi_s: float | None = None  # since open interest moved, at that analysis
    mode: str | None = None
    market: str | None = None
    feed: str | None = None


@dataclass(frozen=True, kw_only=True)
class System:
    """What the bus knows of the whole."""

    services: Sequence[Mapping[str, Any]]
    ages: Sequence[Ages]

    @property
    def missing(self) -> list[str]:
        """Services without a live replica."""
        return [name for name in SERVICES if name not in {s["service"] for s in self.services}]

    @property
    def is_ready(self) -> bool:
        """Whether every service is there and ready."""
        return not self.missing and all(s["state"] == "ready" for s in self.services)

    def plain(self) -> dict[str, Any]:
        """Return the same for machines."""
        return {
            "ready": self.is_ready,
            "missing": self.missing,
            "ages": [asdict(ages) for ages in self.ages],
            "services": list(self.services),
        }


async def read(url: str, clock: Clock) -> System:
    """Return what the bus knows of the whole.

    Raises:
        ConfigError: the bus cannot be reached.
    """
    bus = RedisBus(url, "oi-status")
    try:
        found = [
            _ages(underlying, await bus.latest(ANALYSIS, underlying), clock)
            for underlying in await bus.partitions()
        ]
        return System(services=await bus.statuses(), ages=found)
    except BusDown as error:
        raise ConfigError(
            f"{error}. Start everything with `oi up`, or set REDIS_URL to where it runs"
        ) from error
    finally:
        await bus.close()


def _ages(underlying: str, entry: Entry | None, clock: Clock) -> Ages:
    if entry is None:
        return Ages(underlying=underlying, analysis_s=None)
    analysis_s = max(0.0, clock.now_us() / 1e6 - int(entry.id.split("-")[0]) / 1e3)
    try:
        message = entry.message
    except PoisonMessage:
        return Ages(underlying=underlying, analysis_s=analysis_s)
    match message:
        case ChainAnalysis():
            return Ages(
                underlying=underlying,
                analysis_s=analysis_s,
                tick_s=None if message.tick_age_ms is None else message.tick_age_ms / 1e3,
                oi_s=message.oi_age_s,
                mode=message.mode,
                market=message.market,
                feed=message.feed,
            )
        case QuoteBoard():
            return Ages(underlying=underlying, analysis_s=analysis_s, mode=message.mode)
    return Ages(underlying=underlying, analysis_s=analysis_s)


def tables(system: System) -> Group:
    """Return the same for people."""
    return Group(_services(system), _underlyings(system.ages))


def _services(system: System) -> Table:
    shown = Table(title="Services", title_justify="left")
    for column in ("service", "state", "partitions", "feed, model, database", "last error"):
        shown.add_column(column)
    for item in sorted(system.services, key=lambda s: (s["service"], s["replica"])):
        held = ", ".join(f"{p['partition']} (lag {p['lag']})" for p in item["partitions"]) or "--"
        errors = [
            *item["problems"],
            *(p["last_error"] for p in item["partitions"]),
            item["last_error"],
        ]
        words = "; ".join(dict.fromkeys(filter(None, errors))) or "--"
        shown.add_row(item["service"], item["state"], held, _facts(item), words)
    for name in system.missing:
        shown.add_row(name, "not running", "--", "--", "no status in the last 10 s")
    return shown


def _underlyings(found: Sequence[Ages]) -> Table:
    shown = Table(title="Ages", title_justify="left")
    for column in ("underlying", "analysis", "market data", "open interest", "market", "feed"):
        shown.add_column(column)
    for ages in found:
        seconds = (ages.analysis_s, ages.tick_s, ages.oi_s)
        words = ["--" if value is None else f"{value:.1f} s" for value in seconds]
        state = " ".join(filter(None, (ages.mode, ages.market))) or "--"
        shown.add_row(ages.underlying, *words, state, ages.feed or "--")
    return shown


def _facts(item: Mapping[str, Any]) -> str:
    """Return what a service says of its feed, its model, its database, in words."""
    words = []
    feed = item.get("feed")
    if isinstance(feed, Mapping):
        at = str(feed.get("position") or "")[:19]
        words.append(f"{feed.get('mode', '')} {feed.get('state', '')} {at}".strip())
    for name in ("model", "database", "telegram"):
        fact = item.get(name)
        if isinstance(fact, Mapping):
            words.append(str(fact.get("text") or f"{name} {fact.get('off') or 'on'}"))
    return "; ".join(words) or "--"
