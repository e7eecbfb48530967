"""A simulated day that plays like a recorded one: frames of the broker's layout, through the same decoder."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date

import msgspec
import numpy as np
from typing_extensions import override

from ingest.blocks import Block
from ingest.header import Header, Last
from ingest.recording import Day
from ingest.simulator.faults import Faults, Noted, Rates, labels, other_lot
from ingest.simulator.interest import STEP_S
from ingest.simulator.listing import listing
from ingest.simulator.packing import Numbers, Packer, frames
from ingest.simulator.path import day_path, opened
from ingest.simulator.regimes import NAMES, REGIMES
from ingest.simulator.tape import Tape
from ingest.simulator.universe import UNIVERSES, Market, Universe
from ingest.snapshots import APART_US
from oimon import calendar
from oimon.errors import ConfigError
from oimon.terms import FeedState, Mode, OiUnit, Segment

Tell = Callable[[Mapping[str, object]], None]
"""Takes one line of the truth."""

VERSION = 4
"""Grows with every change of what a seed gives."""
EXPIRY_WEEK = date(2026, 11, 18)
"""Wednesday before NIFTY's expiry on Monday, 23 November 2026: the Tuesday is a holiday."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to simulate."""

    seed: int = 7
    universe: Universe = Universe.NIFTY
    day: date = EXPIRY_WEEK
    publish_s: float = 180.0
    """Between two publications of one leg's open interest."""
    every_s: int = 1
    """From tick to tick."""
    expiries: int | None = None
    """At most so many of each index."""
    faults: Rates = field(default_factory=dict)
    """What goes wrong, and how often."""
    mcx_oi: bool = False
    """Whether the open interest of commodities is to be analysed."""
    seconds: int | None = None
    """End the day after so many; None: when the market does. The volatilities are those of a whole session."""


class SimulatedDay(Day):
    """One market's day of one seed."""

    mode = Mode.SIMULATED

    def __init__(self, plan: Plan, market: Market, tell: Tell | None = None) -> None:
        """Simulate all but the quotes, which are made when they are played.

        Args:
            plan: what to simulate.
            market: one of the plan's universe.
            tell: told the truth while the day is played; it is in no packet.

        Raises:
            ConfigError: the market is closed on that day, or the calendar does not reach as far.
        """
        opens_us, seconds = _session(market, plan.day)
        market = opened(plan.seed, market)
        listed = listing(market, plan.day)
        path = day_path(plan.seed, market, seconds)
        self.tape = Tape(
            plan.seed, market, listed, path, opens_us=opens_us, publish_s=plan.publish_s
        )
        self._plan, self._opens_us, self._tell = plan, opens_us, tell
        is_leg = np.array(
            [row.symbol[-2:] in ("CE", "PE") and row.instrumenttype != "" for row in listed.rows]
        )
        self._faults = Faults(
            plan.seed, market.name, plan.faults,
            is_leg=is_leg, has_lot=bool(listed.futures), seconds=seconds,
        )  # fmt: skip
        rows = listed.rows
        if self._faults.has_other_lot:
            rows = [
                replace(row, lotsize=str(other_lot(listed.lot))) if row.expiry else row
                for row in rows
            ]
        self._packer = Packer(rows)
        self._count = len(rows)
        self._times = min(seconds, plan.seconds or seconds) // plan.every_s
        header = Header(
            segment=market.segment,
            underlying=market.name,
            date=plan.day.isoformat(),
            source=f"simulator, seed {plan.seed}",
            origin="no market: made by chance",
            command=None,
            oi_unit=OiUnit.QTY,
            cadence_s=0.0 if plan.every_s == 1 else float(plan.every_s),
            quotes_assumed=None,
            expiries=[each.isoformat() for each in listed.options],
            has_beats=False,
            master=rows,
            prev_close=self.tape.prev_close(),
            oi_prev=self.tape.oi_open(),
            oi_open=self.tape.oi_open(),
            mcx_oi=plan.mcx_oi and market.segment is Segment.MCX,
        )
        last_us = opens_us + (self._times * plan.every_s - 1) * 1_000_000
        super().__init__(
            header,
            Last(
                frames=self._times * self._count,
                first_us=opens_us,
                last_us=last_us + (self._count - 1) * APART_US,
                digest=_digest(plan, market),
            ),
        )

    @override
    def state(self, ts_us: int) -> FeedState:
        return self._faults.state((ts_us - self._opens_us) // 1_000_000 - 1)

    @override
    def blocks(self) -> Iterator[Block]:
        self._faults.restart()
        played = 0
        apart_us = APART_US * np.arange(self._count)
        for at, quotes in self.tape.blocks(self._plan.every_s):
            at_us = self._opens_us + at * 1_000_000
            wanted = min(len(at), self._times - played)
            packets = self._packer.packets(quotes, at_us, 1 + played * self._count)[:wanted]
            come = self._faults.planted(at[:wanted], packets, (at_us[:, None] + apart_us)[:wanted])
            played += wanted
            if self._tell is not None:
                self._tell_truth(self._tell, at[:wanted], come.noted)
            yield Block(frames=frames(come.packets), received_us=come.received_us)
            if played >= self._times:
                return

    def _tell_truth(self, tell: Tell, at: Numbers, noted: Sequence[Noted]) -> None:
        symbols = [row.symbol for row in self.header.master]
        for fault in noted:
            tell(
                {
                    "at_us": fault.at_us,
                    "underlying": self.header.underlying,
                    "fault": fault.fault.value,
                    "symbol": None if fault.row is None else symbols[fault.row],
                }
            )
        for second in at[at % STEP_S == STEP_S - 1].tolist():
            code = int(self.tape.path.regime[second])
            tell(
                {
                    "at_us": self._opens_us + second * 1_000_000,
                    "underlying": self.header.underlying,
                    "regime": NAMES[code].value,
                    "label": REGIMES[code].label.value,
                    "oi": dict(zip(symbols, self.tape.true_oi(second), strict=True)),
                }
            )


def markets(plan: Plan) -> list[Market]:
    """Return the markets of a plan."""
    found = UNIVERSES[plan.universe]
    if plan.expiries is None:
        return list(found)
    return [replace(each, expiries=min(each.expiries, plan.expiries)) for each in found]


def _session(market: Market, day: date) -> tuple[int, int]:
    """Return when the market opens, and for how many seconds its continuous trading goes on: a share's to its auction."""
    is_open = calendar.is_trading_day(market.segment, day)
    if not is_open:
        what = "is closed" if is_open is False else "is not in the calendar"
        raise ConfigError(f"SIM_DATE: {market.segment} {what} on {day}; choose a trading day")
    opens_us = calendar.open_us(market.segment, day)
    return opens_us, (calendar.close_us(market.segment, day) - opens_us) // 1_000_000


def _digest(plan: Plan, market: Market) -> str:
    told = {
        "seed": plan.seed, "day": plan.day.isoformat(), "publish_s": plan.publish_s, "every_s": plan.every_s,
        "faults": labels(plan.faults), "seconds": plan.seconds, "market": asdict(market), "version": VERSION,
    }  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()
