"""One row's own world: a server, replicas of services, a feed, proxies; all of it ended when the row is over."""

import asyncio
import contextlib
import json
import random
import secrets
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from oimon.codec import SCHEMA
from oimon.messages import ANALYSIS, TICKS
from tests.chaos.feeder import Feeding
from tests.chaos.findings import Findings
from tests.chaos.market import PARTITIONS
from tests.chaos.processes import Process, clean_environment, python
from tests.chaos.proxy import Proxy
from tests.chaos.replica import Replica
from tests.chaos.server import Server
from tests.chaos.waiting import DidNot, until
from tests.chaos.written import Written
from tests.integration.conftest import free_port

REFUSALS = ("oi_bus_fenced_total", "oi_bus_diverged_total", "oi_bus_duplicate_refused_total")
READY_S = 30.0
AUDIT_S = 300.0
FEEDER_ENDS_S = 30.0
_PAGE = 200
_PLANT = """
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local n = redis.call('HINCRBY', KEYS[2], 'out_n', 1)
return redis.call('XADD', KEYS[1], '*', 'n', n, 'at', at, 'w', 'chaos', 'v', ARGV[1], 't', ARGV[2], 'd', ARGV[3])
"""


class World:
    """A server, replicas, a feed and proxies on ports and folders of their own.

    Args:
        folder: an empty folder.
        seed: of everything that is left to chance.
        removed: protections that this world's processes run without.
    """

    def __init__(self, folder: Path, *, seed: int, removed: Sequence[str] = ()) -> None:
        self.folder = folder
        self.seed = seed
        self.removed = tuple(removed)
        self.dice = random.Random(seed)
        self.replicas: list[Replica] = []
        self.partitions: Sequence[str] = PARTITIONS
        self.run = f"chaos-{seed}-{secrets.token_hex(3)}"
        self.fed: Counter[str] = Counter()
        """Beats that feeders say they have published, by underlying."""
        self.may_lose = False
        """The row makes the log lose or drop what was published."""
        self._feeders: list[Process] = []
        self._proxies: list[Proxy] = []
        self.at_end = contextlib.ExitStack()
        """What is undone when the server has ended."""
        self.server = Server(folder / "server", keeps_log="aof" not in removed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in [*self._feeders, *(replica.process for replica in self.replicas)]:
            process.kill()
        for proxy in self._proxies:
            await proxy.close()
        await self.server.close()
        self.at_end.close()

    # --- making things -----------------------------------------------------------------------------------------------

    def replica(
        self,
        service: str,
        *,
        through: Proxy | None = None,
        planted: Sequence[str] = (),
        limits: Mapping[int, int] | None = None,
        **environment: str,
    ) -> Replica:
        """Start one more replica of a service.

        Args:
            service: its name.
            through: the proxy between it and the server.
            planted: mistakes that this replica is given, beside the protections that all lack.
            limits: of its process.
            **environment: more settings.
        """
        port = free_port()
        variables = {
            "REDIS_URL": (through or self.server).url,
            "HTTP_PORT": str(port),
            "DATA_DIR": str(self.folder / "data"),
            "TICKS_KEEP_S": "7200",
            "ANALYSIS_KEEP": "200000",
        }
        changes = [*self.removed, *planted]
        module = ["tests.chaos.without", ",".join(changes)] if changes else ["oimon.cli"]
        process = Process(
            python(*module, "run", service, "--attached"),
            output=self.folder / f"{service}-{len(self.replicas)}.out",
            environment=clean_environment(**variables | environment),
            folder=self.folder,
            limits=limits,
        )
        replica = Replica(service=service, process=process, port=port)
        self.replicas.append(replica)
        return replica

    async def ready(self, *replicas: Replica, within_s: float = READY_S) -> None:
        """Wait until these replicas (all living ones, if none is named) are ready."""
        for replica in replicas or self.alive():
            await until(replica.is_ready, f"get {replica.service} ready", within_s=within_s)

    async def start(self, *services: str) -> list[Replica]:
        """Start the server, then a replica of each service named, and wait until they are ready."""
        await self.server.start()
        started = [self.replica(service) for service in services]
        await self.ready(*started)
        return started

    async def proxy(self) -> Proxy:
        """Make a proxy to the server."""
        proxy = Proxy(self.server.port, self.dice)
        self._proxies.append(proxy)
        await proxy.start()
        return proxy

    def feed(
        self, *, through: Proxy | None = None, planted: Sequence[str] = (), **how: Any
    ) -> Process:
        """Start a feeder, each with a run of its own; ``how`` are fields of ``Feeding``."""
        feeding = Feeding(
            url=(through or self.server).url,
            partitions=list(self.partitions),
            run=f"{self.run}-{len(self._feeders)}",
            seed=self.seed,
            **how,
        )
        changes = [*self.removed, *planted]
        command = (
            ["tests.chaos.without", ",".join(changes), "feed"]
            if changes
            else ["tests.chaos.feeder"]
        )
        feeder = Process(
            python(*command, feeding.argument()),
            output=self.folder / "feeder.out",
            environment=clean_environment(),
            folder=self.folder,
            piped=True,
        )
        self._feeders.append(feeder)
        return feeder

    async def feeding(self, feeder: Process) -> None:
        """Wait until a feeder has published a beat of each underlying."""
        await asyncio.to_thread(feeder.read_line)

    async def end_feed(self) -> None:
        """Stop the feeders and note what they have published."""
        for feeder in self._feeders:
            if feeder.code is None:
                feeder.send(signal.SIGCONT)  # a row that was broken off may have left it stopped
                feeder.send(signal.SIGTERM)
                said = await asyncio.to_thread(feeder.read_rest, FEEDER_ENDS_S)
                if said:
                    self.fed.update(json.loads(said.splitlines()[-1])["beats"])

    async def plant(self, partition: str, kind: str, data: bytes, *, version: int = SCHEMA) -> str:
        """Append an entry to an underlying's ticks behind the producer's back; return its id."""
        keys = [f"{TICKS}:{{{partition}}}", f"oi.own:{{{partition}}}:ingest"]
        planted = await self.server.client.eval(_PLANT, 2, *keys, str(version), kind, data)
        return planted.decode()

    # --- looking -----------------------------------------------------------------------------------------------------

    def alive(self, service: str | None = None) -> list[Replica]:
        return [each for each in self.replicas if each.is_alive and service in (None, each.service)]

    async def now_ms(self) -> int:
        """Return the server's time."""
        seconds, micros = await self.server.client.time()
        return seconds * 1000 + micros // 1000

    async def record(self, role: str, partition: str) -> dict[str, str]:
        """Return the ownership record."""
        found = await self.server.client.hgetall(f"oi.own:{{{partition}}}:{role}")
        return {name.decode(): value.decode() for name, value in found.items()}

    async def owners(self, role: str) -> dict[str, str]:
        """Return who owns each underlying; those that nobody owns are left out."""
        records = {each: await self.record(role, each) for each in self.partitions}
        return {each: record["owner"] for each, record in records.items() if record.get("owner")}

    async def owner(self, role: str = "analytics") -> tuple[Replica, list[str]]:
        """Return a living replica that owns something, by the dice, and what it owns."""

        async def found() -> list[tuple[Replica, list[str]]]:
            owners = await self.owners(role)
            held = [
                (replica, [each for each, owner in owners.items() if owner == replica.name])
                for replica in self.alive()
                if await replica.has_name()
            ]
            return [(replica, owned) for replica, owned in held if owned]

        return self.dice.choice(await until(found, f"find an owner for {role}", within_s=READY_S))

    async def written(self, stream: str, partition: str, after: str = "-") -> list[Written]:
        """Return the entries of a stream, with when and by whom they were written."""
        found: list[Written] = []
        start = after
        while True:
            page = await self.server.client.xrange(
                f"{stream}:{{{partition}}}", start, "+", count=_PAGE
            )
            found += [Written.of(stream, partition, *row) for row in page]
            if len(page) < _PAGE:
                return found
            start = f"({page[-1][0].decode()}"

    async def newest(self, stream: str, partition: str, kind: str | None = None) -> Written | None:
        """Return the newest entry, or the newest of a kind among the last few."""
        rows = await self.server.client.xrevrange(f"{stream}:{{{partition}}}", count=20)
        entries = [Written.of(stream, partition, *row) for row in rows]
        return next((each for each in entries if kind in (None, each.entry.kind)), None)

    async def settled(self, within_s: float = READY_S) -> None:
        """Wait until the newest beat of every underlying has its analysis."""

        async def answered() -> bool:
            for partition in self.partitions:
                beat = await self.newest(TICKS, partition, "beat")
                analysis = await self.newest(ANALYSIS, partition)
                if beat and (analysis is None or analysis.entry.id != beat.entry.id):
                    return False
            return True

        await until(answered, "answer the newest beats", within_s=within_s)

    async def parked(self, partition: str, role: str = "analytics") -> list[tuple[str, str]]:
        """Return the ids and reasons of what a role has set aside."""
        rows = await self.server.client.xrange(f"oi.dead.v1:{{{partition}}}:{role}")
        return [(row[0].decode(), row[1].get(b"why", b"").decode()) for row in rows]

    async def measure(self) -> Findings:
        """Return what ``oi audit`` says of the log; beats that a feeder has published and that the log lacks are missing too.

        Raises:
            DidNot: the audit has no answer, or an exit code that is not of its answer.
        """
        audited, total = await self._audited(), Findings()
        for underlying in self.partitions:
            findings = audited.get(underlying, Findings())
            lost = max(0, self.fed[underlying] - findings.beats)
            total = total + findings + Findings(missing=0 if self.may_lose else lost)
        return total

    async def _audited(self) -> dict[str, Findings]:
        audit = Process(
            python("oimon.cli", "audit", "--json", "--no-database"),
            output=self.folder / "audit.out",
            environment=clean_environment(REDIS_URL=self.server.url),
            folder=self.folder,
            piped=True,
        )
        said = await asyncio.to_thread(audit.read_rest, AUDIT_S)
        if not said or audit.code != (0 if json.loads(said)["clean"] else 1):
            raise DidNot(f"did not audit the log (code {audit.code}), see {audit.output.name}")
        return {each["underlying"]: Findings.of(each) for each in json.loads(said)["underlyings"]}

    async def count(self, *names: str) -> int:
        """Return the sum of these metrics over every process there was, as last seen."""
        for replica in self.alive():
            await replica.look()
        return round(sum(replica.counters[name] for replica in self.replicas for name in names))
