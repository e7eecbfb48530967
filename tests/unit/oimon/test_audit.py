"""What an audit makes of lists of entries: each kind of difference, and what is none."""

import dataclasses
import io

import pytest
from rich.console import Console

from oimon.audit import outbox, report
from oimon.audit.judging import Evidence, Findings, Line, Rows, Wrong, judge

ANALYSIS, ADVICE = "oi.analysis.v1", "oi.advice-minimal.v1"
NAMES = ("oi.ticks.v1", ANALYSIS)


def make_line(number: int, kind: str, **fields) -> Line:
    given = {
        "id": f"{number}-0", "n": number, "at_ms": 1000 * number, "kind": kind, "digest": str(number).encode(),
        "moment": ("r1", number), "row": None,
    }  # fmt: skip
    return Line(**given | fields)


def make_evidence(**fields) -> Evidence:
    """Five beats, each with its analysis 7 ms later and an advice on that; nothing of it recomputed."""
    given = {
        "underlying": "NIFTY",
        "names": NAMES,
        "ticks": [make_line(n, "beat") for n in range(1, 6)],
        "analyses": [make_line(n, "analysis", at_ms=1000 * n + 7) for n in range(1, 6)],
        "others": {ADVICE: [make_line(n, "advice") for n in range(1, 6)]},
        "advice": [ADVICE],
        "cursor": "5-0",
    }
    return Evidence(**given | fields)


def without(lines, *numbers: int) -> list[Line]:
    return [line for line in lines if line.n not in numbers]


def wrong(found: Findings) -> dict[str, int]:
    return {each.what.value: each.count for each in found.differences}


def text_of(found: Findings) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(report.tables([found], outbox.judged((), "0-0", {}, ())))
    return out.getvalue()


CLEAN = make_evidence()


def test_a_whole_log_is_clean_and_says_how_long_the_longest_answer_took():
    slow = dataclasses.replace(CLEAN.analyses[2], at_ms=3250)
    found = judge(make_evidence(analyses=[*CLEAN.analyses[:2], slow, *CLEAN.analyses[3:]]))

    assert wrong(found) == {}
    assert (found.beats, found.analyses, found.not_recomputed, found.pending) == (5, 5, 5, 0)
    assert (found.silence_ms, found.advice, found.has_rows) == (250, {ADVICE: 5}, False)


def test_an_empty_log_is_clean_and_knows_no_silence():
    found = judge(make_evidence(ticks=[], analyses=[], others={ADVICE: []}, cursor="0-0"))

    assert (wrong(found), found.silence_ms) == ({}, None)


def test_beats_after_the_cursor_are_pending_and_those_before_it_missing():
    found = judge(make_evidence(analyses=CLEAN.analyses[:2], others={ADVICE: []}, cursor="3-0"))

    assert wrong(found) == {"missing": 1}
    assert found.differences[0].places == ["3-0"]
    assert found.pending == 2


def test_a_beat_before_the_first_answer_of_all_is_missing():
    analyses = [dataclasses.replace(each, n=each.n - 1) for each in CLEAN.analyses[1:]]
    found = judge(make_evidence(analyses=analyses, others={ADVICE: []}))

    assert (wrong(found), found.trimmed) == ({"missing": 1}, 0)
    assert found.differences[0].places == ["1-0"]


def test_what_was_answered_since_the_cursor_was_read_is_not_pending():
    assert judge(make_evidence(cursor="3-0")).pending == 0


def test_a_run_of_an_earlier_name_and_second_than_the_one_before_is_in_order():
    again = [make_line(n, "beat", moment=("a", n - 5)) for n in range(6, 8)]
    found = judge(make_evidence(ticks=[*CLEAN.ticks, *again]))

    assert wrong(found) == {}


def test_answers_that_were_trimmed_are_not_missing():
    found = judge(make_evidence(analyses=CLEAN.analyses[2:], others={ADVICE: []}))

    assert wrong(found) == {}
    assert (found.trimmed, judge(CLEAN).trimmed) == (2, 0)
    assert "2 beats, older than the oldest analysis" in text_of(found)


def test_a_beat_that_analytics_has_set_aside_is_passed_over_and_not_missing():
    lost = without(CLEAN.analyses, 5)
    found = judge(make_evidence(analyses=lost, others={ADVICE: []}, passed_over={"5-0"}))

    assert wrong(found) == {"passed over": 1}
    assert found.differences[0].places == ["oi.ticks.v1 5-0"]


def test_ticks_that_analytics_has_set_aside_leave_no_beat_without_an_answer():
    rubbish = make_line(6, "ticks", moment=None)
    found = judge(make_evidence(ticks=[*CLEAN.ticks, rubbish], passed_over={"6-0"}))

    assert wrong(found) == {}


def test_where_the_work_was_done_again_only_what_it_answers_is_wanted():
    wanted = {f"{n}-0": str(n).encode() for n in range(2, 6)}  # beat 1 was before the session
    covered = {f"{n}-0" for n in range(1, 6)}
    found = judge(make_evidence(analyses=[], others={ADVICE: []}, wanted=wanted, covered=covered))

    assert found.differences[0].places == ["2-0", "3-0", "4-0", "5-0"]


def test_an_analysis_of_other_bytes_is_unequal_where_the_work_was_done_again():
    wanted = {"4-0": b"other", "5-0": b"5"}
    found = judge(make_evidence(wanted=wanted, covered={"4-0", "5-0"}))

    assert wrong(found) == {"unequal": 1}
    assert found.differences[0].places == ["4-0"]
    assert found.not_recomputed == 3


def test_a_second_of_a_run_may_be_once_only_but_another_run_has_it_too():
    twice = make_line(6, "beat", moment=("r1", 5))
    other_run = make_line(7, "beat", moment=("r2", 1))
    found = judge(make_evidence(ticks=[*CLEAN.ticks, twice, other_run]))

    assert wrong(found) == {"duplicate": 1}
    assert found.differences[0].places == ["6-0"]


@pytest.mark.parametrize(("second", "what"), [(5, "duplicate"), (3, "out of order")])
def test_analyses_too_are_of_one_second_each_and_in_order(second, what):
    odd = make_line(6, "analysis", moment=("r1", second))
    found = judge(make_evidence(analyses=[*CLEAN.analyses, odd]))

    assert found.count(Wrong(what)) == 1


def a_batch(number: int, **fields) -> Line:
    return make_line(number, "ticks", **{"moment": None, "run": "r1", "digest": b"batch"} | fields)


def test_a_batch_that_its_run_had_before_the_last_beat_was_published_twice():
    beats = [make_line(2, "beat"), make_line(4, "beat")]
    twice = [a_batch(1), beats[0], a_batch(3), beats[1]]
    found = judge(make_evidence(ticks=twice, analyses=[], others={ADVICE: []}, cursor="0-0"))

    assert wrong(found) == {"duplicate": 1}
    assert found.differences[0].places == ["3-0"]


def test_a_batch_may_come_again_in_its_second_and_in_another_run():
    beats = [make_line(3, "beat"), make_line(5, "beat", moment=("r2", 1))]
    ticks = [a_batch(1), a_batch(2), beats[0], a_batch(4, run="r2"), beats[1]]
    found = judge(make_evidence(ticks=ticks, analyses=[], others={ADVICE: []}, cursor="0-0"))

    assert wrong(found) == {}


def test_an_earlier_second_after_a_later_one_is_out_of_order():
    early = make_line(6, "beat", moment=("r1", 0))

    assert wrong(judge(make_evidence(ticks=[*CLEAN.ticks, early]))) == {"out of order": 1}


@pytest.mark.parametrize("gone", [(2,), (2, 3)])
def test_numbers_that_are_not_there_are_a_hole_of_so_many_entries(gone):
    trades = [make_line(n, "trade") for n in range(1, 6)]
    found = judge(make_evidence(others={ADVICE: [], "oi.trades.v1": without(trades, *gone)}))

    assert wrong(found) == {"hole": len(gone)}
    assert found.differences[0].places == [f"oi.trades.v1 before {gone[-1] + 1}-0 ({len(gone)})"]


def test_an_answer_to_nothing_is_stray_unless_what_it_answered_was_trimmed():
    none = make_line(6, "advice", id="4-7")
    old_ticks = CLEAN.ticks[3:]
    found = judge(make_evidence(ticks=old_ticks, others={ADVICE: [*CLEAN.others[ADVICE], none]}))

    assert wrong(found) == {"stray": 1}
    assert found.differences[0].places == [f"{ADVICE} 4-7"]


def test_rows_and_entries_are_compared_within_what_the_log_keeps():
    lines = [make_line(n, "analysis", row=f"row {n}", at_ms=0) for n in range(2, 6)]
    known = {f"row {n}": f"{n}-0" for n in (1, 2, 4, 9)} | {"row of nothing": "4-5"}
    rows = Rows(newest="5-0", known=known, parked={"5-0"})
    found = judge(make_evidence(analyses=lines, others={ADVICE: []}, rows={ANALYSIS: rows}))

    assert wrong(found) == {"passed over": 1, "without a row": 1, "row without an entry": 1}
    assert [each.places for each in found.differences] == [
        [f"{ANALYSIS} 5-0"],
        [f"{ANALYSIS} 3-0"],
        [f"{ANALYSIS} 4-5"],
    ]
    assert found.has_rows


def test_a_recomputation_that_fails_is_a_difference_with_its_reason():
    found = judge(make_evidence(failed=["3-0 (the handler fails: ValueError: x)"]))

    assert found.count(Wrong.UNEQUAL) == 1
    assert "ValueError" in found.differences[0].places[0]
