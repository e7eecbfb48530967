"""A small market that never was: a session, its ticks beat by beat, and the entries that carry them."""

from dataclasses import dataclass, field, replace

import numpy as np

from analytics.desk import Desk, handle
from oimon import codec
from oimon.bus import Entry
from oimon.core.greeks import black76
from oimon.messages import (
    DAY,
    TICK,
    TICKS,
    Beat,
    Instruments,
    Session,
    TickBatch,
    TickFlag,
)
from oimon.terms import FeedState, Kind, MarketState, Mode, OiUnit, Segment

START_US = 1_787_027_400_000_000 + 4_500_000_000  # 18 August 2026, 10:00:00 in India
EXPIRIES = ("2026-08-18", "2026-08-25")
FULL = TickFlag.PRICE | TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI
SPOT = 24_500.0


def make_session(
    *, run="r1", strikes=11, expiries=EXPIRIES, with_future=True, segment=Segment.NFO, cadence_s=0.0
) -> Session:
    """Return a session of one index, a future, and strikes 50 apart around 24,500."""
    rows = [("NIFTY", Kind.INDEX, None, None)]
    if with_future:
        rows.append(("NIFTY25AUG26FUT", Kind.FUT, "2026-08-25", None))
    for expiry in expiries:
        for i in range(strikes):
            strike = SPOT + 50.0 * (i - strikes // 2)
            rows += [
                (f"NIFTY {expiry} {strike:g} {kind}", kind, expiry, strike)
                for kind in (Kind.CE, Kind.PE)
            ]
    n = len(rows)
    return Session(
        run=run,
        mode=Mode.SIMULATED,
        segment=segment,
        underlying="NIFTY",
        date="2026-08-18",
        source="test",
        oi_unit=OiUnit.QTY,
        cadence_s=cadence_s,
        quotes_assumed=None,
        instruments=Instruments(
            token=[str(1000 + i) for i in range(n)],
            symbol=[row[0] for row in rows],
            kind=[row[1] for row in rows],
            expiry=[row[2] for row in rows],
            strike=[row[3] for row in rows],
            lot=[65] * n,
            tick=[0.05] * n,
            prev_close=[24_400.0, *[None] * (n - 1)],
            oi_prev=[None if row[3] is None else 650_000 for row in rows],
            oi_open=[None] * n,
        ),
        table="00" * 7 + f"{n % 256:02x}",
    )


def make_ticks(session: Session, rows, at_us: int, *, seq=1, flags=FULL, **fields):
    """Return ticks of the given rows, received when they were made; fields in paise and quantity."""
    ticks = np.zeros(len(rows), TICK)
    ticks["row"], ticks["flags"], ticks["seq"] = rows, flags, seq
    ticks["exchange_us"], ticks["traded_s"] = at_us, at_us // 1_000_000
    for name, values in fields.items():
        ticks[name] = values
    return ticks


def make_batch(session: Session, ticks, at_us: int, day=None) -> TickBatch:
    return TickBatch(received_us=at_us, table=session.table, records=ticks, day=day)


def make_beat(ts_us: int, *, market=MarketState.OPEN, feed=FeedState.OK, age_ms=200) -> Beat:
    return Beat(ts_us=ts_us, market=market, feed=feed, age_ms=age_ms)


def market_ticks(session: Session, second: int, *, seed=3, spot=None, oi_step=0):
    """Return a tick of every instrument at a second of the day: priced by Black-76, open interest growing."""
    told, at_us = session.instruments, START_US + second * 1_000_000
    level = SPOT + 20.0 * np.sin(second / 400) if spot is None else spot
    random = np.random.default_rng([seed, oi_step])
    price, oi = np.empty(len(told.token)), np.zeros(len(told.token))
    for i, (kind, expiry, strike) in enumerate(
        zip(told.kind, told.expiry, told.strike, strict=True)
    ):
        price[i] = level + (15.0 if kind is Kind.FUT else 0.0)
        if kind is Kind.FUT:
            oi[i] = 65 * (100_000 + 40 * oi_step)
        if strike is not None:
            years = (0.2 if expiry == told.expiry[2] else 7.2) / 365
            made = black76(level + 5.0, np.array([strike]), years, np.array([0.12]), 0.055)
            price[i] = max(made.price[0 if kind is Kind.CE else 1, 0], 0.05)
            away = abs(strike - level) / 50
            oi[i] = 65 * (20_000 / (1 + away) + oi_step * random.integers(-300, 500))
    paise = np.round(price * 20).astype(np.int64) * 5
    return make_ticks(
        session,
        np.arange(len(price)),
        at_us,
        seq=second + 1,
        ltp=paise,
        bid=np.maximum(paise - 5, 5),
        ask=paise + 5,
        bid_qty=65,
        ask_qty=130,
        volume=(65 * 1000 * (second + 1)),
        oi=oi.astype(np.int64) // 65 * 65,
    )


@dataclass
class Tape:
    """A desk, and the newest entry that it was given."""

    desk: Desk = field(default_factory=lambda: Desk(partition="NIFTY"))
    n: int = 0
    entry: Entry | None = None

    def put(self, message):
        """Give one message as an entry that came over the bus; return what was answered."""
        self.desk, outputs = handle(self.desk, self.entry_of(message))
        return [output.message for output in outputs]

    def entry_of(self, message) -> Entry:
        """Return the next entry, which holds this message."""
        self.n += 1
        self.entry = Entry(
            stream=TICKS,
            partition="NIFTY",
            id=f"{self.n}-0",
            kind=codec.kind_of(message),
            version=codec.SCHEMA,
            data=codec.encode(message),
            n=self.n,
        )
        return self.entry

    def beat(self, second: int, **fields):
        (answer,) = self.put(make_beat(START_US + second * 1_000_000, **fields))
        return answer


def play(session: Session, seconds, *, one_at_a_time=False, step_s=60) -> list:
    """Return the answers of a day on which every instrument ticks each ``step_s`` and every second beats."""
    tape, answers = Tape(), []
    tape.put(session)
    for second in seconds:
        if second % step_s == 0:
            ticks = market_ticks(session, second, oi_step=second // step_s)
            at_us = START_US + second * 1_000_000
            parts = np.split(ticks, len(ticks)) if one_at_a_time else [ticks]
            for part in parts:
                tape.put(make_batch(session, part, at_us))
        answers += tape.put(make_beat(START_US + second * 1_000_000 + 500_000))
    return answers


def day_records(n: int, **fields):
    """Return day records of the quote modes, in paise."""
    records = np.zeros(n, DAY)
    for name, value in fields.items():
        records[name] = value
    return records


def widened(session: Session, symbol="NIFTY NEW", strike=25_000.0) -> Session:
    """Return the session with one more call of the nearest expiry at its end."""
    told = session.instruments
    added = {
        "token": "9999",
        "symbol": symbol,
        "kind": Kind.CE,
        "expiry": EXPIRIES[0],
        "strike": strike,
        "lot": 65,
        "tick": 0.05,
        "prev_close": None,
        "oi_prev": None,
        "oi_open": None,
    }
    instruments = Instruments(
        **{name: [*getattr(told, name), value] for name, value in added.items()}
    )
    return replace(session, instruments=instruments, table="ff" * 8)
