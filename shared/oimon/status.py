"""How every service is and how old what they know, read from the bus: what ``oi status`` prints."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from oimon.bus import Entry
from oimon.bus.redis import RedisBus
from oimon.clock import Clock
from oimon.errors import BusDown, ConfigError, PoisonMessage
from oimon.messages import ANALYSIS, ChainAnalysis, QuoteBoard
from oimon.terms import SERVICES

SHOWN = 12
"""Partitions of one replica that a person is shown; machines are given all."""


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
    contested: Sequence[str] = ()
    """Which partitions more than one replica says that it owns, in plain words."""

    @property
    def staying(self) -> list[Mapping[str, Any]]:
        """The statuses of those that are not being stopped."""
        return [item for item in self.services if item["state"] != "stopping"]

    @property
    def missing(self) -> list[str]:
        """Services without a live replica; one that is being stopped is none."""
        return [name for name in SERVICES if name not in {s["service"] for s in self.staying}]

    @property
    def is_ready(self) -> bool:
        """Whether every service is there and ready, and nothing is owned twice."""
        are_ready = all(item["state"] == "ready" for item in self.staying)
        return are_ready and not self.missing and not self.contested

    def plain(self) -> dict[str, Any]:
        """Return the same for machines."""
        return {
            "ready": self.is_ready,
            "missing": self.missing,
            "contested": list(self.contested),
            "ages": [asdict(ages) for ages in self.ages],
            "services": list(self.services),
        }


class _Claim(NamedTuple):
    """A replica says that it owns a partition."""

    epoch: int
    replica: str
    said_ms: int


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
        services = await bus.statuses()
        return System(services=services, ages=found, contested=contested(services))
    except BusDown as error:
        raise ConfigError(
            f"{error}. Start everything with `oi up`, or set REDIS_URL to where it runs"
        ) from error
    finally:
        await bus.close()


def not_ready(services: Sequence[Mapping[str, Any]], wanted: Mapping[str, int]) -> list[str]:
    """Return, in plain words, what is not ready of the services that should run.

    Args:
        services: the statuses of the replicas; one that is being stopped counts neither way.
        wanted: how many replicas of each service should run.
    """
    found = []
    for name, count in wanted.items():
        mine = [s for s in System(services=services, ages=()).staying if s["service"] == name]
        if len(mine) < count:
            of_all = "" if count == 1 else f" ({len(mine)} of {count} replicas have)"
            found.append(f"{name} has not answered{of_all}")
        found += [
            f"{s['replica']}: {'; '.join(s['problems'])}" for s in mine if s["state"] != "ready"
        ]
    return found


def contested(services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return, in plain words, which partitions more than one replica says that it owns.

    An epoch is the instant, in ms, at which it was granted. What a replica said before somebody else was granted a newer one
    contradicts nothing: it has handed over since, or died.

    Args:
        services: the statuses of the replicas.
    """
    claims = defaultdict(list)
    for item in services:
        for held in item["partitions"]:
            claim = _Claim(held["epoch"], item["replica"], item["at_us"] // 1000)
            claims[held["role"], held["partition"]].append(claim)
    found = []
    for (role, partition), claimed in sorted(claims.items()):
        newest = max(claimed)
        still = sorted(each for each in claimed if each is newest or each.said_ms > newest.epoch)
        if len(still) > 1:
            found.append(_dispute(role, partition, still))
    return found


def _dispute(role: str, partition: str, claims: Sequence[_Claim]) -> str:
    names = " and ".join(f"{each.replica} (epoch {each.epoch})" for each in claims)
    return (
        f"{role} of {partition} is claimed by {names}: the log takes only the writes of {claims[-1].replica}; "
        f"should this stay for more than some seconds, restart {claims[0].replica}"
    )


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
    disputes = [Text(words, style="bold red") for words in system.contested]
    return Group(_services(system), *disputes, _underlyings(system.ages))


def _services(system: System) -> Table:
    """Return a row for each replica, and one for each service that has none."""
    shown = Table(title="Services", title_justify="left")
    for column in ("service", "replica", "state", "owns", "feed, model, database", "last error"):
        shown.add_column(column, overflow="fold")
    for item in sorted(system.services, key=lambda s: (s["service"], s["replica"])):
        errors = [
            *item["problems"],
            *(p["last_error"] for p in item["partitions"]),
            item["last_error"],
        ]
        words = "; ".join(dict.fromkeys(filter(None, errors))) or "--"
        shown.add_row(
            item["service"], item["replica"], item["state"], _owned(item), _facts(item), words
        )
    for name in system.missing:
        shown.add_row(name, "--", "not running", "--", "--", "no status in the last 10 s")
    return shown


def _owned(item: Mapping[str, Any]) -> str:
    """Return what a replica owns, a line each: partition, epoch, and how far behind it is."""
    held = item["partitions"]
    lines = []
    for each in held[:SHOWN]:
        role = "" if each["role"] == item["service"] else f"{each['role']} of "
        lines.append(f"{role}{each['partition']}, epoch {each['epoch']}, {_behind(each)}")
    if len(held) > SHOWN:
        lines.append(f"and {len(held) - SHOWN} more")
    return "\n".join(lines) or "--"


def _behind(held: Mapping[str, Any]) -> str:
    if not held["restored"]:
        return "being restored"
    words = f"{held['lag']} behind ({held['lag_s']:.1f} s)" if held["lag"] else "nothing behind"
    return f"{words}, {held['parked']} parked" if held["parked"] else words


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
