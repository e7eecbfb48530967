"""An analyst's whole state as bytes, exactly: what a snapshot holds (pure).

Records go by their types, so that a new field is kept without a word here; columns go as the bytes of their numbers. Left out
is only what was remembered to save work: it is worked out again, to the same bits. The bytes come from outside: they are data,
nothing in them is ever run. Source: bus contract, section 8.
"""

import zlib
from collections import deque
from dataclasses import replace
from typing import Any, get_args, get_origin

import msgspec
import numpy as np

from analytics.book import BookState, ChainBook
from analytics.desk import Desk
from analytics.history import Kept, RollingTicks
from analytics.packing import LEVEL
from analytics.run import MINUTES, without_memories
from oimon.bus import Keeping

SCHEMA = 8
"""Number of the state's shape: it grows with any change of a kept record or of its encoding."""


def freeze(desk: Desk) -> bytes:
    """Return the whole state; of equal states the same bytes."""
    run = None if desk.run is None else without_memories(desk.run)
    # Not compressed, as its large parts are already: this only puts a checksum over all of it.
    return zlib.compress(_ENCODER.encode(replace(desk, run=run)), 0)


def thaw(partition: str, data: bytes) -> Desk:
    """Return the state that was frozen.

    Raises:
        ValueError: these are not the bytes of a state of this partition.
    """
    try:
        desk: Desk = _DECODER.decode(zlib.decompress(data))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"these bytes are no state of an analyst: {error}") from error
    if desk.partition != partition:
        raise ValueError(f"the state is of {desk.partition}, not of {partition}")
    return desk


KEEPING: Keeping[Desk] = Keeping(schema=SCHEMA, freeze=freeze, thaw=thaw)


def _plain(value: object) -> object:
    """Return what stands for a value that msgspec does not know."""
    match value:
        case np.ndarray():
            return value.shape, zlib.compress(value.tobytes(), LEVEL)
        case ChainBook():
            return value.state()
        case RollingTicks():
            return value.kept()
        case deque():
            return list(value)
        case _:
            raise TypeError(f"a state has no value of type {type(value).__name__}")


def _made(hint: Any, told: Any) -> Any:
    """Return the value of that type that was made plain."""
    origin = get_origin(hint) or hint
    if origin is np.ndarray:
        (shape, packed), numbers = told, get_args(get_args(hint)[1])[0]
        try:
            return np.frombuffer(zlib.decompress(packed), numbers).reshape(shape).copy()
        except zlib.error as error:
            raise ValueError(f"a column is damaged: {error}") from error
    if origin is ChainBook:
        return ChainBook.of(msgspec.convert(told, BookState, dec_hook=_made))
    if origin is RollingTicks:
        return RollingTicks.of(msgspec.convert(told, Kept, dec_hook=_made))
    if origin is deque:
        return deque(msgspec.convert(told, list[get_args(hint)[0]]), maxlen=MINUTES)  # type: ignore[misc]  # a type made here
    raise TypeError(f"a state has no value of type {hint}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_DECODER = msgspec.msgpack.Decoder(Desk, dec_hook=_made)
