"""What a feed does wrong, on purpose: each fault switchable, with a rate and a label (pure but for its dice).

Source: analytics specification, 13.5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulator.dice import dice
from ingest.simulator.packing import LEVELS, Numbers
from oimon.core.chain import BoolArray
from oimon.terms import FeedState


class Fault(StrEnum):
    """What goes wrong; its value is its label in settings and in the truth."""

    DISCONNECT = "disconnect"  # an hour: no packets, and the feed says that it is down
    SILENT = "silent"  # an hour: no packets from a connection that stands
    HALT = "halt"  # an hour: no packets, as when trading is halted; the market goes on behind
    DUPLICATE = "duplicate"  # share of packets: sent twice
    OUT_OF_ORDER = "out_of_order"  # share of packets: comes after the instrument's next one
    CROSSED_QUOTE = "crossed_quote"  # share of packets: bid above ask
    ZERO_OI = "zero_oi"  # share of packets
    OI_X10 = "oi_x10"  # share of packets: open interest ten times too large
    MISSING_LEG = "missing_leg"  # share of options of which nothing comes all day
    LOT_CHANGE = (
        "lot_change"  # probability that the master has another lot than what is open was made in
    )


Rates: TypeAlias = Mapping[Fault, float]
LASTS_S: Mapping[Fault, int] = {Fault.DISCONNECT: 30, Fault.SILENT: 30, Fault.HALT: 120}
"""Faults that are so many an hour, and how long each lasts."""
_STATES = {Fault.DISCONNECT: FeedState.DOWN, Fault.SILENT: FeedState.SILENT}
_OF_PACKETS = (
    Fault.DUPLICATE, Fault.OUT_OF_ORDER, Fault.CROSSED_QUOTE, Fault.ZERO_OI, Fault.OI_X10,
)  # fmt: skip
_OF_ALL = (Fault.DUPLICATE, Fault.OUT_OF_ORDER)
"""Of any instrument's packets; the others are of options only."""
_AGAIN_US, _LATE_US = 30, 50  # less than what lies between two packets


class Noted(NamedTuple):
    """A fault as it was planted."""

    at_us: int
    fault: Fault
    row: int | None  # of the session; None: all of them


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Arrivals:
    """Packets as they come: order of arrival, each with its time."""

    packets: npt.NDArray[np.void]
    received_us: Numbers
    noted: list[Noted]


def parse(text: str) -> Rates:
    """Return the rates that a text such as ``zero_oi=0.01, halt=2`` gives.

    Raises:
        ValueError: names what is wrong and what there is.
    """
    found: dict[Fault, float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        label, _, number = (each.strip() for each in part.partition("="))
        try:
            fault, rate = Fault(label), float(number)
        except ValueError:
            raise ValueError(
                f"takes label=rate, separated by commas, found {part!r}; labels: {', '.join(Fault)}"
            ) from None
        most = 3600.0 if fault in LASTS_S else 1.0
        if not 0 <= rate <= most:
            raise ValueError(f"the rate of {fault} lies between 0 and {most:g}, was {number}")
        found[fault] = rate
    return found


class Faults:
    """One market's faults of one day; asked again it plants the same."""

    def __init__(
        self, seed: int, name: str, rates: Rates, *, is_leg: BoolArray, has_lot: bool, seconds: int
    ) -> None:
        """Throw for all that lasts.

        Args:
            seed: of the simulation.
            name: of the market: each fault has a stream of its own, so that one changes no other.
            rates: by fault; those not named never happen.
            is_leg: which instruments are options, shape (instruments,).
            has_lot: whether there are contracts, and so a lot that can change.
            seconds: length of the day.
        """
        self._seed, self._name, self._rates, self._is_leg = seed, name, rates, is_leg
        self._away = np.full(seconds + 2, -1, np.int8)
        self._begun: list[tuple[int, Fault]] = []
        for place, (fault, lasts_s) in enumerate(LASTS_S.items()):
            thrown = self._dice(fault).random(seconds) < rates.get(fault, 0.0) / 3600
            for second in np.flatnonzero(thrown).tolist():
                self._away[second : second + lasts_s] = place
                self._begun.append((second, fault))
        self._missing = is_leg & (
            self._dice(Fault.MISSING_LEG).random(len(is_leg)) < rates.get(Fault.MISSING_LEG, 0.0)
        )
        self.has_other_lot = has_lot and bool(
            self._dice(Fault.LOT_CHANGE).random() < rates.get(Fault.LOT_CHANGE, 0.0)
        )
        """Whether the master has another lot than what is open was made in."""
        self.restart()

    def restart(self) -> None:
        """Begin the day again."""
        self._throws = {fault: self._dice(fault, "packets") for fault in _OF_PACKETS}
        self._is_begun = False

    def state(self, second: int) -> FeedState:
        """Return what the feed says of itself at a second since the open."""
        place = int(self._away[min(max(second, 0), len(self._away) - 1)])
        return FeedState.OK if place < 0 else _STATES.get(tuple(LASTS_S)[place], FeedState.OK)

    def planted(self, at: Numbers, packets: npt.NDArray[np.void], received_us: Numbers) -> Arrivals:
        """Return packets as they arrive with all faults.

        Args:
            at: seconds since the open, shape (times,).
            packets: what an honest feed sends, shape (times, instruments); changed in place.
            received_us: when each would come, of the same shape.
        """
        noted = [*self._all_day(int(received_us[0, 0])), *self._lasting(at, received_us)]
        thrown = {
            fault: self._throws[fault].random(packets.shape) < self._share(fault, len(at))
            for fault in _OF_PACKETS
            if fault in self._rates
        }
        here = (self._away[at] < 0)[:, None] & ~self._missing
        for fault, mask in thrown.items():
            np.logical_and(mask, here & (self._is_leg | (fault in _OF_ALL)), out=mask)
            if fault is Fault.OUT_OF_ORDER:
                mask[:-1] &= here[1:]  # its next one comes
                mask[-1] = False  # its next one is not made yet
            places = zip(*np.nonzero(mask), strict=True)
            noted += [Noted(int(received_us[t, row]), fault, int(row)) for t, row in places]
        _spoil(packets, thrown)
        found, at_us = _arrived(packets, received_us, here, thrown)
        return Arrivals(
            packets=found, received_us=at_us, noted=sorted(noted, key=lambda each: each.at_us)
        )

    def _share(self, fault: Fault, times: int) -> float:
        """Return how often a fault is thrown; what cannot be late at the last of some times is so at the others."""
        share = self._rates[fault]
        return share * times / max(times - 1, 1) if fault is Fault.OUT_OF_ORDER else share

    def _all_day(self, first_us: int) -> list[Noted]:
        """Return what is so from the day's first packet on, once."""
        if self._is_begun:
            return []
        self._is_begun = True
        missing = [Noted(first_us, Fault.MISSING_LEG, row) for row in np.flatnonzero(self._missing).tolist()]  # fmt: skip
        return missing + [Noted(first_us, Fault.LOT_CHANGE, None)] * self.has_other_lot

    def _lasting(self, at: Numbers, received_us: Numbers) -> list[Noted]:
        first_us, step = int(received_us[0, 0]), int(at[1] - at[0]) if len(at) > 1 else 1
        return [
            Noted(first_us + (second - int(at[0])) * 1_000_000, fault, None)
            for second, fault in self._begun
            if at[0] - step < second <= at[-1]
        ]

    def _dice(self, fault: Fault, *more: str) -> np.random.Generator:
        return dice(self._seed, ":".join((self._name, "fault", fault.value, *more)))


def _spoil(packets: npt.NDArray[np.void], thrown: Mapping[Fault, BoolArray]) -> None:
    if (mask := thrown.get(Fault.CROSSED_QUOTE)) is not None:
        price = packets["levels"]["price"]
        bid, ask = price[..., 0].copy(), price[..., LEVELS].copy()
        price[..., 0] = np.where(mask, ask, bid)
        price[..., LEVELS] = np.where(mask, bid, ask)
    if (mask := thrown.get(Fault.OI_X10)) is not None:
        packets["oi"][mask] *= 10
    if (mask := thrown.get(Fault.ZERO_OI)) is not None:
        packets["oi"][mask] = 0


def _arrived(
    packets: npt.NDArray[np.void],
    received_us: Numbers,
    here: BoolArray,
    thrown: Mapping[Fault, BoolArray],
) -> tuple[npt.NDArray[np.void], Numbers]:
    """Return the packets that come, in order of arrival, and when: late ones after the next, doubled ones twice."""
    times = received_us.copy()
    late = thrown.get(Fault.OUT_OF_ORDER)
    if late is not None:
        for place in range(len(times) - 2, -1, -1):  # the next one may be late itself
            times[place] = np.where(late[place], times[place + 1] + _LATE_US, times[place])
    kept = np.flatnonzero(here.ravel())
    doubled = thrown.get(Fault.DUPLICATE)
    again = np.flatnonzero(doubled.ravel()) if doubled is not None else kept[:0]
    places = np.concatenate([kept, again])
    at_us = np.concatenate([times.ravel()[kept], times.ravel()[again] + _AGAIN_US])
    order = at_us.argsort(kind="stable")
    return packets.ravel()[places[order]], at_us[order]


def other_lot(lot: int) -> int:
    """Return the lot that the master names where what is open was made in another: a sixth more, by fives."""
    return max(lot + 1, round(lot * 7 / 6 / 5) * 5)


def labels(rates: Rates) -> Sequence[str]:
    """Return the rates as they are written, ``zero_oi=0.01``."""
    return [f"{fault}={rate:g}" for fault, rate in sorted(rates.items())]
