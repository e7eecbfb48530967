"""Chance that can be repeated: a generator of its own for every stream, so that adding a symbol never changes another (pure)."""

import hashlib

import numpy as np


def dice(seed: int, stream: str) -> np.random.Generator:
    """Return the generator of a stream: PCG64 seeded with the first 8 bytes, big-endian, of SHA-256 of ``seed:stream``.

    Args:
        seed: of the simulation.
        stream: as ``NIFTY:path``.

    Source: analytics specification, 13.1.
    """
    digest = hashlib.sha256(f"{seed}:{stream}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
