"""The real SDK, as the session wraps it, against a small server."""

import logging
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from pydantic import SecretStr

from ingest.smartapi import session
from ingest.smartapi.account import Account
from ingest.smartapi.credentials import Credentials
from ingest.smartapi.errors import BrokerError, LoginStopped, LoginWaits, NotNow, Refused, Throttled
from ingest.smartapi.limits import Endpoint
from ingest.smartapi.redact import Secrets
from ingest.smartapi.session import SmartBroker, totp
from ingest.smartapi.threads import MAX_HANGING, Threads
from oimon.clock import SystemClock
from tests.eventually import eventually
from tests.integration.ingest.smartapi import small_broker
from tests.integration.ingest.smartapi.small_broker import (
    LOGIN,
    OI,
    PROFILE,
    QUOTE,
    RENEW,
    RENEWED,
    THROTTLED,
    TOKENS,
    SmallBroker,
    gateway,
    refused,
)

CERTIFICATE = Path(__file__).parents[3] / "fakes" / "smartapi" / "server.pem"
KEY, PIN, SECRET = "key-of-nobody", "4711", "JBSWY3DPEHPK3PXPJBSWY3DPEH"


@pytest.fixture
def server():
    with SmallBroker() as running:
        yield running


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def credentials(url):
    return Credentials(
        api_key=SecretStr(KEY),
        client_code="A123456",
        pin=SecretStr(PIN),
        totp_secret=SecretStr(SECRET),
        url=url,
    )


@pytest.fixture
def broker(server, folder):
    return SmartBroker(credentials(server.url), Secrets(KEY, PIN, SECRET), timeout_s=0.5)


def login(broker):
    return broker.login("A123456", PIN, "123456")


def test_the_sdk_logs_in_renews_and_keeps_the_new_refresh_token(server, broker):
    first = login(broker)
    second = broker.renew(first.refresh)
    third = broker.renew(second.refresh)
    broker.ask(Endpoint.QUOTE, "FULL", {"NFO": ["40637"]})

    assert (first.jwt, first.refresh, first.feed) == TOKENS
    assert (
        (second.jwt, second.refresh, second.feed)
        == RENEWED
        == (third.jwt, third.refresh, third.feed)
    )
    assert server.paths() == [LOGIN, PROFILE, RENEW, RENEW, QUOTE]
    assert server.asked[0][1] == {"clientcode": "A123456", "password": PIN, "totp": "123456"}
    assert server.asked[3][1] == {"refreshToken": RENEWED[1]}
    _, body, headers = server.asked[4]
    assert body == {"mode": "FULL", "exchangeTokens": {"NFO": ["40637"]}}
    assert headers["Authorization"] == f"Bearer {RENEWED[0]}"
    assert headers["X-PrivateKey"] == KEY


@pytest.mark.parametrize(
    ("step", "kind", "code"),
    [
        (refused("AB1007", "Invalid client"), Refused, "AB1007"),
        (gateway("AG8004", "Invalid API Key"), Refused, "AG8004"),
        (THROTTLED, Throttled, None),
        ((200, b""), NotNow, None),
        ((504, b"<html>Gateway Time-out</html>"), NotNow, None),
        ((200, b'{"status": false}'), NotNow, None),
        ((200, b"null"), NotNow, None),
        ((200, b"[1, 2]"), NotNow, None),
        ((200, b'{"status": true, "data": null}'), NotNow, None),
        ((403, b'{"error_type": "TokenException", "message": "no"}'), NotNow, None),
        ("hang", NotNow, None),
    ],
)
def test_a_login_that_fails_fails_as_what_it_means(server, broker, step, kind, code):
    server.script(LOGIN, step)

    with pytest.raises(BrokerError) as raised:
        login(broker)

    assert type(raised.value) is kind
    assert raised.value.code == code


def test_a_login_holds_where_only_the_profile_failed(server, broker):
    server.script(PROFILE, refused("AB1004", "Something Went Wrong"))

    assert login(broker).jwt == TOKENS[0]


def test_a_refused_renewal_is_told_by_its_code(server, broker):
    first = login(broker)
    server.script(RENEW, refused("AB8050", "Invalid Refresh Token"))

    with pytest.raises(Refused) as raised:
        broker.renew(first.refresh)

    assert raised.value.code == "AB8050"
    assert first.refresh not in str(raised.value)


def test_no_secret_leaves_by_errors_the_screen_or_a_file(server, folder, capfd, caplog):
    broker = SmartBroker(credentials(server.url), Secrets(KEY, PIN, SECRET), timeout_s=0.5)
    errors = []
    echo = f"{KEY} {PIN} 123456 {SECRET} {TOKENS[0]}"
    with caplog.at_level(logging.DEBUG):
        for step in (refused("AB1050", echo), (500, echo.encode()), (200, b"{}")):
            server.script(LOGIN, step)
            with pytest.raises(BrokerError) as raised:
                login(broker)
            errors.append(raised.value)
        login(broker)
        server.script(QUOTE, refused("AG8001", echo), (200, echo.encode()))
        broker.ask(Endpoint.QUOTE, "FULL", {})
        with pytest.raises(NotNow) as raised:
            broker.ask(Endpoint.QUOTE, "FULL", {})
        errors.append(raised.value)

    screen = "".join(capfd.readouterr())
    logged = [record.getMessage() for record in caplog.records]
    shown = "".join(map(str, errors)) + screen + "".join(logged)
    assert not [s for s in (KEY, PIN, "123456", SECRET, *TOKENS) if s in shown]
    assert all(error.__suppress_context__ for error in errors)
    assert list(folder.iterdir()) == []  # nor a folder of logs


def test_importing_the_sdk_asks_nobody_and_leaves_nothing(folder):
    code = """
import socket, sys, warnings
def no(*a, **k): raise SystemExit("a connection was tried")
socket.socket.connect = socket.getaddrinfo = socket.gethostbyname = no
import requests
from pydantic import SecretStr
from ingest.smartapi.credentials import Credentials
from ingest.smartapi.redact import Secrets
from ingest.smartapi.session import SmartBroker
get, filters = requests.get, warnings.filters[:]
assert "SmartApi" not in sys.modules, "imported before it is needed"
s = SecretStr("x" * 16)
SmartBroker(Credentials(api_key=s, client_code="c", pin=s, totp_secret=s, url="http://127.0.0.1:1"), Secrets())
assert requests.get is get
assert warnings.filters == filters
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(folder.iterdir()) == []


def test_what_does_not_read_is_not_sent(server, broker):
    login(broker)
    before = len(server.asked)

    for call in (
        lambda: broker._sdk.placeOrder({"symboltoken": "1"}),
        lambda: broker._sdk.cancelOrder("1", "NORMAL"),
        lambda: broker._sdk.gttCreateRule({}),
        broker._sdk.rmsLimit,
    ):
        with pytest.raises(PermissionError, match="no route of a monitor"):
            call()

    assert len(server.asked) == before


def test_a_code_is_what_the_broker_reckons_too():
    # Source: RFC 6238, appendix B; the secret is its "12345678901234567890".
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

    assert totp(secret, 59_000_000) == "287082"
    assert totp(secret, 1_111_111_109_000_000) == "081804"
    assert len(totp("JBSWY3DPEHPK3PXP", 59_000_000)) == 6


@pytest.fixture
def account(server, folder):
    found = credentials(server.url)
    return Account(found, SystemClock(), connect=lambda c, s: SmartBroker(c, s, timeout_s=0.5))


async def test_an_account_asks_by_the_sdk_and_renews_what_has_expired(server, account):
    server.script(QUOTE, gateway("AG8002", "Token Expired"))

    answer = await account.ask(Endpoint.QUOTE, "FULL", {"NFO": ["1"]})

    assert answer.data == {"fetched": [], "unfetched": []}
    assert server.paths() == [LOGIN, PROFILE, QUOTE, RENEW, QUOTE]
    assert (await account.tokens()).feed == RENEWED[2]


async def test_wrong_credentials_are_sent_once(server, account):
    server.script(LOGIN, *[refused("AB1007", "Invalid client")] * 9)

    for _ in range(5):
        with pytest.raises(LoginStopped, match="no further login is tried: AB1007"):
            await account.tokens()

    assert server.paths() == [LOGIN]
    assert account.facts()["state"] == "stopped"


async def test_a_broker_that_cannot_be_reached_is_waited_for(folder):
    found = Account(credentials("http://127.0.0.1:9"), SystemClock())

    with pytest.raises(LoginWaits, match=r"ConnectionError.* next login in 60 s"):
        await found.tokens()


def test_no_secret_goes_to_a_server_whose_certificate_nobody_vouches_for(folder):
    with SmallBroker(CERTIFICATE) as server:
        broker = SmartBroker(credentials(server.url), Secrets(), timeout_s=2)

        with pytest.raises(NotNow, match=r"SSLError.*CERTIFICATE_VERIFY_FAILED"):
            login(broker)

        assert server.asked == []


async def test_throttling_is_no_failure_of_the_login(server, account):
    server.script(OI, THROTTLED)

    with pytest.raises(Throttled):
        await account.ask(Endpoint.OI, {"exchange": "NFO"})

    assert account.facts()["state"] == "logged in"
    assert server.paths() == [LOGIN, PROFILE, OI]


async def test_calls_that_hang_are_left_behind_and_bounded():
    threads = Threads()
    let_go = small_broker.threading.Event()
    started = time.monotonic()

    for _ in range(MAX_HANGING):
        with pytest.raises(NotNow, match="did not answer within"):
            await threads.call(lambda: let_go.wait(20), 0.02)
    with pytest.raises(NotNow, match="8 requests to the broker hang"):
        await threads.call(lambda: 1, 1)
    let_go.set()
    await eventually(lambda: not threads._hanging)

    assert await threads.call(lambda: 7, 5) == 7
    assert time.monotonic() - started < 10


def test_the_process_s_warnings_stay_as_they_were(broker):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        SmartBroker(broker_credentials(), Secrets())
        warnings.warn("still heard", UserWarning, stacklevel=1)

    assert [str(w.message) for w in heard] == ["still heard"]
    assert session._sdk().logger.handlers


def broker_credentials():
    return credentials("http://127.0.0.1:1")
