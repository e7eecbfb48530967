"""The day record of quotes: open, high, low, average and the range of 52 weeks, as QUOTE and SNAP_QUOTE packets have them (pure).

Only the modes without option analysis need it, so the decoder of ticks passes it over. Source: smartapi, section 4.4.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingest.frames import Ticks, decode
from ingest.packets import PACKETS, QUOTE, SNAP_QUOTE
from ingest.tokens import TokenTable
from oimon.messages import DAY, TickFlag

_SIZES = {PACKETS[mode].itemsize: PACKETS[mode] for mode in (QUOTE, SNAP_QUOTE)}
_NAMES = {"close": "prev_close"}  # what the packet calls it
_MAX = 2**31 - 1


def with_day(
    ticks: Ticks, frames: Sequence[bytes], tokens: TokenTable
) -> tuple[Ticks, npt.NDArray[np.void] | None]:
    """Return the ticks, those with a day record flagged, and the records in their order, None where there is none.

    Args:
        ticks: of the frames, in order, as decoded.
        frames: all of them, also those that were no ticks.
        tokens: whose rows the ticks name.
    """
    if len(frames) != len(ticks):
        frames = [frame for frame in frames if len(decode([frame], [0], tokens)[0])]
    records = np.zeros(len(ticks), DAY)
    for size, layout in _SIZES.items():
        places = [place for place, frame in enumerate(frames) if len(frame) == size]
        packets = np.frombuffer(b"".join(frames[place] for place in places), layout)
        for name in DAY.names or ():
            source = _NAMES.get(name, name)
            if source in (layout.names or ()):
                records[name][places] = np.clip(packets[source], 0, _MAX)
    has = (records["low"] > 0) & (records["low"] <= records["high"])
    if not has.any():
        return ticks, None
    ticks = ticks.copy()
    ticks["flags"][has] |= TickFlag.DAY
    return ticks, records[has]
