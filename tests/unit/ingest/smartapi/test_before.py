import asyncio
from datetime import date

import pytest

from ingest.feed import Interest
from ingest.smartapi.before import PORTION, TRIES, Before
from ingest.smartapi.errors import NotNow
from ingest.smartapi.note import KEPT, Notes, last_of_session
from ingest.smartapi.upkeep import keep_on
from oimon import calendar
from oimon.terms import Segment
from tests.unit.ingest.smartapi.feeding import a_partition, came
from tests.unit.ingest.smartapi.test_rest import AT_US, answer, rest
from tests.unit.ingest.smartapi.virtual import run

TODAY, YESTERDAY = date(2026, 11, 25), date(2026, 11, 23)  # the 24th is a holiday
CLOSE_US = calendar.close_us(Segment.NFO, YESTERDAY)
URL = "https://broker.invalid"
HISTORY = answer([{"time": "2026-11-23T15:27:00+05:30", "oi": 1300}])


def noted(oi, at_us=CLOSE_US):
    return {("NFO", "1"): Interest(oi, at_us)}


class World:
    def __init__(self, folder, *, contracts=2, on_ask=HISTORY):
        self.partition = a_partition(contracts)
        self.found, self.broker = rest(on_ask)
        self.notes = Notes(folder, URL)
        self.renewals = []
        self.before = Before(
            self.found,
            self.notes,
            [self.partition],
            TODAY,
            lambda: self.renewals.append(len(self.partition.oi_prev)),
        )


def test_yesterday_s_note_is_believed_and_the_broker_asked_for_the_rest(tmp_path):
    async def main():
        world = World(tmp_path)
        world.notes.write(YESTERDAY, noted(650))
        await world.before.read()
        assert world.partition.oi_prev == {("NFO", "1"): 650}

        await world.before.once()

        assert [asked[1]["symboltoken"] for asked in world.broker.asked] == ["2"]
        assert world.partition.oi_prev == {("NFO", "1"): 650, ("NFO", "2"): 1300}
        assert world.renewals == [2]
        assert world.before.facts() == {"note": 1, "broker": 1, "unknown": 0}

    run(main())


@pytest.mark.parametrize(
    ("day", "at_us"),
    [
        (YESTERDAY, CLOSE_US - 3600_000_000),  # off before the close
        (date(2026, 11, 20), calendar.close_us(Segment.NFO, date(2026, 11, 20))),  # the one before
    ],
)
def test_a_note_that_is_not_of_yesterday_s_close_is_not_used(tmp_path, day, at_us):
    async def main():
        world = World(tmp_path)
        world.notes.write(day, noted(650, at_us))

        await world.before.read()

        assert world.partition.oi_prev == {}

    run(main())


def test_a_quiet_contract_is_as_the_note_has_it_where_others_came_until_the_close():
    found = {("NFO", "1"): Interest(650, CLOSE_US), ("NFO", "2"): Interest(65, CLOSE_US - 9_000_000_000),
             ("MCX", "1"): Interest(7, CLOSE_US)}  # fmt: skip

    closed = last_of_session(found, [Segment.NFO, Segment.MCX], YESTERDAY)

    assert closed == {("NFO", "1"): 650, ("NFO", "2"): 65}, "MCX was open for hours after that"


def test_the_session_is_said_again_a_portion_at_a_time(tmp_path):
    async def main():
        world = World(tmp_path, contracts=2 * PORTION + 3)

        await world.before.once()

        assert world.renewals == [PORTION, 2 * PORTION, 2 * PORTION + 3]

    run(main())


def test_what_the_broker_does_not_answer_is_asked_a_few_times_and_what_it_did_is_told(tmp_path):
    async def main():
        answers = iter([HISTORY, *[NotNow("away")] * (TRIES + 2)])
        world = World(tmp_path, on_ask=lambda: next(answers))
        task = asyncio.ensure_future(keep_on("before", world.before.once))
        await asyncio.sleep(300)
        task.cancel()

        assert [asked[1]["symboltoken"] for asked in world.broker.asked] == ["1", *["2"] * TRIES]
        assert world.renewals == [1]
        assert world.before.facts()["unknown"] == 1

    run(main())


def test_a_login_that_waits_costs_no_contract_a_try(tmp_path):
    async def main():
        world = World(tmp_path)
        failures = iter([NotNow("the network is away")])
        world.broker.on_login = lambda: next(failures, None)
        task = asyncio.ensure_future(keep_on("before", world.before.once))
        await asyncio.sleep(300)
        task.cancel()

        assert len(world.broker.login_s) == 2
        assert world.before.facts() == {"note": 0, "broker": 2, "unknown": 0}

    run(main())


def test_today_s_last_is_noted_and_what_an_earlier_start_had_is_kept(tmp_path):
    async def main():
        first = World(tmp_path)
        await first.before.read()
        came(1, 650, AT_US)
        await first.before.note()
        second = World(tmp_path)
        await second.before.read()
        came(2, 715, AT_US + 1_000_000)
        second.before.note_now()

        assert second.notes.read(TODAY) == {
            ("NFO", "1"): Interest(650, AT_US),
            ("NFO", "2"): Interest(715, AT_US + 1_000_000),
        }
        assert Notes(tmp_path, "http://127.0.0.1:1").read(TODAY) == {}, "another broker's"

    run(main())


def test_the_newest_notes_are_kept_whole_and_one_that_cannot_be_read_is_none(tmp_path):
    notes = Notes(tmp_path, URL)
    for day in range(1, KEPT + 3):
        notes.write(date(2026, 11, day), noted(day))
    (folder,) = (tmp_path / "oi").iterdir()

    assert sorted(path.name for path in folder.iterdir()) == [f"2026-11-0{n}.json" for n in range(3, KEPT + 3)]  # fmt: skip
    (folder / "2026-11-07.json").write_text("[[")
    assert notes.read(date(2026, 11, 7)) == {}
    assert notes.read(date(2026, 11, 6)) == noted(6)
