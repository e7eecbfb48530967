"""The local broker for tests: a feed of a few instruments whose every number is known, and a client of the stream that only collects.

``authority.pem`` and ``server.pem`` (certificate and key for 127.0.0.1, good until 2120) are for these tests alone.
"""

import asyncio
import contextlib
import json
import ssl
from pathlib import Path

import httpx2
import picows
import pyotp

from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.packet import name_of_row
from ingest.fakebroker.source import Listed, Source
from ingest.instruments import MasterRow
from ingest.packets import LTP, SNAP_QUOTE, book, packet
from oimon.clock import SystemClock
from tests.eventually import eventually

HERE = Path(__file__).parent
OPENS_US = 1_795_578_300_000_000  # 2026-11-25 09:15:00 IST
SECOND = 1_000_000
AUTH = "/rest/auth/angelbroking"
SECURE = "/rest/secure/angelbroking"


def row(token, symbol, kind="OPTIDX", *, name="NIFTY", expiry="01DEC2026", strike="-1.000000", exchange="NFO", lot="65"):  # fmt: skip
    return MasterRow(
        token=token,
        symbol=symbol,
        name=name,
        expiry=expiry,
        strike=strike,
        lotsize=lot,
        instrumenttype=kind,
        exch_seg=exchange,
        tick_size="5.000000",
    )


INDEX = row("99926000", "Nifty 50", "AMXIDX", expiry="", strike="0.000000", exchange="NSE", lot="1")
FUTURE = row("51001", "NIFTY29DEC26FUT", "FUTIDX", expiry="29DEC2026")
LEGS = [
    row(f"4063{number}", f"NIFTY01DEC26{strike}{right}", strike=f"{strike}00.000000")
    for number, (strike, right) in enumerate(
        (strike, right) for strike in (24150, 24200, 24250) for right in ("CE", "PE")
    )
]
CALL = LEGS[2]
ROWS = [INDEX, FUTURE, *LEGS]


def frames(seconds):
    """Give a packet of each instrument a second: a price one tick higher, open interest one lot higher a minute."""
    sequence = 0
    for second in range(seconds):
        for place, each in enumerate(ROWS):
            at_us = OPENS_US + second * SECOND + place
            sequence += 1
            now = {"sequence": sequence, "exchange_ms": at_us // SECOND * 1000}
            if each is INDEX:
                yield at_us, packet(LTP, "NSE", each.token, ltp=2_419_635 + 5 * second, **now)
                continue
            ltp = (2_430_000 if each is FUTURE else 12_000 + 100 * place) + 5 * second
            yield (
                at_us,
                packet(
                    SNAP_QUOTE,
                    "NFO",
                    each.token,
                    ltp=ltp,
                    volume=650 * (second + 1),
                    oi=65 * (1000 + place + second // 60),
                    prev_close=ltp - 100,
                    open=12_000,
                    high=ltp,
                    low=11_900,
                    levels=book(buys=[(65, ltp - 5, 1)], sells=[(65, ltp + 5, 1)]),
                    **now,
                ),
            )


def a_source(seconds=180):
    """Return a feed of so many seconds."""
    listed = {
        name_of_row(each): Listed(row=each, prev_close=243.0, oi_prev=65 * 900) for each in ROWS
    }
    return Source(
        title="made for tests",
        date="2026-11-25",
        listed=listed,
        opens_us=OPENS_US,
        last_us=OPENS_US + (seconds - 1) * SECOND + len(ROWS) - 1,
        frames=seconds * len(ROWS),
        play=lambda: frames(seconds),
    )


def totp(broker, clock=None):
    """Return the six digits of now."""
    now_s = (clock or SystemClock()).now_us() // SECOND
    return pyotp.TOTP(broker.credentials.totp_secret).at(now_s)


def http(broker):
    """Return a client with the broker's API key; a context."""
    headers = {"X-PrivateKey": broker.credentials.api_key}
    return httpx2.AsyncClient(base_url=broker.url, headers=headers, timeout=10)


def open_session(broker, clock=None):
    """Return good tokens, without the way over HTTP."""
    own = broker.credentials
    return broker.account.login(own.client_code, own.pin, totp(broker, clock))


def headers(broker, tokens):
    """Return what a client of the stream sends."""
    return {
        "Authorization": f"Bearer {tokens.jwt}",
        "x-api-key": broker.credentials.api_key,
        "x-client-code": broker.credentials.client_code,
        "x-feed-token": tokens.feed,
    }


class Client(picows.WSListener):
    """Collects what the stream sends."""

    def __init__(self):
        super().__init__()
        self.binary, self.texts, self.pongs = [], [], []
        self.is_closed = self.has_close_frame = False
        self.transport = None

    def on_ws_connected(self, transport):
        self.transport = transport

    def on_ws_frame(self, transport, frame):
        payload = frame.get_payload_as_bytes()
        match frame.msg_type:
            case picows.WSMsgType.BINARY:
                self.binary.append(payload)
            case picows.WSMsgType.TEXT:
                self.texts.append(payload)
            case picows.WSMsgType.PONG:
                self.pongs.append(payload)
            case picows.WSMsgType.CLOSE:
                self.has_close_frame = True
                transport.disconnect()

    def on_ws_disconnected(self, transport):
        self.is_closed = True

    def text(self, value):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.transport.send(picows.WSMsgType.TEXT, data)

    async def subscribe(self, rows=ROWS, mode=3, action=1):
        """Ask for instruments, and wait until the broker has read it."""
        self.text(request(rows, mode, action))
        await self.is_read()

    async def is_read(self):
        """Wait until the broker has read all that was sent: its answer to a ping comes after."""
        count = self.texts.count(b"pong")
        self.text(b"ping")
        await eventually(lambda: self.texts.count(b"pong") > count)


def request(rows, mode=3, action=1, **more):
    exchanges = {"NSE": 1, "NFO": 2}
    lists = [
        {"exchangeType": exchanges[name], "tokens": [r.token for r in rows if r.exch_seg == name]}
        for name in dict.fromkeys(r.exch_seg for r in rows)
    ]
    return {"correlationID": "abcde12345", "action": action, "params": {"mode": mode, "tokenList": lists}} | more  # fmt: skip


@contextlib.asynccontextmanager
async def connected(broker, tokens=None, **options):
    """Give a client of the stream."""
    tokens = tokens or open_session(broker)
    transport, client = await picows.ws_connect(
        Client, broker.stream_url, extra_headers=headers(broker, tokens), **options
    )
    try:
        yield client
    finally:
        transport.disconnect(graceful=False)
        await transport.wait_disconnected()


@contextlib.asynccontextmanager
async def by_hand(seconds=180, **options):
    """Give a broker that plays what it is told to, and sets no limits."""
    tls = options.pop("tls", None)
    broker = FakeBroker(a_source(seconds), by_hand=True, **{"limits": {}} | options)
    await broker.start(tls=tls)
    try:
        yield broker
    finally:
        await broker.stop()


def server_tls():
    """Return what the broker shows of itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "server.pem")
    return context


def client_tls():
    """Return a context that trusts the tests' authority alone."""
    return ssl.create_default_context(cafile=HERE / "authority.pem")


async def settled(client, count):
    """Wait until a client has so many packets, and see that no more come."""
    await eventually(lambda: len(client.binary) >= count)
    await client.is_read()
    await asyncio.sleep(0)
    return [*client.binary]
