"""What ``/healthz`` says of the event loop."""

import httpx

from oimon import http, watchdog


async def healthz(guard):
    web = http.app("ingest", problems=list, status=dict, watchdog=guard)
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.get("/healthz")


async def test_a_loop_that_turns_is_healthy():
    guard = watchdog.Watchdog()

    answer = await healthz(guard)

    assert answer.status_code == 200
    assert answer.json()["ok"]
    assert answer.json()["loop_answered_s_ago"] < watchdog.LIMIT_S


async def test_a_loop_that_has_not_answered_in_time_is_not(monkeypatch):
    guard = watchdog.Watchdog()  # not started: it would end the test run
    monkeypatch.setattr(watchdog, "LIMIT_S", 0.0)

    answer = await healthz(guard)

    assert answer.status_code == 503
    assert not answer.json()["ok"]
