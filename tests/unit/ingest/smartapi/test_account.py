import asyncio
import json
import logging
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ingest.smartapi.account import Account
from ingest.smartapi.errors import LoginStopped, LoginWaits, NotNow, Refused, Throttled
from ingest.smartapi.limits import Endpoint, Limits
from oimon import log
from tests.unit.ingest.smartapi.standin import CREDENTIALS, Here, ScriptedBroker, refusal
from tests.unit.ingest.smartapi.virtual import LoopClock, run

MORNING_US = 1_795_578_301_000_000  # 2026-11-25 09:15:01 in India


class Slowly(Here):
    """Gives others the time to ask too."""

    async def call(self, work, timeout_s):
        await asyncio.sleep(0.5)
        return work()


def account(start_us=MORNING_US, threads=None):
    clock = LoopClock(start_us)
    broker = ScriptedBroker(clock)
    limits = Limits(clock, jitter=lambda: 0.5)
    return Account(
        CREDENTIALS, clock, connect=broker, limits=limits, threads=threads or Here()
    ), broker


def test_many_who_ask_at_once_share_one_login():
    async def main():
        found, broker = account(threads=Slowly())

        tokens = await asyncio.gather(*(found.tokens() for _ in range(20)))

        assert len(broker.login_s) == 1
        assert {t.jwt for t in tokens} == {"jwt-1-secret"}
        assert found.facts()["state"] == "logged in"

    run(main())


def test_the_code_is_made_after_waiting_for_a_step_that_lasts():
    async def main():
        found, broker = account(MORNING_US + 27_000_000)  # 09:15:28: two seconds are left

        await found.tokens()

        assert broker.login_s == [pytest.approx(2.0)]
        assert len(broker.codes[0]) == 6

    run(main())


def test_a_refused_token_is_renewed_and_the_request_made_again():
    async def main():
        found, broker = account()
        await found.tokens()
        answers = iter([refusal("AG8002", "Token Expired"), None])
        broker.on_ask = lambda: next(answers)

        answer = await found.ask(Endpoint.QUOTE, "FULL", {"NFO": ["1"]})

        assert answer.ok
        assert (len(broker.login_s), len(broker.renew_s)) == (1, 1)
        assert (await found.tokens()).jwt == "jwt-2-secret"

    run(main())


def test_tokens_that_stay_refused_lead_to_one_login_a_minute_at_most():
    async def main():
        found, broker = account()
        broker.on_ask = lambda: refusal("AG8001")

        until = asyncio.get_running_loop().time() + 3600
        while asyncio.get_running_loop().time() < until:
            with pytest.raises(NotNow):
                await found.ask(Endpoint.QUOTE, "FULL", {})
            await asyncio.sleep(1)

        gaps = [b - a for a, b in pairwise(broker.login_s)]
        assert 3 < len(broker.login_s) < 15  # further and further apart
        assert min(gaps) >= 60

    run(main())


def test_what_is_said_of_an_earlier_login_s_tokens_changes_nothing():
    async def main():
        found, broker = account()
        old = await found.tokens()
        await asyncio.sleep(100)
        found.refused(old, "HTTP 401")
        new = await found.tokens()

        found.refused(old, "HTTP 401, late")

        assert new != old
        assert await found.tokens() == new
        assert (len(broker.login_s), len(broker.renew_s)) == (1, 1)

    run(main())


def test_after_midnight_a_login_is_made_when_somebody_asks():
    async def main():
        found, broker = account()
        first = await found.tokens()
        await asyncio.sleep(20 * 3600)

        second = await found.tokens()

        assert first != second
        assert (len(broker.login_s), len(broker.renew_s)) == (2, 0)

    run(main())


def test_a_wrong_pin_is_tried_once_and_the_text_says_what_to_do():
    async def main():
        found, broker = account()
        broker.on_login = lambda: Refused("login: AB1007: Invalid client", "AB1007")

        for _ in range(50):
            with pytest.raises(LoginStopped, match=r"SMARTAPI_PIN .the four-digit MPIN"):
                await found.wait_for_tokens()
            await asyncio.sleep(600)

        assert len(broker.login_s) == 1
        found.change(CREDENTIALS)  # the same ones: still stopped
        with pytest.raises(LoginStopped):
            await found.tokens()
        broker.on_login = lambda: None
        found.change(_with_pin("1234"))
        await found.tokens()
        assert len(broker.login_s) == 2

    run(main())


def _with_pin(pin):
    return type(CREDENTIALS)(
        api_key=CREDENTIALS.api_key,
        client_code=CREDENTIALS.client_code,
        pin=SecretStr(pin),
        totp_secret=CREDENTIALS.totp_secret,
        url=CREDENTIALS.url,
    )


def test_a_broker_that_is_away_is_asked_again_until_it_is_there():
    async def main():
        found, broker = account()
        failures = iter([NotNow("login: ConnectionError")] * 3)
        broker.on_login = lambda: next(failures, None)

        with pytest.raises(LoginWaits, match="next login in 60 s"):
            await found.tokens()
        tokens = await found.wait_for_tokens()

        assert tokens.jwt == "jwt-1-secret"
        assert [round(s) for s in broker.login_s] == [0, 60, 180, 420]

    run(main())


def test_a_throttled_endpoint_rests_longer_each_time_and_no_login_follows():
    async def main():
        found, broker = account()
        asked_s = []

        def throttled():
            asked_s.append(asyncio.get_running_loop().time())
            return refusal("AB1021", "Too many requests") if len(asked_s) < 5 else None

        broker.on_ask = throttled
        for _ in range(4):
            with pytest.raises(Throttled):
                await found.ask(Endpoint.OI, {})
        assert (await found.ask(Endpoint.OI, {})).ok

        gaps = [b - a for a, b in pairwise(asked_s)]
        assert gaps == pytest.approx([1.1, 2, 4, 8])
        assert (len(broker.login_s), len(broker.renew_s)) == (1, 0)

    run(main())


@pytest.mark.parametrize(
    ("code", "error"),
    [("AB1009", Refused), ("AB2001", NotNow), ("XY1", NotNow), ("AG8004", LoginStopped)],
)
def test_a_refusal_is_raised_as_what_it_means(code, error):
    async def main():
        found, broker = account()
        broker.on_ask = lambda: refusal(code, "jwt-1-secret is no good")

        with pytest.raises(error) as raised:
            await found.ask(Endpoint.GREEKS, {})

        assert raised.value.code == code
        assert "jwt-1-secret" not in str(raised.value)

    run(main())


def test_nothing_to_show_is_an_answer():
    async def main():
        found, broker = account()
        broker.on_ask = lambda: refusal("AB9019", "No data available")

        assert (await found.ask(Endpoint.GREEKS, {})).data is None

    run(main())


def test_logging_out_ends_the_session_and_a_later_login_is_a_minute_away():
    async def main():
        found, broker = account()
        await found.tokens()

        await found.logout()

        with pytest.raises(LoginWaits):
            await found.tokens()
        await found.wait_for_tokens()
        assert broker.login_s == [0, pytest.approx(60)]

    run(main())


def test_no_secret_is_in_the_log_the_facts_or_the_representation(tmp_path):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.configure("ingest", file=tmp_path / "a.log")

    async def main():
        found, broker = account()
        tokens = await found.tokens()
        logging.getLogger("x").error(
            "frame refused",
            extra={
                "heard": {"said": [f"Bearer {tokens.jwt}", CREDENTIALS.api_key.get_secret_value()]}
            },
        )
        broker.on_ask = lambda: refusal("AG8001", f"Invalid Token {tokens.jwt}")
        with pytest.raises(NotNow):
            await found.ask(Endpoint.QUOTE, "FULL", {})
        shown = repr(tokens) + repr(CREDENTIALS) + json.dumps(found.facts())
        return [tokens.jwt, *broker.codes, *_set()], shown

    try:
        secrets, shown = run(main())
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = handlers, level
    written = (tmp_path / "a.log").read_text(encoding="utf-8")

    assert "frame refused" in written
    assert not [secret for secret in secrets if secret in written + shown]


def _set():
    held = (CREDENTIALS.api_key, CREDENTIALS.totp_secret)
    return [secret.get_secret_value() for secret in held]


FAULTS = {
    "ok": lambda: None,
    "away": lambda: NotNow("ConnectionError"),
    "slow down": lambda: Throttled("too many requests"),
    "totp": lambda: Refused("login: AB1050", "AB1050"),
    "odd": lambda: Refused("login: XY", "XY"),
    "refresh": lambda: Refused("renewal: AB8051", "AB8051"),
}


@given(
    seed=st.integers(0, 2**32),
    weights=st.lists(st.integers(1, 9), min_size=len(FAULTS), max_size=len(FAULTS)),
    fatal_after_s=st.one_of(st.none(), st.integers(0, 1800)),
)
def test_an_hour_of_token_and_throttle_faults_keeps_to_one_login_a_minute(
    seed, weights, fatal_after_s
):
    async def main():
        found, broker = account()
        chance = random.Random(seed)
        loop = asyncio.get_running_loop()

        def login():
            if fatal_after_s is not None and loop.time() >= fatal_after_s:
                return Refused("login: AB1006: blocked", "AB1006")
            return fault()

        def fault():
            return chance.choices(list(FAULTS.values()), weights)[0]()

        broker.on_login = login
        broker.on_renew = fault
        broker.on_ask = lambda: chance.choice(
            [None, refusal("AG8001"), refusal("AB1010"), Throttled("slow down"), NotNow("504")]
        )

        async def user(endpoint):
            while loop.time() < 3600:
                try:
                    await found.ask(endpoint)
                except LoginStopped:
                    stops.append(loop.time())
                    await asyncio.sleep(30)
                except NotNow as error:
                    await asyncio.sleep(getattr(error, "wait_s", 2))

        stops = []
        await asyncio.gather(*(user(e) for e in (Endpoint.QUOTE, Endpoint.OI, Endpoint.PCR)))
        gaps = [b - a for a, b in pairwise(broker.login_s)]
        assert broker.login_s
        assert all(gap >= 59.999 for gap in gaps)
        assert not stops or all(at <= stops[0] for at in broker.login_s)

    run(main())
