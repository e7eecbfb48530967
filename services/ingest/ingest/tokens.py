"""The broker's tokens to rows of the session's instruments, one packet at a time or many at once (pure)."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.packets import EXCHANGE_TYPES, SNAP_QUOTE
from oimon.messages import TickFlag
from oimon.terms import Kind

NAME_BYTES = 24
"""A packet's first bytes, which name its mode, exchange and token."""
MAX_TOKEN = NAME_BYTES - 3
"""Longest token that leaves a zero at the end of the name; the master's longest has 8 characters."""

SNAP_FLAGS = TickFlag.PRICE | TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI
_BELIEVED = {
    Kind.INDEX: TickFlag.PRICE,  # an index has no book, volume or open interest, whatever its packet holds
    Kind.EQ: SNAP_FLAGS ^ TickFlag.OI,  # a share's packet may show its derivatives' open interest
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TokenTable:
    """Which row of ``Session.instruments`` a packet's exchange and token name."""

    rows: Mapping[bytes, tuple[int, int]]
    """Exchange and padded token (bytes 1 to 23 of a packet) to row and believed bits of ``TickFlag``."""
    snap_heads: Mapping[bytes, bytes]
    """Name of a SNAP_QUOTE packet to the first 8 bytes of its tick: row, and the flags when all of it is there."""
    _keys: npt.NDArray[np.uint64]
    _names: npt.NDArray[np.bytes_]
    _rows: npt.NDArray[np.uint32]
    _flags: npt.NDArray[np.uint32]

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
        rows: dict[bytes, tuple[int, int]] = {}
        for row, (exchange, token, kind) in enumerate(zip(exchanges, tokens, kinds, strict=True)):
            name = _name(exchange, token)
            if name in rows:
                raise ValueError(f"token {token} of {exchange} appears twice")
            rows[name] = row, _BELIEVED.get(kind, SNAP_FLAGS)
        heads = {
            bytes([SNAP_QUOTE]) + name: struct.pack("<II", row, SNAP_FLAGS & believed)
            for name, (row, believed) in rows.items()
        }
        keys = np.frombuffer(b"".join(name[2:10] for name in heads), "<u8")
        order = np.argsort(keys)
        names = np.frombuffer(b"".join(heads), f"S{NAME_BYTES}")[order]
        row_and_flags = np.frombuffer(b"".join(heads.values()), "<u4").reshape(-1, 2)[order]
        end = [np.uint64(0)]  # a key beyond the last finds a name of zeros, which no packet has
        return cls(
            rows=rows,
            snap_heads=heads,
            _keys=keys[order],
            _names=np.append(names, np.zeros(1, names.dtype)),
            _rows=np.append(row_and_flags[:, 0], end).astype(np.uint32),
            _flags=np.append(row_and_flags[:, 1], end).astype(np.uint32),
        )

    def find_snaps(
        self, keys: npt.NDArray[np.uint64]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.bytes_]]:
        """Return row, full flags and name of what many SNAP_QUOTE packets are likely to be.

        Row and flags stand where the name is the packet's own. Elsewhere the token is unknown, or it shares its first eight
        characters with another, on another exchange or because it is longer: then looking it up alone tells.

        Args:
            keys: first eight characters of each token, shape (n,).
        """
        at = self._keys.searchsorted(keys)
        return self._rows[at], self._flags[at], self._names[at]


def _name(exchange: str, token: str) -> bytes:
    if exchange not in EXCHANGE_TYPES:
        raise ValueError(f"exchange must be one of {', '.join(EXCHANGE_TYPES)}, was {exchange!r}")
    if not token.isascii() or not 0 < len(token) <= MAX_TOKEN:
        raise ValueError(f"a token has 1 to {MAX_TOKEN} ASCII characters, was {token!r}")
    return bytes([EXCHANGE_TYPES[exchange]]) + token.encode().ljust(NAME_BYTES - 2, b"\0")
