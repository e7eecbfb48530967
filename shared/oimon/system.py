"""Whether all services run, are ready and agree on who owns what, by what their replicas say of themselves (pure)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from oimon.terms import SERVICES

SILENT = (
    "no service has said anything for 10 s: none runs, or Redis takes no writes, as its memory (maxmemory) or its disk is full; "
    "the services' logs say which"
)


@dataclass(frozen=True, kw_only=True)
class System:
    """The services, as their live replicas describe them."""

    services: Sequence[Mapping[str, Any]]

    @cached_property
    def staying(self) -> list[Mapping[str, Any]]:
        """The statuses of those that are not being stopped."""
        return [item for item in self.services if item["state"] != "stopping"]

    @cached_property
    def missing(self) -> list[str]:
        """Services without a live replica; one that is being stopped is none."""
        return [name for name in SERVICES if name not in {s["service"] for s in self.staying}]

    @cached_property
    def unready(self) -> list[str]:
        """Replicas that are there and not ready, each with what it says of it."""
        return [
            f"{item['replica']}: {'; '.join(item['problems']) or item['state']}"
            for item in self.staying
            if item["state"] != "ready"
        ]

    @cached_property
    def contested(self) -> list[str]:
        """Partitions that more than one replica says that it owns, in plain words.

        An epoch is the instant, in ms, at which it was granted. What a replica said before somebody else was granted a newer
        one contradicts nothing: it has handed over since, or died.
        """
        claims = defaultdict(list)
        for item in self.services:
            for held in item["partitions"]:
                claim = _Claim(held["epoch"], item["replica"], item["at_us"] // 1000)
                claims[held["role"], held["partition"]].append(claim)
        found = []
        for (role, partition), claimed in sorted(claims.items()):
            newest = max(claimed)
            still = sorted(
                each for each in claimed if each is newest or each.said_ms > newest.epoch
            )
            if len(still) > 1:
                found.append(_dispute(role, partition, still))
        return found

    @property
    def troubles(self) -> list[str]:
        """What keeps it from being ready, in plain words."""
        gone = [f"not running: {', '.join(self.missing)}"] if self.missing else []
        if not self.services:
            gone = [SILENT]
        return [*gone, *self.unready, *self.contested]

    @property
    def is_ready(self) -> bool:
        """Whether every service is there and ready, and nothing is owned twice."""
        return not self.troubles

    def waits_for(self, wanted: Mapping[str, int]) -> list[str]:
        """Return, in plain words, what is not ready of the services that should run.

        Args:
            wanted: how many replicas of each service should run.
        """
        found = []
        for name, count in wanted.items():
            there = sum(item["service"] == name for item in self.staying)
            if there < count:
                of_all = "" if count == 1 else f" ({there} of {count} replicas have)"
                found.append(f"{name} has not answered{of_all}")
        return found + self.unready


class _Claim(NamedTuple):
    """A replica says that it owns a partition."""

    epoch: int
    replica: str
    said_ms: int


def _dispute(role: str, partition: str, claims: Sequence[_Claim]) -> str:
    names = " and ".join(f"{each.replica} (epoch {each.epoch})" for each in claims)
    return (
        f"{role} of {partition} is claimed by {names}: the log takes only the writes of {claims[-1].replica}; "
        f"should this stay for more than some seconds, restart {claims[0].replica}"
    )
