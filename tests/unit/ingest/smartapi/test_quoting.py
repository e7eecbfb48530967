import asyncio

import pytest

from ingest.smartapi.checking import Checking
from ingest.smartapi.errors import NotNow
from ingest.smartapi.limits import Endpoint
from ingest.smartapi.quoting import CHECK_S, LOOK_S, Quoting
from ingest.smartapi.upkeep import AGAIN_S, FAILED_S, keep_on
from tests.unit.ingest.smartapi.feeding import a_partition, came
from tests.unit.ingest.smartapi.test_rest import AT_US, answer, fetched, rest
from tests.unit.ingest.smartapi.virtual import LoopClock, run


class World:
    """A feed, and what was put into it."""

    def __init__(self, *, hands_over=True, oi=650):
        self.partition = a_partition()
        self.is_trading, self.is_down = True, False
        self.put = []
        self.found, self.broker = rest(None)
        self.broker.on_ask = lambda: answer({"fetched": [self.quote(n, oi) for n in (1, 2)]})
        self.checking = Checking(self.found)
        self.quoting = Quoting(
            self.found,
            self.checking,
            clock=LoopClock(AT_US),
            wanted=lambda: self.partition.found,
            is_trading=lambda: self.is_trading,
            is_down=lambda: self.is_down,
            put=self.put.append,
            hands_over=hands_over,
        )

    def quote(self, token, oi):
        return fetched("NFO", str(token), oi) | {"ltp": 100.0}


def asked(world):
    return [found[2] for found in world.broker.asked if found[0] is Endpoint.QUOTE]


def test_open_interest_is_held_against_the_stream_once_a_minute_and_what_is_newer_goes_on():
    async def main():
        world = World()
        came(1, 650, AT_US)
        came(2, 585, AT_US)
        task = asyncio.ensure_future(keep_on("quotes", world.quoting.once))
        await asyncio.sleep(2.5 * CHECK_S)
        task.cancel()

        contracts_only = {"NFO": ["1", "2"]}
        assert asked(world) == [contracts_only, contracts_only]
        assert [len(packets) for packets in world.put] == [1, 1]
        assert world.put[0][0][2:3] == b"2", "of the second contract: the first is equal"
        assert world.checking.facts()["oi"]["equal"] == 2
        assert world.checking.facts()["oi"]["newer"] == 2

    run(main())


def test_by_the_exchange_s_clock_it_is_counted_and_nothing_goes_on():
    async def main():
        world = World(hands_over=False)
        await asyncio.sleep(CHECK_S)

        await world.quoting.once()

        assert world.put == []
        assert world.checking.facts()["oi"]["newer"] == 2

    run(main())


def test_while_a_connection_is_down_all_of_it_is_asked_for_again_and_again():
    async def main():
        world = World()
        world.is_down = True

        await world.quoting.once()
        await world.quoting.once()

        assert asked(world) == [{"NSE": ["99926000"], "NFO": ["1", "2"]}] * 2
        assert [len(packets) for packets in world.put] == [2, 2]
        assert world.checking.facts() == {}

    run(main())


def test_a_stretch_is_covered_where_quotes_came_often_enough():
    async def main():
        world = World()
        world.is_down = True
        for _ in range(8):
            await world.quoting.once()
            await asyncio.sleep(10)
        second = 1_000_000

        assert world.quoting.covered(AT_US, AT_US + 80 * second)
        assert not world.quoting.covered(AT_US - 31 * second, AT_US + 80 * second)
        assert not world.quoting.covered(AT_US, AT_US + 120 * second)
        assert world.quoting.covered(AT_US + 200 * second, AT_US + 205 * second), (
            "too short to matter"
        )

    run(main())


def test_nothing_is_asked_for_while_the_market_is_closed():
    async def main():
        world = World()
        world.is_trading, world.is_down = False, True
        await asyncio.sleep(CHECK_S)

        assert await world.quoting.once() == LOOK_S
        assert asked(world) == []

    run(main())


@pytest.mark.parametrize(
    ("error", "again_s"), [(NotNow("away"), AGAIN_S), (ValueError("a bug"), FAILED_S)]
)
def test_what_fails_beside_the_stream_is_tried_again_and_ends_nothing(error, again_s):
    async def main():
        times = []

        async def once():
            times.append(asyncio.get_running_loop().time())
            if len(times) == 1:
                raise error
            return 1000.0

        task = asyncio.ensure_future(keep_on("it", once))
        await asyncio.sleep(again_s + 1)

        assert not task.done()
        task.cancel()
        assert times == [pytest.approx(0.0), pytest.approx(again_s)]

    run(main())
