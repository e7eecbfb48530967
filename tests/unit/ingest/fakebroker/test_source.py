"""What is broadcast: a recording as it is, simulated days dressed as a broker's."""

from itertools import islice

import pytest

from ingest.fakebroker import master
from ingest.fakebroker.source import source_of
from ingest.packets import SNAP_QUOTE, fields
from ingest.recording import open_recording
from ingest.recordings import BUNDLED
from ingest.simulator.day import EXPIRY_WEEK, Plan, SimulatedDay, markets
from ingest.simulator.universe import Universe
from tests.builders import make_frame, make_header, make_recording, make_row
from tests.fakes.smartapi import a_source


@pytest.fixture(scope="module")
def simulated():
    plan = Plan(seed=3, seconds=130, universe=Universe.INDEX, expiries=1)
    return source_of(
        [SimulatedDay(plan, market) for market in markets(plan) if market.name in ("NIFTY", "SENSEX")],
        is_simulated=True,
    )  # fmt: skip


def test_a_recording_s_frames_are_as_they_are():
    recording = open_recording(BUNDLED)
    source = source_of([recording], is_simulated=False)
    first = next(recording.blocks())

    assert [frame for _, frame in islice(source.play(), 500)] == first.frames[:500]
    assert [at for at, _ in islice(source.play(), 500)] == first.received_us[:500].tolist()
    assert (source.date, source.frames) == ("2026-08-18", 47_956)
    assert len(source.listed) == len(recording.header.master)


def test_what_came_into_a_live_recording_later_is_listed_too(tmp_path):
    rows = [make_row("99926000", kind="INDEX"), make_row(), make_row("40638", strike=24_250)]
    told = [(0, make_header(master=rows, has_beats=True))]
    recording = make_recording(tmp_path / "live.oirec", [(1, make_frame("40638"))], told=told)

    assert len(source_of([recording], is_simulated=False).listed) == 3


def test_markets_play_together_in_order_of_time(simulated):
    found = list(simulated.play())
    times = [at for at, _ in found]

    assert times == sorted(times)
    assert len(found) == simulated.frames
    assert {frame[1] for _, frame in found[:300]} == {1, 2, 3, 4}
    assert simulated.date == EXPIRY_WEEK.isoformat()


def test_a_market_that_opens_earlier_is_under_way_when_anybody_connects():
    plan = Plan(seed=3, seconds=1000, universe=Universe.DEFAULT)
    days = [SimulatedDay(plan, each) for each in markets(plan) if each.name in ("ITC", "CRUDEOIL")]
    source = source_of(days, is_simulated=True)

    assert {day.last.first_us for day in days} == {source.opens_us, source.opens_us - 900_000_000}


def test_a_simulated_index_has_no_book_and_a_leg_has_garbage_for_its_change(simulated):
    garbage, indices = set(), 0
    for _, frame in islice(simulated.play(), 600):
        found = fields(frame)
        if simulated.listed[frame[1:27]].row.instrumenttype == "AMXIDX":
            indices += 1
            assert found["levels"][0]["qty"] == found["levels"][0]["price"] == -1
            assert (found["mode"], found["oi"], found["volume"]) == (SNAP_QUOTE, 0, 0)
        else:
            garbage.add(str(found["oi_change_pct"]))

    assert indices > 2
    assert len(garbage) == 8


def test_open_interest_stands_while_prices_tick_and_moves_by_lots(simulated):
    name = next(n for n, each in simulated.listed.items() if each.row.instrumenttype == "OPTIDX")
    lot = int(simulated.listed[name].row.lotsize)
    found = [fields(frame) for _, frame in simulated.play() if frame[1:27] == name]

    assert len({each["oi"] for each in found}) <= 2  # once in 180 s at most
    assert len({each["levels"][0]["price"] for each in found}) > 10
    assert all(each["oi"] % lot == 0 for each in found)


def test_the_master_is_in_no_order_and_the_same_each_time():
    source = a_source()
    rows = master.rows(source)

    assert rows == master.rows(source)
    assert [row["token"] for row in rows] != sorted(row["token"] for row in rows)


def test_a_stale_master_lacks_what_the_feed_trades_next():
    source = a_source()
    rows = master.rows(source)
    found = master.stale(rows, source)

    assert len(rows) - len(found) == 6
    assert not [row for row in found if row["expiry"] == "01DEC2026"]
