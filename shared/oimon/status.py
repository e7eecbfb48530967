"""How every service is and how old what they know, read from the bus: what ``oi status`` prints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from oimon.bus import Entry
from oimon.bus.log import SENDER
from oimon.bus.redis import RedisBus
from oimon.clock import Clock
from oimon.errors import BusDown, ConfigError, PoisonMessage
from oimon.feed_words import feed_lines
from oimon.messages import ANALYSIS, ChainAnalysis, QuoteBoard
from oimon.system import SILENT, System

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
class Status:
    """What the bus knows of the whole."""

    system: System
    ages: Sequence[Ages]

    def plain(self) -> dict[str, Any]:
        """Return the same for machines."""
        return {
            "ready": self.system.is_ready,
            "missing": self.system.missing,
            "contested": self.system.contested,
            "ages": [asdict(ages) for ages in self.ages],
            "services": list(self.system.services),
        }


async def read(url: str, clock: Clock) -> Status:
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
        return Status(system=System(services=await bus.statuses()), ages=found)
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


def tables(status: Status) -> Group:
    """Return the same for people."""
    system = status.system
    disputes = [Text(words, style="bold red") for words in system.contested]
    feeds = [Text(line) for item in _sorted(system) for line in feed_lines(item)]
    units = [Text(f"Note: {note}") for item in _sorted(system) for note in item.get("oi_unit", ())]
    told = (*_errors(system), *disputes, *feeds, *units)
    return Group(_services(system), *told, _underlyings(status.ages))


def _services(system: System) -> Table:
    """Return a row for each replica, and one for each service that has none."""
    shown = Table(title="Services", title_justify="left")
    for column in ("replica", "state", "owns", "feed, model, database"):
        shown.add_column(column, overflow="fold")
    for item in _sorted(system):
        shown.add_row(item["replica"], item["state"], _owned(item), _facts(item))
    for name in system.missing:
        state = "not running" if system.services else "not heard of"
        shown.add_row(name, state, "--", "no status in the last 10 s")
    return shown


def _errors(system: System) -> Iterator[Text]:
    """Give a line for each replica that has something to say of its troubles, or for all where none says anything."""
    if not system.services:
        yield Text(SILENT, style="red")
    for item in _sorted(system):
        errors = [
            *item["problems"],
            *(p["last_error"] for p in item["partitions"]),
            item["last_error"],
        ]
        words = "; ".join(dict.fromkeys(filter(None, errors)))
        if words:
            yield Text(f"{item['replica']}: {words}")


def _sorted(system: System) -> list[Mapping[str, Any]]:
    return sorted(system.services, key=lambda item: (item["service"], item["replica"]))


def _owned(item: Mapping[str, Any]) -> str:
    """Return what a replica owns, a line each: partition, epoch, and how far behind it is."""
    held = item["partitions"]
    lines = []
    for each in held[:SHOWN]:
        role = "" if each["role"] == item["service"] else f"{each['role']} of "
        what = "the outbox" if each["role"] == SENDER else f"{role}{each['partition']}"
        lines.append(f"{what}, epoch {each['epoch']}, {_behind(each)}")
    if len(held) > SHOWN:
        lines.append(f"and {len(held) - SHOWN} more")
    return "\n".join(lines) or "--"


def _behind(held: Mapping[str, Any]) -> str:
    if not held["restored"]:
        return "being restored"
    words = f"{held['lag']} behind ({held['lag_s']:.1f} s)" if held["lag"] else "nothing behind"
    return f"{words}, {held['parked']} parked" if held["parked"] else words


def _underlyings(found: Sequence[Ages]) -> Table:
    title = "Ages: of the newest analysis now, of its data when it was made"
    shown = Table(title=title, title_justify="left")
    for column in ("underlying", "analysis", "its prices", "its OI", "market", "feed"):
        shown.add_column(column, overflow="fold")
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
            off = fact.get("off")
            words.append(str(fact.get("text") or f"{name} {f'off: {off}' if off else 'on'}"))
    return "; ".join(words) or "--"
