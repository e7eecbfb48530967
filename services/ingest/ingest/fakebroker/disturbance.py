"""What a fault puts beside a packet of the stream (pure but for the dice). The packet itself comes whole all the same."""

import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ingest.fakebroker.faults import Fault
from ingest.fakebroker.packet import SNAP_BYTES

TEXT = b'{"correlationID":"","errorCode":"E9999","errorMessage":"Nobody asked."}'
"""A text frame that answers nothing."""
BURSTS, BURST_PACKETS = 10, 1000
_DAY_MS = 86_400_000
_TIME_AT, _LTP_AT, _OI_AT = 35, 43, 131
_NUMBER = struct.Struct("<q")
_ABSURD_PRICE, _ABSURD_OI = 2**62, -5
_TAIL_BYTES, _MOST_RANDOM = 21, 1500


class Beside(NamedTuple):
    """Packets before and after the one that is disturbed."""

    before: Sequence[bytes] = ()
    after: Sequence[bytes] = ()


def beside(fault: Fault, packet: bytes, previous: bytes | None, dice: random.Random) -> Beside:
    """Return what comes beside a packet.

    Args:
        fault: one of ``faults.PACKET``, but for TEXT, which is no packet.
        packet: as it is sent.
        previous: the one before it of its token and mode, if there was one.
        dice: for lengths and bytes.
    """
    match fault:
        case Fault.DUPLICATE:
            found = Beside(after=[packet])
        case Fault.OUT_OF_ORDER:
            found = Beside(after=[] if previous is None else [previous])
        case _:
            found = Beside(before=[_damaged(fault, packet, dice)])
    return found


def _damaged(fault: Fault, packet: bytes, dice: random.Random) -> bytes:
    damage: Mapping[Fault, Callable[[], bytes]] = {
        Fault.TRUNCATED: lambda: packet[: dice.randrange(len(packet))],
        Fault.OVERSIZED: lambda: packet + dice.randbytes(_TAIL_BYTES),
        Fault.RANDOM: lambda: dice.randbytes(dice.randrange(1, _MOST_RANDOM)),
        Fault.WRONG_MODE: lambda: bytes([packet[0] % 4 + 1]) + packet[1:],
        Fault.ABSURD: lambda: _absurd(packet),
        Fault.CLOCK_AHEAD: lambda: _at(packet, _DAY_MS),
        Fault.OLD_DAY: lambda: _at(packet, -_DAY_MS),
    }
    return damage[fault]()


def bursts(newest: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Give ten times 1,000 packets: prices that shake by a few steps, at the end each token's newest as it is.

    Args:
        newest: packets of a connection's subscriptions, at most 1,000, at least one.
    """
    for burst in range(BURSTS):
        shaken = [
            _with(packet, _LTP_AT, _number(packet, _LTP_AT) + 5 * (1 + (burst + place) % 7))
            for place, packet in zip(
                range(BURST_PACKETS), _cycle(newest, BURST_PACKETS), strict=True
            )
        ]
        if burst == BURSTS - 1:
            shaken[-len(newest) :] = newest
        yield shaken


def _cycle(newest: Sequence[bytes], count: int) -> list[bytes]:
    return [newest[place % len(newest)] for place in range(count)]


def _absurd(packet: bytes) -> bytes:
    found = _with(packet, _LTP_AT, _ABSURD_PRICE)
    return _with(found, _OI_AT, _ABSURD_OI) if len(packet) == SNAP_BYTES else found


def _at(packet: bytes, later_ms: int) -> bytes:
    return _with(packet, _TIME_AT, _number(packet, _TIME_AT) + later_ms)


def _number(packet: bytes, offset: int) -> int:
    found: int = _NUMBER.unpack_from(packet, offset)[0]
    return found


def _with(packet: bytes, offset: int, value: int) -> bytes:
    return packet[:offset] + _NUMBER.pack(value) + packet[offset + _NUMBER.size :]
