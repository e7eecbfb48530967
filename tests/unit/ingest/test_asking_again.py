"""When a beat that was held back is asked for again."""

import pytest

from ingest.feed import AskingAgain


def beats(asking, turn_s, count):
    """Ask as ingest does while each answer takes ``turn_s``; return the calls and the seconds until each beat was had."""
    calls, waited = 0, []
    for _ in range(count):
        now_s = 0.0
        while True:
            calls += 1
            pause_s = asking.after(has_beat=now_s >= turn_s)
            if not pause_s:
                break
            now_s += pause_s
        waited.append(now_s)
    return calls, waited


@pytest.mark.parametrize("turn_s", [0.0015, 0.009, 0.024])
def test_it_is_asked_for_about_when_it_is_there_and_hardly_ever_before(turn_s):
    asking = AskingAgain()
    beats(asking, turn_s, 200)  # it learns

    calls, waited = beats(asking, turn_s, 400)

    assert turn_s <= sum(waited) / 400 <= 1.5 * turn_s
    assert calls <= 2.1 * 400  # the one that was held back, and the one that had it


def test_a_beat_that_is_there_at_once_is_not_waited_for():
    assert AskingAgain().after(has_beat=True) == 0.0


def test_nobody_who_answers_late_is_asked_without_end():
    asking = AskingAgain()

    pauses = [asking.after(has_beat=False) for _ in range(60)]

    assert pauses == sorted(pauses)
    assert pauses[-1] == AskingAgain.MOST_S
