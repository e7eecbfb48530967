"""The local broker's REST and instrument master over HTTP, and each fault of them."""

import asyncio
import json

import httpx2
import pytest

from ingest.fakebroker import master
from ingest.fakebroker.faults import ANSWER, GATEWAY, LOGIN, Fault
from ingest.fakebroker.limits import PUBLISHED
from oimon.clock import ManualClock
from tests.fakes import smartapi
from tests.fakes.smartapi import AUTH, CALL, FUTURE, INDEX, SECURE, by_hand, http

LOGIN_PATH = f"{AUTH}/user/v1/loginByPassword"
QUOTE = f"{SECURE}/market/v1/quote"
QUOTE_BODY = {"mode": "LTP", "exchangeTokens": {"NFO": [CALL.token]}}


def login_body(broker, **changed):
    own = broker.credentials
    return {"clientcode": own.client_code, "password": own.pin, "totp": smartapi.totp(broker)} | changed  # fmt: skip


async def signed_in(broker, client):
    data = (await client.post(LOGIN_PATH, json=login_body(broker))).json()["data"]
    client.headers["Authorization"] = f"Bearer {data['jwtToken']}"
    return data


async def test_a_session_from_login_to_logout():
    async with by_hand() as broker, http(broker) as client:
        first = await signed_in(broker, client)
        profile = (await client.get(f"{SECURE}/user/v1/getProfile?%7B%7D")).json()
        renewed = (
            await client.post(
                f"{AUTH}/jwt/v1/generateTokens", json={"refreshToken": first["refreshToken"]}
            )
        ).json()["data"]
        old = (await client.post(QUOTE, json=QUOTE_BODY)).json()
        client.headers["Authorization"] = renewed["jwtToken"]
        new = (await client.post(QUOTE, json=QUOTE_BODY)).json()
        out = (await client.post(f"{SECURE}/user/v1/logout", json={"clientcode": "FAKE001"})).json()
        after = (await client.post(QUOTE, json=QUOTE_BODY)).json()

    assert len({*first.values(), *renewed.values()}) == 6
    assert profile["data"]["clientcode"] == broker.credentials.client_code
    assert old == {"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""}
    assert (new["status"], out["status"]) == (True, True)
    assert after["errorCode"] == "AG8001"
    assert broker.facts()["rest"] == {
        "logins": 1,
        "renewals": 1,
        "requests": {"loginByPassword": 1, "getProfile": 1, "generateTokens": 1, "quote": 3, "logout": 1},
        "throttled": {},
        "refused": {"AG8001": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"totp": "000000"}, "AB1050"),
        ({"password": ""}, "AB1050"),
        ({"password": "4321"}, "AB1007"),
        ({"clientcode": "X"}, "AB1007"),
    ],
)
async def test_wrong_credentials_are_refused(changed, code):
    async with by_hand() as broker, http(broker) as client:
        found = (await client.post(LOGIN_PATH, json=login_body(broker, **changed))).json()

    assert (found["status"], found["errorcode"], found["data"]) == (False, code, None)


async def test_the_api_key_and_a_token_are_wanted():
    async with by_hand() as broker, http(broker) as client:
        missing = (await client.post(QUOTE, json=QUOTE_BODY)).json()
        client.headers["X-PrivateKey"] = "no"
        wrong = (await client.post(QUOTE, json=QUOTE_BODY)).json()
        login = (await client.post(LOGIN_PATH, json=login_body(broker))).json()

    assert [each["errorCode"] for each in (missing, wrong, login)] == ["AG8003", "AG8004", "AG8004"]


async def test_midnight_in_india_ends_every_session():
    clock = ManualClock(smartapi.OPENS_US)
    async with by_hand(clock=clock) as broker, http(broker) as client:
        tokens = smartapi.open_session(broker, clock)
        client.headers["Authorization"] = tokens.jwt
        clock.advance(14.7 * 3600)
        before = (await client.post(QUOTE, json=QUOTE_BODY)).json()
        clock.advance(0.1 * 3600)
        after = (await client.post(QUOTE, json=QUOTE_BODY)).json()
        renewal = (
            await client.post(
                f"{AUTH}/jwt/v1/generateTokens", json={"refreshToken": tokens.refresh}
            )
        ).json()

    assert before["status"] is True
    assert (after["errorCode"], renewal["errorcode"]) == ("AG8002", "AB8051")


async def test_rest_tells_what_the_stream_sent():
    async with by_hand() as broker, http(broker) as client:
        await signed_in(broker, client)
        body = {"mode": "FULL", "exchangeTokens": {"NFO": [CALL.token, "7"], "NSE": [INDEX.token]}}
        for seconds in (1, 130):
            await broker.broadcast.play(until_us=smartapi.OPENS_US + seconds * smartapi.SECOND)
            found = (await client.post(f"{QUOTE}/?%7B%7D", json=body)).json()["data"]

    call, index = found["fetched"]
    assert (call["tradingSymbol"], call["symbolToken"]) == (CALL.symbol, CALL.token)
    assert call["opnInterest"] == 65 * 1006
    assert call["ltp"] == 130.45
    assert (call["close"], call["netChange"]) == (129.45, 1.0)
    assert call["exchFeedTime"] == "25-Nov-2026 09:17:09"
    assert call["depth"]["buy"][0] == {"price": 130.4, "quantity": 65, "orders": 1}
    assert (index["ltp"], index["opnInterest"]) == (24202.8, 0)
    assert [each["errorCode"] for each in found["unfetched"]] == ["AB1009"]


async def test_history_greeks_and_boards_answer():
    async with by_hand() as broker, http(broker) as client:
        await signed_in(broker, client)
        await broker.broadcast.play()
        span = {
            "interval": "ONE_MINUTE",
            "fromdate": "2026-11-25 09:15",
            "todate": "2026-11-25 15:30",
        }
        call = {"exchange": "NFO", "symboltoken": CALL.token} | span
        answers = {}
        for path, body in (
            ("historical/v1/getCandleData", call),
            ("historical/v1/getOIData", call),
            ("marketData/v1/optionGreek", {"name": "NIFTY", "expirydate": "01DEC2026"}),
            ("marketData/v1/gainersLosers", {"datatype": "PercOIGainers", "expirytype": "NEAR"}),
            ("marketData/v1/OIBuildup", {"datatype": "Long Built Up", "expirytype": "NEAR"}),
            ("order/v1/getLtpData", {"exchange": "NFO", "tradingsymbol": "", "symboltoken": FUTURE.token}),
            ("order/v1/searchScrip", {"exchange": "NFO", "searchscrip": "nifty01dec26241"}),
        ):  # fmt: skip
            answers[path.rpartition("/")[2]] = (await client.post(f"{SECURE}/{path}", json=body)).json()["data"]  # fmt: skip
        pcr = (await client.get(f"{SECURE}/marketData/v1/putCallRatio")).json()["data"]

    assert answers["getCandleData"][0] == ["2026-11-25T09:15:00+05:30", 124.0, 126.95, 124.0, 126.95, 39000]  # fmt: skip
    assert [row["oi"] for row in answers["getOIData"]] == [65 * 1004, 65 * 1005, 65 * 1006]
    assert all(isinstance(value, str) for row in answers["optionGreek"] for value in row.values())
    assert len(answers["optionGreek"]) == 6
    assert answers["gainersLosers"][0]["symbolToken"] == 51001
    assert answers["OIBuildup"][0]["tradingSymbol"] == FUTURE.symbol
    assert answers["getLtpData"]["ltp"] == 24308.95
    assert [row["symboltoken"] for row in answers["searchScrip"]] == ["40630", "40631"]
    assert pcr == [{"pcr": 1.0, "tradingSymbol": FUTURE.symbol}]


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"fromdate": "2026-11-25 09:15:00"}, 400, "AB1004"),
        ({"fromdate": "2026-11-25 15:30"}, 200, "AB1004"),
        ({"interval": "TWO_MINUTE"}, 200, "AB1004"),
        ({"fromdate": "2026-10-01 09:15"}, 200, "AB1004"),
        ({"symboltoken": "7"}, 200, "AB1009"),
    ],
)
async def test_bad_spans_are_refused(changed, status, code):
    body = {
        "exchange": "NFO", "symboltoken": CALL.token, "interval": "ONE_MINUTE",
        "fromdate": "2026-11-25 09:15", "todate": "2026-11-25 15:30",
    } | changed  # fmt: skip
    async with by_hand() as broker, http(broker) as client:
        await signed_in(broker, client)
        for name in ("getCandleData", "getOIData"):
            found = await client.post(f"{SECURE}/historical/v1/{name}", json=body)

            assert (found.status_code, found.json()["errorcode"]) == (status, code)


async def test_more_than_fifty_tokens_are_refused_and_greeks_of_others_have_no_data():
    async with by_hand() as broker, http(broker) as client:
        await signed_in(broker, client)
        many = {"NFO": [str(n) for n in range(26)], "NSE": [str(n) for n in range(25)]}
        quote = (await client.post(QUOTE, json={"mode": "LTP", "exchangeTokens": many})).json()
        greek = (
            await client.post(
                f"{SECURE}/marketData/v1/optionGreek",
                json={"name": "GOLDM", "expirydate": "17DEC2026"},
            )
        ).json()

    assert (quote["status"], quote["errorcode"]) == (False, "AB1004")
    assert greek["errorcode"] == "AB9019"


async def test_nothing_can_be_ordered():
    async with by_hand() as broker, http(broker) as client:
        await signed_in(broker, client)
        found = await client.post(f"{SECURE}/order/v1/placeOrder", json={})

    assert found.status_code == 404


async def test_past_a_limit_the_answer_is_text_until_the_window_has_moved_on():
    clock = ManualClock(smartapi.OPENS_US)
    async with by_hand(clock=clock, limits=PUBLISHED) as broker, http(broker) as client:
        client.headers["Authorization"] = smartapi.open_session(broker, clock).jwt
        ten = [(await client.post(QUOTE, json=QUOTE_BODY)).status_code for _ in range(10)]
        found = await client.post(QUOTE, json=QUOTE_BODY)
        clock.advance(1.0)
        again = await client.post(QUOTE, json=QUOTE_BODY)

    assert ten == [200] * 10
    assert (found.status_code, found.text) == (
        403,
        "Access denied because of exceeding access rate",
    )
    assert found.headers["content-type"].startswith("text/plain")
    assert again.status_code == 200
    assert broker.facts()["rest"]["throttled"] == {"quote": 1}


SPOILT = {
    Fault.EMPTY_BODY: (200, b""),
    Fault.HTML_504: (504, b"<html>"),
    Fault.HALF_JSON: (200, b'{"status":true'),
    Fault.THROTTLE: (403, b"Access denied because of exceeding access rate"),
    Fault.NULL_DATA: (200, b'{"status":true,"message":"SUCCESS","errorcode":"","data":null}'),
    Fault.AB1004: (200, b'{"status":false,"message":"Something Went Wrong'),
    Fault.AB1021: (200, b'{"status":false,"message":"Too many requests","errorcode":"AB1021"'),
    Fault.AB2001: (200, b'{"status":false,"message":"Internal Error'),
    Fault.AG8001: (200, b'{"success":false,"message":"Invalid Token","errorCode":"AG8001"'),
    Fault.AG8002: (200, b'{"success":false,"message":"Token Expired","errorCode":"AG8002"'),
    Fault.AG8004: (200, b'{"success":false,"message":"Invalid API Key","errorCode":"AG8004"'),
}


@pytest.mark.parametrize("fault", [*ANSWER, *GATEWAY])
async def test_an_answer_can_be_spoilt_once(fault):
    status, start = SPOILT[fault]
    async with by_hand() as broker, http(broker) as client:
        await signed_in(broker, client)
        broker.faults.next(fault)
        found = await client.post(QUOTE, json=QUOTE_BODY)
        after = (await client.post(QUOTE, json=QUOTE_BODY)).json()

    assert (found.status_code, found.content[: len(start)]) == (status, start)
    assert after["data"]["fetched"][0]["symbolToken"] == CALL.token


@pytest.mark.parametrize("fault", LOGIN)
async def test_a_login_can_be_refused_once(fault):
    async with by_hand() as broker, http(broker) as client:
        broker.faults.next(fault)
        found = (await client.post(LOGIN_PATH, json=login_body(broker))).json()

    assert (found["status"], found["errorcode"]) == (False, fault.value.upper())
    assert broker.facts()["rest"]["logins"] == 0


async def test_an_answer_can_come_late():
    async with by_hand(slow_s=0.3) as broker, http(broker) as client:
        broker.faults.next(Fault.SLOW)
        with pytest.raises(httpx2.ReadTimeout):
            await client.post(LOGIN_PATH, json=login_body(broker), timeout=0.1)


# --- instrument master and switches ------------------------------------------------------------------------------------


async def test_the_master_has_the_feed_and_every_oddity():
    async with by_hand(master_filler=100) as broker, http(broker) as client:
        rows = (await client.get(master.PATH)).json()

    by_token = {(row["exch_seg"], row["token"]): row for row in rows}
    assert len(by_token) == len(rows) == len(smartapi.ROWS) + 100 + 15
    assert by_token["NFO", CALL.token]["strike"] == "2420000.000000"
    assert {row["strike"] for row in rows if row["instrumenttype"] == "FUTCOM"} == {
        "-1.000000",
        "0.000000",
    }
    assert any(row["name"] == "" for row in rows)
    assert any(row["strike"] == "11750.000000" for row in rows)
    assert any(row["symbol"] == "SENSEX26N2784600PE" for row in rows)
    assert {"freeze_qty" in row for row in rows} == {True, False}
    assert {type(row.get("is_cas_enabled")) for row in rows} == {bool, type(None)}
    assert by_token["NSE", "3045"]["name"] != by_token["CDS", "3045"]["name"]


@pytest.mark.parametrize(
    ("fault", "status", "is_sign"),
    [
        (Fault.MASTER_HTML, 200, lambda data: data.startswith(b"<html>")),
        (Fault.MASTER_503, 503, lambda data: data.startswith(b"<html>")),
        (Fault.MASTER_EMPTY, 200, lambda data: data == b"[]"),
        (Fault.MASTER_HALF, 200, lambda data: data.startswith(b'[{"token"') and data[-1:] != b"]"),
        (Fault.MASTER_STALE, 200, lambda data: b"01DEC2026" not in data and b"29DEC2026" in data),
    ],
)
async def test_the_master_can_be_spoilt(fault, status, is_sign):
    async with by_hand() as broker, http(broker) as client:
        broker.faults.next(fault)
        found = await client.get(master.PATH)
        after = await client.get(master.PATH)

    assert (found.status_code, is_sign(found.content)) == (status, True)
    assert json.loads(after.content)


async def test_the_master_can_be_without_end():
    async with by_hand() as broker, http(broker) as client:
        broker.faults.next(Fault.MASTER_HUGE)
        size = 0
        async with client.stream("GET", master.PATH) as answer:
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > 3_000_000:
                    break

    assert size > 3_000_000


async def test_faults_are_switched_and_read_while_it_runs():
    async with by_hand() as broker, http(broker) as client:
        on = (await client.post("/fake/faults", json=["close", "slow=0.25"])).json()
        bad = await client.post("/fake/faults", json=["nonsense"])
        off = (await client.post("/fake/faults", json=[])).json()
        facts = (await client.get("/fake/facts")).json()
        await asyncio.sleep(0)

    assert on == {"rates": {"slow": 0.25}, "next": {"close": 1}, "struck": {}}
    assert (bad.status_code, "there is no fault 'nonsense'" in bad.text) == (400, True)
    assert off == {"rates": {}, "next": {}, "struck": {}}
    assert facts["frames"] == 180 * len(smartapi.ROWS)
