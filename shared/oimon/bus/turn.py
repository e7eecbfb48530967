"""One answer a pass of the event loop: however many partitions have entries, the loop's other work goes on between two."""

import asyncio
from typing import Self


class Turn:
    """Shared by all seats of a process; ``async with`` it around one answer.

    Two hundred answers in one pass of the loop would be seconds in which no lease is renewed and no reply read.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._is_taken = False  # in this pass
        self._asking = 0

    @property
    def has_queue(self) -> bool:
        """Whether several wait for it: there is enough to answer for now."""
        return self._asking > 1

    async def __aenter__(self) -> Self:
        self._asking += 1
        try:
            await self._lock.acquire()
        finally:
            self._asking -= 1
        try:
            if self._is_taken:
                await asyncio.sleep(0)
        except BaseException:
            self._lock.release()
            raise
        self._is_taken = True
        asyncio.get_running_loop().call_soon(self._next_pass)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

    def _next_pass(self) -> None:
        self._is_taken = False
