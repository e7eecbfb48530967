"""Proof of requirement B01: a recorded day whose open interest freezes while prices go on.

The numbers say so, verdicts turn grey, both coaches wait.
"""

import io
from dataclasses import replace

import pytest
from rich.console import Console

import coach_minimal.main as minimal
import coach_rich.main as rich
from notifier.screen import View, screen
from oimon.explain.ages import DataState, ages, states
from oimon.messages import TickBatch
from oimon.terms import Action, Quality
from tests.unit.analytics.days import Tape
from tests.unit.analytics.recorded import recorded_entries
from tests.unit.coach.market import entry_of

FROZEN_S = 240  # beats until open interest freezes


@pytest.fixture(scope="module")
def frozen_day():
    """Analyses of the bundled day, a beat a second; from the fourth minute each leg repeats the open interest it had."""
    tape, answers, known = Tape(), [], {}
    for entry in recorded_entries(FROZEN_S + 660):
        message = entry.message
        if isinstance(message, TickBatch):
            message = replace(message, records=message.records.copy())
            for tick in message.records:
                if len(answers) < FROZEN_S:
                    known[int(tick["row"])] = tick["oi"]
                tick["oi"] = known.get(int(tick["row"]), tick["oi"])
        answers += tape.put(message)
    return answers


def grey(analysis):
    """Say whether every verdict that is shown is grey."""
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    drawn = console.render(screen(View(underlying="NIFTY", analysis=analysis), width=120))
    found = [
        str(part.style)
        for part in drawn
        if part.text.strip() in {"▲ Bull", "▼ Bear", "- Neutral"} and "bold" not in str(part.style)
    ]
    assert found
    return set(found) == {"bright_black"}


def said(coach, analyses):
    """Return the last that a coach says of these analyses."""
    duty = coach.offline_role()
    state, last = duty.start("NIFTY"), None
    for analysis in analyses:
        state, outputs = duty.handle(state, entry_of(analysis))
        last = outputs[-1].message if outputs else last
    return last


def test_while_it_moves_nothing_is_old(frozen_day):
    moving = frozen_day[FROZEN_S]

    assert DataState.OI_OLD not in states(moving)
    assert not grey(moving)


def test_ten_minutes_after_it_froze_the_numbers_say_so(frozen_day):
    last, first_old = frozen_day[-1], next(a for a in frozen_day if DataState.OI_OLD in states(a))

    assert first_old.oi_age_s == pytest.approx(600.0, abs=2.0)
    assert last.oi_age_s > 600.0
    assert last.tick_age_ms <= 60_000
    assert not last.is_stale
    assert last.quality is Quality.OK  # prices are fresh and every leg repeats its open interest
    assert any(
        line.startswith("OI OLD: no open interest has moved for 1") for line in ages(last, last)
    )


def test_verdicts_are_grey_once_open_interest_is_old(frozen_day):
    assert grey(frozen_day[-1])


def test_both_coaches_wait_and_say_why(frozen_day):
    analyses = [frozen_day[-2], frozen_day[-1]]

    fast, deep = said(minimal, analyses), said(rich, analyses)

    assert (fast.action, fast.by_why) == (Action.WAIT, "oi_old")
    assert "no open interest has moved for ten minutes" in fast.reasons
    assert (deep.action, deep.by_why) == (Action.WAIT, "oi_old")
