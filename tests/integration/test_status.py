"""``oi status``, read from the bus alone."""

import io
import secrets

import redis as redis_py
from rich.console import Console

from oimon import status
from oimon.bus import Output, Pulse, Role
from oimon.bus.redis import RedisBus
from oimon.clock import ManualClock
from oimon.messages import ANALYSIS, TICKS
from oimon.terms import SERVICES, FeedState, MarketState
from tests.builders import make_status
from tests.eventually import eventually
from tests.summing import running
from tests.unit.notifier.samples import make_analysis


def text_of(system, width=200) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(status.tables(system))
    return console.export_text()


async def test_all_services_ready_is_ready_and_a_missing_one_is_named(redis_url):
    with redis_py.Redis.from_url(redis_url) as client:
        client.flushall()
    bus = RedisBus(redis_url, "test")
    for name in list(SERVICES)[:-1]:
        await bus.put_status(name, f"{name}-1", make_status(name))

    one_missing = await status.read(redis_url, ManualClock())
    await bus.put_status("dashboard", "dashboard-1", make_status("dashboard"))
    all_there = await status.read(redis_url, ManualClock())
    await bus.put_status(
        "ingest",
        "ingest-1",
        make_status("ingest", state="not ready", problems=["the feed is silent"]),
    )
    one_not_ready = await status.read(redis_url, ManualClock())
    await bus.close()

    assert one_missing.system.troubles == ["not running: dashboard"]
    assert all_there.system.is_ready
    assert one_not_ready.system.troubles == ["ingest-1: the feed is silent"]
    assert "not running" in text_of(one_missing)
    assert "the feed is silent" in text_of(one_not_ready)


async def test_ages_are_those_of_the_newest_analysis(redis_url):
    with redis_py.Redis.from_url(redis_url) as client:
        client.flushall()
    analysis = make_analysis(tick_age_ms=1500, oi_age_s=72.0)
    role = Role(
        name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda _: None,
        handle=lambda state, entry: (state, [Output(ANALYSIS, analysis)]),
    )  # fmt: skip
    bus = RedisBus(redis_url, f"test-{secrets.token_hex(3)}")
    await bus.declare(["NIFTY", "SENSEX"])
    async with running(bus.own(role)):
        pulse = Pulse(
            run="r", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=1_000_000
        )
        await bus.publish("NIFTY", [], pulse)
        newest = await eventually(lambda: bus.latest(ANALYSIS, "NIFTY"))
        written_ms = int(newest.id.split("-")[0])

    found = await status.read(redis_url, ManualClock(written_ms * 1000 + 2_500_000))
    await bus.stop()
    await bus.close()

    nifty, sensex = found.ages
    assert (nifty.analysis_s, nifty.tick_s, nifty.oi_s) == (2.5, 1.5, 72.0)
    assert sensex.analysis_s is None
    assert "2.5 s" in text_of(found)
    assert "…" not in text_of(found, 40), "nothing is cut short"
