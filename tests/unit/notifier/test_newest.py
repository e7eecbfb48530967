import pytest

from notifier.newest import Newest
from oimon.clock import ManualClock
from oimon.messages import ANALYSIS
from tests.unit.notifier.samples import (
    NOW_US,
    make_advice,
    make_analysis,
    make_board,
    make_entry,
    make_rich_advice,
)


def test_the_newest_of_each_stream_is_what_is_drawn():
    newest = Newest("NIFTY")

    for message in (
        make_analysis(pcr=0.9),
        make_advice(),
        make_rich_advice(),
        make_analysis(pcr=1.1),
    ):
        newest.take(make_entry(message))
    view = newest.view(NOW_US + 2_000_000)

    assert view.analysis.pcr == 1.1
    assert (view.minimal.coach, view.rich.coach) == ("minimal", "rich")
    assert view.written_age_s == pytest.approx(2.0)


def test_an_entry_that_cannot_be_read_is_told_and_does_not_end_the_watch():
    newest = Newest("NIFTY")
    newest.take(make_entry(make_analysis(), data=b"{"))

    view = newest.view(NOW_US)

    assert view.analysis is None
    assert newest.trouble.startswith(f"{ANALYSIS}:NIFTY/{NOW_US // 1000}-0 cannot be read")


def test_now_is_an_argument_so_that_an_old_entry_reads_old():
    newest = Newest("NIFTY")
    newest.take(make_entry(make_analysis()))

    assert newest.view(ManualClock(NOW_US + 60_000_000).now_us()).written_age_s == 60.0


def test_of_several_boards_in_one_table_the_oldest_counts():
    newest = Newest("SBIN")
    newest.others = ["TCS"]
    newest.take(make_entry(make_board(underlying="SBIN")))
    newest.boards["TCS"] = make_entry(make_board(underlying="TCS"), id=f"{NOW_US // 1000 - 90_000}-0")  # fmt: skip

    assert newest.view(NOW_US).written_age_s == pytest.approx(90.0)
