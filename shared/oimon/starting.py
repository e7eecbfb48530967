"""What ``oi up`` says while the services come up: what ingest plays otherwise than it was asked, and who is not ready."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oimon.bus.redis import RedisBus
from oimon.errors import BusDown
from oimon.feed_words import notes
from oimon.system import System
from oimon.terms import Mode

READY_WITHIN_S = 45.0
NOTES_WITHIN_S = 10.0


async def tell_notes(redis_url: str, say: Callable[[str], None]) -> None:
    """Say what ingest plays otherwise than it was asked, before the table covers the screen."""
    bus = RedisBus(redis_url, "oi-up")
    until = time.monotonic() + NOTES_WITHIN_S
    try:
        while time.monotonic() < until:
            with contextlib.suppress(BusDown):
                for status in await bus.statuses():
                    if status["service"] == "ingest" and _knows_what_it_plays(status):
                        for note in notes(status):
                            say(note)
                        return
            await asyncio.sleep(0.2)
    finally:
        await bus.close()


def _knows_what_it_plays(status: Mapping[str, Any]) -> bool:
    """Say whether a status holds all notes: those of a live feed come with its instruments."""
    feed = status.get("feed")
    return isinstance(feed, Mapping) and (feed.get("mode") != Mode.LIVE or "notes" in feed)


async def wait_ready(redis_url: str, wanted: Mapping[str, int], say: Callable[[str], None]) -> None:
    """Say when all services are ready, or after a while which are not and why."""
    bus = RedisBus(redis_url, "oi-up")
    until = time.monotonic() + READY_WITHIN_S
    missing: Sequence[str] = list(wanted)
    try:
        while time.monotonic() < until:
            with contextlib.suppress(BusDown):
                missing = System(services=await bus.statuses()).waits_for(wanted)
                if not missing:
                    return
            await asyncio.sleep(0.3)
        say(
            "Not ready yet: "
            + "; ".join(missing)
            + ". `oi doctor` and the logs in the data folder say more"
        )
    finally:
        await bus.close()
