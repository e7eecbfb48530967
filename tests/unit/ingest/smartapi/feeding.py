"""A day's instruments, and ticks of them, for what goes on beside the stream."""

import numpy as np

from ingest.feed import TICKS_CACHE
from ingest.instruments import Instrument
from ingest.master.plan import Ask, Part
from ingest.packets import SNAP_QUOTE
from ingest.smartapi.partition import Partition
from oimon.messages import TickFlag
from oimon.terms import Kind, Segment
from tests.builders import make_tick

SPOT = Instrument(exchange="NSE", token="99926000", symbol="Nifty 50", underlying="NIFTY", kind=Kind.INDEX, expiry=None, strike=None, lot=1, tick=0.0)  # fmt: skip


def contract(token):
    return Instrument(exchange="NFO", token=str(token), symbol=f"NIFTY{token}", underlying="NIFTY", kind=Kind.FUT, expiry="2026-12-29", strike=None, lot=65, tick=0.05)  # fmt: skip


def a_partition(count=2):
    """Return a partition of an index and so many contracts, with nothing cached of them."""
    found = [SPOT, *(contract(n) for n in range(1, count + 1))]
    asks = [Ask(each, SNAP_QUOTE) for each in found]
    part = Part(underlying="NIFTY", segment=Segment.NFO, always=asks, chains=[], off=[])
    partition = Partition(part=part, found=found)
    session = partition.day("2026-11-25", mcx_oi=False).session("run")
    TICKS_CACHE.start(session)
    return partition


def came(row, oi, at_us):
    """Have a tick of open interest come."""
    flags = TickFlag.PRICE | TickFlag.OI
    TICKS_CACHE.apply(np.concatenate([make_tick(row=row, oi=oi, exchange_us=at_us, flags=flags)]))
