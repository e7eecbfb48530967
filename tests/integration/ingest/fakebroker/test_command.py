"""`oi fake-broker` in a terminal: what it prints is what a live feed needs, and Ctrl-C ends it."""

import asyncio
import signal
import sys

import httpx2

from ingest.fakebroker.account import Credentials


async def lines_of(child):
    """Return what the command prints up to its last line."""
    found = []
    while not found or "oi up --feed live" not in found[-1]:
        line = await asyncio.wait_for(child.stdout.readline(), 60)
        if not line:
            raise AssertionError((await child.stderr.read()).decode())
        found.append(line.decode().strip())
    return found


async def test_it_prints_the_settings_serves_and_ends():
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "oimon.cli", "fake-broker", "--port", "0", "--fault", "close",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        told = dict(
            line.split("=", 1) for line in await lines_of(child) if not line.startswith("#")
        )
        async with httpx2.AsyncClient() as client:
            master = (await client.get(told["SMARTAPI_MASTER_URL"])).json()
            facts = (await client.get(f"{told['SMARTAPI_URL']}/fake/facts")).json()
        child.send_signal(signal.SIGINT)
        rest, errors = await asyncio.wait_for(child.communicate(), 20)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()

    assert told["SMARTAPI_TOTP_SECRET"] == Credentials().totp_secret
    assert told["SMARTAPI_STREAM_URL"].startswith("ws://127.0.0.1:")
    assert any(row["symbol"] == "Nifty 50" for row in master)
    assert facts["faults"]["next"] == {"close": 1}
    assert facts["played"] >= 100
    assert (child.returncode, rest, errors) == (0, b"", b"")
