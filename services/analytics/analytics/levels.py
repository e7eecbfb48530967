"""A support or resistance in time: which level is in force, and whether it is broken (pure)."""

from dataclasses import dataclass, field

from oimon.core.level_break import (
    BreakRun,
    LevelKind,
    LevelReference,
    confirmed_by_oi,
    watch_break,
    watch_shift,
)
from oimon.messages import Event
from oimon.terms import EventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWatch:
    """The level in force, and the run of samples beyond ``watched``, the strike that the run is about."""

    reference: LevelReference = field(default_factory=LevelReference)
    run: BreakRun = field(default_factory=BreakRun)
    watched: float | None = None

    @property
    def broken_s(self) -> float | None:
        """When the level was broken, while that is in force."""
        return self.run.broken_s


def watch(
    before: LevelWatch,
    at_s: float,
    price: float,
    primary: float | None,
    *,
    kind: LevelKind,
    tick: float,
) -> LevelWatch:
    """Return the watch after one more beat; a broken level is watched until its break is over.

    Args:
        before: after the beat before.
        at_s: the beat, in seconds.
        price: reference level X, in rupees.
        primary: strongest strike of that side now, in rupees.
        kind: which side.
        tick: smallest step of the price, in rupees.

    Source: analytics specification, 4.2.
    """
    reference = watch_shift(before.reference, at_s, primary)
    watched = reference.strike if before.broken_s is None else before.watched
    run = before.run if watched == before.watched else BreakRun()
    if watched is not None:
        run = watch_break(run, at_s, price, kind=kind, level=watched, tick=tick)
    if reference is before.reference and run is before.run and watched == before.watched:
        return before
    return LevelWatch(reference=reference, run=run, watched=watched)


def newest_break(support: LevelWatch, resistance: LevelWatch) -> LevelKind | None:
    """Return which side's level is broken, of two broken ones the one that broke last; None where neither is.

    Both are where a level shifted past the other side's, which broke before. Source: analytics specification, 4.3.
    """
    if support.broken_s is None and resistance.broken_s is None:
        return None
    is_up = (resistance.broken_s or 0.0) > (support.broken_s or 0.0)
    return LevelKind.RESISTANCE if is_up else LevelKind.SUPPORT


def events(
    before: LevelWatch, after: LevelWatch, ts_us: int, *, kind: LevelKind, oi_change: float | None
) -> list[Event]:
    """Return what happened to a level at a beat: a shift, a break.

    Args:
        before: the watch before the beat.
        after: the watch after it.
        ts_us: the beat.
        kind: which side.
        oi_change: of the defending leg over the short-term window, in quantity.

    Source: analytics specification, 4.2.
    """
    found = []
    was, now = before.reference.strike, after.reference.strike
    if was is not None and now is not None and was != now:
        way = "UP" if now > was else "DOWN"
        found.append(
            Event(
                kind=EventKind(f"{kind.upper()}_SHIFT_{way}").value,
                text=f"{kind} moved {was:g} → {now:g}",
                ts_us=ts_us,
                strike=now,
                was=f"{was:g}",
                now=f"{now:g}",
            )
        )
    if before.broken_s is None and after.broken_s is not None:
        word = {True: "writers cover", False: "writers hold", None: "open interest unknown"}
        found.append(
            Event(
                kind=EventKind(f"{kind.upper()}_BREAK").value,
                text=f"{kind} {after.watched:g} broken, {word[confirmed_by_oi(oi_change)]}",
                ts_us=ts_us,
                strike=after.watched,
            )
        )
    return found
