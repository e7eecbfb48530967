"""Messages to bytes and back, checked.

JSON with sorted keys for everything a person may want to read; packed records for ticks. Floats are rounded to nine
significant digits in ``plain`` and nowhere else, so that a last bit of difference between two machines' maths does not show.

Source: messages-sketch (encoding), bus contract sections 2 and 10 (size limit, poison).
"""

import struct
from functools import cache, lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from oimon import plain
from oimon.errors import PoisonMessage
from oimon.messages import DAY, KINDS, TICK, Message, TickBatch, TickFlag

SCHEMA = 1
"""Field ``v`` of an entry."""
MAX_BYTES = 256 * 1024
"""An entry's ``d`` is at most this long."""
MAX_TICKS = 4000
"""Ticks in one batch; 4,096 with a head would be longer than an entry may be."""

_HEAD = struct.Struct("<HHI8sq")
_KIND_OF = {cls: kind for kind, cls in KINDS.items()}


def kind_of(message: Message) -> str:
    """Return the name that an entry's field ``t`` carries for this message."""
    return _KIND_OF[type(message)]


def encode(message: Message) -> bytes:
    """Return the message as an entry's ``d``.

    Raises:
        ValueError: the message is larger than an entry may be.
    """
    data = _pack(message) if isinstance(message, TickBatch) else plain.dumps(message)
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"a message may have {MAX_BYTES} bytes, this {kind_of(message)} has {len(data)}"
        )
    return data


def decode(kind: str, version: int, data: bytes) -> Message:
    """Return the message that an entry holds; fields that a newer writer added are ignored.

    Raises:
        PoisonMessage: unknown kind, too large, or not such a message.
    """
    if len(data) > MAX_BYTES:
        raise PoisonMessage(f"an entry may have {MAX_BYTES} bytes, this {kind} has {len(data)}")
    if kind not in KINDS:
        raise PoisonMessage(f"unknown kind of message {kind!r}, known are {', '.join(KINDS)}")
    if version < 1:
        raise PoisonMessage(f"schema must be at least 1, was {version}")
    if kind == "ticks":
        return _unpack(data)
    try:
        message: Message = _decoder(kind).decode(data)
        return message
    except (msgspec.MsgspecError, ValueError) as error:
        raise PoisonMessage(f"not a message of kind {kind}: {error}") from error


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(KINDS[kind], dec_hook=_column)


@lru_cache(maxsize=plain.ROWS_KEPT)
def _array(values: tuple[float | None, ...]) -> npt.NDArray[np.float64]:
    """Return a column, None become NaN; most columns of a beat are those of the beat before, so it is shared and read-only."""
    column = np.array(values, dtype=np.float64)
    column.flags.writeable = False
    return column


def _column(kind: type, value: Any) -> Any:
    if getattr(kind, "__origin__", None) is np.ndarray:
        return _array(tuple(value))
    raise NotImplementedError(f"no way to read {kind}")


# --- ticks ---------------------------------------------------------------------------------------------------------


def _pack(batch: TickBatch) -> bytes:
    count = len(batch.records)
    if count > MAX_TICKS:
        raise ValueError(f"a batch may have {MAX_TICKS} ticks, this has {count}")
    head = _HEAD.pack(SCHEMA, 0, count, bytes.fromhex(batch.table), batch.received_us)
    day = b"" if batch.day is None else batch.day.tobytes()
    return head + batch.records.tobytes() + day


def _unpack(data: bytes) -> TickBatch:
    if len(data) < _HEAD.size:
        raise PoisonMessage(f"a tick batch has at least {_HEAD.size} bytes, found {len(data)}")
    version, _, count, table, received_us = _HEAD.unpack_from(data)
    end = _HEAD.size + count * TICK.itemsize
    if version < 1 or count > MAX_TICKS or end > len(data):
        raise PoisonMessage(
            f"a tick batch of schema {version} with {count} ticks in {len(data)} bytes"
        )
    records = np.frombuffer(data, TICK, count, _HEAD.size)
    days = int(np.count_nonzero(records["flags"] & TickFlag.DAY))
    if len(data) != end + days * DAY.itemsize:
        raise PoisonMessage(
            f"{count} ticks with {days} day records need {end + days * DAY.itemsize} bytes, found {len(data)}"
        )
    day = np.frombuffer(data, DAY, days, end) if days else None
    return TickBatch(received_us=received_us, table=table.hex(), records=records, day=day)
