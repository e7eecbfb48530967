"""What is watched from beat to beat, each with its own hysteresis, and what happened to it (pure)."""

from dataclasses import dataclass, field
from typing import NamedTuple

from oimon.core.build_up_flip import HOLD_S as FLIP_S
from oimon.core.build_up_flip import build_up_side
from oimon.core.held import Held, hold
from oimon.core.level_break import LevelReference, watch_shift
from oimon.core.oi_speed import OiSpeed, SpeedWatch, watch_speed
from oimon.core.pcr_cross import HOLD_S as CROSS_S
from oimon.core.pcr_cross import pcr_band_from
from oimon.core.straddle_band import HOLD_S as BAND_S
from oimon.core.straddle_band import BandSide, StraddleBand, band_side
from oimon.figures import grouped
from oimon.messages import Event
from oimon.terms import EventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """What is in force of each reading of one expiry; ``band`` is None until the open market has shown a straddle."""

    max_pain: LevelReference = field(default_factory=LevelReference)
    pcr: Held = field(default_factory=Held)
    build_up: Held = field(default_factory=Held)
    straddle: Held = field(default_factory=Held)
    band: StraddleBand | None = None
    speed: SpeedWatch = field(default_factory=SpeedWatch)


class Seen(NamedTuple):
    """What one beat shows; None is unknown, and of a chain that cannot be trusted all is.

    ``flow`` is known only at the beats at which it is sampled, ``straddle`` only while no band is drawn. Prices in rupees,
    open interest in quantity.
    """

    tick: float
    max_pain: float | None = None
    pcr: float | None = None
    net: float | None = None  # score of the net build-up
    level: float | None = None
    straddle: float | None = None
    flow: float | None = None
    oi: float = 0.0


def watch(before: Watches, at_s: float, seen: Seen) -> tuple[Watches, list[Event]]:
    """Return the watches after one more beat, and what happened at it.

    Args:
        before: after the beat before; the same object is returned where nothing changed.
        at_s: the beat, in seconds.
        seen: what it shows.

    Source: requirement B06; analytics specification, 4.2 (shift).
    """
    band = before.band
    if band is None and seen.level is not None and seen.straddle is not None:
        band = StraddleBand(level=seen.level, straddle=seen.straddle, at_s=at_s)
    speed, fast = watch_speed(before.speed, at_s, seen.flow, seen.oi)
    after = Watches(
        max_pain=watch_shift(before.max_pain, at_s, seen.max_pain),
        pcr=hold(before.pcr, at_s, _band(before, seen), CROSS_S),
        build_up=hold(
            before.build_up, at_s, build_up_side(before.build_up.value, seen.net), FLIP_S
        ),
        straddle=hold(before.straddle, at_s, _side(before, band, seen), BAND_S),
        band=band,
        speed=speed,
    )
    if after == before:
        return before, []
    return after, _events(before, after, round(at_s * 1e6), seen, fast)


def _band(before: Watches, seen: Seen) -> str | None:
    return None if seen.pcr is None else pcr_band_from(before.pcr.value, seen.pcr)


def _side(before: Watches, band: StraddleBand | None, seen: Seen) -> str | None:
    if band is None or seen.level is None:
        return None
    return band_side(band, before.straddle.value, seen.level, seen.tick)


def _events(
    before: Watches, after: Watches, ts_us: int, seen: Seen, fast: OiSpeed | None
) -> list[Event]:
    """Return one event of each reading that changed; the first of all is none."""
    found = []
    was, now = before.max_pain.strike, after.max_pain.strike
    if was is not None and now is not None and was != now:
        text = f"max pain moved {was:g} → {now:g}"
        found.append(
            _event(EventKind.MAX_PAIN_SHIFT, text, ts_us, f"{was:g}", f"{now:g}", strike=now)
        )
    if _turned(before.pcr, after.pcr):
        text = f"PCR {seen.pcr:.2f}: {_words(before.pcr)} → {_words(after.pcr)}"
        found.append(_event(EventKind.PCR_CROSS, text, ts_us, before.pcr.value, after.pcr.value))
    if _turned(before.build_up, after.build_up):
        text = f"net build-up {_words(before.build_up)} → {_words(after.build_up)}"
        if seen.net is not None:
            text += f", score {seen.net:+.2f}"
        told = before.build_up.value, after.build_up.value
        found.append(_event(EventKind.BUILD_UP_FLIP, text, ts_us, *told))
    if _turned(before.straddle, after.straddle) and after.straddle.value != BandSide.INSIDE:
        found.append(_band_left(before, after, ts_us))
    if fast is not None:
        text = (
            f"open interest moves fast: {grouped(fast.flow, 0)} in 3 min, usual {grouped(fast.usual, 0)} "
            f"(z {fast.z:.1f})"
        )
        found.append(_event(EventKind.OI_SPEED, text, ts_us, None, None))
    return found


def _band_left(before: Watches, after: Watches, ts_us: int) -> Event:
    band, told = after.band, (before.straddle.value, after.straddle.value)
    edges = "" if band is None else f" {grouped(band.low)} to {grouped(band.high)}"
    text = f"the price is {after.straddle.value} the first straddle's band{edges}"
    return _event(EventKind.STRADDLE_BREAK, text, ts_us, *told)


def _turned(before: Held, after: Held) -> bool:
    return before.value is not None and after.value != before.value


def _words(held: Held) -> str:
    return str(held.value).replace("_", " ")


def _event(
    kind: EventKind,
    text: str,
    ts_us: int,
    was: str | None,
    now: str | None,
    *,
    strike: float | None = None,
) -> Event:
    return Event(
        kind=kind.value,
        text=text,
        ts_us=ts_us,
        strike=strike,
        was=None if was is None else str(was),
        now=None if now is None else str(now),
    )
