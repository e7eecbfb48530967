"""The broker's tokens to rows of the session's instruments, one packet at a time or many at once (pure)."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.packets import EXCHANGE_TYPES, SNAP_QUOTE
from ingest.words import Words, keys, usual
from oimon.messages import TickFlag
from oimon.terms import Kind

NAME_BYTES = 24
"""A packet's first bytes, which name its mode, exchange and token."""
MAX_TOKEN = NAME_BYTES - 3
"""Longest token that leaves a zero at the end of the name; the master's longest has 8 characters."""

HEAD = struct.Struct("<II")
"""Row and flags: how a tick begins."""
_SNAP = bytes([SNAP_QUOTE])
SNAP_FLAGS = TickFlag.PRICE | TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI
_BELIEVED = {
    Kind.INDEX: TickFlag.PRICE,  # an index has no book, volume or open interest, whatever its packet holds
    Kind.EQ: SNAP_FLAGS ^ TickFlag.OI,  # a share's packet may show its derivatives' open interest
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TokenTable:
    """Which row of ``Session.instruments`` a packet's exchange and token name."""

    heads: Mapping[bytes, bytes]
    """Exchange and padded token (bytes 1 to 23 of a packet), in the order of the rows, to the first 8 bytes of the tick of a whole
    SNAP_QUOTE packet: ``HEAD``, the row and the believed bits of ``TickFlag``."""
    _keys: npt.NDArray[np.uint64]
    _heads: npt.NDArray[np.uint64]
    _usual: Words

    @classmethod
    def of(
        cls, exchanges: Sequence[str], tokens: Sequence[str], kinds: Sequence[Kind]
    ) -> "TokenTable":
        """Return the table of aligned columns, one entry an instrument.

        Args:
            exchanges: the master's ``exch_seg``; a token is unique within it only.
            tokens: as the master spells them.
            kinds: what each instrument is.

        Raises:
            ValueError: a token is too long, appears twice, or its exchange is unknown.
        """
        heads: dict[bytes, bytes] = {}
        for row, (exchange, token, kind) in enumerate(zip(exchanges, tokens, kinds, strict=True)):
            name = _name(exchange, token)
            if name in heads:
                raise ValueError(f"token {token} of {exchange} appears twice")
            heads[name] = HEAD.pack(row, _BELIEVED.get(kind, SNAP_FLAGS))
        packets = b"".join(usual(_SNAP + name) for name in heads)
        words = np.frombuffer(packets, "<u2").reshape(len(heads), -1)
        order = np.argsort(keys(words))
        # A key beyond the last finds this; no packet is like it, for the byte before each is 0.
        none = np.full((1, words.shape[1]), 2**16 - 1, np.uint16)
        return cls(
            heads=heads,
            _keys=keys(words)[order],
            _heads=np.append(np.frombuffer(b"".join(heads.values()), "<u8")[order], np.uint64(0)),
            _usual=np.concatenate([words[order], none]),
        )

    def find_snaps(self, words: Words) -> tuple[npt.NDArray[np.uint64], Words]:
        """Return what the ticks of many SNAP_QUOTE packets are likely to begin with, and the words of their usual packets.

        The first eight bytes of a tick, row and flags, stand where the words are the packet's own. Elsewhere the packet is not
        usual, its token is unknown, or it shares its first eight characters with another, on another exchange or because it is
        longer: then looking it up alone tells.

        Args:
            words: of the packets, as ``words.split`` chose them, shape (n, words).
        """
        at = self._keys.searchsorted(keys(words))
        return self._heads.take(at), self._usual.take(at, 0)


def _name(exchange: str, token: str) -> bytes:
    if exchange not in EXCHANGE_TYPES:
        raise ValueError(f"exchange must be one of {', '.join(EXCHANGE_TYPES)}, was {exchange!r}")
    if not token.isascii() or not 0 < len(token) <= MAX_TOKEN:
        raise ValueError(f"a token has 1 to {MAX_TOKEN} ASCII characters, was {token!r}")
    return bytes([EXCHANGE_TYPES[exchange]]) + token.encode().ljust(NAME_BYTES - 2, b"\0")
