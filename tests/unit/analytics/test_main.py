import asyncio
import threading
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from analytics import main
from analytics.desk import Desk
from oimon import codec
from oimon.bus import Entry, Held
from oimon.messages import ANALYSIS, TICKS, ChainAnalysis
from tests.unit.analytics.days import START_US, make_batch, make_beat, make_session, market_ticks


def entry(message, n):
    return Entry(
        stream=TICKS,
        partition="NIFTY",
        id=f"{n}-0",
        kind=codec.kind_of(message),
        version=codec.SCHEMA,
        data=codec.encode(message),
        n=n,
    )


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_duty_reads_ticks_and_writes_analyses():
    role = main.role()

    assert (role.name, role.reads, role.writes) == ("analytics", TICKS, ANALYSIS)
    assert role.start("NIFTY").partition == "NIFTY"


def test_the_duty_can_be_taken_up_where_another_replica_left_it():
    role, session = main.role(), make_session(strikes=3)
    batch = make_batch(session, market_ticks(session, 0), START_US)
    entries = [
        entry(message, n)
        for n, message in enumerate((session, batch, make_beat(START_US + 1_000_000)), 1)
    ]
    ours, theirs = role.start("NIFTY"), role.start("NIFTY")

    for one in entries[:2]:
        theirs, _ = role.handle(theirs, one)
        ours = role.replay(ours, one)
    ours = role.keeping.thaw("NIFTY", role.keeping.freeze(ours))

    answers = [codec.encode(role.handle(desk, entries[2])[1][0].message) for desk in (ours, theirs)]
    assert answers[0] == answers[1]


def test_analyses_and_dropped_ticks_are_counted():
    session = make_session(strikes=3)
    batch = make_batch(session, market_ticks(session, 0), START_US)
    before = (
        value("oi_analyses_total", partition="NIFTY"),
        value("oi_ticks_dropped_total", why="old"),
    )
    aged = value("oi_tick_age_seconds_sum", stage="analytics")
    desk = Desk(partition="NIFTY")

    for n, message in enumerate((session, batch, batch, make_beat(START_US + 1_000_000)), 1):
        desk, outputs = main._measured(desk, entry(message, n))

    assert isinstance(outputs[0].message, ChainAnalysis)
    assert value("oi_analyses_total", partition="NIFTY") == before[0] + 1
    assert value("oi_ticks_dropped_total", why="old") == before[1] + len(session.instruments.token)
    assert value("oi_tick_age_seconds_sum", stage="analytics") - aged == pytest.approx(0.2)


def test_what_open_interest_looks_like_is_told_in_the_status():
    class Bus:
        role = None

        async def own(self, role):
            self.role = role

        def held(self):
            return [Held(role="analytics", partition="NIFTY", cursor="0-0", epoch=1)]

    running = SimpleNamespace(settings=SimpleNamespace(fast=False), facts={}, bus=Bus())
    session = make_session()
    told = []
    for second in range(2):  # told again it is believed, however far from the previous close
        ticks = market_ticks(session, second)
        ticks["oi"] //= 65
        told.append(make_batch(session, ticks, START_US + second * 1_000_000))

    asyncio.run(main.run(running))
    desk = running.bus.role.start("NIFTY")
    beats = (make_beat(START_US + second * 1_000_000) for second in (1, 301))
    for n, message in enumerate((session, *told, *beats), 1):
        desk, _ = running.bus.role.handle(desk, entry(message, n))

    (note,) = running.facts["oi_unit"]()
    assert "looks like lots" in note


def test_the_import_of_machine_code_leaves_the_loop_to_the_watchdog(monkeypatch):
    class Bus:
        async def own(self, role):
            pass

    seen = []
    monkeypatch.setattr(main.fast, "use", lambda *, wanted: seen.append(threading.current_thread()))
    running = SimpleNamespace(settings=SimpleNamespace(fast=False), facts={}, bus=Bus())

    asyncio.run(main.run(running))

    assert seen != [threading.main_thread()]
