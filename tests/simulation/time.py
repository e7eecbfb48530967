"""Time that passes only when everybody waits."""

import asyncio
import selectors

from typing_extensions import override


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to whatever is due next; it never sleeps."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Jumping(self))

    @override
    def time(self) -> float:
        return self._now_s

    def jump(self, seconds: float) -> None:
        self._now_s += seconds


class _Jumping(selectors.SelectSelector):
    """Waits by turning the loop's clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for nobody")
        if timeout > 0:
            self._loop.jump(timeout)
        return []


class ServerClock:
    """The simulated server's clock: that of the running loop, from a date on."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now_us(self) -> int:
        return 1_800_000_000_000_000 + round(self._loop.time() * 1e6)

    def monotonic_s(self) -> float:
        return self._loop.time()
