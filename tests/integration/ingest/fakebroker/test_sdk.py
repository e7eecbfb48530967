"""The real SDK takes the local broker for the broker."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from ingest.packets import fields
from tests.fakes import smartapi
from tests.fakes.smartapi import CALL, ROWS, by_hand, connected, settled

ROOT = Path(__file__).resolve().parents[4]


async def sdk(folder, what, told):
    """Return what the SDK found, in a process and a folder of its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.fakes.smartapi.sdk",
        what,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(child.communicate(json.dumps(told).encode()), 60)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode == 0, errors.decode()
    return json.loads(out.splitlines()[-1])


def known(broker):
    own = broker.credentials
    return {"api_key": own.api_key, "client_code": own.client_code, "pin": own.pin}


async def test_the_sdk_logs_in_asks_and_logs_out(tmp_path):
    async with by_hand() as broker:
        await broker.broadcast.play()
        told = known(broker) | {
            "url": broker.url,
            "totp": smartapi.totp(broker),
            "token": CALL.token,
            "expiry": "01DEC2026",
            "fromdate": "2026-11-25 09:15",
            "todate": "2026-11-25 15:30",
        }
        found = await sdk(tmp_path, "session", told)
        facts = broker.facts()["rest"]

    newest = fields(broker.market.newest[smartapi.name_of_row(CALL)])
    (quote,) = found["quote"]["fetched"]
    assert found["profile"]["jwtToken"].startswith("Bearer ")
    assert (quote["ltp"], quote["opnInterest"]) == (newest["ltp"] / 100, newest["oi"])
    assert len(found["candles"]) == len(found["oi"]) == 3
    assert len(found["greeks"]) == 6
    assert found["pcr"][0]["pcr"] == 1.0
    assert found["renewed"]["jwtToken"] != found["profile"]["jwtToken"]
    assert found["logout"]["status"] is True
    assert (facts["logins"], facts["renewals"], facts["refused"]) == (1, 1, {})
    assert broker.account.is_jwt(found["renewed"]["jwtToken"]) is False


async def test_the_sdk_s_socket_receives_what_ours_does(tmp_path):
    lists = smartapi.request(ROWS)["params"]["tokenList"]
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe()
        told = known(broker) | {
            "stream_url": broker.stream_url,
            "tokens": asdict(smartapi.open_session(broker)),
            "token_list": lists,
            "count": 2 * len(ROWS),
        }
        reading = asyncio.ensure_future(sdk(tmp_path, "stream", told))
        await smartapi.eventually(
            lambda: sum(each.subscriptions.count for each in broker.stream.connections) == 2 * len(ROWS),
            within_s=30,
        )  # fmt: skip
        await broker.broadcast.play(frames=len(ROWS))
        ticks = await reading
        ours = [fields(each) for each in await settled(client, 2 * len(ROWS))]

    assert [tick["token"] for tick in ticks] == [each["token"] for each in ours]
    for name, own in (
        ("sequence_number", "sequence"),
        ("exchange_timestamp", "exchange_ms"),
        ("last_traded_price", "ltp"),
        ("volume_trade_for_the_day", "volume"),
        ("open_interest", "oi"),
        ("closed_price", "prev_close"),
    ):
        assert [tick[name] for tick in ticks] == [each[own] for each in ours]
