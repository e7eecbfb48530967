"""``oi doctor --live`` against a small broker with a small stream."""

import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from picows import WSListener, WSMsgType, ws_create_server

from ingest.config import IngestSettings
from ingest.smartapi import doctor
from tests.integration.ingest.smartapi.small_broker import (
    LOGIN,
    QUOTE,
    TOKENS,
    SmallBroker,
    good,
    refused,
)

MASTER = "/master.json"
CERTIFICATE = Path(__file__).parents[3] / "fakes/smartapi/server.pem"
LTP = bytes.fromhex((Path(__file__).parents[3] / "data/angel/worked_mode_1.hex").read_text())
SECRETS = ("key-of-nobody", "4711", "JBSWY3DPEHPK3PXPJBSWY3DPEH", *TOKENS)


class Stream(WSListener):
    """Takes connections with the right tokens; gives one packet, an error or nothing for the subscription."""

    def __init__(self, seen, answers):
        super().__init__()
        self.seen, self.answers = seen, answers

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.TEXT:
            self.seen.append(json.loads(frame.get_payload_as_utf8_text()))
            for kind, payload in self.answers:
                transport.send(kind, payload)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()


@asynccontextmanager
async def stream(answers):
    seen = []

    def accept(request):
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return Stream(seen, answers)

    server = await ws_create_server(accept, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/smart-stream", seen
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
def broker(monkeypatch, tmp_path):
    for name in IngestSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    for name, value in zip(("API_KEY", "PIN", "TOTP_SECRET"), SECRETS, strict=False):
        monkeypatch.setenv(f"SMARTAPI_{name}", value)
    monkeypatch.setenv("SMARTAPI_CLIENT_CODE", "A123456")
    with SmallBroker() as running:
        monkeypatch.setenv("SMARTAPI_URL", running.url)
        monkeypatch.setenv("SMARTAPI_MASTER_URL", running.url + MASTER)
        nifty = {"exchange": "NSE", "symbolToken": "99926000", "ltp": 24196.35}
        running.script(QUOTE, good({"fetched": [nifty], "unfetched": []}))
        running.script(MASTER, (200, b'[{"token":"1","exch_seg":"NFO"},'))
        yield running


async def examined(monkeypatch, url):
    monkeypatch.setenv("SMARTAPI_STREAM_URL", url)
    found = [finding async for finding in doctor.live()]
    assert not [s for s in SECRETS for finding in found if s in finding.words]
    return {finding.what: finding for finding in found}


async def test_a_broker_in_order_gets_a_line_for_everything(monkeypatch, broker):
    async with stream([(WSMsgType.BINARY, LTP)]) as (url, seen):
        found = await examined(monkeypatch, url)

    assert {"market", "broker's REST", "broker's stream", "instrument master", "clock"} < set(found)
    assert all(finding.ok for what, finding in found.items() if what != "calendar")
    assert found["clock"].words == "within 2 s of the broker's"
    assert found["quote"].words == "NIFTY 24196.35"
    assert found["ticks"].words == "the stream gives NIFTY at 24196.35"
    assert "quote 4999 of 5000" in found["limits"].words
    headers, asked = seen[-2:]
    assert headers["authorization"] == f"Bearer {TOKENS[0]}"
    assert (headers["x-feed-token"], headers["x-client-code"]) == (TOKENS[2], "A123456")
    assert asked["params"] == {
        "mode": 1,
        "tokenList": [{"exchangeType": 1, "tokens": ["99926000"]}],
    }


async def test_a_refused_login_says_what_to_do_and_is_tried_once(monkeypatch, broker):
    broker.script(LOGIN, refused("AB1007", f"Invalid client, PIN {SECRETS[1]}"))
    async with stream([]) as (url, _):
        found = await examined(monkeypatch, url)

    assert not found["login"].ok
    assert "SMARTAPI_PIN (the four-digit MPIN" in found["login"].words
    assert broker.paths().count(LOGIN) == 1
    assert "quote" not in found


async def test_missing_keys_are_named_and_nobody_is_logged_in(monkeypatch, broker):
    monkeypatch.delenv("SMARTAPI_PIN")
    async with stream([]) as (url, _):
        found = await examined(monkeypatch, url)

    assert found["login"].words.startswith("SMARTAPI_PIN: not set")
    assert LOGIN not in broker.paths()


async def test_a_mute_stream_stops_in_an_open_market_only(monkeypatch, broker):
    monkeypatch.setattr(doctor, "TICK_WITHIN_S", 0.1)
    for is_open in (True, False):
        monkeypatch.setattr(doctor, "_is_open", lambda _state, told=is_open: told)
        async with stream([]) as (url, _):
            found = await examined(monkeypatch, url)

        assert found["ticks"].ok is not is_open
        assert "no tick" in found["ticks"].words


async def test_a_certificate_that_nobody_vouches_for_is_told(monkeypatch, broker):
    with SmallBroker(CERTIFICATE) as safe:
        monkeypatch.setenv("SMARTAPI_URL", safe.url)
        found = await examined(monkeypatch, "ws://127.0.0.1:9/smart-stream")

    assert not found["broker's REST"].ok
    assert "its certificate is not trusted" in found["broker's REST"].words
    assert safe.asked == []


async def test_what_the_stream_says_instead_of_a_tick_is_told(monkeypatch, broker):
    error = b'{"errorCode": "E1002", "errorMessage": "Subscription Limit Exceeded"}'
    async with stream([(WSMsgType.TEXT, error)]) as (url, _):
        found = await examined(monkeypatch, url)

    assert not found["ticks"].ok
    assert "Subscription Limit Exceeded" in found["ticks"].words


async def test_an_address_without_an_answer_is_told_and_the_rest_left_out(monkeypatch, broker):
    monkeypatch.setenv("SMARTAPI_URL", "http://127.0.0.1:9")
    broker.script(MASTER, (200, b"<html>Sorry</html>"))

    found = await examined(monkeypatch, "ws://127.0.0.1:9/smart-stream")

    assert not found["broker's REST"].ok
    assert "look at the network" in found["broker's REST"].words
    assert "is no list of instruments" in found["instrument master"].words
    assert "login" not in found
