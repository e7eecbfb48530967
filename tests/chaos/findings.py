"""What ``oi audit --json`` says of a row's log, summed up over its underlyings (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Counts of one or more audits; all but the first two are faults of the log."""

    beats: int = 0
    analyses: int = 0
    missing: int = 0
    duplicate: int = 0
    unequal: int = 0
    out_of_order: int = 0
    hole: int = 0
    stray: int = 0
    passed_over: int = 0

    @classmethod
    def of(cls, underlying: Mapping[str, Any]) -> Self:
        """Return what an audit that left the database out says of one underlying."""
        return cls(**{each.name: underlying[each.name] for each in fields(cls)})

    def __add__(self, other: "Findings") -> "Findings":
        names = [each.name for each in fields(self)]
        return Findings(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def faults(self) -> dict[str, int]:
        """What is wrong: name to count, without those that are 0."""
        counts = {each.name: getattr(self, each.name) for each in fields(self)[2:]}
        return {name: count for name, count in counts.items() if count}
