"""The list fetched from a server on the loopback, whole and in every broken way."""

import asyncio
import gzip
import os
import subprocess
import sys
from contextlib import asynccontextmanager, suppress

import pytest

from ingest.master.download import download
from ingest.master.library import Library
from oimon.clock import ManualClock
from oimon.errors import InputError, TransientError
from tests.masters import as_file, small_market
from tests.unit.ingest.master.masters import at

WHOLE = as_file(small_market())


@asynccontextmanager
async def server(*answers):
    """Answer one request after the other, the last one again and again; give the address and what was asked."""
    asked = []

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.append(1)
        writer.write(answers[min(len(asked), len(answers)) - 1])
        with suppress(ConnectionError):  # who asked has seen enough
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/list.json", asked


def http(body, status="200 OK", *, length=None, more=""):
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n{more}\r\n"
    return head.encode() + body


async def no_sleep(_):
    await asyncio.sleep(0)


async def fetched(*answers, **limits):
    async with server(*answers) as (url, asked):
        return await download(url, sleep=no_sleep, **limits), len(asked)


async def refused(kind, *answers, **limits):
    async with server(*answers) as (url, asked):
        with pytest.raises(kind) as caught:
            await download(url, sleep=no_sleep, **limits)
    assert url in str(caught.value)
    return str(caught.value), len(asked)


async def test_a_whole_list_is_read():
    master, asked = await fetched(http(WHOLE))

    assert (len(master), asked) == (486, 1)


async def test_a_packed_list_is_read():
    master, _ = await fetched(http(gzip.compress(WHOLE), more="Content-Encoding: gzip\r\n"))

    assert len(master) == 486


async def test_a_server_that_is_away_for_a_moment_is_asked_again():
    master, asked = await fetched(http(b"", "503 Busy"), b"", http(WHOLE))

    assert (len(master), asked) == (486, 3)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (http(b"x", "503 Busy"), "the server answers 503"),
        (http(b"x", "404 Not Found"), "the server answers 404"),
        (http(WHOLE[:9000], length=len(WHOLE)), "the instrument master cannot be fetched"),
        (b"", "the instrument master cannot be fetched"),
        (b"SSH-2.0-x\r\n", "the instrument master cannot be fetched"),
    ],
)
async def test_what_does_not_come_is_told_after_three_tries(answer, what):
    said, asked = await refused(TransientError, answer)

    assert what in said
    assert asked == 3


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<html>maintenance</html>", "it is a web page"),
        (WHOLE[:9000], "it ends in the middle"),
        (b'{"status":false}', "it is one JSON object"),
    ],
)
async def test_what_is_no_list_is_told_at_once(body, what):
    said, asked = await refused(InputError, http(body))

    assert what in said
    assert asked == 1


async def test_a_file_that_is_too_large_is_left_before_its_end():
    endless = http(b"[" + b" " * 300_000, length=2_000_000_000)

    said, asked = await refused(InputError, endless, most=100_000)

    assert "it is larger than 0 MB" in said
    assert asked == 1


async def test_a_small_packed_file_that_unpacks_to_too_much_is_left_too():
    bomb = gzip.compress(b"[" + b" " * 5_000_000)

    said, _ = await refused(
        InputError, http(bomb, more="Content-Encoding: gzip\r\n"), most=1_000_000
    )

    assert "it is larger than 1 MB" in said


async def test_nobody_at_the_address_is_told():
    async with server() as (url, _):
        pass

    with pytest.raises(TransientError, match="cannot be fetched"):
        await download(url, sleep=no_sleep)


async def test_the_day_s_copy_is_used_when_the_server_has_gone(tmp_path):
    async with server(http(WHOLE)) as (url, _):
        await Library(tmp_path, url, ManualClock(at(9))).today()

    later = await Library(tmp_path, url, ManualClock(at(15))).today()

    assert (len(later.master), later.warnings) == (486, ())


async def test_the_command_fetches_and_shows(tmp_path):
    async with server(http(WHOLE)) as (url, _):
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "oimon.cli", "instruments", "SENSEX", "--json",
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "SMARTAPI_MASTER_URL": url, "DATA_DIR": str(tmp_path)},
        )  # fmt: skip
        out, err = await done.communicate()

    assert done.returncode == 0, err
    assert b'"underlying":"SENSEX"' in out
    assert list((tmp_path / "master").rglob("*.master"))
