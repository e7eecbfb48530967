"""The chaos runner's own tools: what they must see, and the harm they must do."""

import asyncio
import contextlib
import random
from dataclasses import replace

import pytest

from analytics.main import role
from oimon import codec
from oimon.bus import Entry
from oimon.messages import ANALYSIS, TICKS, Beat
from tests.chaos import without
from tests.chaos.audit import Written, judge
from tests.chaos.market import Market
from tests.chaos.proxy import Proxy
from tests.eventually import eventually

matrix = pytest.importorskip("tests.chaos.matrix", reason="needs Linux, and Valkey's wheel")


def written(stream: str, number: int, kind: str, data: bytes, entry_id: str = "") -> Written:
    entry = Entry(stream, "NIFTY", entry_id or f"{number}-0", kind, codec.SCHEMA, data, number)
    return Written(entry=entry, at=number, by="someone")


def a_log(beats: int = 5) -> tuple[list[Written], list[Written]]:
    """Return the ticks of a few beats and the analyses that an undisturbed run makes of them."""
    market = Market(underlying="NIFTY", run="r", seed=1)
    messages = []
    for second in range(1, beats + 1):
        pulse = market.pulse(second)
        beat = Beat(ts_us=pulse.event_us, market=pulse.market, feed=pulse.feed, age_ms=800)
        messages += [*market.messages(second), beat]
    ticks = [
        written(TICKS, number, codec.kind_of(message), codec.encode(message))
        for number, message in enumerate(messages, 1)
    ]
    state, analyses = role().start("NIFTY"), []
    for each in ticks:
        state, outputs = role().handle(state, each.entry)
        analyses += [
            written(
                ANALYSIS,
                len(analyses) + 1,
                codec.kind_of(output.message),
                codec.encode(output.message),
                each.entry.id,
            )
            for output in outputs
        ]
    return ticks, analyses


def changed(each: Written, **fields: object) -> Written:
    return replace(each, entry=replace(each.entry, **fields))


def test_an_undisturbed_log_is_clean():
    ticks, analyses = a_log()

    findings = judge(ticks, analyses)

    assert (findings.beats, findings.analyses) == (5, 5)
    assert findings.faults == {}


@pytest.mark.parametrize(
    ("fault", "harm"),
    [
        ("missing", lambda ticks, analyses: analyses.pop(-1)),
        (
            "duplicate",
            lambda ticks, analyses: analyses.append(changed(analyses[0], id="999-0", n=6)),
        ),
        ("unequal", lambda ticks, analyses: analyses.append(changed(analyses.pop(), kind="beat"))),
        ("out_of_order", lambda ticks, analyses: analyses.reverse()),
        ("holes", lambda ticks, analyses: analyses.insert(2, changed(analyses.pop(2), n=9))),
        ("duplicate", lambda ticks, analyses: ticks.insert(2, changed(ticks[1], id="2-1"))),
    ],
)
def test_a_log_that_was_harmed_is_not_clean(fault, harm):
    ticks, analyses = a_log()

    harm(ticks, analyses)

    assert judge(ticks, analyses).faults[fault] > 0


def test_the_made_up_market_is_the_same_each_time():
    first, again, other = (Market(underlying="NIFTY", run="r", seed=seed) for seed in (1, 1, 2))

    batches = [codec.encode(market.ticks(7)) for market in (first, again, other)]

    assert batches[0] == batches[1] != batches[2]


def test_every_row_s_protection_can_be_removed():
    without.check(sorted({name for row in matrix.ROWS for name in row.protections}))


def test_a_protection_that_does_not_exist_is_told():
    with pytest.raises(ValueError, match="neither protection nor mistake: belt"):
        without.check(["belt"])


async def an_echo() -> tuple[asyncio.Server, int, list[bytes]]:
    """Start a server that says back what it hears, and notes it."""
    heard = []

    async def answer(reader, writer):
        while chunk := await reader.read(1000):
            heard.append(chunk)
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1], heard


async def test_a_lost_reply_has_reached_the_server_and_nobody_else():
    server, port, heard = await an_echo()
    proxy = Proxy(port, random.Random(1))
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"first")
    assert await reader.read(100) == b"first"

    losing = asyncio.ensure_future(proxy.lose_reply([b"second"], within_s=5))
    await asyncio.sleep(0)
    writer.write(b"the second")
    reply = b""
    with contextlib.suppress(ConnectionResetError):
        reply = await reader.read(100)

    assert reply == b""
    assert await losing
    assert heard == [b"first", b"the second"]
    writer.close()
    await proxy.close()
    server.close()


async def test_a_stalled_proxy_says_nothing_until_it_flows_again():
    server, port, heard = await an_echo()
    proxy = Proxy(port, random.Random(1))
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"before")
    await reader.read(100)

    proxy.stall()
    writer.write(b"during")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(100), 0.2)
    proxy.flow()
    _, fresh = await asyncio.open_connection("127.0.0.1", proxy.port)
    fresh.write(b"after")

    await eventually(lambda: heard[-1] == b"after")
    for each in (writer, fresh):
        each.close()
    await proxy.close()
    server.close()
