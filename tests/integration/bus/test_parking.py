"""What becomes of an entry that cannot be used, on every implementation of the bus."""

import asyncio
import contextlib
from dataclasses import replace

from oimon.bus import Output
from oimon.errors import BusDown
from oimon.messages import ANALYSIS, TICKS, Gap
from tests.eventually import eventually
from tests.integration.hand import shorten
from tests.summing import SUMS, at_least, everything, gap, pulse, running, summing, text


async def test_an_entry_that_cannot_be_decoded_is_parked_at_once(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])
    lease = (await bus._log.acquire("ingest", "NIFTY")).lease
    await bus._log.publish(lease, TICKS, 1, [("gap", b"{not json"), ("nonsense", b"{}")], pulse(1))

    async with running(bus.own(SUMS)):
        outputs = await eventually(lambda: at_least(bus, 1))
        errors = [held.last_error for held in bus.held() if held.role == "analytics"]

        parked = await bus._log.parked("analytics", "NIFTY")

    assert [e.message.text for e in outputs] == ["1: 0"]
    assert [(p.entry.kind, p.entry.data, p.entry.n) for p in parked] == [
        ("gap", b"{not json", 1),
        ("nonsense", b"{}", 2),
    ]
    assert "unknown kind" in parked[1].why
    assert "parked" in errors[0]


class Killed(BaseException):
    """Ends a task as a kill ends a process: nothing is given back, nothing is parked."""


async def test_an_entry_that_kills_is_parked_and_the_rest_goes_on(replicas, monkeypatch):
    shorten(monkeypatch, leases_ms=150, members_ms=400)
    feeder = replicas()
    await feeder.declare(["NIFTY"])
    await feeder.publish("NIFTY", [gap(1), gap(13), gap(2)], pulse(1))
    deaths = 0

    def deadly(total, entry):
        if isinstance(entry.message, Gap) and entry.message.from_us == 13:
            raise Killed
        return summing(total, entry)

    while not await everything(feeder) and deaths < 9:
        bus = replicas()
        try:
            with contextlib.suppress(BaseExceptionGroup):
                async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                    owning = tasks.create_task(bus.own(replace(SUMS, handle=deadly)))
                    await eventually(lambda: at_least(feeder, 1))
                    owning.cancel()
        except Killed:
            deaths += 1

    parked = await feeder._log.parked("analytics", "NIFTY")
    assert [e.message.text for e in await everything(feeder)] == ["1: 3"]
    assert [(p.entry.message.from_us, p.tries) for p in parked] == [(13, 3)]
    assert deaths <= 5


async def test_an_entry_whose_answers_are_lost_again_and_again_has_killed_nobody(
    replicas, monkeypatch
):
    bus, dead, feeder = replicas(), replicas(), replicas()
    await feeder.declare(["NIFTY"])
    await feeder.publish("NIFTY", [gap(1)], pulse(1))
    [first, _] = await everything(feeder, TICKS)
    lease = (await dead._log.acquire("analytics", "NIFTY", TICKS)).lease
    await dead._log.attempt(lease, first.id)
    await dead._log.release(lease)
    commit, lost = bus._log.commit, []

    async def often_cut(*args):
        if len(lost) < 3:
            lost.append(args)
            raise BusDown("cut")
        return await commit(*args)

    monkeypatch.setattr(bus._log, "commit", often_cut)
    async with running(bus.own(SUMS)):
        outputs = await eventually(lambda: at_least(bus, 1))

    assert [e.message.text for e in outputs] == ["1: 1"]
    assert await bus._log.parked("analytics", "NIFTY") == []


async def test_an_entry_on_which_the_role_fails_is_parked_and_its_half_change_undone(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    def failing(state, entry):
        if isinstance(entry.message, Gap):
            state.append(entry.message.from_us)
            if entry.message.from_us == 13:
                raise ZeroDivisionError("half way")
            return state, []
        return state, [Output(ANALYSIS, text(f"{sum(state)}"))]

    role = replace(SUMS, start=lambda _: [], handle=failing)
    async with running(bus.own(role)):
        await bus.publish("NIFTY", [gap(1), gap(13), gap(2)], pulse(1))
        outputs = await eventually(lambda: at_least(bus, 1))

    parked = await bus._log.parked("analytics", "NIFTY")
    assert [e.message.text for e in outputs] == ["3"]
    assert [p.why for p in parked] == ["ZeroDivisionError: half way"]
