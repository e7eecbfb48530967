"""A blocking call in a thread of its own, for as long as it may take and no longer."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from ingest.smartapi.errors import NotNow

T = TypeVar("T")

MAX_HANGING = 8
"""Calls that may hang at the same time; more are not begun."""


class Threads:
    """Calls whose answers are awaited; one that hangs is left behind, and holds up neither the others nor the end."""

    def __init__(self) -> None:
        self._hanging = 0
        self._lock = threading.Lock()

    async def call(self, work: Callable[[], T], timeout_s: float) -> T:
        """Return what the work returns.

        Raises:
            NotNow: it took too long, or too many calls hang.
        """
        if self._hanging >= MAX_HANGING:
            raise NotNow(f"{self._hanging} requests to the broker hang; none is added")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def tell(result: T | None, error: Exception | None) -> None:
            if answer.done():  # nobody waits any more
                return
            if error is None:
                answer.set_result(result)  # type: ignore[arg-type]  # there is one where there is no error
            else:
                answer.set_exception(error)

        def run() -> None:
            result, error = None, None
            try:
                result = work()
            except Exception as raised:  # noqa: BLE001 - handed to the one that waits
                error = raised
            with self._lock:
                self._hanging -= 1
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, result, error)

        with self._lock:
            self._hanging += 1
        # A daemon: the end of the process must not wait for the broker.
        threading.Thread(target=run, name="smartapi", daemon=True).start()
        try:
            async with asyncio.timeout(
                timeout_s
            ):  # wait_for would forget a cancel that comes with the answer
                return await answer
        except TimeoutError:
            raise NotNow(f"the broker did not answer within {timeout_s:g} s") from None
