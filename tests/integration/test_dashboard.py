import asyncio
from dataclasses import replace

import httpx
import pytest

from dashboard.api import routes
from dashboard.config import DashboardSettings
from dashboard.main import run
from oimon import http
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.errors import BusDown, ConfigError
from oimon.messages import ADVICE_MINIMAL, ANALYSIS
from oimon.service import Running
from oimon.terms import SERVICES
from tests.builders import make_status
from tests.eventually import eventually
from tests.unit.notifier.samples import (
    PULSE,
    make_advice,
    make_analysis,
    make_gap,
    role,
)


def make_running(bus):
    return Running(
        name="dashboard",
        replica="dashboard-1",
        settings=DashboardSettings(_env_file=None),
        bus=bus,
        clock=SystemClock(),
        stop=asyncio.Event(),
    )


def client_of(bus):
    running = make_running(bus)
    app = http.app(
        "dashboard", problems=running.problems, status=running.status, routes=routes(running)
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


@pytest.fixture
async def bus():
    """A bus on which NIFTY has one analysis and one advice, and SENSEX nothing yet."""
    bus = MemoryBus()
    await bus.declare(["NIFTY", "SENSEX"])
    async with asyncio.TaskGroup() as tasks:
        owning = [
            tasks.create_task(bus.own(role(ANALYSIS, make_analysis))),
            tasks.create_task(bus.own(role(ADVICE_MINIMAL, make_advice))),
        ]
        await bus.publish("NIFTY", [make_gap()], PULSE)
        for stream in (ANALYSIS, ADVICE_MINIMAL):
            await eventually(lambda stream=stream: bus.latest(stream, "NIFTY"))
        for task in owning:
            task.cancel()
    return bus


@pytest.fixture
async def client(bus):
    async with client_of(bus) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    ["/analysis/NIFTY", "/chain/nifty", "/history/NIFTY", "/why/nifty", "/why/NIFTY?strike=24500"],
)
async def test_what_is_asked_of_an_analysis_bears_its_age_and_is_not_kept_by_browsers(client, path):
    answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["mode"] == "REPLAY"
    assert answer.json()["is_stale"] is False
    assert 0 <= answer.json()["age_ms"] < 5_000


async def test_both_coaches_are_answered(client):
    answer = (await client.get("/advice/NIFTY")).json()

    assert answer["minimal"]["action"] == "WAIT"
    assert answer["rich"] is None


async def test_the_whole_systems_state_is_read_from_the_bus(client, bus):
    for name in SERVICES:
        await bus.put_status(name, f"{name}-1", make_status(name))

    answer = (await client.get("/status")).json()

    assert answer["state"] == "ready"
    assert answer["says"].startswith("all services run; NIFTY REPLAY: market OPEN; SENSEX")
    assert [status["service"] for status in answer["services"]] == list(SERVICES)


async def test_services_that_do_not_report_are_missing(client):
    answer = (await client.get("/status")).json()

    assert answer["state"] == "degraded"
    assert answer["missing"] == list(SERVICES)


@pytest.mark.parametrize("path", ["/analysis/X", "/chain/NIFTY50", "/advice/x{y}", "/history/X"])
async def test_what_is_not_watched_is_answered_with_what_is(client, path):
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"].endswith("is not watched")
    assert answer.json()["what_to_do"] == "Ask for one of NIFTY, SENSEX"


async def test_an_underlying_without_an_analysis_says_what_to_do(client):
    answer = await client.get("/chain/SENSEX")

    assert answer.status_code == 404
    assert answer.json() == {
        "error": "there is no analysis of SENSEX yet",
        "what_to_do": "Ask again in a second; /status says what is running",
    }


@pytest.mark.parametrize("strike", ["-5", "nan", "inf", "much"])
async def test_a_strike_that_is_no_price_is_refused_in_the_same_form(client, strike):
    answer = await client.get("/why/NIFTY", params={"strike": strike})

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("strike:")


async def test_an_expiry_that_is_not_a_day_is_refused_in_the_same_form(client):
    answer = await client.get("/chain/NIFTY", params={"expiry": "next"})

    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "what_to_do"}
    assert answer.json()["error"].startswith("expiry:")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_written(client, method):
    assert (await client.request(method, "/analysis/NIFTY")).status_code == 405


async def test_a_user_whom_redis_refuses_is_a_503_with_a_remedy(bus, client):
    async def refused():
        raise ConfigError("Redis at redis:6379 refused its user 'dashboard'. Set REDIS_URL")

    bus.partitions = refused
    answer = await client.get("/status")

    assert answer.status_code == 503
    assert answer.json()["error"].endswith("Set REDIS_URL")


async def test_an_analysis_that_cannot_be_read_is_a_503_with_a_remedy(bus, client):
    kept = bus.store.stream(ANALYSIS, "NIFTY").entries
    kept[-1] = replace(kept[-1], data=b"{}")
    answer = await client.get("/why/NIFTY")

    assert answer.status_code == 503
    assert answer.json()["error"].startswith("the analysis cannot be read: not a message of kind")
    assert "one version" in answer.json()["what_to_do"]


class Away(MemoryBus):
    """A bus whose server is gone."""

    async def partitions(self):
        raise BusDown("Redis at 127.0.0.1:6390: connection refused")


@pytest.mark.parametrize("path", ["/status", "/chain/NIFTY", "/advice/NIFTY"])
async def test_a_bus_that_is_away_is_a_503_with_a_reason(path):
    async with client_of(Away()) as client:
        answer = await client.get(path)

    assert answer.status_code == 503
    assert answer.json()["error"] == "Redis at 127.0.0.1:6390: connection refused"
    assert "oi status" in answer.json()["what_to_do"]


async def test_the_description_names_each_address_with_its_answers(client):
    paths = (await client.get("/openapi.json")).json()["paths"]

    for path in ("/chain", "/analysis", "/advice", "/history"):
        described = paths[f"{path}/{{underlying}}"]["get"]
        assert described["summary"]
        assert {"200", "404", "503"} <= set(described["responses"])
    assert {"/status", "/healthz", "/readyz", "/metrics"} <= set(paths)
    assert {method for path in paths.values() for method in path} == {"get"}


async def test_the_first_page_lists_the_addresses_and_needs_no_other_server(client):
    answer = await client.get("/")

    assert answer.headers["content-type"].startswith("text/html")
    for path in ("/status", "/chain/{underlying}", "/openapi.json", "/docs"):
        assert path in answer.text
    assert "http" not in answer.text.replace("charset", "")


async def test_the_four_addresses_of_every_service_are_still_there(client):
    assert (await client.get("/healthz")).json() == {"ok": True}
    assert (await client.get("/readyz")).status_code == 200
    assert "oi_rows_total" in (await client.get("/metrics")).text


async def test_the_dashboard_works_until_it_is_stopped():
    running = make_running(MemoryBus())
    working = asyncio.ensure_future(run(running))
    await asyncio.sleep(0)

    assert not working.done()
    running.stop.set()
    await working
