"""What one connection brings, as the web socket library hands it over: packets a read at a time, texts and answers as they come."""

from collections.abc import Callable, Sequence

from picows import WSFrame, WSListener, WSMsgType, WSTransport
from typing_extensions import override


class Listener(WSListener):
    """Hands packets over a read at a time; whatever they hold, nothing here fails on it."""

    def __init__(
        self, take: Callable[[Sequence[bytes]], None], told: Callable[[str | None], None]
    ) -> None:
        """Prepare.

        Args:
            take: given all packets of one read.
            told: given each text, and ``None`` for the answer to a ping.
        """
        self._take, self._told = take, told
        self._packets: list[bytes] = []
        self._transport: WSTransport | None = None

    @override
    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    @override
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.BINARY:
            self._packets.append(frame.get_payload_as_bytes())
        elif kind == WSMsgType.TEXT:
            self._told(frame.get_payload_as_bytes().decode(errors="replace"))
        elif kind == WSMsgType.PONG:
            self._told(None)
        elif kind == WSMsgType.CLOSE:
            transport.disconnect()
        if frame.last_in_buffer and self._packets:
            packets, self._packets = self._packets, []
            self._take(packets)

    def say(self, text: str) -> None:
        """Send a text."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, text.encode())
