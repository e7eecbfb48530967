"""Work beside the stream: done over and over, and never what ends the feed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ingest.smartapi.errors import BrokerError
from oimon.errors import BusDown, PoisonMessage

AGAIN_S = 30.0
"""From one attempt to the next, where the broker or the bus does not answer."""
FAILED_S = 300.0
"""After a bug."""

log = logging.getLogger(__name__)


async def keep_on(what: str, once: Callable[[], Awaitable[float]], *, first_s: float = 0.0) -> None:
    """Do something until cancelled; what it fails on is logged and tried again later.

    Args:
        what: its name in the log.
        once: does it, and returns the seconds until the next time.
        first_s: seconds until the first time.
    """
    await asyncio.sleep(first_s)
    while True:
        try:
            wait_s = await once()
        except (BrokerError, BusDown, PoisonMessage) as error:
            log.info("left for later", extra={"what": what, "why": str(error)})
            wait_s = AGAIN_S
        except Exception:  # prices go on, whatever is wrong here
            log.exception("failed beside the stream", extra={"what": what})
            wait_s = FAILED_S
        await asyncio.sleep(wait_s)
