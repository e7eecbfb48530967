"""An entry as the runner reads it from the server, with who wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from oimon.bus import Entry


@dataclass(frozen=True, kw_only=True)
class Written:
    """An entry as it stands in the log, with when it was written (server ms) and by whom."""

    entry: Entry
    at: int
    by: str

    @classmethod
    def of(
        cls, stream: str, partition: str, entry_id: bytes, fields: Mapping[bytes, bytes]
    ) -> Self:
        """Return an entry as the server hands it over."""
        entry = Entry(
            stream=stream,
            partition=partition,
            id=entry_id.decode(),
            kind=fields[b"t"].decode(),
            version=int(fields[b"v"]),
            data=fields[b"d"],
            n=int(fields[b"n"]),
        )
        return cls(entry=entry, at=int(fields[b"at"]), by=fields[b"w"].decode())
