import pytest

from oimon.audit.outbox import judged, of_the_outbox
from oimon.audit.report import is_clean, plain
from oimon.bus.log import SENDER, Draft
from oimon.bus.memory import MemoryLog, MemoryStore
from oimon.clock import ManualClock, SystemClock
from oimon.messages import OUTBOX

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


def test_what_was_set_aside_after_its_outcome_was_noted_is_counted_by_that():
    noted = {"1000-0": "failed Chat not found"}

    assert judged(READ[:1], "1000-0", noted, {"1000-0"}).outcomes == {"failed": 1}


def test_a_text_that_is_gone_from_within_leaves_a_hole():
    texts = judged([READ[0], READ[2]], "0-0", {}, ())

    assert texts.holes == 1
    assert not texts.is_clean


DAY_MS = 24 * 3600 * 1000


@pytest.mark.parametrize(
    ("age_ms", "is_judged"), [(1000, True), (DAY_MS, True), (2 * DAY_MS, False)]
)
@pytest.mark.parametrize("server_ahead_ms", [-3 * DAY_MS, 0, 3 * DAY_MS])
async def test_a_text_is_judged_for_nearly_two_days_of_the_server(
    age_ms, is_judged, server_ahead_ms
):
    store = MemoryStore(ManualClock(SystemClock().now_us() + server_ahead_ms * 1000))
    log, queue = MemoryLog(store, "sender"), store.own(SENDER, SENDER)
    entry_id = f"{store.now_ms() - age_ms}-0"
    store.append(OUTBOX, SENDER, queue, Draft(entry_id, "text", b"{}"))
    queue.epoch, queue.cursor = 1, entry_id

    texts = await of_the_outbox(log)

    assert texts.lost == ([entry_id] if is_judged else [])


async def test_what_was_noted_or_set_aside_is_read_of_the_log():
    store = MemoryStore()
    log, queue = MemoryLog(store, "sender"), store.own(SENDER, SENDER)
    now_ms = store.now_ms()
    for number in range(4):
        store.append(OUTBOX, SENDER, queue, Draft(f"{now_ms}-{number}", "text", b"{}"))
    sent, aside, lost, waiting = store.stream(OUTBOX, SENDER).entries
    store.marks[SENDER] = {sent.id: "sent"}
    store.park(SENDER, aside, "why", 1)
    queue.epoch, queue.cursor = 1, lost.id

    texts = await of_the_outbox(log)

    assert texts.lost == [lost.id]
    assert texts.outcomes == {"sent": 1, "set aside": 1, "waiting": 1}
    assert waiting.n == 4
