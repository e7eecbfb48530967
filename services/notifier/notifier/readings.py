"""What stands below the ladder: levels, reasons, coaches, the paper position, the other expiries (pure).

Source: screens, section 2.
"""

from collections.abc import Sequence

import numpy as np
from rich.text import Text

from notifier.render import call, evidence, trigger
from oimon import figures
from oimon.explain.anchors import change
from oimon.explain.direction import supporting
from oimon.figures import UNKNOWN, age, clock_time, plain
from oimon.messages import (
    Advice,
    Chain,
    ChainAnalysis,
    Contribution,
    DayTotals,
    ExpiryAnalysis,
    Level,
    OiAnchor,
    Position,
)
from oimon.terms import Direction

_ANCHORS = "ΔOI CE/PE "
_OF_THE_DAY = ("day", "open")
_LATE_S = 60.0  # a window that counts from so much before its start spans a gap
_COMPLETE = 0.8  # of a chain's legs, as the quality of a chain has it
DIRECTIONS = {
    Direction.BULLISH: ("▲", "green"),
    Direction.BEARISH: ("▼", "red"),
    Direction.NEUTRAL: ("-", "yellow"),
}
"""Arrow and colour of each direction."""


def levels(analysis: ChainAnalysis) -> Text:
    """Return the line of levels, straddle and expected move."""
    return Text.assemble(
        ("S ", "bold green"),
        _levels(analysis.support),
        ("   R ", "bold red"),
        _levels(analysis.resistance),
        f"   Straddle {figures.decimal(analysis.straddle, 1)}",
        f"   ±{plain(_whole(analysis.em_expiry))} by expiry",
    )


def readings(analysis: ChainAnalysis) -> list[Text]:
    """Return the lines of reasons for and against, and of what happened at this beat."""
    happened = _event(analysis) if analysis.events else []
    if analysis.off:  # there is no direction to give reasons for
        return happened
    why = Text.assemble(("Why      ", "bold"), _evidence(supporting(analysis)[:3]))
    against = Text.assemble(("Against  ", "bold"), _evidence(analysis.against[:2]))
    return [why, against, *happened]


def anchors(analysis: ChainAnalysis, *, width: int, contracts: bool) -> list[Text]:
    """Return the chain's changes of open interest on all anchors, calls/puts, on as many lines as they need."""
    told = [
        f"{anchor.name} {change(anchor.ce_change, analysis.lot, contracts=contracts)}/"
        f"{change(anchor.pe_change, analysis.lot, contracts=contracts)}{'~' * anchor.is_partial}"
        f"{_few(anchor, analysis.chain)}"
        for anchor in analysis.oi_anchors
    ]
    lines: list[list[str]] = []
    for part in told:
        if lines and len(_ANCHORS) + len("  ".join([*lines[-1], part])) <= width:
            lines[-1].append(part)
        else:
            lines.append([part])
    return [
        Text.assemble((" " * len(_ANCHORS) if place else _ANCHORS, "bold"), "  ".join(line))
        for place, line in enumerate(lines)
    ]


def counted_from(analysis: ChainAnalysis) -> list[Text]:
    """Return a line of when, and by whose word, changes count from that do not say it by their name: of the day, of a young history, over a gap."""
    instants: dict[str, list[str]] = {}
    sources: dict[str, None] = {}
    for anchor in analysis.oi_anchors:
        says = anchor.name in _OF_THE_DAY or anchor.is_partial
        if anchor.source is None or not (says or _late_s(anchor, analysis.ts_us) > _LATE_S):
            continue
        name = f"{anchor.name}{'~' * anchor.is_partial}"
        instants.setdefault(_instant(anchor.at_us, analysis.date), []).append(name)
        if says:
            sources[anchor.source] = None
    if not instants:
        return []
    times = "  ".join(f"{' '.join(names)} {at}" for at, names in instants.items())
    head = f"{'since':<{len(_ANCHORS)}}"
    return [Text(f"{head}{times}  ({'; '.join(sources)})", style="bright_black")]


def _instant(at_us: int | None, date: str) -> str:
    """Return the time of an instant, of another day its date too."""
    if at_us is None:
        return UNKNOWN
    on = figures.day(at_us)
    return f"{'' if on == date else f'{figures.short_date(on)} '}{clock_time(at_us)}"


def _late_s(anchor: OiAnchor, now_us: int) -> float:
    """Return how long before its start a window counts from."""
    minutes = anchor.name.removesuffix("m")
    if anchor.at_us is None or not minutes.isdecimal():
        return 0.0
    return (now_us - anchor.at_us) / 1e6 - 60.0 * int(minutes)


def _few(anchor: OiAnchor, chain: Chain) -> str:
    """Say of how many legs a sum is, where it lacks so many that it is not the chain's."""
    known = sum(int(np.isfinite(legs.oi).sum()) for legs in (chain.ce, chain.pe))
    lacks = 0 < anchor.legs < _COMPLETE * known
    return f" ({anchor.legs} of {known} legs)" if lacks else ""


def _event(analysis: ChainAnalysis) -> list[Text]:
    told = " · ".join(f"{clock_time(e.ts_us)} {e.text}" for e in analysis.events)
    return [Text(f"Event    {told}", style="bold")]


def _whole(value: float | None) -> float | None:
    return None if value is None else round(value)


def _levels(levels: Sequence[Level]) -> str:
    return " ".join(f"{plain(k)}({strength:.0f})" for k, strength in levels[:2]) or UNKNOWN


def nearest(levels: Sequence[Level]) -> str:
    """Return the strongest level's strike."""
    return plain(levels[0][0]) if levels else UNKNOWN


def _evidence(items: Sequence[Contribution]) -> str:
    return " · ".join(evidence(item) for item in items) or UNKNOWN


def other_expiry(other: ExpiryAnalysis, *, has_direction: bool = True) -> Text:
    """Return another expiry's chain in one line."""
    mark, colour = DIRECTIONS[other.direction]
    bias = f"{mark} {other.direction} {figures.percent(other.confidence_factor)}  "
    return Text.assemble(
        f"{figures.short_date(other.expiry):8s} PCR {figures.decimal(other.pcr)}",
        f"  MaxPain {plain(other.max_pain)}  ",
        (bias if has_direction else "", colour),
        f"S {nearest(other.support)}  R {nearest(other.resistance)}",
        f"  IV {iv(other.atm_iv)}",
    )


def coaches(analysis: ChainAnalysis, minimal: Advice | None, rich: Advice | None) -> list[Text]:
    """Return a line for each coach."""
    fast, deep = (_of_run(analysis.run, advice) for advice in (minimal, rich))
    return [_coach_line("MINIMAL", fast, analysis), _coach_line("RICH", deep, analysis)]


def paper(analysis: ChainAnalysis, minimal: Advice | None) -> list[Text]:
    """Return a line of the paper position when there is or was one today."""
    fast = _of_run(analysis.run, minimal)
    if fast is None or (fast.position is None and not _has_traded(fast)):
        return []
    return [Text.assemble(("PAPER    ", "bold"), _paper(fast))]


def _of_run(run: str, advice: Advice | None) -> Advice | None:
    """Return the advice unless it is of an earlier run: what was said of another day is not shown."""
    return advice if advice is not None and advice.run == run else None


def _coach_line(name: str, advice: Advice | None, analysis: ChainAnalysis) -> Text:
    if advice is None:
        return Text(f"{name:8s} has not spoken yet", style="bright_black")
    why = "" if advice.by_why is None else f": {advice.by_why.replace('_', ' ')}"
    since_s = max(0.0, (analysis.ts_us - advice.input_ts_us) / 1e6)
    asked = "" if advice.trigger is None else f" ({trigger(advice.trigger)})"
    reasons = "; ".join([*advice.reasons, *advice.warnings]) + asked
    return Text.assemble(
        (f"{name:8s} ", "bold"),
        (f"{call(advice)} {advice.confidence:.2f}", "bold cyan"),
        f"  by {advice.by}{why}, {clock_time(advice.input_ts_us)} ({age(since_s)} ago)",
        f"  {reasons}" if reasons else "",
    )


def _has_traded(advice: Advice) -> bool:
    return advice.day is not None and advice.day.trades > 0


def _paper(advice: Advice) -> str:
    held = "flat" if advice.position is None else _held(advice.position)
    today = "" if advice.day is None else _today(advice.day)
    exits = "" if advice.position is None else _exits(advice.position)
    return "   ".join(part for part in (held, today, exits) if part)


def _held(position: Position) -> str:
    strikes = "/".join(plain(strike) for strike in position.strikes)
    gain = None if position.bid is None else (position.bid - position.entry) * position.qty
    return (
        f"{position.lots}x{strikes}{position.side} at {figures.decimal(position.entry)}"
        f" now {figures.decimal(position.bid)} {figures.rupees(gain)} before charges"
    )


def _today(day: DayTotals) -> str:
    trades = "1 trade" if day.trades == 1 else f"{day.trades} trades"
    return f"today {trades} {figures.rupees(day.net)} net"


def _exits(position: Position) -> str:
    return f"stop {figures.decimal(position.stop)} target {figures.decimal(position.target)}"


def iv(volatility: float | None) -> str:
    """Return an implied volatility in percent."""
    return UNKNOWN if volatility is None else f"{volatility * 100:.1f}%"
