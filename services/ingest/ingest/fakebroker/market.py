"""What the broker knows at one instant of its feed: the newest packet of each token, and the minutes so far (pure but for its memory)."""

import struct
from array import array
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ingest.fakebroker.packet import is_whole
from ingest.fakebroker.source import Listed, Source
from ingest.fakebroker.subscriptions import Name

MINUTE_US = 60_000_000
_NUMBERS = {
    51: struct.Struct("<43xq"),
    123: struct.Struct("<43xq16xq"),
    379: struct.Struct("<43xq16xq56xq"),
}
"""Price, volume and open interest, as far as a packet of that length has them."""
_WIDTH = 7


class Minute(NamedTuple):
    """One minute of one token: prices in paise; volume and open interest in units, as they stood at its end."""

    at_us: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    oi: int


class Market:
    """Takes the feed's frames in their order."""

    def __init__(self, source: Source) -> None:
        self.listed: Mapping[Name, Listed] = source.listed
        self.date = source.date
        self.now_us = source.opens_us
        """The feed's own time."""
        self.newest: dict[Name, bytes] = {}
        self._minutes: dict[Name, array[int]] = {}

    def apply(self, at_us: int, frame: bytes) -> None:
        """Take over one frame; what is no packet is only passed on."""
        self.now_us = at_us
        if not is_whole(frame):
            return
        name = frame[1:27]
        self.newest[name] = frame
        price, volume, oi = (*_NUMBERS[len(frame)].unpack_from(frame), 0, 0)[:3]
        minutes = self._minutes.get(name)
        if minutes is None:
            minutes = self._minutes[name] = array("q")
        minute_us = at_us - at_us % MINUTE_US
        if not minutes or minutes[-_WIDTH] != minute_us:
            minutes.extend((minute_us, price, price, price, price, volume, oi))
            return
        if price > minutes[-5]:
            minutes[-5] = price
        elif price < minutes[-4]:
            minutes[-4] = price
        minutes[-3], minutes[-2], minutes[-1] = price, volume, oi

    def minutes(self, name: Name) -> Iterator[Minute]:
        """Give a token's minutes so far, oldest first."""
        found = self._minutes.get(name, array("q"))
        for start in range(0, len(found), _WIDTH):
            yield Minute(*found[start : start + _WIDTH])
