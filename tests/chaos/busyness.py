"""How much longer work takes here because others use the machine too."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator

_WORK_S = 0.005
_PAUSE_S = 0.5


class Busyness:
    """Measures now and then how long a little work takes, against the processor's time that it needs."""

    def __init__(self) -> None:
        self._stretches: list[float] = []

    @property
    def factor(self) -> float:
        """How much longer work took in the mean; 1 on a machine that nobody else uses."""
        return max(1.0, statistics.fmean(self._stretches)) if self._stretches else 1.0

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Measure while the block runs."""
        watching = asyncio.ensure_future(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            self._stretches.append(_stretch())
            await asyncio.sleep(_PAUSE_S)


def _stretch() -> float:
    wall, cpu = time.monotonic(), time.thread_time()
    while time.thread_time() - cpu < _WORK_S:
        pass
    return (time.monotonic() - wall) / _WORK_S
