from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingest.smartapi.login import Logins, Step, totp_wait_s
from oimon.clock import ManualClock

MORNING_US = 1_795_578_301_000_000  # 2026-11-25 09:15:01 in India
MIDNIGHT_US = 1_795_631_400_000_000  # the next one
FATAL = ("AB1000", "AB1001", "AB1007", "AB1005", "AB1006", "AG8004")


def logged_in(clock):
    logins = Logins(clock)
    logins.attempted()
    logins.succeeded()
    return logins


def test_a_day_needs_one_login():
    clock = ManualClock(MORNING_US)
    logins = Logins(clock)
    first = logins.due().step
    logins.attempted()
    logins.succeeded()

    later = set()
    while clock.now_us() < MIDNIGHT_US - 60_000_000:
        later.add(logins.due().step)
        logins.worked()
        clock.advance(60)

    assert (first, later) == (Step.LOGIN, {Step.USE})


def test_tokens_end_at_midnight_in_india():
    clock = ManualClock(MIDNIGHT_US - 1_000_000)
    logins = logged_in(clock)

    before = logins.due().step
    clock.advance(1)
    at_midnight = logins.due()
    clock.advance(59)

    assert before is Step.USE
    assert (at_midnight.step, round(at_midnight.wait_s)) == (Step.WAIT, 59)  # the last is too near
    assert at_midnight.why == "the session ended at midnight"
    assert logins.due().step is Step.LOGIN


def test_refused_tokens_are_renewed_once_then_a_login_follows():
    clock = ManualClock(MORNING_US)
    logins = logged_in(clock)
    clock.advance(3600)

    logins.refused("AG8002: the token has expired")
    first = logins.due().step
    logins.attempted()
    logins.succeeded()
    logins.refused("AG8001: the token is invalid")

    assert (first, logins.due().step) == (Step.RENEW, Step.LOGIN)


def test_a_refused_renewal_is_followed_by_a_login_at_once():
    clock = ManualClock(MORNING_US)
    logins = logged_in(clock)
    clock.advance(3600)
    logins.refused("401")
    logins.attempted()

    logins.failed("AB8050", "Invalid Refresh Token")

    assert logins.due().step is Step.LOGIN


def test_a_mute_socket_may_ask_for_a_login_without_a_renewal():
    clock = ManualClock(MORNING_US)
    logins = logged_in(clock)
    clock.advance(3600)

    logins.refused("two sockets were silent", renew=False)

    assert logins.due().step is Step.LOGIN


def test_a_second_refusal_of_the_totp_stops():
    clock = ManualClock(MORNING_US)
    logins = Logins(clock)
    logins.attempted()
    logins.failed("AB1050", "Invalid totp")
    again = logins.due()
    clock.advance(60)
    logins.attempted()
    logins.failed("AB1050", "Invalid totp")

    assert again.step is Step.WAIT
    assert again.wait_s == 60.0  # which is a later step of the TOTP
    assert logins.due().step is Step.STOPPED
    assert "SMARTAPI_TOTP_SECRET" in logins.due().why


def test_the_web_password_in_place_of_the_pin_stops():
    logins = Logins(ManualClock(MORNING_US))
    logins.attempted()

    logins.failed(None, "LoginbyPassword is not allowed. Please switch to Login by MPIN")

    assert logins.due().step is Step.STOPPED
    assert "SMARTAPI_PIN" in logins.due().why


def test_a_stopped_login_goes_on_when_the_settings_change_a_minute_after_the_last():
    clock = ManualClock(MORNING_US)
    logins = Logins(clock)
    logins.attempted()
    logins.failed("AB1007", "Invalid client")
    clock.advance(7200)
    stopped = logins.due().step
    logins.attempted()
    logins.failed("AB1007", "Invalid client")

    logins.settings_changed()

    assert stopped is Step.STOPPED
    assert (logins.due().step, logins.due().wait_s) == (Step.WAIT, 60.0)


def test_attempts_that_nobody_answers_grow_apart_to_eight_minutes():
    clock = ManualClock(MORNING_US)
    logins = Logins(clock)

    waits = []
    for _ in range(6):
        logins.attempted()
        logins.failed(None, "connection refused")
        waits.append(logins.due().wait_s)
        clock.advance(waits[-1])

    assert waits == [60, 120, 240, 480, 480, 480]


def test_a_code_is_made_when_it_has_three_seconds_to_live():
    waits = [totp_wait_s(round(at * 1e6)) for at in (0, 26.9, 27.0, 27.5, 29.9, 30)]

    assert [round(wait, 3) for wait in waits] == [0, 0, 0, 2.5, 0.1, 0]


outcomes = st.sampled_from(
    ["ok", "ok", None, "AB1050", "AB1021", "AB2001", "AG8001", "AB8050", "AB8051", "AB1010", *FATAL]
)


@given(
    start_us=st.integers(MORNING_US, MIDNIGHT_US),
    logins_answer=st.lists(outcomes, min_size=1, max_size=20),
    requests_answer=st.lists(
        st.sampled_from(["ok", "AG8001", "AG8002", "AB1011", "mute", "AG8004", "AB1021"]),
        min_size=1,
        max_size=20,
    ),
    every_s=st.sampled_from([0.2, 1.0, 7.0]),
)
def test_an_hour_of_faults_makes_one_login_a_minute_and_none_after_a_fatal_code(  # noqa: C901 - the simulated hour is one loop
    start_us, logins_answer, requests_answer, every_s
):
    clock = ManualClock(start_us)
    logins = Logins(clock)
    at: dict[Step, list[float]] = {Step.LOGIN: [], Step.RENEW: []}
    fatal_s = None
    totp = turn = 0

    while clock.now_us() < start_us + 3_600_000_000:
        clock.advance(every_s)
        turn += 1
        step = logins.due().step
        if step in at:
            at[step].append(clock.monotonic_s())
            logins.attempted()
            code = logins_answer[turn % len(logins_answer)]
            if code == "ok":
                logins.succeeded()
                totp = 0 if step is Step.LOGIN else totp
            else:
                logins.failed(code, "no")
                totp += code == "AB1050"
        elif step is Step.USE:
            code = requests_answer[turn % len(requests_answer)]
            if code == "ok":
                logins.worked()
            elif code == "AG8004":
                logins.failed(code, "no")
            elif code != "AB1021":
                logins.refused(code, renew=code != "mute")
        if fatal_s is None and step is not Step.WAIT and (code in FATAL or totp > 1):
            fatal_s = clock.monotonic_s()

    for times in at.values():
        assert all(b - a >= 59.999 for a, b in pairwise(times))
    if fatal_s is not None:
        assert logins.due().step is Step.STOPPED
        assert all(s <= fatal_s for times in at.values() for s in times)
    else:
        assert at[Step.LOGIN]
        assert logins.due().step is not Step.STOPPED
