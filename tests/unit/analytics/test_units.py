import numpy as np

from analytics.desk import Desk
from analytics.units import UnitWatch
from tests.unit.analytics.days import (
    START_US,
    Tape,
    make_batch,
    make_session,
    market_ticks,
)


def warm_answer(*, oi=None, strikes=11, run="r1", until_s=300):
    """Return the analysis of a run that is five minutes old; ``oi`` makes what is told of what would be."""
    tape, session = Tape(desk=Desk(partition="NIFTY")), make_session(strikes=strikes, run=run)
    tape.put(session)
    ticks = market_ticks(session, 0)
    if oi is not None:
        ticks["oi"] = oi(ticks["oi"])
    for _ in range(2):  # told again it is believed, however far from the previous close
        tape.put(make_batch(session, ticks, START_US))
        ticks["seq"] += 1
    for second in range(0, until_s, 15):
        tape.beat(second)
    return tape.beat(until_s)


def lots(quantity):
    return quantity // 65


def notes(*answers):
    watch = UnitWatch()
    for answer in answers:
        watch.see("NIFTY", answer)
    return watch.notes({"NIFTY"})


def test_open_interest_in_whole_lots_is_quantity():
    assert notes(warm_answer()) == []


def test_open_interest_that_looks_like_lots_is_told(caplog):
    (note,) = notes(warm_answer(oi=lots))

    assert note.startswith("NIFTY: ")
    assert "looks like lots and not quantity" in note
    assert [record.note for record in caplog.records] == [note]


def test_a_run_is_judged_once_and_a_new_one_anew(caplog):
    wrong, right = warm_answer(oi=lots), warm_answer(run="r2")

    assert len(notes(wrong, wrong)) == 1
    assert len(caplog.records) == 1
    assert notes(wrong, right) == []


def test_a_young_run_and_a_small_chain_are_not_judged_yet():
    young = warm_answer(oi=lots, until_s=285)

    assert notes(young) == notes(warm_answer(oi=lots, strikes=3)) == []
    assert len(notes(young, warm_answer(oi=lots))) == 1


def test_what_is_neither_is_not_told():
    def every_third(quantity):
        return quantity + np.where(np.arange(len(quantity)) % 3 == 0, 1, 0)

    assert notes(warm_answer(oi=every_third)) == []


def test_a_partition_that_went_to_another_replica_is_its_to_tell():
    watch = UnitWatch()
    watch.see("NIFTY", warm_answer(oi=lots))

    assert watch.notes({"BANKNIFTY"}) == []
