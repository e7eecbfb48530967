"""The broker's stream: opens it, and gives each packet of the feed to those who subscribed. Source: smartapi, section 4."""

import random
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import picows

from ingest.fakebroker.account import Account
from ingest.fakebroker.connection import Connection
from ingest.fakebroker.disturbance import TEXT, beside, bursts
from ingest.fakebroker.faults import HANDSHAKE, PACKET, SOCKET, Fault, FaultBox
from ingest.fakebroker.handshake import INVALID_TOKEN, TOO_MANY, UNAVAILABLE, Refused, refusal
from ingest.fakebroker.market import Market
from ingest.fakebroker.packet import as_mode
from ingest.fakebroker.subscriptions import Name
from ingest.packets import fields

PATH = "/smart-stream"
_REFUSALS = {
    Fault.HANDSHAKE_401: INVALID_TOKEN,
    Fault.HANDSHAKE_429: TOO_MANY,
    Fault.HANDSHAKE_503: UNAVAILABLE,
}
_SLOW_BYTES = 64_000_000
_SHOWN = ("exchange_ms", "ltp", "volume", "oi")


@dataclass(slots=True)
class _Sent:
    """Whole packets of the feed that were sent of one token in one mode."""

    packets: int = 0
    newest: bytes = b""


class Stream:
    """Serves the stream; ``deliver`` puts each frame of the feed to its subscribers."""

    def __init__(
        self,
        market: Market,
        account: Account,
        faults: FaultBox,
        *,
        asked: Callable[[], None],
        one_by_one: bool = False,
    ) -> None:
        """Prepare to serve.

        Args:
            market: what is newest.
            account: who may connect.
            faults: what goes wrong.
            asked: called when a client has changed what it wants.
            one_by_one: write each packet by itself; else those of one moment together.
        """
        self._market, self._account, self._faults = market, account, faults
        self._has_asked = asked
        self._one_by_one = one_by_one
        self._dice = random.Random(0)  # noqa: S311 - for damage, the same in each run
        self._server: Any = None
        self.connections: list[Connection] = []
        self.counts: Counter[str] = Counter()
        self._sent: dict[tuple[Name, int], _Sent] = {}
        self._listeners: dict[Name, list[tuple[Connection, int, _Sent]]] = {}
        """Who gets a token's packets in which mode; forgotten whenever anyone changes anything."""

    async def start(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Welcome who comes to a socket."""
        self._server = await picows.ws_create_server(
            self._welcome,
            sock=listening,
            ssl=tls,
            enable_auto_pong=False,  # a half-open connection answers nothing
        )

    async def stop(self) -> None:
        """Listen no more and cut all connections."""
        if self._server is not None:
            self._server.close()
            for connection in [*self.connections]:
                connection.cut()
            await self._server.wait_closed()

    def deliver(self, frame: bytes) -> None:
        """Put one frame of the feed to its subscribers; call ``flush`` after some."""
        name = frame[1:27]
        listeners = self._listeners.get(name)
        if listeners is None:
            listeners = self._listeners[name] = self._who_listens(name)
        put = self._disturbed if self._faults.any_armed else self._put
        for connection, mode, sent in listeners:
            put(connection, frame if frame[0] == mode else as_mode(frame, mode), sent)
        if listeners and self._faults.any_armed:
            fault = self._faults.first(SOCKET)
            if fault is not None:
                self._strike(fault)

    def flush(self) -> None:
        """Send what was put."""
        for connection in [*self.connections]:
            connection.flush(one_by_one=self._one_by_one)

    @property
    def unsent_bytes(self) -> int:
        """The most that any client has not taken yet."""
        return max((each.unsent_bytes for each in self.connections), default=0)

    def cut_slow(self) -> None:
        """Cut whoever does not read what it is sent."""
        for connection in [*self.connections]:
            if connection.unsent_bytes > _SLOW_BYTES:
                self.counts["cut_slow"] += 1
                connection.cut()

    def facts(self) -> Mapping[str, Any]:
        """Return what was asked and sent: counts, and the newest packet of each token and mode (times in ms, prices in paise)."""
        return {
            **{
                name: self.counts[name]
                for name in ("opened", "closed", "withheld", "cut_slow", "beside")
            },
            "refused": {key[-3:]: self.counts[key] for key in self.counts if key[:7] == "refused"},
            "connections": len(self.connections),
            "subscriptions": [each.subscriptions.count for each in self.connections],
            "error_frames": self.counts["error_frames"],
            "packets": sum(sent.packets for sent in self._sent.values()),
            "tokens": [
                {"packets": sent.packets, **_shown(sent.newest)}
                for sent in self._sent.values()
                if sent.packets
            ],
        }

    @property
    def newest(self) -> Mapping[tuple[Name, int], bytes]:
        """The last whole packet of the feed that anyone was sent, by token and mode."""
        return {key: sent.newest for key, sent in self._sent.items() if sent.packets}

    # --- who connects --------------------------------------------------------------------------------------------------

    def _welcome(
        self, request: picows.WSUpgradeRequest
    ) -> picows.WSListener | picows.WSUpgradeResponseWithListener | None:
        url = urlsplit(request.path.decode("latin-1"))
        if url.path.rstrip("/") != PATH:
            return None
        fault = self._faults.first(HANDSHAKE)
        refused = _REFUSALS[fault] if fault else None
        refused = refused or refusal(
            request.headers, url.query, self._account, len(self.connections)
        )
        if refused is not None:
            self.counts[f"refused {refused.status}"] += 1
            return picows.WSUpgradeResponseWithListener(_response(refused), None)
        is_mute = self._faults.strikes(Fault.MUTE_CONNECT)
        return Connection(self._on_opened, self._on_asked, self._on_closed, is_mute=is_mute)

    def _on_opened(self, connection: Connection) -> None:
        self.counts["opened"] += 1
        self._listeners.clear()
        self.connections.append(connection)

    def _on_closed(self, connection: Connection) -> None:
        self.counts["closed"] += 1
        self._listeners.clear()
        self.connections.remove(connection)

    def _on_asked(self, connection: Connection, fresh: Sequence[tuple[Name, int]] | None) -> None:
        """Send the newest of each new token at once, as if it had just come."""
        if fresh is None:
            self.counts["error_frames"] += 1
            return
        self._listeners.clear()
        for name, mode in fresh:
            frame = self._market.newest.get(name)
            if frame is not None:
                self._put(connection, as_mode(frame, mode), self._sent_of(name, mode))
        connection.flush(one_by_one=self._one_by_one)
        self._has_asked()

    # --- what they get -------------------------------------------------------------------------------------------------

    def _who_listens(self, name: Name) -> list[tuple[Connection, int, _Sent]]:
        return [
            (connection, mode, self._sent_of(name, mode))
            for connection in self.connections
            for mode in connection.subscriptions.modes(name)
        ]

    def _sent_of(self, name: Name, mode: int) -> _Sent:
        return self._sent.setdefault((name, mode), _Sent())

    def _put(self, connection: Connection, packet: bytes, sent: _Sent) -> None:
        if connection.is_mute:
            self.counts["withheld"] += 1
            return
        connection.put(packet)
        sent.packets += 1
        sent.newest = packet

    def _disturbed(self, connection: Connection, packet: bytes, sent: _Sent) -> None:
        """Put a packet whole, with what faults put beside it."""
        if connection.is_mute:
            self._put(connection, packet, sent)
            return
        previous = sent.newest if sent.packets else None
        after: list[bytes] = []
        for fault in filter(self._faults.strikes, PACKET):
            if fault is Fault.TEXT:
                connection.text(TEXT)
                continue
            found = beside(fault, packet, previous, self._dice)
            self._put_beside(connection, found.before)
            after += found.after
        self._put(connection, packet, sent)
        self._put_beside(connection, after)

    def _put_beside(self, connection: Connection, packets: Sequence[bytes]) -> None:
        """Put packets that are not the feed's own."""
        self.counts["beside"] += len(packets)
        for packet in packets:
            connection.put(packet)

    def _strike(self, fault: Fault) -> None:
        """Let a fault of all connections strike, after what was put so far."""
        self.flush()
        if fault in (Fault.TOKEN_EXPIRY, Fault.MIDNIGHT):
            self._account.expire()
        for connection in [*self.connections]:
            match fault:
                case Fault.CLOSE:
                    connection.cut()
                case Fault.MUTE | Fault.MIDNIGHT:
                    connection.is_mute = True
                case Fault.HALF_OPEN:
                    connection.is_mute = connection.is_half_open = True
                case Fault.BURST:
                    self._burst(connection)

    def _burst(self, connection: Connection) -> None:
        newest = [
            as_mode(frame, mode)
            for name, mode in connection.subscriptions
            if (frame := self._market.newest.get(name)) is not None
        ]
        if newest and not connection.is_mute:
            for burst in bursts(newest):
                self._put_beside(connection, burst)
                connection.flush(one_by_one=self._one_by_one)


def _response(refused: Refused) -> picows.WSUpgradeResponse:
    headers = {"x-error-message": refused.message} if refused.message else {}
    if refused.body:
        headers["Content-Type"] = "text/html"
    found: picows.WSUpgradeResponse = picows.WSUpgradeResponse.create_error_response(
        HTTPStatus(refused.status), refused.body, headers
    )
    return found


def _shown(packet: bytes) -> Mapping[str, Any]:
    """Return what to compare of a packet, and the packet itself."""
    found = fields(packet)
    names = {"exchange_type": found["exchange_type"], "token": found["token"], "mode": packet[0]}
    values = {name: found[name] for name in _SHOWN if name in found}
    return {**names, **values, "packet": packet.hex()}
