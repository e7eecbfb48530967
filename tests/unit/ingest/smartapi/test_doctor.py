import pytest

from ingest.smartapi.doctor import _clock
from ingest.smartapi.probing import Reached


def reached(ours_s, theirs_s):
    return Reached(
        host="h", took_ms=1, valid_until=None, theirs_s=theirs_s, ours_s=ours_s, start=b""
    )


@pytest.mark.parametrize(
    ("ahead_s", "ok", "stops", "words"),
    [
        (0.0, True, True, "within 2 s of the broker's"),
        (0.99, True, True, "within 2 s of the broker's"),
        (12.5, False, False, "12 s ahead of the broker's; let this machine set its clock"),
        (-300, False, True, "300 s behind the broker's; let this machine set its clock"),
    ],
)
def test_a_clock_that_is_off_is_told_before_a_totp_is_refused(ahead_s, ok, stops, words):
    finding = _clock(reached(1_000.5 + ahead_s, 1_000.0))

    assert (finding.ok, finding.stops) == (ok, stops)
    assert words in finding.words


def test_a_broker_without_a_clock_is_no_reason_to_stop():
    finding = _clock(reached(1_000, None))

    assert (finding.ok, finding.stops) == (False, False)
