import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from oimon.bus.redis import RedisBus
from oimon.messages import ADVICE_MINIMAL, ANALYSIS
from tests.eventually import eventually
from tests.integration.conftest import free_port
from tests.unit.notifier.samples import PULSE, make_advice, make_analysis, make_gap, role

WATCH = """
import typer
from notifier.commands import register
app = typer.Typer()
app.callback()(lambda: None)
register(app)
app()
"""


@asynccontextmanager
async def watching(folder, *arguments, **environment):
    """Run ``oi watch`` as a process of its own; ended at the end if it still runs."""
    left_out = ("REDIS_URL", "DATA_DIR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WATCH, "watch", *arguments),
        cwd=folder,
        stdin=subprocess.PIPE,
        env=kept | {"DATA_DIR": str(folder), "PYTHONIOENCODING": "utf-8"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def noted(redis_url, tmp_path):
    """A data folder whose note leads to a bus on which NIFTY has an analysis and an advice."""
    (tmp_path / "run.json").write_text(json.dumps({"redis_url": redis_url}))
    bus = RedisBus(redis_url, "test")
    await bus.declare(["NIFTY"])
    async with asyncio.TaskGroup() as tasks:
        owning = [
            tasks.create_task(bus.own(role(ANALYSIS, make_analysis))),
            tasks.create_task(bus.own(role(ADVICE_MINIMAL, make_advice))),
        ]
        await bus.publish("NIFTY", [make_gap()], PULSE)
        await eventually(lambda: bus.latest(ADVICE_MINIMAL, "NIFTY"))
        for task in owning:
            task.cancel()
    await bus.stop()
    await bus.close()
    return tmp_path


async def test_a_second_terminal_shows_lines_and_ends_cleanly_on_ctrl_c(noted):
    async with watching(noted) as process:
        line = ""
        while "PCR" not in line:
            line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(process.wait(), 10)

        assert (code, await process.stderr.read()) == (0, b"")
    assert line.startswith("12:41:07 IST REPLAY NIFTY 24,512.35 ▲ +0.42% | PCR 1.18 |")


async def test_the_table_of_oi_up_ends_when_that_dies(noted):
    async with watching(noted, "--attached") as process:
        assert await asyncio.wait_for(process.stdout.readline(), 20)
        process.stdin.close()

        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_the_picture_is_written_once(noted):
    async with watching(noted, "nifty", "--svg", "table.svg") as process:
        assert await asyncio.wait_for(process.wait(), 20) == 0

    assert "BULLISH" in (noted / "table.svg").read_text(encoding="utf-8")


async def test_an_unknown_underlying_ends_with_one_clear_line(noted):
    async with watching(noted, "BANKEX") as process:
        assert await asyncio.wait_for(process.wait(), 20) == 1

        assert (await process.stderr.read()).decode().splitlines() == [
            "BANKEX is not watched; there are NIFTY. Name one of these"
        ]


async def test_a_bus_that_is_away_is_told_and_ctrl_c_still_ends_it(tmp_path):
    url = f"redis://127.0.0.1:{free_port()}/0"
    async with watching(tmp_path, "NIFTY", REDIS_URL=url) as process:
        line = ""
        while "away" not in line:
            line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert line.startswith("The bus is away, trying again: Redis at 127.0.0.1:")
