"""One turn: what analytics alone spends on one beat of each of some underlyings, without bus, server or other processes.

While ticks come faster than they can be answered, a tick waits for the others' answers: this is the least that it can be.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from analytics.desk import Desk, handle
from oimon import codec
from oimon.bus import Entry
from oimon.core import fast
from oimon.messages import TICKS, Beat, Message, TickBatch
from oimon.terms import FeedState, MarketState
from tests.chaos.market import OPEN_US, Market

_TURNS, _FIRST = 120, 20  # turns of which the median is taken, after some that warm up
_EVERY_US = 10_000


def turn_ms(underlyings: int, ticks: int, *, by_machine_code: bool) -> float:
    """Return the median time of taking in so many ticks and answering one beat, of each underlying in turn, encoded, in ms."""
    if by_machine_code and not fast.use():
        raise RuntimeError("machine code was asked for, and numba is not installed")
    try:
        all_ = [_Underlying.of(f"TURN-{number}") for number in range(underlyings)]
        spent_ms = [_turn_ms(all_, turn, ticks) for turn in range(1, _FIRST + _TURNS + 1)]
    finally:
        fast.use(wanted=False)
    return float(np.median(spent_ms[_FIRST:]))


@dataclass(kw_only=True, eq=False)
class _Underlying:
    """One underlying: what ticks, and who answers."""

    market: Market
    desk: Desk
    base: np.ndarray = field(repr=False)
    n: int = 0

    @classmethod
    def of(cls, name: str) -> "_Underlying":
        market = Market(underlying=name, run="turn", seed=1)
        made = cls(market=market, desk=Desk(partition=name), base=market.ticks(1).records)
        handle(made.desk, made.entry(market.session))
        return made

    def entry(self, message: Message) -> Entry:
        """Return a message as it is read from the log."""
        self.n += 1
        return Entry(
            stream=TICKS, partition=self.market.underlying, id=f"{self.n}-0", kind=codec.kind_of(message),
            version=codec.SCHEMA, data=codec.encode(message), n=self.n,
        )  # fmt: skip

    def entries(self, turn: int, ticks: int) -> Iterator[Entry]:
        """Return a batch of ticks, with prices that move, and a beat."""
        now_us = OPEN_US + turn * _EVERY_US
        seq = np.arange(ticks) + turn * ticks
        records = self.base[seq % len(self.base)].copy()
        records["seq"], records["exchange_us"], records["received_after_us"] = seq, now_us, 0
        records["ltp"] += (5 * (seq % 3)).astype(np.uint32)
        table = self.market.session.table
        yield self.entry(TickBatch(received_us=now_us, table=table, records=records))
        yield self.entry(Beat(ts_us=now_us, market=MarketState.OPEN, feed=FeedState.OK, age_ms=0))


def _turn_ms(all_: list[_Underlying], turn: int, ticks: int) -> float:
    work = [(one, entry) for one in all_ for entry in one.entries(turn, ticks)]
    answers = []
    started_ns = time.process_time_ns()
    for one, entry in work:
        _, outputs = handle(one.desk, entry)
        answers += [codec.encode(output.message) for output in outputs]
    spent_ns = time.process_time_ns() - started_ns
    assert len(answers) == len(all_), f"{len(answers)} answers of {len(all_)} beats"
    return spent_ns / 1e6
