import asyncio

from ingest.smartapi.errors import NotNow, Throttled
from ingest.smartapi.filling import PORTION, Filling
from ingest.smartapi.upkeep import keep_on
from oimon.messages import Gap
from tests.unit.ingest.smartapi.feeding import a_partition
from tests.unit.ingest.smartapi.test_rest import AT_US, answer, rest
from tests.unit.ingest.smartapi.virtual import LoopClock, run

MINUTE = 60_000_000
GAP = Gap(from_us=AT_US - 10 * MINUTE, to_us=AT_US, why="closed")


def history(*minutes):
    """Return open interest so many minutes before or after 09:15, of 100 + the minute."""
    return answer(
        [
            {"time": f"2026-11-25T09:{15 + minute:02}:00+05:30", "oi": 100 + minute}
            for minute in minutes
        ]
    )


WHOLE = history(-14, -11, -8, -5, -2)


class World:
    def __init__(self, on_ask=WHOLE, *, contracts=2, covered=True):
        self.partition = a_partition(contracts)
        found, self.broker = rest(on_ask)
        self.told = []
        self.filling = Filling(
            found,
            LoopClock(AT_US).now_us,
            lambda underlying, gap: self.told.append((underlying, gap)),
            lambda from_us, to_us: covered,
        )

    async def fill(self, gap=GAP):
        self.filling.add(self.partition, gap)
        await self.filling.once()
        return self.told


def test_each_contract_of_a_gap_gets_what_was_published_in_it_and_the_index_what_quotes_told():
    async def main():
        world = World()

        ((underlying, told),) = await world.fill()

        assert underlying == "NIFTY"
        assert (told.from_us, told.to_us, told.why, told.filled) == (
            GAP.from_us,
            AT_US,
            "closed",
            True,
        )
        assert told.rows == [0, 1, 2]
        # Each stands for the three minutes that begin then, so it is known at their end.
        own = [(AT_US + minute * MINUTE, 100 + minute - 3) for minute in (-8, -5, -2)]
        assert told.oi == [(row, *point) for row in (1, 2) for point in own]
        assert world.filling.facts() == {"filled": 3, "not_filled": 0, "to_come": 0}

    run(main())


def test_what_the_history_does_not_reach_over_stays_a_gap():
    async def main():
        for found in (
            answer([]),
            history(-8, -5, -2),  # nothing before it
            history(-14, -11, -8),  # it ends too early
        ):
            world = World(found, covered=False)
            assert await world.fill() == []
            assert world.filling.facts()["not_filled"] == 3

    run(main())


def test_one_contract_s_refusal_keeps_none_of_the_others():
    async def main():
        answers = iter([NotNow("away"), WHOLE])
        world = World(lambda: next(answers), covered=False)

        ((_, told),) = await world.fill()

        assert told.rows == [2]

    run(main())


async def fills_all(world):
    world.filling.add(world.partition, GAP)
    task = asyncio.ensure_future(keep_on("gaps", world.filling.once))
    await asyncio.sleep(300)
    task.cancel()

    assert world.filling.facts() == {"filled": 3, "not_filled": 0, "to_come": 0}
    assert [row for _, gap in world.told for row in gap.rows] == [0, 1, 2]


def test_a_hole_waits_for_a_login_that_waits():
    async def main():
        world = World()
        failures = iter([NotNow("the network is away")])
        world.broker.on_login = lambda: next(failures, None)
        await fills_all(world)

    run(main())


def test_a_request_beyond_the_limits_is_made_again():
    async def main():
        answers = iter([WHOLE, Throttled("exceeding access rate"), WHOLE])
        world = World(lambda: next(answers))
        await fills_all(world)

    run(main())


def test_many_contracts_are_told_in_portions_and_until_the_window_has_passed():
    async def main():
        world = World(contracts=2000)
        task = asyncio.ensure_future(keep_on("gaps", world.filling.once))
        world.filling.add(world.partition, GAP)
        await asyncio.sleep(3600)
        task.cancel()

        rows = [row for _, gap in world.told for row in gap.rows]
        assert rows == list(range(len(rows)))
        assert max(len(gap.rows) for _, gap in world.told) == PORTION
        assert 700 < len(rows) < 900, "one about a second, for a quarter of an hour"
        assert len(world.broker.asked) < 900

    run(main())


def test_no_more_than_the_rows_of_a_gap_are_asked_for():
    async def main():
        world = World()

        await world.fill(Gap(from_us=GAP.from_us, to_us=AT_US, why="closed", rows=[2]))

        assert [asked[1]["symboltoken"] for asked in world.broker.asked] == ["2"]

    run(main())
