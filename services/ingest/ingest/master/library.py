"""The master of the day: kept on disk by the day in India, fetched once a day, yesterday's where that fails."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, Self

from ingest.config import IngestSettings
from ingest.exchange_clock import FeedClock
from ingest.master import keeping
from ingest.master.columns import Master
from ingest.master.download import download
from ingest.master.keeping import Kept
from oimon import calendar
from oimon.clock import Clock
from oimon.errors import InputError, TransientError
from oimon.terms import Kind

REBUILT = time(8)
"""Time in India by which the broker has made its list of the day; one fetched earlier is fetched once more."""
WATCHED_EXPIRIES = ("NIFTY", "SENSEX")
"""Indices with weekly options: on the day that the calendar says these expire, a whole list holds them."""
_OPTIONS = (Kind.CE, Kind.PE)

Fetch = Callable[[str], Awaitable[Master]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dated:
    """The master to use now, and what a person should know of it."""

    master: Master
    fetched_us: int
    warnings: tuple[str, ...] = ()

    @property
    def day(self) -> date:
        """The day in India on which it was fetched."""
        return calendar.day_of(self.fetched_us)

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of it."""
        tally = self.master.tally
        return {
            "day": self.day.isoformat(),
            "fetched_us": self.fetched_us,
            "instruments": len(self.master),
            "rows": tally.rows,
            "not_watched": tally.not_watched,
            "unread": tally.unread,
            "unread_first": list(tally.reasons),
            "warnings": list(self.warnings),
        }


class Library:
    """Fetches and keeps masters in one folder."""

    def __init__(
        self,
        data_dir: Path,
        url: str,
        clock: Clock,
        *,
        fetch: Fetch = download,
        is_of_today: bool = True,
    ) -> None:
        """Prepare.

        Args:
            data_dir: the folder of the program's data; copies are kept in ``master`` within, those of one address together:
                a local broker's list must not serve a day with the real one.
            url: where the broker publishes its list.
            clock: tells the day.
            fetch: gets the list.
            is_of_today: whether the broker's day is today; a local broker's list is of the day that it broadcasts, so it is fetched at
                each start, and its expiries say nothing of its age.
        """
        self._folder = data_dir / "master" / f"{zlib.crc32(url.encode()):08x}"
        self._url, self._clock, self._fetch = url, clock, fetch
        self._is_of_today = is_of_today

    @classmethod
    def of(cls, settings: IngestSettings, clock: Clock) -> Self:
        """Return the library that the settings mean."""
        return cls(
            settings.data_dir,
            settings.smartapi_master_url,
            clock,
            is_of_today=settings.feed_clock is not FeedClock.EXCHANGE,
        )

    async def today(self) -> Dated:
        """Return today's master: the copy on disk, else the broker's list, else an older copy with a warning.

        Raises:
            InputError: the broker's list cannot be used, and there is no copy.
            TransientError: it cannot be fetched, and there is no copy.
        """
        now_us = self._clock.now_us()
        kept, warnings = await asyncio.to_thread(self._newest)
        if kept is not None and self._is_of_today and is_fresh(kept.fetched_us, now_us):
            return self._dated(kept, now_us, warnings)
        try:
            fetched = Kept(master=await self._fetch(self._url), fetched_us=now_us)
        except (InputError, TransientError) as error:
            if kept is None:
                raise
            return self._dated(kept, now_us, [*warnings, f"{error}. {_instead(kept)}"])
        missing = self._lacks(fetched.master, now_us)
        if missing and kept and not self._lacks(kept.master, now_us):
            what = f"{self._url}: the broker's list {missing}. {_instead(kept)}"
            return self._dated(kept, now_us, [*warnings, what])
        try:
            await asyncio.to_thread(keeping.keep, self._folder, fetched)
        except OSError as error:
            warnings.append(
                f"{self._folder}: the instrument master cannot be kept: {error.strerror}; it is fetched again at each start"
            )
        return self._dated(fetched, now_us, warnings)

    def _lacks(self, master: Master, now_us: int) -> str | None:
        return lacks(master, calendar.day_of(now_us)) if self._is_of_today else None

    def _newest(self) -> tuple[Kept | None, list[str]]:
        """Return the newest copy that can be read, and what was wrong with newer ones."""
        warnings: list[str] = []
        for path in keeping.copies(self._folder):
            try:
                return keeping.read(path), warnings
            except InputError as error:
                warnings.append(str(error))
            except OSError as error:
                warnings.append(f"{path}: cannot be read: {error.strerror}")
        return None, warnings

    def _dated(self, kept: Kept, now_us: int, warnings: list[str]) -> Dated:
        if missing := self._lacks(kept.master, now_us):
            warnings = [*warnings, f"the instrument master of {kept.day} {missing}"]
        tally = kept.master.tally
        if tally.unread:
            first = f"the first: {tally.reasons[0]}" if tally.reasons else "no reason was kept"
            warnings = [*warnings, f"{tally.unread} of {tally.rows} rows of the instrument master cannot be read; {first}"]  # fmt: skip
        return Dated(master=kept.master, fetched_us=kept.fetched_us, warnings=tuple(warnings))


def is_fresh(fetched_us: int, now_us: int) -> bool:
    """Say whether a list is still the newest: of today, and not from before the broker made today's."""
    today = calendar.day_of(now_us)
    if calendar.day_of(fetched_us) != today:
        return False
    rebuilt_us = calendar.instant_us(today, REBUILT)
    return fetched_us >= rebuilt_us or now_us < rebuilt_us


def newest_until_us(now_us: int) -> int:
    """Return until when a list that is asked for now is the newest: until the broker has made today's, else until midnight in India."""
    today = calendar.day_of(now_us)
    rebuilt_us = calendar.instant_us(today, REBUILT)
    return rebuilt_us if now_us < rebuilt_us else calendar.instant_us(today + timedelta(1), time(0))


def lacks(master: Master, today: date) -> str | None:
    """Return what a list that is not today's lacks, as the end of a sentence; ``None``: nothing that is known of.

    The calendar says which days are expiries. What it does not know is not asked for.
    """
    for name in WATCHED_EXPIRIES:
        days = master.expiries(master.find(name=name, kinds=_OPTIONS))
        if days and days[-1] < today:
            return f"is an old one: its last options of {name} expired on {days[-1]}"
        if days and today not in days and calendar.next_expiry(name, today) == today:
            return f"lacks the options of {name} that expire today, {today}"
    return None


def _instead(kept: Kept) -> str:
    return f"Using the list of {kept.day}: contracts listed since are missing"
