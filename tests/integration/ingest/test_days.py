"""A live feed that is left running: over the hour at which the broker makes its list of the day, and over midnight."""

from datetime import date, time

import pytest

from ingest.fakebroker.broker import FakeBroker
from ingest.smartapi import live
from oimon.calendar import instant_us
from oimon.clock import SystemClock
from oimon.messages import Session
from tests.eventually import eventually
from tests.fakes.smartapi import a_source
from tests.integration.ingest.following import following, published

DAY, NEXT_DAY = date(2026, 11, 25), date(2026, 11, 26)


class TurnedClock(SystemClock):
    """This machine's, set to another instant now and then."""

    def __init__(self, day, at):
        self.turn(day, at)

    def turn(self, day, at):
        self._ahead_us = instant_us(day, at) - super().now_us()

    def now_us(self):
        return super().now_us() + self._ahead_us


@pytest.mark.parametrize("name", ["", "abc"])
async def test_a_feed_left_running_reads_the_list_that_the_broker_makes_in_the_morning(
    tmp_path, monkeypatch, name
):
    monkeypatch.setattr(live, "LOOK_S", 0.1)
    clock = TurnedClock(DAY, time(7, 59, 35))
    async with (
        FakeBroker(a_source(5), by_hand=True, limits={}, clock=clock) as broker,
        following(broker, tmp_path, clock=clock, run=name) as (_, bus),
    ):

        async def begins(runs, day):
            async def has_begun():
                log = await published(bus, "NIFTY")
                found = list(dict.fromkeys(each.run for each in log if isinstance(each, Session)))
                return found if len(found) == runs else None

            found = await eventually(has_begun, within_s=20)
            assert found[-1].startswith(f"{day}-live-{name}")
            return broker.facts()["master_downloads"]

        lists = [await begins(1, DAY)]
        clock.turn(DAY, time(8, 0, 1))
        lists.append(await begins(2, DAY))
        clock.turn(NEXT_DAY, time(0, 0, 1))
        lists.append(await begins(3, NEXT_DAY))
    assert lists == [1, 2, 3]
