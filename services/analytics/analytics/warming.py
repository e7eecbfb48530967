"""Machine code made ready before a beat waits for it: a market of three strikes is analysed once, with nobody to hear of it."""

import numpy as np

from analytics.desk import Desk, handle
from oimon import codec
from oimon.bus import Entry
from oimon.core import fast
from oimon.messages import TICK, TICKS, Beat, Instruments, Message, Session, TickBatch, TickFlag
from oimon.terms import FeedState, Kind, MarketState, Mode, OiUnit, Segment

_TABLE = "0" * 16
_AT_US = 1_795_600_000_000_000  # of no importance, but before the options end
_STRIKES = (90.0, 100.0, 110.0)
_EXPIRY = "2026-12-29"


def warm_up() -> None:
    """Have all loops that a beat may call compiled, or read from their cache, where they are used."""
    if fast.loops is None:
        return
    desk = Desk(partition="")
    told: list[Message] = [_session()]
    for second in range(2):
        told += [_ticks(second), _beat(second + 1)]
    for n, message in enumerate(told, start=1):
        desk, outputs = handle(desk, _entry(message, n))
        for output in outputs:
            codec.encode(output.message)


def _entry(message: Message, n: int) -> Entry:
    kind, data = codec.kind_of(message), codec.encode(message)
    return Entry(stream=TICKS, partition="", id=f"{n}-0", kind=kind, version=codec.SCHEMA, data=data, n=n, at_ms=0)  # fmt: skip


def _session() -> Session:
    legs = [(kind, strike) for strike in _STRIKES for kind in (Kind.CE, Kind.PE)]
    kinds, count = [Kind.INDEX, *(kind for kind, _ in legs)], 1 + len(legs)
    names = [str(row) for row in range(count)]
    told = Instruments(
        token=names,
        symbol=names,
        kind=kinds,
        expiry=[None, *[_EXPIRY] * len(legs)],
        strike=[None, *(strike for _, strike in legs)],
        lot=[1] * count,
        tick=[0.05] * count,
        prev_close=[None] * count,
        oi_prev=[None] * count,
        oi_open=[None] * count,
    )
    return Session(
        run="",
        mode=Mode.SIMULATED,
        segment=Segment.NFO,
        underlying="",
        date="2026-11-26",
        source="",
        oi_unit=OiUnit.QTY,
        cadence_s=0.0,
        quotes_assumed=None,
        instruments=told,
        table=_TABLE,
    )


def _ticks(second: int) -> TickBatch:
    """Return a tick of the index and of each leg."""
    ticks = np.zeros(1 + 2 * len(_STRIKES), TICK)
    ticks["row"] = np.arange(len(ticks))
    ticks["flags"] = TickFlag.PRICE | TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI
    at_us = _AT_US + second * 1_000_000
    ticks["exchange_us"], ticks["traded_s"] = at_us, at_us // 1_000_000
    ticks["ltp"], ticks["bid"], ticks["ask"] = 200, 195, 205
    ticks["ltp"][0] = 10_000
    ticks["volume"], ticks["oi"] = 100, 100 * (1 + ticks["row"] % 2)  # calls and puts are not alike
    return TickBatch(received_us=at_us, table=_TABLE, records=ticks)


def _beat(second: int) -> Beat:
    ts_us = _AT_US + second * 1_000_000
    return Beat(ts_us=ts_us, market=MarketState.OPEN, feed=FeedState.OK, age_ms=0)
