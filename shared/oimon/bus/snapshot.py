"""A role's state as it is kept in the log: whose shape, up to which entry, unharmed (pure). Source: bus contract, section 8."""

import hashlib
from dataclasses import dataclass

import msgspec

from oimon.bus.log import stamp


@dataclass(frozen=True, kw_only=True)
class _Head:
    schema: int
    cursor: str
    n: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The state of a role after an entry of its input."""

    cursor: str
    n: int
    state: bytes


def pack(schema: int, snapshot: Snapshot) -> bytes:
    """Return a snapshot as it is kept: a line of JSON, then the state."""
    head = _Head(schema=schema, cursor=snapshot.cursor, n=snapshot.n, sha256=_sum(schema, snapshot))
    return msgspec.json.encode(head) + b"\n" + snapshot.state


def unpack(schema: int, data: bytes, *, at_most: str) -> Snapshot:
    """Return what was kept.

    Args:
        schema: number of the shape that is wanted.
        data: what :func:`pack` gave.
        at_most: cursor that the log has come to.

    Raises:
        ValueError: it is of another shape, not as it was written, or of later than the log.
    """
    line, _, state = data.partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
    except msgspec.MsgspecError as error:
        raise ValueError(f"a snapshot begins with a line of JSON, found {line[:40]!r}") from error
    if head.schema != schema:
        raise ValueError(f"the snapshot is of schema {head.schema}, this version reads {schema}")
    snapshot = Snapshot(cursor=head.cursor, n=head.n, state=state)
    if _sum(schema, snapshot) != head.sha256:
        raise ValueError("the snapshot's checksum is wrong")
    if stamp(snapshot.cursor) > stamp(at_most):
        raise ValueError(f"the snapshot stands at {snapshot.cursor}, the log at {at_most}")
    return snapshot


def _sum(schema: int, snapshot: Snapshot) -> str:
    """Return the checksum of all of it: a state at another place is another state."""
    place = f"{schema} {snapshot.cursor} {snapshot.n}\n".encode()
    return hashlib.sha256(place + snapshot.state).hexdigest()
