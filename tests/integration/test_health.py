"""A service as a process: what its addresses say, and how it ends."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from oimon.bus.redis import RedisBus
from oimon.process import STOP_WITHIN_S
from oimon.watchdog import EXIT_CODE
from tests.eventually import eventually
from tests.integration.conftest import a_server, free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

RUN = "import sys; from oimon.process import run_services; run_services(sys.argv[1:])"
COMMAND = "import sys; from oimon import cli; sys.argv = ['oi', 'run', 'analytics']; cli.main()"
ODD = """
import asyncio, time
from oimon import process, service
from oimon.config import Settings

async def hang(running):
    await asyncio.sleep(0)
    count_strikes_for_ever()

def count_strikes_for_ever():
    time.sleep(600)

async def never_finish(running):
    await asyncio.sleep(600)

def odd(run):
    return service.Service(name="analytics", settings=Settings, run=run)

"""
HANGS = ODD + "process.find = lambda name: odd(hang)\nprocess.run_services(['analytics'])"
STAYS = ODD + "process.find = lambda name: odd(never_finish)\nprocess.run_services(['analytics'])"


class Process:
    """A service in a process of its own, and its addresses."""

    def __init__(self, code: str, url: str, folder):
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self.child = subprocess.Popen(
            [sys.executable, "-c", code, "analytics"],
            env={**os.environ, "REDIS_URL": url, "HTTP_PORT": str(port), "DATA_DIR": str(folder)},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    async def get(self, path: str) -> httpx.Response | None:
        async with httpx.AsyncClient(base_url=self.base_url, timeout=5) as client:
            with contextlib.suppress(httpx.TransportError):
                return await client.get(path)
        return None

    async def is_ready(self) -> bool:
        answer = await self.get("/readyz")
        return answer is not None and answer.status_code == 200

    async def ended(self, within_s: float) -> int:
        return await asyncio.to_thread(self.child.wait, within_s)

    def end(self) -> None:
        self.child.kill()
        self.child.wait(10)
        self.child.stderr.close()


@pytest.fixture
def start(tmp_path):
    processes = []

    def started(code: str, url: str) -> Process:
        processes.append(Process(code, url, tmp_path))
        return processes[-1]

    yield started
    for process in processes:
        process.end()


@pytest.fixture
def own_url(tmp_path_factory):
    """Address of a server for one test, which may end it or fill it."""
    with a_server(tmp_path_factory.mktemp("own")) as url:
        yield url


@pytest.fixture
async def nifty_url(own_url):
    """Address of the same, with one partition to own."""
    bus = RedisBus(own_url, "test")
    await bus.declare(["NIFTY"])
    await bus.close()
    return own_url


async def test_a_service_tells_what_it_owns_and_how_it_stands(start, nifty_url):
    service = start(RUN, nifty_url)

    await eventually(lambda: _owns(service), within_s=30)
    healthy = await service.get("/healthz")
    status = (await service.get("/status")).json()
    (held,) = status["partitions"]

    assert healthy.json()["loop_answered_s_ago"] < 5
    assert (held["role"], held["partition"], held["restored"]) == ("analytics", "NIFTY", True)
    assert held["epoch"] > 0
    assert {"cursor", "lag", "lag_s", "age_s", "parked", "last_error"} <= held.keys()
    assert status["replica"].startswith("analytics-")
    assert {"version", "state", "parked", "last_error", "problems"} <= status.keys()


async def test_a_service_without_redis_is_healthy_but_not_ready_and_says_why(start, tmp_path):
    service = start(RUN, f"redis://127.0.0.1:{free_port()}/0")

    reasons = await eventually(lambda: _reasons(service), within_s=30)
    healthy = await service.get("/healthz")

    assert healthy.status_code == 200
    assert any("does not answer" in reason for reason in reasons)


async def test_a_service_that_redis_refuses_ends_and_says_so_in_one_line(start, own_url):
    service = start(COMMAND, own_url.replace("//", "//nobody:wrong-password@"))

    _, words = await asyncio.to_thread(service.child.communicate, timeout=40)

    assert service.child.returncode == 2
    assert words.startswith(b"Redis at 127.0.0.1:")
    assert b"refused its user 'nobody'" in words
    assert len(words.splitlines()) == 1
    assert b"wrong-password" not in words


async def _reasons(service) -> list[str]:
    answer = await service.get("/readyz")
    return [] if answer is None or answer.status_code != 503 else answer.json()["reasons"]


async def test_a_service_that_is_told_to_stop_hands_over_at_once(start, nifty_url):
    first = start(RUN, nifty_url)
    await eventually(lambda: _owns(first), within_s=30)
    second = start(RUN, nifty_url)
    await eventually(lambda: second.get("/status"), within_s=30)

    first.child.send_signal(signal.SIGTERM)
    told_s = time.monotonic()
    await eventually(lambda: _owns(second))
    took_s = time.monotonic() - told_s
    code = await first.ended(within_s=8)
    bus = RedisBus(nifty_url, "test")
    left = [item for item in await bus.statuses() if item["pid"] == first.child.pid]
    await bus.close()

    assert [(item["state"], item["partitions"]) for item in left] == [("stopping", [])]
    assert took_s < 1.5
    assert code == 0


async def _owns(service) -> bool:
    answer = await service.get("/status")
    return answer is not None and any(held["restored"] for held in answer.json()["partitions"])


async def test_a_service_that_does_not_finish_is_ended_within_eight_seconds(start, own_url):
    service = start(STAYS, own_url)
    await eventually(service.is_ready, within_s=30)

    service.child.send_signal(signal.SIGTERM)
    told_s = time.monotonic()
    code = await service.ended(within_s=10)

    assert STOP_WITHIN_S - 0.5 < time.monotonic() - told_s < 8
    assert code == 0


async def test_a_second_signal_ends_it_at_once(start, own_url):
    service = start(STAYS, own_url)
    await eventually(service.is_ready, within_s=30)

    service.child.send_signal(signal.SIGTERM)
    await eventually(lambda: _is_stopping(service))
    service.child.send_signal(signal.SIGTERM)

    assert await service.ended(within_s=2) == 1


async def _is_stopping(service) -> bool:
    answer = await service.get("/status")
    return answer is not None and answer.json()["state"] == "stopping"


async def test_a_service_whose_loop_hangs_exits_and_says_where(start, own_url):
    service = start(HANGS, own_url)

    _, words = await asyncio.to_thread(service.child.communicate, timeout=40)

    assert service.child.returncode == EXIT_CODE
    assert b"count_strikes_for_ever" in words
