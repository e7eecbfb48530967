"""The market's calendar: sessions, holidays, expiries and lots, from a dated table.

What the table does not cover is unknown and is said so: ``MarketState.UNKNOWN``, ``None``, a ``warning``. The table,
``data/calendar.toml``, is read once, on first use. Instants are microseconds since the epoch, days are days in India.

Source: analytics specification, 7.1, 7.3, 9.1 and 12.
"""

import calendar
import tomllib
from bisect import bisect_right
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from oimon.terms import MarketState, Segment

IST = timezone(timedelta(hours=5, minutes=30), "IST")  # India has no daylight saving time
YEAR_S = 365 * 86_400
"""Seconds of the year that times to expiry are fractions of."""
LARGEST_LOT = 1_000_000
"""Units; no contract has so many (the largest of NSE's shares has 71,475), so more is a slip of who typed it."""

_NEW_YORK = "America/New_York"
_EPOCH = date(1970, 1, 1).toordinal()
_IST_S = 19_800
_SATURDAY = 5
_LOOK_BACK = 10  # days: longer than any row of holidays
_TRADING = (MarketState.OPEN, MarketState.OPEN_CAS)

Schedule = tuple[tuple[int, MarketState], ...]
"""Instant (µs) and the state that begins then, ascending; the first begins at midnight."""


def day_of(ts_us: int) -> date:
    """Return the day in India that an instant belongs to."""
    return date.fromordinal(_EPOCH + (ts_us // 1_000_000 + _IST_S) // 86_400)


def instant_us(day: date, at: time) -> int:
    """Return the instant of a time of day in India."""
    return round(datetime.combine(day, at, IST).timestamp()) * 1_000_000


def market_state(segment: Segment, ts_us: int) -> MarketState:
    """Return the state of a segment's market at an instant; a boundary belongs to the later state.

    ``HALT_SUSPECTED`` is not the calendar's to know. Source: analytics specification, 12.2 and 12.3.
    """
    plan = schedule(segment, day_of(ts_us))
    return plan[bisect_right(plan, ts_us, key=lambda step: step[0]) - 1][1]


@lru_cache(maxsize=256)
def schedule(segment: Segment, day: date) -> Schedule:
    """Return the states of one day.

    In a year without a list of holidays a weekday's session is UNKNOWN; its nights and weekends are CLOSED all the same.
    """
    for special in _table().get("special", ()):
        if special["day"] == day and segment in special["segments"]:
            states = special.get("states", [["00:00", MarketState.UNKNOWN]])
            return _schedule(day, states)
    if day.weekday() >= _SATURDAY:
        return _schedule(day, [])
    holidays = _holidays(day.year)
    states = _mcx_states(day) if segment is Segment.MCX else _session(segment, day)
    closed = (holidays or {}).get("MCX" if segment is Segment.MCX else "NSE")
    if closed is None:
        states = [[at, s if s == MarketState.CLOSED else MarketState.UNKNOWN] for at, s in states]
    elif day in closed:
        states = []
    return _schedule(day, states)


def is_trading_day(segment: Segment, day: date) -> bool | None:
    """Say whether a segment trades on a day; ``None`` where the table does not know."""
    states = {state for _, state in schedule(segment, day)}
    return None if MarketState.UNKNOWN in states else MarketState.OPEN in states


def previous_trading_day(segment: Segment, day: date) -> date | None:
    """Return the last day before a day on which a segment traded; ``None`` where the table does not know."""
    for back in range(1, _LOOK_BACK):
        before = day - timedelta(days=back)
        is_open = is_trading_day(segment, before)
        if is_open is not False:
            return before if is_open else None
    return None


def warning(day: date) -> str | None:
    """Return what a person should know about the table's reach on a day, or ``None``."""
    if _holidays(day.year) is not None:
        return None
    known = ", ".join(sorted(_table()["holidays"]))
    return (
        f"the calendar has no list of holidays for {day.year} (it has {known}): "
        "the market's state is unknown on weekdays. Add the list to calendar.toml"
    )


def close_us(segment: Segment, day: date) -> int:
    """Return when a segment's continuous trading ends on a day, were it a trading day."""
    states = _mcx_states(day) if segment is Segment.MCX else _session(segment, day)
    after = [at for at, state in states if state not in _TRADING and at > _opening(states)]
    return instant_us(day, time.fromisoformat(after[0]))


def open_us(segment: Segment, day: date) -> int:
    """Return when a segment's continuous trading begins on a day, were it a trading day."""
    states = _mcx_states(day) if segment is Segment.MCX else _session(segment, day)
    return instant_us(day, time.fromisoformat(_opening(states)))


def session_s(segment: Segment, day: date) -> int:
    """Return the length of a segment's continuous trading in seconds: ``L`` of the formulas (5.1)."""
    return (close_us(segment, day) - open_us(segment, day)) // 1_000_000


def time_to_expiry(segment: Segment, expiry: date, ts_us: int) -> float:
    """Return seconds until a contract's close on its expiry day; 0 or less once it has expired.

    Source: analytics specification, 9.1.
    """
    return (close_us(segment, expiry) - ts_us) / 1e6


def mcx_close(day: date) -> time:
    """Return when MCX closes: earlier while New York has daylight saving time at 23:00 in India.

    Source: analytics specification, 12.3.
    """
    at = datetime.combine(day, time(23), IST).astimezone(ZoneInfo(_NEW_YORK))
    return time.fromisoformat(_table()["mcx"]["close" if at.dst() else "close_winter"])


@lru_cache(maxsize=256)
def entry_window(segment: Segment, day: date, *, is_expiry: bool) -> tuple[int, int]:
    """Return the first and the last instant at which a position may be entered.

    A special session that ends early ends entries early, as long before its end as MCX does.
    Source: analytics specification, 7.1.
    """
    last = _end_us(segment, day) - 45 * 60_000_000
    if segment is Segment.MCX:
        return instant_us(day, time(9, 5)), last
    usual = instant_us(day, time(14) if is_expiry else time(14, 45))
    return instant_us(day, time(9, 20)), min(usual, last)


@lru_cache(maxsize=256)
def square_off_us(segment: Segment, day: date) -> int:
    """Return when a position is closed at the latest: before the index's closing auction, or a special session's end (7.3)."""
    last = _end_us(segment, day) - 15 * 60_000_000
    return last if segment is Segment.MCX else min(instant_us(day, time(15, 10)), last)


def weekly_expiry(on: date, weekday: int, holidays: Collection[date]) -> date:
    """Return the earliest weekly expiry on or after a day; on a holiday it is the trading day before.

    Args:
        on: the day asked about.
        weekday: of the expiry, Monday is 0.
        holidays: days without trading, beside Saturdays and Sundays.
    """
    nominal = on + timedelta(days=(weekday - on.weekday()) % 7)
    moved = _moved(nominal, holidays)
    return moved if moved >= on else _moved(nominal + timedelta(days=7), holidays)


def monthly_expiry(year: int, month: int, weekday: int, holidays: Collection[date]) -> date:
    """Return the last such weekday of a month, or the trading day before when that is a holiday."""
    last = date(year, month, calendar.monthrange(year, month)[1])
    return _moved(last - timedelta(days=(last.weekday() - weekday) % 7), holidays)


def next_expiry(underlying: str, on: date) -> date | None:
    """Return an index's nearest expiry on or after a day; ``None`` where the table does not know.

    For the simulator and for checks: live, the instrument master says what expires when.
    """
    rules = [r for r in _table()["expiry"] if underlying in r["underlyings"] and r["from"] <= on]
    holidays = _holidays(on.year)
    if not rules or holidays is None:
        return None
    rule, closed = rules[-1], holidays["NSE"]
    if rule["weekly"]:
        found = weekly_expiry(on, rule["weekday"], closed)
    else:
        found = monthly_expiry(on.year, on.month, rule["weekday"], closed)
        if found < on:
            later = date(on.year, on.month, 28) + timedelta(days=4)
            found = monthly_expiry(later.year, later.month, rule["weekday"], closed)
    return found if found.year == on.year else None


def lot_size(underlying: str, expiry: date, on: date) -> int | None:
    """Return an index's lot on a day, ``None`` where the table does not know.

    Args:
        underlying: as ``NIFTY``.
        expiry: when the series expires.
        on: the day: contracts that were listed before the lot changed had another one until then.
    """
    for row in _table()["contract"]:
        if (
            row["underlying"] == underlying
            and row["from"] <= min(on, expiry)
            and expiry <= row["to"]
        ):
            return int(row["lot"])
    return None


def segment_of(underlying: str) -> Segment:
    """Return where an underlying's options are traded: an index' with its exchange, a share's on NSE."""
    rows = [row for row in _table()["contract"] if row["underlying"] == underlying]
    return Segment(rows[0].get("segment", Segment.NFO)) if rows else Segment.NFO


# --- the table -----------------------------------------------------------------------------------------------------


@cache
def _table() -> Mapping[str, Any]:
    text = resources.files("oimon").joinpath("data", "calendar.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _holidays(year: int) -> Mapping[str, frozenset[date]] | None:
    """Return a year's closed days by exchange, or ``None`` when the table has no list."""
    lists = _table()["holidays"].get(str(year))
    return lists and {name: frozenset(days) for name, days in lists.items()}


def _session(segment: Segment, day: date) -> list[list[str]]:
    """Return the newest confirmed row of the segment that is in force on a day."""
    rows = [
        row
        for row in _table()["session"]
        if segment in row["segments"]
        and row.get("confirmed", True)
        and row.get("from", date.min) <= day
    ]
    return list(rows[-1]["states"])


def _mcx_states(day: date) -> list[list[str]]:
    mcx, holidays = _table()["mcx"], _holidays(day.year) or {}
    start = mcx["evening" if day in holidays.get("MCX_MORNING", ()) else "open"]
    evening_off = day in holidays.get("MCX_EVENING", ())
    end = mcx["evening"] if evening_off else mcx_close(day).isoformat("minutes")
    return [[start, MarketState.OPEN], [end, MarketState.CLOSED]]


def _end_us(segment: Segment, day: date) -> int:
    """Return when the day's continuous trading ends: a special session's where there is one and its times are known."""
    plan = schedule(segment, day)
    ends = [
        at
        for (_, before), (at, state) in pairwise(plan)
        if before in _TRADING and state not in _TRADING
    ]
    return ends[-1] if ends else close_us(segment, day)


def _opening(states: list[list[str]]) -> str:
    return next(at for at, state in states if state == MarketState.OPEN)


def _schedule(day: date, states: list[list[str]]) -> Schedule:
    midnight = (instant_us(day, time(0)), MarketState.CLOSED)
    steps = [(instant_us(day, time.fromisoformat(at)), MarketState(state)) for at, state in states]
    return (midnight, *steps)


def _moved(day: date, holidays: Collection[date]) -> date:
    """Return the day, or the nearest trading day before it."""
    while day.weekday() >= _SATURDAY or day in holidays:
        day -= timedelta(days=1)
    return day
