"""Ingest that leads again: what it knows of its account outlives the time in which another led."""

import asyncio
import contextlib

from ingest.config import IngestSettings
from ingest.fakebroker.broker import FakeBroker
from ingest.main import run
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.service import Running
from tests.eventually import eventually
from tests.fakes.smartapi import a_source


class LeadsTwice(MemoryBus):
    """A bus whose lead is lost when something has come about, and comes back."""

    def __init__(self, begins, has_come):
        super().__init__()
        self._begins, self._has_come = begins, has_come

    async def lead(self, work):
        for _ in range(2):
            self._begins()
            working = asyncio.ensure_future(work())
            await eventually(self._has_come, within_s=20)
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working


async def test_a_login_that_was_stopped_stays_so_for_who_leads_again(tmp_path):
    async with FakeBroker(a_source(5), by_hand=True, limits={}) as broker:
        told = {name.lower(): value for name, value in broker.settings().items()}
        settings = IngestSettings(
            feed="live", data_dir=tmp_path, record=False, **(told | {"smartapi_pin": "0000"})
        )
        bus = LeadsTwice(
            lambda: running.facts.pop("feed"),
            lambda: "feed" in running.facts and running.facts["feed"]()["state"] == "login_failed",
        )
        running = Running(
            name="ingest", replica="one", settings=settings, bus=bus, clock=SystemClock(), stop=asyncio.Event()
        )  # fmt: skip
        await run(running)
        await bus.stop()

        assert running.facts["feed"]()["session"]["state"] == "stopped"
        assert broker.facts()["rest"]["requests"]["loginByPassword"] == 1
