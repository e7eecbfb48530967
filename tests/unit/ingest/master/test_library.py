from datetime import timedelta

import pytest

from ingest.master.keeping import copies
from ingest.master.library import Library, is_fresh, lacks, newest_until_us
from oimon.clock import ManualClock
from oimon.errors import InputError, TransientError
from tests.masters import DAY, make_entry, small_market
from tests.unit.ingest.master.masters import at, read_master

URL = "http://127.0.0.1/list.json"
TUESDAY = DAY + timedelta(5)
"""NIFTY's options expire."""


class Broker:
    """Answers with what it is given; counts how often it was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    async def fetch(self, url):
        assert url == URL
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Shelf:
    def __init__(self, folder):
        self.broker = Broker(read_master())
        self.clock = ManualClock(at(9))
        self.library = Library(folder, URL, self.clock, fetch=self.broker.fetch)
        self.folder = self.library._folder


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def without(name, day):
    spelled = f"{day:%d%b%Y}".upper()
    return [row for row in small_market() if (row["name"], row["expiry"]) != (name, spelled)]


async def test_the_list_is_fetched_once_a_day(shelf):
    first = await shelf.library.today()
    shelf.clock.advance(6 * 3600)
    again = await shelf.library.today()

    assert shelf.broker.asked == 1
    assert (first.day, again.day, again.warnings) == (DAY, DAY, ())
    assert len(again.master) == len(first.master)


async def test_a_list_from_another_address_is_no_copy_of_this_one(shelf, tmp_path):
    await shelf.library.today()
    other = Broker(TransientError("the server answers 503"))

    async def fetch(url):
        return await other.fetch(URL)

    with pytest.raises(TransientError):
        await Library(tmp_path, "http://127.0.0.1/other.json", shelf.clock, fetch=fetch).today()
    assert other.asked == 1


async def test_the_next_day_in_india_it_is_fetched_again(shelf):
    await shelf.library.today()
    shelf.clock.advance(24 * 3600)

    assert (await shelf.library.today()).day == DAY + timedelta(1)
    assert shelf.broker.asked == 2


def test_a_list_from_before_the_broker_made_today_s_is_fetched_once_more():
    assert is_fresh(at(6), at(7, 59))
    assert not is_fresh(at(6), at(8))
    assert is_fresh(at(8), at(23, 59))
    assert not is_fresh(at(23, 59, DAY - timedelta(1)), at(0, 0))


def test_a_list_is_the_newest_until_the_broker_makes_another_or_the_day_is_over():
    assert newest_until_us(at(0, 0)) == newest_until_us(at(7, 59)) == at(8)
    assert newest_until_us(at(8)) == newest_until_us(at(23, 59)) == at(0, 0, DAY + timedelta(1))


@pytest.mark.parametrize(
    "failure",
    [
        TransientError(f"{URL}: the server answers 503"),
        InputError(URL, "instrument master", "it is a web page", "Try again"),
    ],
)
async def test_when_it_cannot_be_had_yesterday_s_copy_serves_with_a_warning(shelf, failure):
    await shelf.library.today()
    shelf.clock.advance(24 * 3600)
    shelf.broker.answer = failure

    found = await shelf.library.today()

    assert found.day == DAY
    (warning,) = found.warnings
    assert warning.startswith(str(failure))
    assert warning.endswith("Using the list of 2026-11-26: contracts listed since are missing")
    assert found.facts()["warnings"] == [warning]


async def test_without_a_copy_the_failure_is_told(shelf):
    shelf.broker.answer = TransientError("the server answers 503")

    with pytest.raises(TransientError, match="503"):
        await shelf.library.today()


async def test_a_list_without_today_s_expiry_gives_way_to_yesterday_s(shelf):
    shelf.clock = shelf.library._clock = ManualClock(at(9, day=TUESDAY - timedelta(1)))
    await shelf.library.today()
    shelf.clock.advance(24 * 3600)
    shelf.broker.answer = read_master(without("NIFTY", TUESDAY))

    found = await shelf.library.today()

    assert found.day == TUESDAY - timedelta(1)
    assert "lacks the options of NIFTY that expire today, 2026-12-01" in found.warnings[0]
    assert [path.name for path in copies(shelf.folder)] == ["2026-11-30.master"]


async def test_where_no_copy_has_it_either_the_list_serves_and_says_so(shelf):
    shelf.clock = shelf.library._clock = ManualClock(at(9, day=TUESDAY))
    shelf.broker.answer = read_master(without("NIFTY", TUESDAY))

    found = await shelf.library.today()

    assert found.day == TUESDAY
    assert found.warnings == (
        "the instrument master of 2026-12-01 lacks the options of NIFTY that expire today, 2026-12-01",
    )


def test_an_old_list_is_recognised_by_its_last_expiry():
    master = read_master()

    assert lacks(master, DAY) is None
    assert lacks(master, DAY + timedelta(400)) == (
        "is an old one: its last options of NIFTY expired on 2026-12-08"
    )


async def test_a_damaged_copy_is_told_and_fetched_anew(shelf):
    await shelf.library.today()
    (path,) = copies(shelf.folder)
    path.write_bytes(path.read_bytes()[:-1])

    found = await shelf.library.today()

    assert shelf.broker.asked == 2
    assert "its checksum is wrong" in found.warnings[0]
    assert (await shelf.library.today()).warnings == ()


async def test_a_folder_that_cannot_be_written_is_a_warning_not_the_end(shelf, tmp_path):
    (tmp_path / "master").write_text("a file where the folder should be")

    found = await shelf.library.today()

    assert len(found.master)
    assert "the instrument master cannot be kept" in found.warnings[0]


async def test_rows_that_cannot_be_read_are_told(shelf):
    shelf.broker.answer = read_master([*small_market(), make_entry(lotsize="x")])

    found = await shelf.library.today()

    (warning,) = found.warnings
    assert warning.startswith(
        "1 of 489 rows of the instrument master cannot be read; the first: INFY-EQ: "
    )
    assert (found.facts()["unread"], found.facts()["rows"]) == (1, 489)


async def test_a_list_of_another_day_is_fetched_at_each_start_and_not_judged_by_today(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.library = Library(
        tmp_path, URL, ManualClock(at(9, day=DAY + timedelta(365))), fetch=shelf.broker.fetch, is_of_today=False
    )  # fmt: skip

    first, second = await shelf.library.today(), await shelf.library.today()

    assert shelf.broker.asked == 2
    assert first.warnings == second.warnings == ()
    shelf.broker.answer = TransientError("the server answers 503")
    assert "Using the list of" in (await shelf.library.today()).warnings[0]
