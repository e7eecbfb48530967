"""What a live feed told beside its frames, to bytes and back (pure): beats, gaps, what explains the frames from then on.

A replay tells it again at the same places, so that it comes to the same analyses. Ticks stand here only where the log had them
and the recording had not: their frames were lost with the process that received them. Source: rulings, 5 and 24.
"""

from collections.abc import Sequence

import msgspec

from ingest.header import Header
from oimon import codec
from oimon.errors import PoisonMessage
from oimon.messages import Beat, Gap, TickBatch

What = Header | Gap | Beat | TickBatch
Told = tuple[int, What]
"""Number of the block's frames that came before, and what was told then."""
_HEADER = "header"
_KINDS = {"beat", "gap", "ticks"}
_LIST = msgspec.msgpack.Decoder(list[tuple[int, str, bytes]])


def pack_told(told: Sequence[Told]) -> bytes:
    """Return the bytes of what was told, in its order; none for nothing."""
    return (
        msgspec.msgpack.encode([(before, *_packed(what)) for before, what in told]) if told else b""
    )


def unpack_told(data: bytes) -> list[Told]:
    """Return what was told; kinds of a newer version are left out.

    Raises:
        ValueError: the bytes are no such list.
    """
    if not data:
        return []
    try:
        read = ((before, _unpacked(kind, each)) for before, kind, each in _LIST.decode(data))
        return [(before, what) for before, what in read if what is not None]
    except (msgspec.MsgspecError, PoisonMessage) as error:
        raise ValueError(f"it tells what cannot be read ({error})") from error


def _packed(what: What) -> tuple[str, bytes]:
    if isinstance(what, Header):
        return _HEADER, msgspec.json.encode(what)
    return codec.kind_of(what), codec.encode(what)


def _unpacked(kind: str, data: bytes) -> What | None:
    if kind == _HEADER:
        return msgspec.json.decode(data, type=Header)
    message = codec.decode(kind, codec.SCHEMA, data) if kind in _KINDS else None
    return message if isinstance(message, (Gap, Beat, TickBatch)) else None
