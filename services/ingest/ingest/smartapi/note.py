"""Ingest's note of open interest: a file a day in India, so that tomorrow's session knows today's last. Source: rulings, 12.

A note is of use to the next session only where it reaches to the close: of a machine that was off at 14:00 it is not yesterday's last.
"""

import logging
import os
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import msgspec

from ingest.feed import Interest
from ingest.smartapi.day import Key
from oimon import calendar
from oimon.terms import Segment

KEPT = 5
"""Notes that are kept, the newest."""
SLACK_US = 60_000_000
"""A note that ends so long before the close still has the last publication of most contracts, as of quiet ones anyway."""

log = logging.getLogger(__name__)


class _Row(msgspec.Struct, array_like=True, frozen=True):
    exchange: str
    token: str
    oi: int  # quantity
    at_us: int


class Notes:
    """The notes in one folder."""

    def __init__(self, data_dir: Path, url: str) -> None:
        """Prepare.

        Args:
            data_dir: the folder of the program's data; notes are kept in ``oi`` within, those of one broker together: a local
                broker's must not serve a day with the real one.
            url: the broker's address.
        """
        self._folder = data_dir / "oi" / f"{zlib.crc32(url.encode()):08x}"

    def read(self, day: date) -> dict[Key, Interest]:
        """Return what was noted on a day; nothing where there is no note that can be read."""
        path = self._path(day)
        try:
            rows = msgspec.json.decode(path.read_bytes(), type=list[_Row])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("no note of open interest", extra={"path": str(path), "why": str(error)})
            return {}
        return {(row.exchange, row.token): Interest(row.oi, row.at_us) for row in rows}

    def write(self, day: date, found: Mapping[Key, Interest]) -> None:
        """Keep a day's note in place of the one before, whole or not at all; older days' leave.

        Raises:
            OSError: it cannot be kept.
        """
        rows = [_Row(*key, *interest) for key, interest in sorted(found.items())]
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(rows))
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(self._path(day))
        finally:
            Path(part).unlink(missing_ok=True)
        for old in sorted(self._folder.glob("*.json"))[:-KEPT]:
            old.unlink(missing_ok=True)

    def _path(self, day: date) -> Path:
        return self._folder / f"{day.isoformat()}.json"


def last_of_session(
    noted: Mapping[Key, Interest], exchanges: Iterable[Segment], day: date
) -> dict[Key, int]:
    """Return the open interest at a session's close, of the exchanges of which the note reaches to it.

    Args:
        noted: of that day.
        exchanges: those asked about.
        day: of the session.
    """
    found: dict[Key, int] = {}
    for exchange in exchanges:
        own = {key: each for key, each in noted.items() if key[0] == exchange.value}
        until_us = max((each.at_us for each in own.values()), default=0)
        if until_us >= calendar.close_us(exchange, day) - SLACK_US:
            found |= {key: each.oi for key, each in own.items()}
    return found
