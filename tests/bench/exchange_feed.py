"""A whole exchange as a broker's socket would deliver it, and ingest's pump: ``python -m tests.bench.exchange_feed JOB``.

A process of its own. Every instrument sends one full packet a second, spread over bursts as reads of a socket are; each leg's open
interest moves about every two minutes. A thread makes the packets and hands each read's over; its CPU time is told apart.
"""

import asyncio
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from ingest.feed import TICKS_CACHE
from ingest.header import Last
from ingest.packets import EXCHANGE_TYPES, LEVEL, PACKETS, SNAP_QUOTE
from ingest.pump import Pump
from ingest.smartapi.day import LiveDay
from oimon.bus.log import Retention
from oimon.bus.redis import RedisBus
from oimon.calendar import IST
from oimon.clock import SystemClock
from oimon.core.forward import RATE
from oimon.core.greeks import black76
from oimon.messages import Session
from oimon.process import calm_garbage, new_loop
from tests.builders import make_header, make_row

OTHERS = 122
"""Instruments of each underlying that are no option and no index: futures, and what else ticks beside."""
BURSTS = 50
"""Reads of the socket a second."""
RUN = "bench"
LOT = 65
SETTLES_S = 120.0
"""Usual time between two publications of one leg's open interest."""
TICKS_KEEP_S = 90
"""The least that may be kept: a gigabyte holds no two minutes of them."""
_SNAP = PACKETS[SNAP_QUOTE]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the feed is told."""

    url: str
    partitions: list[str]
    seconds: float
    strikes: int = 83
    expiries: int = 3
    flush_ms: float = 250.0

    def argument(self) -> str:
        return json.dumps(asdict(self))

    @property
    def instruments(self) -> int:
        """Of each underlying."""
        return 1 + OTHERS + 2 * self.strikes * self.expiries


def day_of(job: Job, place: int) -> LiveDay:
    """Return what the ticks of one underlying mean: the index, the others, then a call and a put of each strike."""
    name, first = job.partitions[place], 1_000_000 + place * job.instruments
    today = datetime.now(UTC).astimezone(IST).date()
    days = [expiry_day(today, number) for number in range(job.expiries)]
    rows = [make_row(str(first), kind="INDEX", name=name)]
    rows += [
        make_row(str(first + 1 + number), kind="FUT", strike=number, expiry=days[0], name=name)
        for number in range(OTHERS)
    ]
    token = first + 1 + OTHERS
    for day in days:
        for strike in strikes(job):
            for kind in ("CE", "PE"):
                rows.append(
                    make_row(str(token), kind=kind, strike=int(strike), expiry=day, name=name)
                )
                token += 1
    header = make_header(
        underlying=name,
        source="bench",
        date=today.isoformat(),
        master=rows,
        prev_close=[24_150.0] + [None] * (len(rows) - 1),
        oi_prev=[None] + [100 * LOT] * (len(rows) - 1),
        has_beats=True,
        run=RUN,
    )
    return LiveDay(header, Last(frames=0, first_us=0, last_us=0, digest=""))


def strikes(job: Job) -> np.ndarray:
    return 24_200.0 + 50 * (np.arange(job.strikes) - job.strikes // 2)


def expiry_day(today: date, number: int) -> str:
    """Return a Tuesday to come, as the broker's master writes it."""
    tuesday = today + timedelta(days=(1 - today.weekday()) % 7 or 7)
    return f"{tuesday + timedelta(weeks=number):%d%b%Y}".upper()


class Exchange:
    """Packets of all instruments, each with a price of its own that moves a little."""

    def __init__(self, job: Job, sessions: list[Session]) -> None:
        self._dice = np.random.default_rng(7)
        tokens = [token for session in sessions for token in session.instruments.token]
        packets = np.zeros(len(tokens), _SNAP)
        packets["mode"] = SNAP_QUOTE
        packets["token"] = np.array(tokens, "S25")
        is_index = np.tile(np.arange(job.instruments) == 0, len(sessions))
        packets["exchange_type"] = np.where(is_index, EXCHANGE_TYPES["NSE"], EXCHANGE_TYPES["NFO"])
        packets["ltp"] = np.tile(_prices(job), len(sessions)).round()
        packets["oi"] = self._dice.integers(100, 50_000, len(tokens)) * LOT
        packets["levels"]["flag"] = LEVEL_FLAGS
        packets["levels"]["qty"] = 130
        order = self._dice.permutation(len(tokens))
        self._bursts = [packets[order[first::BURSTS]] for first in range(BURSTS)]
        self._sequence = 0
        self.nbytes = sum(part.nbytes for part in self._bursts)
        """Memory of what is sent: the bench's own."""

    def burst(self, number: int, now_us: int) -> list[bytes]:
        """Return one read's packets: a fiftieth of all instruments."""
        part = self._bursts[number % BURSTS]
        price = part["ltp"] + self._dice.integers(-2, 3, len(part)) * 5
        np.maximum(price, 5, out=price)
        moved = (self._dice.random(len(part)) < 1 / SETTLES_S).nonzero()[0]
        more = part["oi"][moved] + LOT * self._dice.integers(-50, 80, len(moved))
        self._sequence += 1
        part["sequence"], part["exchange_ms"] = self._sequence, now_us // 1000
        part["ltp"], part["traded_s"] = price, now_us // 1_000_000
        best = part["levels"]["price"]
        best[:, 0], best[:, 5] = np.maximum(price - 5, 5), price + 5
        part["volume"], part["oi"][moved] = self._sequence * LOT, np.maximum(more, 0)
        data, size = part.tobytes(), _SNAP.itemsize
        return [data[at : at + size] for at in range(0, len(data), size)]


LEVEL_FLAGS = np.array([1] * 5 + [0] * 5, LEVEL["flag"])


def _prices(job: Job) -> np.ndarray:
    """Return a price in paise of each instrument of an underlying, by Black-76 with a smile."""
    forward, found = 24_210.0, [2_420_000.0] + [2_421_000.0] * OTHERS
    for number in range(job.expiries):
        years = (3.5 + 7 * number) / 365
        x = np.log(strikes(job) / forward)
        value = black76(forward, strikes(job), years, 0.12 - 0.1 * x + 2 * x * x, RATE)
        found += (100 * value.price.T).ravel().tolist()
    return np.maximum(np.round(np.array(found) / 5) * 5, 5)


class Feed:
    """The thread that a broker's socket would be."""

    def __init__(self, exchange: Exchange, pump: Pump, seconds: float) -> None:
        self._exchange = exchange
        self._pump = pump
        self._bursts = int(seconds * BURSTS)
        self.cpu_s = 0.0
        """Of making packets, which no part of the pipeline does."""
        self.late_s = 0.0
        """How late the latest read was."""

    def run(self) -> None:
        start_s = time.monotonic()
        for number in range(self._bursts):
            rest_s = start_s + number / BURSTS - time.monotonic()
            if rest_s > 0:
                time.sleep(rest_s)
            self.late_s = max(self.late_s, -rest_s)
            before_s = time.thread_time()
            now_us = time.time_ns() // 1000
            frames = self._exchange.burst(number, now_us)
            self.cpu_s += time.thread_time() - before_s
            self._pump.buffer.put_all(frames, now_us)


async def _run(job: Job) -> None:
    days = [day_of(job, place) for place in range(len(job.partitions))]
    sessions = [day.session(RUN) for day in days]
    TICKS_CACHE.start(*sessions)
    exchange = Exchange(job, sessions)
    del sessions  # the pump makes its own
    bus = RedisBus(job.url, "bench-ingest", retention=Retention(ticks_s=TICKS_KEEP_S))
    await bus.declare(job.partitions)
    pump = Pump(bus, SystemClock(), days, RUN, flush_ms=job.flush_ms, beat_ms=1000)
    feed = Feed(exchange, pump, job.seconds)
    publishing = asyncio.ensure_future(pump.run())
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    before_s = time.process_time()
    thread = threading.Thread(target=feed.run, name="feed", daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join)
    cpu_s = time.process_time() - before_s
    told = {"cpu_s": cpu_s, "making_s": feed.cpu_s, "making_bytes": exchange.nbytes, "late_s": feed.late_s}  # fmt: skip
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    publishing.cancel()
    await asyncio.wait((publishing,))
    await bus.stop()
    await bus.close()


def main(argument: str) -> None:
    """Feed as told by a JSON object."""
    calm_garbage()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_run(Job(**json.loads(argument))))


if __name__ == "__main__":
    main(sys.argv[1])
