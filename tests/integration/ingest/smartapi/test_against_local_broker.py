"""The account and its requests against the local broker, by the real SDK, through the broker's faults."""

from datetime import date

import pytest
from pydantic import SecretStr

from ingest.fakebroker.faults import ANSWER, Fault
from ingest.smartapi.account import Account
from ingest.smartapi.credentials import Credentials
from ingest.smartapi.errors import LoginStopped, LoginWaits, NotNow, Throttled
from ingest.smartapi.rest import Rest
from oimon.clock import SystemClock
from oimon.terms import OptionKind, Segment
from tests.fakes.smartapi import CALL, INDEX, OPENS_US, SECOND, by_hand


def account(broker, **changed):
    told = dict(broker.settings()) | changed
    return Account(
        Credentials(
            api_key=SecretStr(told["SMARTAPI_API_KEY"]),
            client_code=told["SMARTAPI_CLIENT_CODE"],
            pin=SecretStr(told["SMARTAPI_PIN"]),
            totp_secret=SecretStr(told["SMARTAPI_TOTP_SECRET"]),
            url=told["SMARTAPI_URL"],
        ),
        SystemClock(),
    )


async def test_quotes_greeks_and_ratios_are_read_as_the_broker_gives_them():
    async with by_hand() as broker:
        rest = Rest(account(broker))

        (batch,) = [
            b async for b in rest.quotes([("NFO", CALL.token), ("NSE", INDEX.token), ("NFO", "0")])
        ]
        greeks = await rest.greeks("NIFTY", date(2026, 12, 1), Segment.NFO)
        ratios = await rest.put_call_ratios()

        assert set(batch.quotes) == {("NFO", CALL.token), ("NSE", INDEX.token)}
        assert [(missed.exchange, missed.token) for missed in batch.unfetched] == [("NFO", "0")]
        assert batch.quotes["NFO", CALL.token].oi == 65 * 1004
        assert batch.quotes["NSE", INDEX.token].bid is None
        assert {(g.strike, g.kind) for g in greeks} == {
            (strike, kind) for strike in (24150.0, 24200.0, 24250.0) for kind in OptionKind
        }
        assert all(0 < g.iv < 1 and -1 < g.delta < 1 for g in greeks)
        assert ratios == {"NIFTY29DEC26FUT": pytest.approx(1.0, abs=0.01)}
        assert broker.facts()["rest"]["logins"] == 1


async def test_tokens_that_ended_are_renewed_and_a_forgotten_session_waits_for_its_login():
    async with by_hand() as broker:
        found = account(broker)
        rest = Rest(found)
        await found.tokens()
        broker.faults.next(Fault.AG8002)

        first = [b async for b in rest.quotes([("NFO", CALL.token)])]
        broker.account.expire()
        with pytest.raises(LoginWaits, match="next login in"):  # a minute after the last
            _ = [b async for b in rest.quotes([("NFO", CALL.token)])]

        facts = broker.facts()["rest"]
        assert len(first) == 1
        assert (facts["logins"], facts["renewals"]) == (1, 1)
        assert found.facts()["state"] == "waits"


async def test_open_interest_of_a_gap_and_of_yesterday_is_there():
    async with by_hand() as broker:
        rest, call = Rest(account(broker)), ("NFO", CALL.token)

        gap = await rest.oi_between(call, OPENS_US, OPENS_US + 900 * SECOND)
        yesterday = await rest.oi_prev(call, date(2026, 11, 25))
        nothing = await rest.oi_between(("NSE", INDEX.token), OPENS_US, OPENS_US + 900 * SECOND)

        assert [(point.at_us, point.oi) for point in gap] == [(OPENS_US, 65 * 1004)]
        assert yesterday.oi == 65 * 900
        assert nothing is None


@pytest.mark.parametrize("fault", sorted({*ANSWER} - {Fault.NULL_DATA}))
async def test_an_answer_that_cannot_be_used_is_told_and_costs_no_login(fault):
    async with by_hand() as broker:
        found = account(broker)
        rest = Rest(found)
        await found.tokens()
        broker.faults.next(fault)

        with pytest.raises(NotNow) as raised:
            _ = [b async for b in rest.quotes([("NFO", CALL.token)])]

        assert isinstance(raised.value, Throttled) is (fault in (Fault.THROTTLE, Fault.AB1021))
        assert found.facts()["state"] == "logged in"
        assert broker.facts()["rest"]["logins"] == 1


async def test_an_answer_without_data_holds_no_quotes():
    async with by_hand() as broker:
        rest = Rest(account(broker))
        await rest._account.tokens()
        broker.faults.next(Fault.NULL_DATA)

        (batch,) = [b async for b in rest.quotes([("NFO", CALL.token)])]

        assert (batch.quotes, batch.unfetched) == ({}, [])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"SMARTAPI_PIN": "0000"}, "AB1007"),
        ({"SMARTAPI_CLIENT_CODE": "NOBODY1"}, "AB1007"),
        ({"SMARTAPI_API_KEY": "not-the-key"}, "AG8004"),
    ],
)
async def test_wrong_credentials_stop_after_one_attempt(changed, code):
    async with by_hand() as broker:
        found = account(broker, **changed)

        for _ in range(3):
            with pytest.raises(LoginStopped, match=rf"{code}.*start again"):
                await found.tokens()

        asked = broker.facts()["rest"]["requests"]
        assert asked.get("loginByPassword") == 1


async def test_a_wrong_totp_waits_a_minute_for_its_second_and_last_attempt():
    async with by_hand() as broker:
        found = account(broker, SMARTAPI_TOTP_SECRET="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")

        with pytest.raises(LoginWaits, match="AB1050: the TOTP is invalid; next login in 60 s"):
            await found.tokens()
