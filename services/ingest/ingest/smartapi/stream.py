"""One connection to the broker's stream, again and again for as long as it is wanted: packets to the buffer, the rest to a state.

Our own, by picows: TLS is verified, packets are handed on a read at a time, and whatever is wrong ends a connection, never the loop.
Source: smartapi, 4 and 9; bus contract, rows 22 to 24.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from picows import WSError, WSHandshakeError, WSMsgType, WSTransport, ws_connect

from ingest.feed import FrameBuffer
from ingest.smartapi.errors import TEXT_MOST
from ingest.smartapi.line import Line, NoTokens, Tokens
from ingest.smartapi.listener import Listener
from ingest.smartapi.registry import Change, in_order
from ingest.smartapi.watchdog import Watchdog
from ingest.smartapi.wire import (
    ANSWER,
    HEARTBEAT,
    Action,
    Subscription,
    refusal,
    requests,
)
from oimon import metrics
from oimon.clock import Clock
from oimon.terms import FeedState, MarketState

MOST_BYTES = 64 * 1024
"""Of one message; a packet has at most 443."""
HANDSHAKE_S = 10.0
MOST_SAID = 20
"""Texts of the broker that go into the log, each once."""
_LOOK_S = 0.5  # how often the watchdog looks
_UNAUTHORIZED, _TOO_MANY = 401, 429

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """A stretch of time in which a connection brought nothing though it was wanted."""

    connection: int
    from_us: int
    to_us: int
    why: str


class Stream:
    """One connection, over all its lives."""

    def __init__(
        self,
        number: int,
        line: Line,
        tokens: Tokens,
        buffer: FrameBuffer,
        clock: Clock,
        *,
        market: Callable[[int], MarketState],
        over: Callable[[Outage], None],
        down: tuple[int, str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            number: of the connection.
            line: how the broker is called.
            tokens: what the broker wants to see.
            buffer: where packets go.
            clock: says when they came.
            market: state of the market at an instant in microseconds.
            over: told of each outage when it is over.
            down: since when there is one, and why.
        """
        self.number = number
        self.state, self.why = FeedState.DOWN, "not connected yet"
        self.connects = 0
        """Connections made so far."""
        self.packet_us: int | None = None
        """When the newest packet came."""
        self._line, self._tokens, self._buffer, self._clock = line, tokens, buffer, clock
        self._market, self._over = market, over
        self._watchdog = Watchdog(line.patience)
        self._wanted: dict[Subscription, None] = {}
        self._held: set[Subscription] = set()
        self._open: Listener | None = None
        self._requests = 0
        self._said: set[str] = set()
        self._down = down  # since when and why, until a packet comes

    def ask(self, change: Change) -> None:
        """Change what this connection is to have, at once where it is up."""
        for each in change.remove:
            self._wanted.pop(each, None)
        self._wanted |= dict.fromkeys(change.add)
        if self._open is not None and self.state is FeedState.OK:
            for adds, some in in_order(change, len(self._held)):
                self._request(Action.SUBSCRIBE if adds else Action.UNSUBSCRIBE, some)

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of it."""
        return {
            "state": self.state,
            "why": self.why,
            "subscriptions": len(self._wanted),
            "connects": self.connects,
        }

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        attempt = 0
        while True:
            attempt += 1
            wait_s, before_us = None, self.packet_us
            try:
                await self._one_life()
            except NoTokens as error:
                self._is_down(FeedState.LOGIN_FAILED, str(error))
                wait_s = error.wait_s
            except WSHandshakeError as error:
                wait_s = self._turned_away(error)
            except (OSError, TimeoutError, WSError) as error:
                said = self._shown(str(error)) or type(error).__name__
                self._is_down(FeedState.DOWN, f"cannot connect: {said}")
            if self.packet_us != before_us:  # it worked: one that is closed at once did not
                attempt = 1
            metrics.FEED_RECONNECTS.inc()
            await asyncio.sleep(wait_s or self._line.patience.wait_s(attempt, self._line.dice))

    # --- one connection --------------------------------------------------------------------------------------------

    async def _one_life(self) -> None:
        """Connect, ask for everything, and stay until the connection is of no use."""
        headers = await self._tokens.headers()
        listener = Listener(self._take, self._told)
        transport, _ = await ws_connect(
            lambda: listener,
            self._line.url,
            ssl_context=self._line.tls,
            websocket_handshake_timeout=HANDSHAKE_S,
            max_frame_size=MOST_BYTES,
            max_redirects=0,
            extra_headers=list(headers.items()),
        )
        self._open = listener
        self._watchdog.connected(self._clock.monotonic_s())
        self._held.clear()
        self.state, self.why = FeedState.OK, ""
        self.connects += 1
        with self._hung_up(transport):
            self._request(Action.SUBSCRIBE, list(self._wanted))
            why = await self._stay(transport)
        self._is_down(FeedState.DOWN, why)
        if self._watchdog.wants_login:
            self._tokens.refuse(why, renew=False)
            self._watchdog.logged_in()

    @contextlib.contextmanager
    def _hung_up(self, transport: WSTransport) -> Iterator[None]:
        try:
            yield
        finally:
            self._open = None
            transport.disconnect(graceful=False)

    async def _stay(self, transport: WSTransport) -> str:
        """Send heartbeats until the connection ends or is doubted; return why."""
        ended = asyncio.ensure_future(transport.wait_disconnected())
        beat_s = self._clock.monotonic_s()
        try:
            while not ended.done():
                now_s = self._clock.monotonic_s()
                if now_s >= beat_s:
                    transport.send(WSMsgType.TEXT, HEARTBEAT.encode())
                    transport.send_ping()
                    beat_s = now_s + self._line.patience.heartbeat_s
                doubt = self._watchdog.doubt(now_s, self._market(self._clock.now_us()))
                if doubt is not None:
                    return doubt
                await asyncio.wait((ended,), timeout=min(_LOOK_S, self._line.patience.heartbeat_s))
        finally:
            ended.cancel()
        return "the broker closed the connection"

    def _request(self, action: Action, subscriptions: Sequence[Subscription]) -> None:
        assert self._open is not None  # noqa: S101 - both callers looked
        for text in requests(action, subscriptions, first=self._requests + 1):
            self._requests += 1
            self._open.say(text)
        if action is Action.SUBSCRIBE:
            self._held |= set(subscriptions)
        else:
            self._held -= set(subscriptions)

    # --- what comes ------------------------------------------------------------------------------------------------

    def _take(self, packets: Sequence[bytes]) -> None:
        now_us = self.packet_us = self._clock.now_us()
        self._watchdog.packet(self._clock.monotonic_s())
        if self._down is not None:
            from_us, why = self._down
            self._down = None
            self._over(Outage(connection=self.number, from_us=from_us, to_us=now_us, why=why))
        self._buffer.put_all(packets, now_us)

    def _told(self, text: str | None) -> None:
        """Take note of a text, or (``None``) of the answer to a ping."""
        if text is None or text == ANSWER:
            self._watchdog.answered(self._clock.monotonic_s())
            return
        refused = refusal(text)
        if refused is None:
            self._warn_once("the broker said what is not known", self._shown(text))
            return
        metrics.FEED_REFUSALS.labels(refused.code).inc()
        said = self._shown(refused.text)
        self.why = f"the broker refused a subscription: {said} ({refused.code})"
        self._warn_once("subscription refused", f"{refused.code}: {said}")

    def _warn_once(self, what: str, said: str) -> None:
        """Put into the log what was not said before: a broker that repeats itself must not fill it."""
        if said not in self._said and len(self._said) < MOST_SAID:
            self._said.add(said)
            logger.warning(what, extra={"connection": self.number, "said": said})

    def _turned_away(self, error: WSHandshakeError) -> float | None:
        """Take note of a handshake that failed; return how long to wait, where it is not the usual time."""
        response = error.response
        if response is None:
            self._is_down(FeedState.DOWN, f"cannot connect: {self._shown(str(error))}")
            return None
        words = response.headers.get("x-error-message") or f"HTTP {int(response.status)}"
        said = self._shown(words)
        if response.status == _UNAUTHORIZED:
            self._is_down(FeedState.DOWN, f"the broker does not take the tokens: {said}")
            self._tokens.refuse(said, renew=True)
            return None
        if response.status == _TOO_MANY:
            self._is_down(
                FeedState.DOWN, f"{said}: is another program connected with this account?"
            )
            return self._line.patience.crowded_wait_s
        self._is_down(FeedState.DOWN, f"the broker turned the connection away: {said}")
        return None

    def _shown(self, text: str) -> str:
        """Return words of the broker's, or of who stands between, as they may be shown: in the log, in ``/status``, as a gap's reason."""
        return self._tokens.hide(text)[:TEXT_MOST]

    def _last_us(self) -> int:
        """Return since when nothing has come: a connection that is given up as mute was mute before; longer than that a market rests."""
        now_us, patience = self._clock.now_us(), self._line.patience
        noticed_s = 2 * max(patience.silent_s, patience.no_answer_s)
        is_recent = self.packet_us is not None and now_us - self.packet_us <= noticed_s * 1e6
        return self.packet_us if self.packet_us is not None and is_recent else now_us

    def _is_down(self, state: FeedState, why: str) -> None:
        if self._down is None and self.connects:
            self._down = self._last_us(), why
        if (self.state, self.why) != (state, why):
            logger.warning("connection is down", extra={"connection": self.number, "why": why})
        self.state, self.why = state, why
