"""The chaos runner's own tools: what they must see, and the harm they must do."""

import asyncio
import contextlib
import random
from dataclasses import fields

import pytest

from oimon import codec
from oimon.audit.judging import Wrong
from tests.chaos import without
from tests.chaos.findings import Findings
from tests.chaos.market import Market
from tests.chaos.proxy import Proxy
from tests.eventually import eventually

matrix = pytest.importorskip("tests.chaos.matrix", reason="needs Linux, and Valkey's wheel")


def test_what_the_audit_says_of_several_underlyings_is_summed_up_and_what_is_wrong_named():
    told = dict.fromkeys((each.name for each in fields(Findings)), 0)
    first = Findings.of({**told, "beats": 5, "analyses": 4, "missing": 1, "underlying": "NIFTY"})
    second = Findings.of({**told, "beats": 5, "analyses": 6, "passed_over": 2, "no_row": None})

    both = first + second

    assert (both.beats, both.analyses) == (10, 10)
    assert both.faults == {"missing": 1, "passed_over": 2}


def test_every_difference_that_the_audit_knows_of_the_log_fails_a_row():
    of_rows = {Wrong.NO_ROW, Wrong.NO_ENTRY}

    counted = {each.name for each in fields(Findings)} - {"beats", "analyses"}

    assert counted == {wrong.name.lower() for wrong in set(Wrong) - of_rows}


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
