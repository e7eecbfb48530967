"""One client of the stream: what it asks for, and what it is sent."""

import struct
from collections.abc import Callable
from functools import cache

import picows
from typing_extensions import override

from ingest.fakebroker.subscriptions import Name, Refusal, Subscriptions

_BINARY = 0x82
_SHORT, _MEDIUM = 125, 0xFFFF


class Connection(picows.WSListener):
    """Answers a client's text and pings; packets wait in it until they are flushed together."""

    def __init__(
        self,
        opened: "Callable[[Connection], None]",
        asked: "Callable[[Connection, list[tuple[Name, int]] | None], None]",
        closed: "Callable[[Connection], None]",
        *,
        is_mute: bool = False,
    ) -> None:
        """Wait for the handshake to end.

        Args:
            opened: called once it did.
            asked: called with each request, and what it subscribed that was not; ``None``: it was refused.
            closed: called at the end, whoever ended it.
            is_mute: send no packet, ever.
        """
        super().__init__()
        self.subscriptions = Subscriptions()
        self.is_mute = is_mute
        self.is_half_open = False
        """Not even pings are answered."""
        self._opened, self._asked, self._closed = opened, asked, closed
        self._transport: picows.WSTransport | None = None
        self._waiting: list[bytes] = []

    @override
    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        self._opened(self)

    @override
    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._transport = None
        self._waiting.clear()
        self._closed(self)

    @override
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if self.is_half_open:
            return
        match frame.msg_type:
            case picows.WSMsgType.PING:
                transport.send_pong(frame.get_payload_as_bytes())
            case picows.WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            case picows.WSMsgType.TEXT:
                self._on_text(transport, frame.get_payload_as_bytes())
            case _:
                pass  # of binary frames and pongs the broker takes no notice

    def _on_text(self, transport: picows.WSTransport, text: bytes) -> None:
        if text == b"ping":
            transport.send(picows.WSMsgType.TEXT, b"pong")
            return
        found = self.subscriptions.apply(text)
        if isinstance(found, Refusal):
            transport.send(picows.WSMsgType.TEXT, found.text())
            self._asked(self, None)
        else:
            self._asked(self, found)

    def put(self, packet: bytes) -> None:
        """Let a packet go out with the next flush, in a frame of its own."""
        self._waiting += (_head(len(packet)), packet)

    def text(self, payload: bytes) -> None:
        """Send a text frame, after the packets that wait."""
        self.flush()
        if self._transport is not None:
            self._transport.send(picows.WSMsgType.TEXT, payload)

    def flush(self, *, one_by_one: bool = False) -> None:
        """Send what waits: in one write, or each frame in a write of its own, so that over TLS each is a record."""
        if not self._waiting or self._transport is None:
            self._waiting.clear()
            return
        below = self._transport.underlying_transport
        if one_by_one:
            for place in range(0, len(self._waiting), 2):
                below.write(self._waiting[place] + self._waiting[place + 1])
        else:
            below.write(b"".join(self._waiting))
        self._waiting.clear()

    @property
    def unsent_bytes(self) -> int:
        """What the client has not taken yet."""
        if self._transport is None:
            return 0
        return self._transport.underlying_transport.get_write_buffer_size()

    def cut(self) -> None:
        """End without a close frame; what waits is lost."""
        self._waiting.clear()
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


@cache
def _head(length: int) -> bytes:
    """Return the head of a server's binary frame: not masked, so that it is the same for every packet of a length."""
    if length <= _SHORT:
        return bytes([_BINARY, length])
    if length <= _MEDIUM:
        return struct.pack(">BBH", _BINARY, 126, length)
    return struct.pack(">BBQ", _BINARY, 127, length)
