"""Asks the broker for its own numbers, compares them with ours, and counts how they come out."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import date
from typing import Any

from ingest.smartapi.cross_check import (
    Comparison,
    Newest,
    compare_greeks,
    compare_oi,
    compare_pcr,
    our_greeks,
)
from ingest.smartapi.rest import Key, QuoteBatch, Rest
from oimon import metrics
from oimon.bus import Bus
from oimon.messages import ANALYSIS, ChainAnalysis

_SHOWN = 5

log = logging.getLogger(__name__)


class Checking:
    """Our numbers beside the broker's."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._counts: dict[str, Counter[str]] = {}
        self._last: dict[str, list[str]] = {}

    async def oi(
        self, keys: Iterable[Key], newest: Callable[[], Mapping[Key, Newest]]
    ) -> AsyncIterator[tuple[QuoteBatch, Comparison]]:
        """Give each batch of quotes with what it says of the stream; ``newer`` holds what the stream has to take over.

        Args:
            keys: of contracts; an index and a share have no open interest of their own.
            newest: what the stream brought last; read when the quotes are there.
        """
        async for batch in self._rest.quotes(keys):
            comparison = compare_oi(batch.quotes.values(), newest())
            self._count("oi", comparison)
            yield batch, comparison

    async def analysis(self, analysis: ChainAnalysis) -> None:
        """Compare the headline expiry's Greeks and its put-call ratio with the broker's."""
        ours = our_greeks(analysis, analysis.expiry)
        expiry = date.fromisoformat(analysis.expiry)
        theirs = await self._rest.greeks(analysis.underlying, expiry, analysis.segment)
        if ours is not None and theirs is not None:
            ivs, deltas = compare_greeks(theirs, ours)
            self._count("iv", ivs)
            self._count("delta", deltas)
        if analysis.future is not None:
            ratios = await self._rest.put_call_ratios()
            self._count("pcr", compare_pcr(ratios, analysis.future.symbol, analysis.pcr))

    async def newest(self, bus: Bus, underlyings: Iterable[str], run: str) -> None:
        """Compare the newest analysis of each underlying; what is of another run, old or without options is left out.

        Raises:
            BusDown, PoisonMessage: it cannot be read.
        """
        for underlying in underlyings:
            entry = await bus.latest(ANALYSIS, underlying)
            found = None if entry is None else entry.message
            if isinstance(found, ChainAnalysis) and found.run == run and not found.is_stale:
                await self.analysis(found)

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says: how many values came out how, and what differed last."""
        return {
            what: {**counts, "last": self._last.get(what, [])}
            for what, counts in self._counts.items()
        }

    def _count(self, what: str, comparison: Comparison) -> None:
        counts = self._counts.setdefault(what, Counter())
        for outcome, count in comparison.counts.items():
            counts[outcome.value] += count
            metrics.BROKER_CHECKS.labels(what, outcome).inc(count)
        if comparison.differences:
            told = [
                f"{d.what}: {d.ours:g} here, {d.theirs:g} there"
                for d in comparison.differences[:_SHOWN]
            ]
            self._last[what] = told
            log.info(
                "numbers differ from the broker's",
                extra={"what": what, "count": len(comparison.differences), "first": told},
            )
