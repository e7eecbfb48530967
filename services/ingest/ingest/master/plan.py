"""What of the master is subscribed, by partition: prices of the underlying, futures, option chains (pure).

Expiries come from the master, never from a rule. Source: smartapi, sections 7.1, 7.2 and 9.4; rulings, 14 and 18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from ingest.instruments import Instrument
from ingest.master.columns import Master, Rows
from ingest.master.features import switched_off
from ingest.names import ALIASES, DEFAULTS
from ingest.packets import EXCHANGE_TYPES, LTP, SNAP_QUOTE
from oimon import calendar
from oimon.terms import Kind, Segment

FUTURES = 2
"""The near one and the next."""
_VIX = "INDIA VIX"
_OPTIONS = (Kind.CE, Kind.PE)
_CHAINED = (Segment.NFO, Segment.BFO)


@dataclass(frozen=True, slots=True)
class Ask:
    """One instrument in one mode: what the broker counts."""

    instrument: Instrument
    mode: int

    @property
    def key(self) -> tuple[int, int, str]:
        """Mode, the stream's number of the exchange, token: what the stream is asked for."""
        return self.mode, EXCHANGE_TYPES[self.instrument.exchange], self.instrument.token


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """The options of one expiry."""

    underlying: str
    expiry: str  # ISO day
    spot: Instrument  # whose price says where the money is; of a commodity's options a future
    strikes: Sequence[float]  # rupees, ascending
    legs: Mapping[float, Sequence[Instrument]]  # by strike: call, put, or what there is of them

    def asks(self, strikes: Sequence[float]) -> list[Ask]:
        """Return the contracts of some strikes."""
        return [Ask(leg, SNAP_QUOTE) for strike in strikes for leg in self.legs[strike]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One partition: an underlying, a commodity or a share."""

    underlying: str
    segment: Segment
    always: Sequence[Ask]  # the underlying's own price, India VIX, futures
    chains: Sequence[Chain]
    off: Sequence[str]  # features that this segment does not have, and why


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the user wants to see."""

    segment: Segment
    names: Sequence[str] = ()  # underlyings, commodities or shares; none: the segment's default
    expiries: int = 2  # so many of the nearest
    days: Sequence[date] = ()  # these expiries instead
    each_side: int | None = 20  # strikes on each side of the money; None: all
    mcx_oi: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is subscribed, and what of the wish could not be."""

    parts: Sequence[Part]
    each_side: int | None
    notes: Sequence[str]


def plan(master: Master, wanted: Wanted, now_us: int, *, or_default: bool = True) -> Plan:
    """Return what to subscribe; names that the master does not have are noted.

    Args:
        master: of the day.
        wanted: what the user wants to see.
        now_us: contracts that have expired by then are left out.
        or_default: where none of the names is there, take the segment's default.
    """
    notes: list[str] = []
    names = list(dict.fromkeys(wanted.names or DEFAULTS[wanted.segment]))
    planner = _Planner(master, wanted, now_us, notes)
    parts = planner.parts(names)
    default = DEFAULTS[wanted.segment]
    if not parts and or_default and names != list(default):
        notes.append(f"using the default, {', '.join(default)}")
        parts = planner.parts(default)
    if reach_of_calendar := calendar.warning(calendar.day_of(now_us)):
        notes.append(reach_of_calendar)
    return Plan(parts=parts, each_side=wanted.each_side, notes=notes)


class _Planner:
    """Looks instruments up at one instant; adds to the notes what it does not find."""

    def __init__(self, master: Master, wanted: Wanted, now_us: int, notes: list[str]) -> None:
        self._master, self._wanted, self._now_us, self._notes = master, wanted, now_us, notes

    def parts(self, names: Sequence[str]) -> list[Part]:
        """Return the partitions of the names that are listed."""
        by_name = {part.underlying: part for name in names if (part := self._listed(name))}
        found = list(by_name.values())  # one may be spelled in two ways
        for part in found:
            if not part.always:
                self._notes.append(
                    f"{part.underlying}: neither its own price nor a future that has not expired is listed"
                )
        return self._with_vix([part for part in found if part.always])

    def _listed(self, name: str) -> Part | None:
        segment = self._wanted.segment
        if segment is Segment.NSE:
            return self._share(name)
        if segment is Segment.MCX:
            return self._commodity(name)
        others = [each for each in _CHAINED if each is not segment]
        for each in (segment, *others):  # SENSEX may stand beside NIFTY
            if len(self._master.find(exchange=each, name=name, kinds=_OPTIONS)):
                return self._index(name, each)
        self._unknown(name, [each.value for each in _CHAINED], _OPTIONS)
        return None

    def _with_vix(self, parts: list[Part]) -> list[Part]:
        """Return the parts, NIFTY's (else the first index of NSE) with India VIX, which is made of its options."""
        rows = self._master.find(exchange="NSE", name=_VIX, kinds=[Kind.INDEX])
        homes = [p for p in parts if p.segment is Segment.NFO and _is_index(p)]
        homes.sort(key=lambda part: part.underlying != "NIFTY")
        if not len(rows) or not homes:
            return parts
        vix = Ask(self._master.instruments(rows[:1])[0], LTP)
        return [_also(part, vix) if part is homes[0] else part for part in parts]

    def _index(self, name: str, segment: Segment) -> Part:
        futures = self._futures(name, segment)
        spot = self._own_price(name, segment)
        always = [Ask(each, SNAP_QUOTE) for each in futures[:FUTURES]]
        if spot is not None:  # an index has a price and nothing else
            always.insert(0, Ask(spot, LTP if spot.kind is Kind.INDEX else SNAP_QUOTE))
        return self._part(name, segment, always, spot, futures)

    def _commodity(self, name: str) -> Part | None:
        named = ALIASES.get(name, name)
        if named != name:
            self._notes.append(f"MCX lists no {name}; using {named}")
        futures = self._futures(named, Segment.MCX)
        if not futures:
            self._unknown(named, ["MCX"], [Kind.FUT])
            return None
        always = [Ask(each, SNAP_QUOTE) for each in futures[:FUTURES]]
        return self._part(named, Segment.MCX, always, None, futures)

    def _share(self, name: str) -> Part | None:
        rows = self._master.find(exchange="NSE", symbol=f"{name}-EQ", kinds=[Kind.EQ])
        if not len(rows) and "-" in name:  # with its series; BAJAJ-AUTO has none
            rows = self._master.find(exchange="NSE", symbol=name, kinds=[Kind.EQ])
        if not len(rows):
            self._unknown(name, ["NSE"], [Kind.EQ])
            return None
        (share,) = self._master.instruments(rows[:1])
        return self._part(name.removesuffix("-EQ"), Segment.NSE, [Ask(share, SNAP_QUOTE)], None, [])

    def _part(
        self,
        name: str,
        segment: Segment,
        always: list[Ask],
        spot: Instrument | None,
        futures: Sequence[Instrument],
    ) -> Part:
        has_chains = segment in _CHAINED or (segment is Segment.MCX and self._wanted.mcx_oi)
        chains = self._chains(name, segment, spot, futures) if has_chains else []
        needed = [Ask(chain.spot, SNAP_QUOTE) for chain in chains if chain.spot.kind is Kind.FUT]
        return Part(
            underlying=name,
            segment=segment,
            always=list(dict.fromkeys([*always, *needed])),
            chains=chains,
            off=switched_off(segment, mcx_oi=self._wanted.mcx_oi, has_options=bool(chains)),
        )

    def _chains(
        self,
        name: str,
        segment: Segment,
        spot: Instrument | None,
        futures: Sequence[Instrument],
    ) -> list[Chain]:
        rows = self._master.find(exchange=segment, name=name, kinds=_OPTIONS)
        chains = []
        for day in self._days(name, segment, rows):
            own = spot or next((f for f in futures if (f.expiry or "") >= day.isoformat()), None)
            if own is None:
                self._notes.append(
                    f"{name}: neither its own price nor a future is listed for the options of {day}; they are left out"
                )
                continue
            chains.append(self._chain(name, day, own, rows))
        return chains

    def _chain(self, name: str, day: date, spot: Instrument, rows: Rows) -> Chain:
        legs: dict[float, list[Instrument]] = {}
        of_day = rows[self._master.columns["expiry"][rows] == day.toordinal()]
        for leg in sorted(self._master.instruments(of_day), key=lambda leg: leg.kind):
            legs.setdefault(leg.strike or 0.0, []).append(leg)
        return Chain(
            underlying=name, expiry=day.isoformat(), spot=spot, strikes=sorted(legs), legs=legs
        )

    def _days(self, name: str, segment: Segment, rows: Rows) -> list[date]:
        """Return the expiries to follow: those asked for, else the nearest that have not closed."""
        alive = [day for day in self._master.expiries(rows) if self._is_alive(segment, day)]
        nearest = alive[: self._wanted.expiries]
        if not alive and len(rows):
            last = self._master.expiries(rows)[-1]
            self._notes.append(f"{name}: every option of the list has expired, the last on {last}")
        if not self._wanted.days:
            return nearest
        listed = ", ".join(map(str, alive[:6])) or "none"
        for day in self._wanted.days:
            if day not in alive:
                self._notes.append(
                    f"{name}: no options expire on {day}; the nearest days are {listed}"
                )
        return [day for day in alive if day in self._wanted.days] or nearest

    def _futures(self, name: str, segment: Segment) -> list[Instrument]:
        rows = self._master.find(exchange=segment, name=name, kinds=[Kind.FUT])
        found = sorted(self._master.instruments(rows), key=lambda each: each.expiry or "")
        return [f for f in found if self._is_alive(segment, date.fromisoformat(f.expiry or ""))]

    def _is_alive(self, segment: Segment, day: date) -> bool:
        return calendar.time_to_expiry(segment, day, self._now_us) > 0

    def _own_price(self, name: str, segment: Segment) -> Instrument | None:
        """Return the index of that name, else the share."""
        exchange = "BSE" if segment is Segment.BFO else "NSE"
        rows = self._master.find(exchange=exchange, name=name, kinds=[Kind.INDEX])
        if not len(rows):
            symbol = name if exchange == "BSE" else f"{name}-EQ"
            rows = self._master.find(exchange=exchange, symbol=symbol, kinds=[Kind.EQ])
        return next(iter(self._master.instruments(rows[:1])), None)

    def _unknown(self, name: str, exchanges: Sequence[str], kinds: Sequence[Kind]) -> None:
        known: set[str] = set()
        for exchange in exchanges:
            known.update(self._master.names_of(self._master.find(exchange=exchange, kinds=kinds)))
        if name in known and Kind.FUT in kinds:
            rows = self._master.find(exchange=exchanges[0], name=name, kinds=kinds)
            last = self._master.expiries(rows)[-1]
            self._notes.append(f"{name}: every future of the list has expired, the last on {last}")
            return
        close = get_close_matches(name, sorted(known), n=4, cutoff=0.6)
        if name in known and Kind.EQ in kinds:  # of other series: they are asked for by symbol
            rows = self._master.find(exchange=exchanges[0], name=name, kinds=kinds)
            close = [each.symbol for each in self._master.instruments(rows[:4])]
        near = f"; near to it: {', '.join(close)}" if close else ""
        what = {Kind.FUT: "commodity", Kind.EQ: "share"}.get(kinds[0], "underlying with options")
        lists = "list" if len(exchanges) > 1 else "lists"
        self._notes.append(f"{' and '.join(exchanges)} {lists} no {what} called {name!r}{near}")


def _is_index(part: Part) -> bool:
    return any(ask.instrument.kind is Kind.INDEX for ask in part.always)


def _also(part: Part, ask: Ask) -> Part:
    return Part(
        underlying=part.underlying,
        segment=part.segment,
        always=[*part.always[:1], ask, *part.always[1:]],
        chains=part.chains,
        off=part.off,
    )
