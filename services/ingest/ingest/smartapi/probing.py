"""Looks at the broker's addresses from outside: do they answer, is their TLS in order, what time is it there."""

import asyncio
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import msgspec
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from typing_extensions import override

from ingest.packets import fields

TIMEOUT_S = 7.0
_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_SUBSCRIBE, _LTP = 1, 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """An address that answered."""

    host: str
    took_ms: int
    valid_until: datetime | None  # of its certificate; None: it is not encrypted
    theirs_s: float | None  # its clock, epoch seconds, where it told it
    ours_s: float  # ours at that moment
    start: bytes  # of the answer's body


def reach(url: str, most_bytes: int = 2048) -> Reached:
    """Connect, check the certificate, ask for the address, and return what came; blocking.

    Raises:
        OSError: it cannot be reached, or its certificate is not trusted (``ssl.SSLError``).
        http.client.HTTPException: it does not speak HTTP.
    """
    parts = urlsplit(url)
    is_safe = parts.scheme in ("https", "wss")
    begun = time.monotonic()
    connection = _connection(parts, is_safe=is_safe)
    try:
        connection.connect()
        took_ms = round((time.monotonic() - begun) * 1000)
        valid_until = _valid_until(connection.sock) if is_safe else None
        connection.request("GET", parts.path or "/", headers={"Range": f"bytes=0-{most_bytes - 1}"})
        response = connection.getresponse()
        ours_s = time.time()
        told = response.getheader("Date")
        return Reached(
            host=parts.hostname or "",
            took_ms=took_ms,
            valid_until=valid_until,
            theirs_s=parsedate_to_datetime(told).timestamp() if told else None,
            ours_s=ours_s,
            start=response.read(most_bytes),
        )
    finally:
        connection.close()


async def first_tick(
    url: str, headers: Mapping[str, str], token: str, wait_s: float
) -> float | None:
    """Return the first price that the stream gives of a share or an index of NSE, in rupees; ``None``: none came in time.

    Raises:
        OSError, WSError, TimeoutError: there is no connection; the text says why.
    """
    heard = _Heard()
    tls = ssl.create_default_context() if url.startswith("wss:") else None
    transport, _ = await ws_connect(
        lambda: heard,
        url,
        ssl_context=tls,
        websocket_handshake_timeout=TIMEOUT_S,
        extra_headers=list(headers.items()),
    )
    try:
        wish = {"mode": _LTP, "tokenList": [{"exchangeType": 1, "tokens": [token]}]}
        asked = {"correlationID": "oidoctor00", "action": _SUBSCRIBE, "params": wish}
        transport.send(WSMsgType.TEXT, msgspec.json.encode(asked))
        return await asyncio.wait_for(heard.price, wait_s)
    except TimeoutError:
        return None
    finally:
        transport.disconnect()
        await transport.wait_disconnected()


class _Heard(WSListener):
    """Waits for one packet."""

    def __init__(self) -> None:
        super().__init__()
        self.price: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    @override
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self.price.done() or frame.msg_type == WSMsgType.CLOSE:
            return
        if frame.msg_type == WSMsgType.BINARY:
            try:
                self.price.set_result(fields(frame.get_payload_as_bytes())["ltp"] / 100)
            except ValueError as error:
                self.price.set_exception(WSError(f"a packet cannot be read: {error}"))
        elif frame.msg_type == WSMsgType.TEXT:
            self.price.set_exception(WSError(frame.get_payload_as_utf8_text()))


def _connection(parts: SplitResult, *, is_safe: bool) -> http.client.HTTPConnection:
    port = parts.port or _PORTS[parts.scheme]
    host = parts.hostname or ""
    if is_safe:
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)


def _valid_until(sock: socket.socket | None) -> datetime | None:
    certificate = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
