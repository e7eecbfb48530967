"""Fills holes in open interest from the broker's history, contract by contract, after the connection is back.

Prices of the past are not had from anywhere: they stay what quotes brought meanwhile. Source: smartapi, 9.7; requirements B07, R215.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ingest.smartapi.errors import LoginWaits, NotNow, Refused, Throttled
from ingest.smartapi.partition import Partition, key_of
from ingest.smartapi.rest import INTERVAL_S, Rest
from oimon.core.oi import WINDOW_S
from oimon.messages import Gap, OiThen

LOOK_S = 1.0
PORTION = 25
"""Contracts that are told together."""
_STEP_US, _WINDOW_US = INTERVAL_S * 1_000_000, int(WINDOW_S * 1e6)

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hole:
    partition: Partition
    gap: Gap
    missing: deque[int]  # rows that were not looked at yet, the most important first


@dataclass(kw_only=True, slots=True)
class _Portion:
    rows: list[int] = field(default_factory=list)
    oi: list[OiThen] = field(default_factory=list)


class Filling:
    """Works through the holes, oldest first; one that the window has passed is left as it is."""

    def __init__(
        self,
        rest: Rest,
        now_us: Callable[[], int],
        tell: Callable[[str, Gap], None],
        covered: Callable[[int, int], bool],
    ) -> None:
        """Prepare.

        Args:
            rest: the requests.
            now_us: what time it is.
            tell: tells an underlying's partition.
            covered: whether quotes came in the stream's place all through a stretch of time.
        """
        self._rest, self._now_us, self._tell, self._covered = rest, now_us, tell, covered
        self._holes: deque[_Hole] = deque()
        self._counts = {"filled": 0, "not_filled": 0}

    def add(self, partition: Partition, gap: Gap) -> None:
        """Note a hole, which was told."""
        rows = gap.rows if gap.rows is not None else range(len(partition.found))
        self._holes.append(_Hole(partition=partition, gap=gap, missing=deque(rows)))

    async def once(self) -> float:
        """Fill what there is to be filled; return when to look again, in seconds.

        Raises:
            BrokerError: the broker does not answer; what it has answered is told.
        """
        while self._holes:
            hole = self._holes[0]
            await self._fill(hole)
            self._holes.popleft()
        return LOOK_S

    def facts(self) -> Mapping[str, int]:
        """Return what ``/status`` says: contracts whose holes were filled, or are not to be filled, and those to come."""
        return {**self._counts, "to_come": sum(len(hole.missing) for hole in self._holes)}

    async def _fill(self, hole: _Hole) -> None:
        gap, portion = hole.gap, _Portion()
        quoted = self._covered(gap.from_us, gap.to_us)
        try:
            while hole.missing and self._now_us() < gap.to_us + _WINDOW_US:
                row = hole.missing[0]
                found = await self._row(hole, row, quoted=quoted)
                hole.missing.popleft()
                self._counts["not_filled" if found is None else "filled"] += 1
                if found is not None:
                    portion.rows.append(row)
                    portion.oi += found
                if len(portion.rows) >= PORTION:
                    self._say(hole, portion)
                    portion = _Portion()
        finally:
            self._say(hole, portion)

    async def _row(self, hole: _Hole, row: int, *, quoted: bool) -> list[OiThen] | None:
        """Return what fills a row, ``None`` where nothing does."""
        instrument, gap = hole.partition.found[row], hole.gap
        if not instrument.expiry:
            return [] if quoted else None  # an index, a share: only quotes can have told its price
        try:
            points = await self._rest.oi_between(
                key_of(instrument), gap.from_us - 2 * _STEP_US, gap.to_us
            )
        except (LoginWaits, Throttled):
            raise  # nobody looked at it: the hole waits too
        except (Refused, NotNow) as error:
            log.info("gap not filled", extra={"symbol": instrument.symbol, "why": str(error)})
            return None
        # A point stands for three minutes, and at their end for certain.
        known = [(point.at_us + _STEP_US, point.oi) for point in points or ()]
        if not known or known[0][0] - _STEP_US > gap.from_us or known[-1][0] < gap.to_us - _STEP_US:
            return None
        return [(row, at_us, oi) for at_us, oi in known if gap.from_us < at_us <= gap.to_us]

    def _say(self, hole: _Hole, portion: _Portion) -> None:
        if portion.rows:
            gap = hole.gap
            told = Gap(
                from_us=gap.from_us, to_us=gap.to_us, why=gap.why, rows=portion.rows, filled=True, oi=portion.oi
            )  # fmt: skip
            self._tell(hole.partition.part.underlying, told)
