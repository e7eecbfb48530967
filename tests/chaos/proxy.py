"""A TCP proxy between replicas and the server that harms what passes: late, cut, halved, stalled, replies lost."""

import asyncio
import random
from collections.abc import Collection
from dataclasses import dataclass, field

_CHUNK = 1 << 16


@dataclass(eq=False)
class _Link:
    """One connection of a client, and its twin to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    loses_reply: bool = False
    pumps: list[asyncio.Task[None]] = field(default_factory=list)

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class Proxy:
    """Listens on a port of its own and passes on to the server's.

    Args:
        port: the server's.
        dice: decides which chunks are cut.
    """

    def __init__(self, port: int, dice: random.Random) -> None:
        self._to = port
        self._dice = dice
        self._links: set[_Link] = set()
        self._listener: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._prey: Collection[bytes] = ()
        self._caught = asyncio.Event()
        self.delay_s = 0.0
        """How much later each chunk arrives, in each direction."""
        self.cut_share = 0.0
        """Share of the requests that are cut in half, together with their connection."""
        self.cuts = 0
        """Connections cut so far."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Cut all connections; new ones are taken."""
        self.cuts += len(self._links)
        for link in list(self._links):
            link.cut()

    def stall(self) -> None:
        """Pass nothing on and close nothing, as a network that is split."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass on again; connections of before are gone by then, as after a split."""
        self.cut()
        self._flowing.set()

    async def lose_reply(self, words: Collection[bytes], within_s: float) -> bool:
        """Let the next request that holds one of ``words`` reach the server, and its reply nobody; return whether there was one."""
        self._prey, self._caught = words, asyncio.Event()
        try:
            await asyncio.wait_for(self._caught.wait(), within_s)
        except TimeoutError:
            return False
        finally:
            self._prey = ()
        return True

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._flowing.set()
        for link in list(self._links):
            link.cut()
        await asyncio.gather(*(pump for link in self._links for pump in link.pumps), return_exceptions=True)  # fmt: skip

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._flowing.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        link.pumps = [
            asyncio.ensure_future(self._requests(link, reader)),
            asyncio.ensure_future(self._replies(link, far_reader)),
        ]
        await asyncio.wait(link.pumps, return_when=asyncio.FIRST_COMPLETED)
        link.cut()
        await asyncio.gather(*link.pumps, return_exceptions=True)
        self._links.discard(link)

    async def _requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_CHUNK):
            if any(word in chunk for word in self._prey):
                self._prey, link.loses_reply = (), True
                self._caught.set()
            if self.cut_share and self._dice.random() < self.cut_share:
                self.cuts += 1
                await self._pass(chunk[: len(chunk) // 2], link.server)
                await asyncio.sleep(self.delay_s)
                return
            await self._pass(chunk, link.server)

    async def _replies(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_CHUNK):
            if link.loses_reply:
                self.cuts += 1
                return
            await self._pass(chunk, link.client)

    async def _pass(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        if (
            self.delay_s
        ):  # not by waiting here: the next chunk may leave before this one has arrived
            asyncio.get_running_loop().call_later(self.delay_s, writer.write, chunk)
        else:
            writer.write(chunk)
            await writer.drain()
