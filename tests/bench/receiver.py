"""A client of the broker's stream as a process of its own: ``python -m tests.bench.receiver ours|sdk JOB``; prints CPU µs a packet.

Counted from the first packet to the last, so that neither the start nor the subscription is in it.
"""

import asyncio
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ingest.feed import FrameBuffer
from ingest.frames import decode
from ingest.smartapi.line import Line
from ingest.smartapi.registry import Change
from ingest.smartapi.stream import Stream
from ingest.smartapi.wire import Subscription
from ingest.tokens import TokenTable
from oimon.clock import SystemClock
from oimon.process import calm_garbage, new_loop
from oimon.terms import Kind, MarketState
from tests.fakes.smartapi import HERE
from tests.fakes.smartapi.sdk import sdk

MODE, EXCHANGE_TYPE = 3, 2


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a client is told."""

    url: str
    headers: dict[str, str]
    tokens: list[str]
    count: int

    def argument(self) -> str:
        return json.dumps(asdict(self))


class Known:
    """Headers that somebody else has logged in for."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    async def headers(self) -> dict[str, str]:
        return self._headers

    def refuse(self, why: str, *, renew: bool) -> None:
        raise AssertionError(why)

    def hide(self, text: str) -> str:
        return text


async def ours(job: Job) -> float:
    """Receive and decode by our stream; the decoder is called a turn of the loop, as ingest does."""
    arrived, left, table = (
        asyncio.Event(),
        job.count,
        TokenTable.of(["NFO"] * len(job.tokens), job.tokens, [Kind.CE] * len(job.tokens)),
    )
    buffer = FrameBuffer(arrived.set, job.count)
    is_secure = job.url.startswith("wss")
    tls = ssl.create_default_context(cafile=HERE / "authority.pem") if is_secure else None
    stream = Stream(
        0, Line(url=job.url, tls=tls), Known(job.headers), buffer, SystemClock(),
        market=lambda _: MarketState.OPEN, over=lambda _: None,
    )  # fmt: skip
    stream.ask(
        Change(connection=0, add=[Subscription(MODE, EXCHANGE_TYPE, token) for token in job.tokens])
    )
    receiving = asyncio.ensure_future(stream.run())
    started_s = None
    while left > 0:
        await arrived.wait()
        arrived.clear()
        frames, times, conflated = buffer.take()
        ticks, drops = decode(frames, times, table)
        assert not drops
        assert not conflated
        left -= len(ticks)
        if started_s is None:
            started_s, counted = time.process_time(), left
    spent_s = time.process_time() - started_s
    receiving.cancel()
    return spent_s * 1e6 / counted


def sdk_ticks(
    url: str,
    headers: Mapping[str, str],
    tokens: Sequence[str],
    count: int,
    take: Callable[[dict[str, object]], None],
) -> float:
    """Hand ``count`` ticks over as the SDK's client and parser give them; return CPU µs a tick, from the first to the last.

    Args:
        url: of the stream.
        headers: of one who has logged in.
        tokens: what is subscribed, full packets.
        count: ticks until the end.
        take: called with each, in the client's own thread.
    """
    _, client_class = sdk()
    client_class.ROOT_URI = url
    client = client_class(
        headers["Authorization"].removeprefix("Bearer "), headers["x-api-key"], headers["x-client-code"],
        headers["x-feed-token"], max_retry_attempt=0,
    )  # fmt: skip
    seen, times_s, ended = [0], [0.0, 0.0], threading.Event()

    def on_data(_app, tick):
        take(tick)
        seen[0] += 1
        if seen[0] == 1:
            times_s[0] = time.process_time()
        elif seen[0] == count:
            times_s[1] = time.process_time()
            ended.set()

    client.on_open = lambda _app: client.subscribe(
        "abcde12345", MODE, [{"exchangeType": EXCHANGE_TYPE, "tokens": list(tokens)}]
    )
    client.on_data = on_data
    client.on_error = lambda *_: None
    threading.Thread(target=client.connect, daemon=True).start()
    assert ended.wait(120), f"the SDK saw {seen[0]} of {count} packets"
    return (times_s[1] - times_s[0]) * 1e6 / (count - 1)


def main(who: str, argument: str) -> None:
    """Receive as told by a JSON object."""
    job = Job(**json.loads(argument))
    if who == "ours":
        calm_garbage()
        with asyncio.Runner(loop_factory=new_loop) as runner:
            print(runner.run(ours(job)), flush=True)
    else:
        print(sdk_ticks(job.url, job.headers, job.tokens, job.count, lambda _: None), flush=True)
    os._exit(0)  # the SDK's threads take ten seconds to end


if __name__ == "__main__":
    main(*sys.argv[1:])
