"""Hours in milliseconds: a loop whose time jumps to whatever is due next, and the clock that goes with it."""

import asyncio
import heapq


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never waits; nothing outside it can be waited for."""

    def __init__(self):
        super().__init__()
        self.now_s = 0.0

    def time(self):
        return self.now_s

    def _run_once(self):
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready and self._scheduled:
            # Never by nothing: who waits for what rounding left over would wait for ever.
            self.now_s = max(self.now_s + 1e-6, self._scheduled[0]._when)
        super()._run_once()


class LoopClock:
    """The running loop's time, from a given instant on."""

    def __init__(self, start_us=0):
        self.start_us = start_us

    def now_us(self):
        return self.start_us + round(self.monotonic_s() * 1e6)

    def monotonic_s(self):
        return asyncio.get_running_loop().time()


def run(coroutine):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
