"""Messages to bytes and back, checked.

JSON with sorted keys for everything a person may want to read; packed records for ticks. Floats are rounded to nine
significant digits here and nowhere else, so that a last bit of difference between two machines' maths does not show.

Source: messages-sketch (encoding), bus contract sections 2 and 10 (size limit, poison).
"""

import dataclasses
import struct
from collections.abc import Hashable, Mapping
from enum import Enum
from functools import cache
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from oimon.errors import PoisonMessage
from oimon.messages import DAY, KINDS, TICK, Message, TickBatch, TickFlag

SCHEMA = 1
"""Field ``v`` of an entry."""
MAX_BYTES = 256 * 1024
"""An entry's ``d`` is at most this long."""
MAX_TICKS = 4096
"""Ticks in one batch."""

_HEAD = struct.Struct("<HHI8sq")
_POWERS = np.array([float(f"1e{k}") for k in range(23)])  # each exact
_SMALLEST = 13  # 1e-13 and below are rounded to fewer digits
_STEPS = np.array([float(f"1e{k}") for k in range(-_SMALLEST, 16)])
_KIND_OF = {cls: kind for kind, cls in KINDS.items()}


def kind_of(message: Message) -> str:
    """Return the name that an entry's field ``t`` carries for this message."""
    return _KIND_OF[type(message)]


def encode(message: Message) -> bytes:
    """Return the message as an entry's ``d``.

    Raises:
        ValueError: the message is larger than an entry may be.
    """
    data = _pack(message) if isinstance(message, TickBatch) else _dumps(_plain(message))
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


def round9(value: float) -> float | None:
    """Return ``value`` rounded to nine significant digits; ``None`` for NaN and infinity."""
    if not np.isfinite(value):
        return None
    return float(f"{value:.9g}")


def round9_array(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``values`` of any shape rounded to nine significant digits, NaN where not finite.

    A power of ten is exact to 1e22, so digits / power is the nearest double to the decimal, as parsing would give.
    """
    size = np.abs(values)
    finite = np.isfinite(size)
    digits = np.searchsorted(_STEPS, np.where(finite, size, 0.0), side="right") - _SMALLEST
    scale = _POWERS[np.clip(9 - digits, 0, 22)]
    unit = _POWERS[np.clip(digits - 9, 0, 22)]
    rounded = np.rint(values * scale / unit) / scale * unit
    result: npt.NDArray[np.float64] = np.where(finite, rounded, np.nan)
    return result


# --- JSON ----------------------------------------------------------------------------------------------------------


def _dumps(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)


@cache
def _plan(cls: Hashable) -> tuple[tuple[str, str], ...]:
    """Each field of a message's class with how its value is made plain, in order of name."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(sorted((f.name, _way(hints[f.name])) for f in dataclasses.fields(cast(Any, cls))))


def _way(hint: object) -> str:
    extras = getattr(hint, "__metadata__", ())
    if extras:
        return str(extras[0])
    return "any"


def _plain(value: Any) -> Any:
    if value is None or type(value) in {str, int, bool}:
        return value
    if isinstance(value, float):
        return round9(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return _plain_record(value)


def _plain_record(record: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    floats: list[str] = []
    for name, way in _plan(cast(Hashable, type(record))):
        value = getattr(record, name)
        if way == "float":
            floats.append(name)
        elif way == "count":
            plain[name] = _counts(value)
        else:
            plain[name] = _plain(value)
    if floats:
        rounded = round9_array(np.array([getattr(record, name) for name in floats]))
        plain.update(zip(floats, rounded, strict=True))
    return plain


def _counts(column: npt.NDArray[np.float64]) -> Any:
    known = np.isfinite(column)
    if known.all():
        return column.astype(np.int64)
    if not known.any():
        return [None] * len(column)
    return [int(v) if k else None for v, k in zip(column.tolist(), known.tolist(), strict=True)]


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(KINDS[kind], dec_hook=_column)


def _column(kind: type, value: Any) -> Any:
    if get_origin(kind) is np.ndarray or kind is np.ndarray:
        return np.array(value, dtype=np.float64)  # None becomes NaN
    raise NotImplementedError(f"no way to read {kind} from {get_args(kind)}")  # pragma: no cover


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
