"""A minute of the bundled day in a real log, worked by the real roles and with rows in a real database."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import redis as redis_py

import ingest.recordings
from notifier.main import TO_DATABASE
from notifier.store import Store, address
from oimon.bus.redis import RedisBus
from oimon.log_commands import owned_roles
from oimon.messages import TICKS
from oimon.offline import open_recording
from tests.eventually import eventually

BUNDLED = Path(ingest.recordings.__file__).parent / "NIFTY-2026-08-18.oirec"
STEPS = 14


async def log_a_day(
    url: str,
    data_dir: Path,
    *,
    roles: Sequence[str] = ("analytics", "coach-minimal"),
    steps: tuple[int, int] = (0, STEPS),
) -> None:
    """Publish steps of the day, have the roles answer them and the database take them; the first steps empty the server."""
    if steps[0] == 0:
        with redis_py.Redis.from_url(url) as client:
            client.flushall()
    bus = RedisBus(url, f"replica-{steps[0]}")
    await bus.declare(["NIFTY"])
    duties = owned_roles()
    for step in islice(open_recording(BUNDLED).steps(None), *steps):
        await bus.publish("NIFTY", step.messages, step.pulse)
    owners = [asyncio.ensure_future(bus.own(duties[name])) for name in roles]
    for name in roles:
        await eventually(lambda name=name: is_answered(bus, duties[name].writes), within_s=20)
    await bus.stop()
    for owner in owners:
        await owner
    await write_rows(bus, data_dir)
    await bus.close()


async def is_answered(bus: RedisBus, stream: str) -> bool:
    """Say whether the newest entry of the ticks, a beat, has its answer in a stream."""
    beat, answer = await bus.latest(TICKS, "NIFTY"), await bus.latest(stream, "NIFTY")
    return beat is not None and answer is not None and beat.id == answer.id


async def write_rows(bus: RedisBus, data_dir: Path) -> None:
    """Have the database take what is in the log; the bus has been stopped, so this ends."""
    store = Store(address(None, data_dir))
    try:
        await store.prepare()
        await bus.share("db", TO_DATABASE, store.write)
    finally:
        await store.close()
