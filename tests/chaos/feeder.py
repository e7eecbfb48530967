"""Publishes the made-up market as a producer would: ``python -m tests.chaos.feeder SETTINGS`` (one JSON object).

It prints a line when each underlying has a beat, and, told to stop, a line with the last beat of each.
"""

import asyncio
import json
import secrets
import signal
import sys
from dataclasses import asdict, dataclass

from oimon.bus.log import Retention
from oimon.bus.redis import RedisBus
from oimon.errors import BusDown, LostOwnership
from oimon.process import calm_garbage, new_loop
from tests.chaos.market import Market


@dataclass(frozen=True, kw_only=True)
class Feeding:
    """What a feeder is told."""

    url: str
    partitions: list[str]
    run: str
    seed: int = 1
    beats_per_s: float = 5.0
    """Beats a second of real time, each a second of the market's."""
    server_clock: bool = False
    """The server's clock makes the beats, one a second; else the market's."""
    ticks_keep_s: int = 7200

    def argument(self) -> str:
        return json.dumps(asdict(self))


class Feeder:
    """Publishes each underlying at its pace until told to stop."""

    def __init__(self, feeding: Feeding) -> None:
        self._feeding = feeding
        retention = Retention(ticks_s=feeding.ticks_keep_s, analyses=200_000)
        self._bus = RedisBus(feeding.url, f"feeder-{secrets.token_hex(3)}", retention=retention)
        self._stop = asyncio.Event()
        self._begun = asyncio.Event()
        self._last = dict.fromkeys(feeding.partitions, 0)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        await self._bus.declare(self._feeding.partitions)
        started = asyncio.ensure_future(self._announce())
        async with asyncio.TaskGroup() as tasks:
            for partition in self._feeding.partitions:
                tasks.create_task(self._feed(partition))
        started.cancel()
        await self._bus.stop()
        await self._bus.close()
        print(json.dumps({"beats": self._last}), flush=True)

    async def _announce(self) -> None:
        await self._begun.wait()
        print(json.dumps({"feeding": self._feeding.partitions}), flush=True)

    async def _feed(self, partition: str) -> None:
        """Publish beat after beat; after an outage the market has waited, it does not catch up."""
        feeding = self._feeding
        market = Market(underlying=partition, run=feeding.run, seed=feeding.seed)
        step_s, clock = 1 / feeding.beats_per_s, asyncio.get_running_loop().time
        due = clock()
        second = 1
        while not self._stop.is_set():
            pulse = market.pulse(second, server_clock=feeding.server_clock)
            try:
                await self._bus.publish(partition, market.messages(second), pulse)
            except (
                LostOwnership
            ):  # refused as a whole, say because the log was emptied: once more, as a new owner
                await self._bus.declare(feeding.partitions)
                continue
            except BusDown:
                return
            self._last[partition] = second
            second += 1
            if all(self._last.values()):
                self._begun.set()
            due = max(due + step_s, clock() - step_s)
            await asyncio.sleep(max(0.0, due - clock()))


def main(settings: str) -> None:
    """Feed as told by a JSON object until SIGTERM."""
    calm_garbage()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(Feeder(Feeding(**json.loads(settings))).run())


if __name__ == "__main__":
    main(sys.argv[1])
