"""Messages to bytes and back, checked.

JSON with sorted keys for everything a person may want to read; packed records for ticks. Floats are rounded to nine
significant digits in ``plain`` and nowhere else, so that a last bit of difference between two machines' maths does not show.

Source: messages-sketch (encoding), bus contract sections 2 and 10 (size limit, poison).
"""

import dataclasses
import struct
from collections.abc import Callable
from functools import cache, lru_cache
from types import GenericAlias
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from oimon import machine_text, plain
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
    if isinstance(message, TickBatch):
        return _checked(_pack(message), message)
    data = machine_text.json_of(message)
    return _checked(plain.dumps(plain.plain(message)) if data is None else data, message)


def encode_and_decode(message: Message) -> tuple[bytes, Message]:
    """Return the message as an entry's ``d``, and what :func:`decode` would make of that, without reading it.

    For those who write and read in one process: rounding is done already, only the text need not be parsed.

    Raises:
        ValueError: the message is larger than an entry may be.
    """
    if isinstance(message, TickBatch):
        return _checked(_pack(message), message), message
    written = machine_text.json_of(message)
    if written is not None:
        return _checked(written, message), decode(kind_of(message), SCHEMA, written)
    found = plain.plain(message)
    data = _checked(plain.dumps(found), message)
    return data, msgspec.convert(found, type(message), dec_hook=_column)


def _checked(data: bytes, message: Message) -> bytes:
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
        return _reader(kind)(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # the last: nested too deep
        raise PoisonMessage(f"not a message of kind {kind}: {error}") from error


# --- columns -------------------------------------------------------------------------------------------------------
# A column is left as text until it is known whether it is new: most columns of a beat are those of the beat before.


class _Closed(NamedTuple):
    """The type that JSON is read as, its columns still text, and what makes the message's own value of that."""

    hint: Any
    opened: Callable[[Any], Any]


@cache
def _reader(kind: str) -> Callable[[bytes], Message]:
    """Return what reads a message's JSON."""
    closed = _closed(KINDS[kind])
    if closed is None:
        return msgspec.json.Decoder(KINDS[kind]).decode
    decoder, opened = msgspec.json.Decoder(closed.hint), closed.opened
    return lambda data: opened(decoder.decode(data))


def _closed(hint: Any) -> _Closed | None:
    """Return how a value of this type is read, None where no column is in it."""
    if get_origin(hint) is Annotated:
        return _Closed(msgspec.Raw, lambda text: _array(bytes(text)))
    if get_origin(hint) is list:
        item = _closed(get_args(hint)[0])
        if item is not None:
            text, opened = item
            return _Closed(GenericAlias(list, text), lambda items: [opened(one) for one in items])
    return _closed_record(hint) if dataclasses.is_dataclass(hint) else None


def _closed_record(cls: Any) -> _Closed | None:
    """Return how a record is read: as a twin that differs in its columns only."""
    hints, fields = get_type_hints(cls, include_extras=True), dataclasses.fields(cls)
    parts = {field.name: _closed(hints[field.name]) for field in fields}
    if not any(parts.values()):
        return None
    told = [
        (
            field.name,
            hints[field.name] if (part := parts[field.name]) is None else part.hint,
            dataclasses.field(default=field.default, default_factory=field.default_factory),
        )
        for field in fields
    ]
    twin = dataclasses.make_dataclass(cls.__name__, told, kw_only=True, slots=True)
    names = tuple(parts)
    values_of = plain.getter(names)
    steps = [(name, part.opened) for name, part in parts.items() if part is not None]

    def opened(record: Any) -> Any:
        values = dict(zip(names, values_of(record), strict=True))
        for name, step in steps:
            values[name] = step(values[name])
        return cls(**values)

    return _Closed(twin, opened)


_NUMBERS = msgspec.json.Decoder(list[float | None])


@lru_cache(maxsize=plain.ROWS_KEPT)
def _array(text: bytes) -> npt.NDArray[np.float64]:
    """Return a column, null become NaN; shared by all messages that hold the same, so it is read-only."""
    column = np.array(_NUMBERS.decode(text), dtype=np.float64)
    column.flags.writeable = False
    return column


@lru_cache(maxsize=plain.ROWS_KEPT)
def _told(column: orjson.Fragment) -> npt.NDArray[np.float64]:
    return _array(orjson.dumps(column))


def _column(_: object, told: Any) -> npt.NDArray[np.float64]:
    """Return a column of a message that was made plain."""
    return _told(told)


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
