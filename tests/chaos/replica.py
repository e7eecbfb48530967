"""One process of a service, as the runner sees it."""

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.processes import Process
from tests.chaos.waiting import DidNot, until


@dataclass(eq=False, kw_only=True)
class Replica:
    """One process of a service."""

    service: str
    process: Process
    port: int
    name: str = ""
    """What it calls itself, once it has answered."""
    counters: Counter[str] = field(default_factory=Counter)
    """Its metrics when it was last looked at: name to the sum over all labels."""

    @property
    def is_alive(self) -> bool:
        return self.process.code is None

    async def get(self, path: str) -> tuple[int, bytes]:
        """Return what it answers; status 0 when it does not."""

        def ask() -> tuple[int, bytes]:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}{path}", timeout=5
                ) as got:
                    return got.status, got.read()
            except urllib.error.HTTPError as error:
                return error.code, error.read()
            except OSError:
                return 0, b""

        return await asyncio.to_thread(ask)

    async def is_ready(self) -> bool:
        """Say whether it is ready; learn its name on the way."""
        if not self.is_alive:
            raise DidNot(f"{self.service} ended with code {self.process.code}, see {self.process.output.name}")  # fmt: skip
        return await self.has_name() and (await self.get("/readyz"))[0] == 200

    async def has_name(self) -> bool:
        """Learn its name, unless it is known; say whether it is."""
        if not self.name:
            status, body = await self.get("/status")
            found = json.loads(body) if status == 200 else {}
            if found.get("pid") == self.process.pid:
                self.name = found["replica"]
        return bool(self.name)

    async def look(self) -> Counter[str]:
        """Read its metrics, as far as it answers."""
        status, body = await self.get("/metrics")
        if status == 200:
            self.counters = _sums(body.decode())
        return self.counters

    def stop(self) -> None:
        self.process.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send(signal.SIGCONT)

    def terminate(self) -> None:
        self.process.send(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill it, after a last look at its metrics."""
        if self.is_alive:
            await self.look()
        self.process.kill()

    async def ended(self, within_s: float) -> int:
        """Return its exit code, once it has ended by itself."""

        async def has_ended() -> bool:
            return not self.is_alive

        await until(has_ended, f"end {self.service}", within_s=within_s)
        return self.process.code


def _sums(text: str) -> Counter[str]:
    """Return Prometheus text: each series, and under its bare name the sum over all labels."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            bare, brace, _ = name.partition("{")
            if brace:
                found[name] = float(value)
            found[bare] += float(value)
    return found
