"""The local broker as one thing: start it, play it, look at it, stop it."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any, Self

from ingest.fakebroker import master, rest, stream
from ingest.fakebroker.account import Account, Credentials
from ingest.fakebroker.broadcast import Broadcast
from ingest.fakebroker.faults import FaultBox
from ingest.fakebroker.limits import PUBLISHED, Limits, RollingLimits
from ingest.fakebroker.market import Market
from ingest.fakebroker.routes import Routes
from ingest.fakebroker.source import Source
from oimon import http
from oimon.clock import Clock, SystemClock

SLOW_S = 8.0
"""A slow answer comes so much later: longer than the SDK waits."""
SETTLE_S = 0.5


class FakeBroker:
    """Serves REST and stream on loopback; use as a context, or ``start`` and ``stop`` it.

    ``faults`` switches what goes wrong, ``facts`` says what happened, ``broadcast.play`` plays on by hand.
    """

    def __init__(  # noqa: PLR0913 - each is a switch of its own, with a default
        self,
        source: Source,
        *,
        speed: float | None = None,
        by_hand: bool = False,
        settle_s: float = SETTLE_S,
        clock: Clock | None = None,
        credentials: Credentials | None = None,
        limits: Mapping[str, Limits] = PUBLISHED,
        slow_s: float = SLOW_S,
        master_filler: int = 0,
        one_by_one: bool = False,
    ) -> None:
        """Prepare a broker of one feed.

        Args:
            source: what it broadcasts.
            speed: times real time; ``None``: as fast as the slowest client takes it.
            by_hand: play nothing but what ``broadcast.play`` is told to.
            settle_s: the feed begins once subscriptions have come, and none for so long.
            clock: of tokens, TOTP, limits and pace.
            credentials: of the one account.
            limits: of each endpoint; empty: none.
            slow_s: how much later a slow answer comes.
            master_filler: so many more contracts in the instrument master.
            one_by_one: write each packet by itself; over TLS each is then a record.
        """
        clock = clock or SystemClock()
        self.source = source
        self.credentials = credentials or Credentials()
        self.account = Account(self.credentials, clock)
        self.market = Market(source)
        self.faults = FaultBox()
        self.stream = stream.Stream(
            self.market,
            self.account,
            self.faults,
            asked=self._has_asked,
            one_by_one=one_by_one,
        )
        self.broadcast = Broadcast(source, self.market, self.stream, clock, speed)
        routes = Routes(self.account, self.market)
        self._rest = rest.Rest(
            self.account, routes, RollingLimits(clock, limits), self.faults, slow_s=slow_s
        )
        self._master = rest.Master(source, self.faults, filler=master_filler)
        self._by_hand, self._settle_s = by_hand, settle_s
        self._stack = contextlib.AsyncExitStack()
        self.url = self.stream_url = ""
        """Where it listens, once started."""

    async def start(
        self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen.

        Args:
            host: this machine's.
            port: of REST, or the next free one; the stream takes the next free one after it; 0: any.
            tls: what the stream shows of itself; ``None``: it is not encrypted. REST never is.

        Raises:
            ConfigError: no port is free.
        """
        self.broadcast.open()
        web = http.app(
            "fake broker",
            problems=list,
            status=self.facts,
            routes=rest.router(self._rest, self._master, self.faults, self.facts),
        )
        listening = http.bound_socket(host, port + 1 if port else 0)
        stream_port = listening.getsockname()[1]
        await self.stream.start(listening, tls)
        self._stack.push_async_callback(self.stream.stop)
        self.url = await self._stack.enter_async_context(http.serving(web, host, port))
        scheme = "wss" if tls else "ws"
        self.stream_url = f"{scheme}://{host}:{stream_port}{stream.PATH}"
        if not self._by_hand:
            playing = asyncio.ensure_future(self.broadcast.run(self._settle_s))
            self._stack.push_async_callback(_ended, playing)

    async def stop(self) -> None:
        """End everything."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def settings(self) -> Mapping[str, str]:
        """Return the settings with which a live feed finds this broker."""
        own = self.credentials
        return {
            "SMARTAPI_API_KEY": own.api_key,
            "SMARTAPI_CLIENT_CODE": own.client_code,
            "SMARTAPI_PIN": own.pin,
            "SMARTAPI_TOTP_SECRET": own.totp_secret,
            "SMARTAPI_URL": self.url,
            "SMARTAPI_STREAM_URL": self.stream_url,
            "SMARTAPI_MASTER_URL": self.url + master.PATH,
        }

    def _has_asked(self) -> None:
        self.broadcast.asked()

    def facts(self) -> Mapping[str, Any]:
        """Return what was asked, sent, refused and broken."""
        return {
            "source": self.source.title,
            "played": self.broadcast.played,
            "frames": self.source.frames,
            "has_ended": self.broadcast.has_ended,
            "now_us": self.market.now_us,
            "rest": self._rest.facts(),
            "master_downloads": self._master.downloads,
            "stream": self.stream.facts(),
            "faults": self.faults.facts(),
        }


async def _ended(playing: "asyncio.Future[None]") -> None:
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing
