import pytest

from oimon.audit.outbox import judged
from oimon.audit.report import is_clean, plain

READ = [("1000-0", 1), ("1000-1", 2), ("2000-0", 3), ("3000-0", 4)]


def test_every_text_is_counted_by_what_became_of_it():
    noted = {"1000-0": "sent", "1000-1": "failed Chat not found", "2000-0": "sending"}

    texts = judged(READ, "1000-1", noted, ())

    assert texts.outcomes == {"failed": 1, "sending": 1, "sent": 1, "waiting": 1}
    assert texts.is_clean


def test_a_text_that_is_known_to_be_unsent_waits():
    assert judged(READ[:1], "0-0", {"1000-0": "not_sent"}, ()).outcomes == {"waiting": 1}


@pytest.mark.parametrize("noted", [{}, {"1000-1": "sending"}, {"1000-1": "not_sent"}])
def test_a_text_that_was_passed_without_an_outcome_is_lost(noted):
    texts = judged(READ[:2], "1000-1", {"1000-0": "sent"} | noted, ())

    assert texts.lost == ["1000-1"]
    assert not is_clean([], texts)
    assert plain([], texts)["texts"] == {"outcomes": {"sent": 1}, "lost": ["1000-1"], "holes": 0}


def test_what_was_set_aside_is_not_lost():
    texts = judged(READ[:2], "1000-1", {"1000-0": "sent"}, {"1000-1"})

    assert texts.is_clean
    assert texts.outcomes == {"sent": 1, "set aside": 1}


def test_a_text_that_is_gone_from_within_leaves_a_hole():
    texts = judged([READ[0], READ[2]], "0-0", {}, ())

    assert texts.holes == 1
    assert not texts.is_clean
