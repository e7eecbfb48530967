"""Wires analytics: ticks in, one analysis a beat out."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from analytics.config import AnalyticsSettings
from analytics.desk import Desk, handle, replay
from analytics.keeping import KEEPING
from analytics.units import UnitWatch
from analytics.warming import warm_up
from oimon import metrics
from oimon.bus import Entry, Output, Role
from oimon.config import load
from oimon.core import fast
from oimon.messages import ANALYSIS, TICKS, ChainAnalysis, QuoteBoard, Session
from oimon.service import Running, Service


def role() -> Role[Desk]:
    """Return the duty: ticks of a partition in, its analyses out."""
    return Role(
        name="analytics",
        reads=TICKS,
        writes=ANALYSIS,
        start=lambda partition: Desk(partition=partition),
        handle=handle,
        replay=replay,
        begins=_begins,
        keeping=KEEPING,
    )


def _measured(desk: Desk, entry: Entry) -> tuple[Desk, Sequence[Output]]:
    """Handle an entry and count what it came to; the handler itself knows no clock and no metric."""
    book = desk.run.book if desk.run else None
    before = dict(book.dropped) if book else {}
    started = time.perf_counter()
    desk, outputs = handle(desk, entry)
    if outputs:
        metrics.ANALYSIS_SECONDS.observe(time.perf_counter() - started)
        metrics.ANALYSES.labels(desk.partition).inc(len(outputs))
        answer = outputs[0].message
        if isinstance(answer, ChainAnalysis) and answer.tick_age_ms is not None:
            metrics.TICK_AGE.labels("analytics").observe(answer.tick_age_ms / 1e3)
    if book is not None:
        for why, count in book.dropped.items():
            metrics.TICKS_DROPPED.labels(why).inc(count - before.get(why, 0))
    return desk, outputs


def _begins(first: Entry, last: Entry | None) -> bool:
    """Say whether an entry is the session of another run than the newest analysis': nothing of before counts then."""
    session = first.message
    if not isinstance(session, Session):
        return False
    newest = None if last is None else last.message
    return not isinstance(newest, ChainAnalysis | QuoteBoard) or newest.run != session.run


async def run(running: Running[AnalyticsSettings]) -> None:
    """Own partitions and analyse them until told to stop."""
    is_fast = await asyncio.to_thread(fast.use, wanted=running.settings.fast)
    running.facts["loops"] = lambda: "machine code" if is_fast else "numpy"
    if is_fast:
        await asyncio.to_thread(warm_up)
    units = UnitWatch()
    running.facts["oi_unit"] = lambda: units.notes({each.partition for each in running.bus.held()})

    def handle_and_see(desk: Desk, entry: Entry) -> tuple[Desk, Sequence[Output]]:
        desk, outputs = _measured(desk, entry)
        for output in outputs:
            if isinstance(output.message, ChainAnalysis):
                units.see(desk.partition, output.message)
        return desk, outputs

    await running.bus.own(replace(role(), handle=handle_and_see))


def offline_role() -> Role[Desk]:
    """Return the duty for a replay or an audit, whose numbers are made as the service makes them."""
    fast.use(wanted=load(AnalyticsSettings).fast)
    return role()


service = Service(name="analytics", settings=AnalyticsSettings, run=run, offline_role=offline_role)
