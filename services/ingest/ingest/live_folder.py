"""How many recorded days are kept: the oldest runs are deleted, whole, when there are too many days or bytes. Blocking."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ingest.oirec import SUFFIX

_RUN = re.compile(r"(\d{4}-\d\d-\d\d)-live-[A-Za-z0-9]+")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much is kept."""

    days: int
    """Of the calendar, with the newest."""
    most_bytes: int


def make_room(folder: Path, limits: Limits) -> None:
    """Delete the oldest runs beside this one that are beyond the limits; say so in the log.

    Args:
        folder: the run that is recorded; it stays, whatever its size.
        limits: how much is kept.

    What cannot be deleted stays, and the log says so.
    """
    runs = sorted(path for path in _runs(folder.parent) if path.name != folder.name)
    sizes = {path: sum(each.stat().st_size for each in _files(path)) for path in [*runs, folder]}
    total, first_day = sum(sizes.values()), _day(folder) - timedelta(days=limits.days - 1)
    for path in runs:
        if _day(path) >= first_day and total <= limits.most_bytes:
            continue
        try:
            for each in _files(path):
                each.unlink()
            path.rmdir()
        except OSError as error:
            logger.warning("an old recording stays", extra={"run": path.name, "why": str(error)})
            continue
        total -= sizes[path]
        logger.info(
            "an old recording was deleted",
            extra={"run": path.name, "megabytes": round(sizes[path] / 1e6, 1)},
        )


def _runs(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (path for path in root.iterdir() if path.is_dir() and _RUN.fullmatch(path.name))


def _files(run: Path) -> Sequence[Path]:
    return list(run.glob(f"*{SUFFIX}"))


def _day(run: Path) -> date:
    return date.fromisoformat(run.name[:10])
