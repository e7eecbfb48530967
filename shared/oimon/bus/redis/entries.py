"""Replies of Redis, as entries."""

from collections.abc import Mapping, Sequence
from typing import Any

from oimon import codec
from oimon.bus import Entry
from oimon.bus.log import Parked
from oimon.bus.redis.keys import stream_of

DIGITS = 19
"""Of the largest number that we write; Python refuses to read one of thousands."""


def text(value: Any) -> str:
    """Return what the server sent as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def unpaired(entry_id: Any, told: Sequence[Any]) -> tuple[Any, Mapping[Any, Any]]:
    """Return an entry's id and fields, of which the server sends names and values in turn."""
    return entry_id, dict(zip(told[::2], told[1::2], strict=True))


def entry(stream: str, partition: str, entry_id: Any, fields: Mapping[Any, Any]) -> Entry:
    """Return an entry; fields that are missing, or none of ours, are empty, so that decoding it says what is wrong."""
    get = fields.get
    return Entry(
        stream=stream,
        partition=partition,
        id=text(entry_id),
        kind=get(b"t", b"").decode(errors="replace"),
        version=_number(get(b"v", b"")),
        data=get(b"d", b""),
        n=_number(get(b"n", b"")),
        at_ms=_number(get(b"at", b"")),
    )


def _number(value: bytes) -> int:
    return int(value) if value.isdigit() and len(value) <= DIGITS else 0


def entries(reply: Any, partition: str) -> list[Entry]:
    """Return the entries of a reply that names the stream of each."""
    return [
        entry(stream_of(text(key)), partition, *row) for key, rows in reply or () for row in rows
    ]


def parked(role: str, partition: str, parked_id: Any, fields: Mapping[Any, Any]) -> Parked:
    """Return what was set aside."""
    get = {text(name): value for name, value in fields.items()}
    return Parked(
        id=text(parked_id),
        role=role,
        why=text(get["why"]),
        at_ms=int(get["at"]),
        tries=int(get["tries"]),
        entry=entry(text(get["s"]), partition, get.get("id", parked_id), fields),
    )


def aside(of: Entry, why: str, tries: int) -> list[Any]:
    """Return what is kept of an entry that is set aside: why, tries, s, v, t, and d where it is not too large."""
    told = [why, tries, of.stream, of.version, of.kind]
    return [*told, of.data] if len(of.data) <= codec.MAX_BYTES else told
