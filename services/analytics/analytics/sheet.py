"""One analysis on paper: the figures, then the strikes around the money (pure)."""

import math
from collections.abc import Iterator
from datetime import datetime

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oimon.calendar import IST
from oimon.explain.anchors import counted
from oimon.figures import grouped
from oimon.messages import ChainAnalysis, Legs

EACH_SIDE = 10
UNKNOWN = "--"
_MISSING = (
    ("PCR by open interest", "pcr"),
    ("PCR by volume", "pcr_vol"),
    ("PCR around the money", "pcr_window"),
    ("Max pain", "max_pain"),
    ("Support", "support_wall"),
    ("Resistance", "resistance_wall"),
    ("Volatility at the money", "atm_iv"),
    ("Straddle", "straddle"),
    ("Expected move to expiry", "em_expiry"),
    ("Zero gamma", "gex"),
)
"""What the sheet shows and may be missing, and the message's field that has the reason."""

VOLUME_ONLY = "lot unknown: volume is in contracts, open interest in units"
"""Why an end-of-day file has no lot, where it has none."""
LOT_NOT_NEEDED = "lot unknown: open interest and volume are in units, as the file has them"
"""Why a CSV has no lot, where it counts units."""
_IN_CONTRACTS = "{} in contracts: the lot is unknown. Give it with --lot."
_NO_LOT = {
    VOLUME_ONLY: _IN_CONTRACTS.format("Volume is"),
    LOT_NOT_NEEDED: "The lot is unknown, so nothing is told in contracts. Give it with --lot.",
}


def sheet(analysis: ChainAnalysis) -> RenderableType:
    """Return what a terminal shows of one analysis of a file.

    Args:
        analysis: with open interest in quantity, or in contracts where its lot is unknown.
    """
    parts: list[RenderableType] = [_head(analysis), _figures(analysis), _ladder(analysis)]
    parts += [Text(note, style="yellow") for note in _notes(analysis)]
    if analysis.lot is None:
        note = _NO_LOT.get(
            analysis.why_null["lot"], _IN_CONTRACTS.format("Open interest and volume are")
        )
        parts.append(Text(note, style="yellow"))
    return Group(*parts)


def _head(analysis: ChainAnalysis) -> Text:
    at = datetime.fromtimestamp(analysis.ts_us / 1e6, IST)
    text = Text(f"{analysis.underlying} {analysis.expiry}", style="bold")
    text.append(f" as of {at:%Y-%m-%d %H:%M:%S} IST, from a file\n", style="default")
    text.append(f"spot {grouped(analysis.spot)}  forward {grouped(analysis.forward)}")
    text.append(f"  {analysis.direction}  quality {analysis.quality}")
    if analysis.quality_why:
        text.append(f" ({', '.join(analysis.quality_why)})")
    return text


def _figures(analysis: ChainAnalysis) -> Table:
    table = Table.grid(padding=(0, 2))
    zone = analysis.max_pain_zone
    pain = strike_text(analysis.max_pain)
    if zone is not None and zone[0] < zone[1]:
        pain += f" (zone {strike_text(zone[0])} to {strike_text(zone[1])})"
    iv, gex = analysis.atm_iv, analysis.gex
    for name, value in (
        ("PCR by open interest", ratio_text(analysis.pcr)),
        ("PCR by volume", ratio_text(analysis.pcr_vol)),
        ("PCR around the money", ratio_text(analysis.pcr_window)),
        ("Max pain", pain),
        ("Support", levels_text(analysis.support)),
        ("Resistance", levels_text(analysis.resistance)),
        ("Largest put, call interest", _walls(analysis)),
        ("Volatility at the money", UNKNOWN if iv is None else f"{iv:.2%}"),
        ("Straddle", grouped(analysis.straddle)),
        ("Expected move to expiry", grouped(analysis.em_expiry)),
        ("Since the previous close", _since(analysis, "day")),
        ("Since the open", _since(analysis, "open")),
        ("In 3, 5, 15, 30 min", " | ".join(_since(analysis, f"{m}m") for m in (3, 5, 15, 30))),
        ("Zero gamma (assumption)", grouped(gex.zero if gex is not None else None)),
    ):
        table.add_row(name, value)
    return table


def _notes(analysis: ChainAnalysis) -> Iterator[str]:
    """Give each reason of what is missing, with what it is the reason of."""
    whose: dict[str, list[str]] = {}
    for name, field in _MISSING:
        if field in analysis.why_null:
            whose.setdefault(analysis.why_null[field], []).append(name)
    for reason, names in whose.items():
        yield f"{', '.join(names)}: {reason}."
    if analysis.gex is not None and analysis.gex.zero is None:
        yield "Zero gamma: the net exposure does not change its sign within 5 % of the forward."
    legs = (analysis.chain.ce, analysis.chain.pe)
    if not any(np.isfinite(each.mark).any() for each in legs) and any(
        np.isfinite(each.ltp).any() for each in legs
    ):
        yield "Last prices make no marks: the file does not say when they were, and tells no quotes."


def _ladder(analysis: ChainAnalysis) -> Table:
    table = Table(box=None, padding=(0, 1))
    for name in ("Call OI", "Δ day", "Call LTP", "Strike", "Put LTP", "Δ day", "Put OI", "IV"):
        table.add_column(name, justify="right")
    strikes = analysis.chain.strike.tolist()
    at = strikes.index(analysis.atm) if analysis.atm in strikes else len(strikes) // 2
    for i in range(max(at - EACH_SIDE, 0), min(at + EACH_SIDE + 1, len(strikes))):
        iv = analysis.chain.iv.item(i)
        call, put = _leg(analysis.chain.ce, i), _leg(analysis.chain.pe, i)
        table.add_row(
            *call,
            _marked(strikes[i], is_atm=strikes[i] == analysis.atm),
            *reversed(put),
            f"{iv:.1%}" if math.isfinite(iv) else UNKNOWN,
            style="bold" if strikes[i] == analysis.atm else None,
        )
    return table


def _marked(strike: float, *, is_atm: bool) -> str:
    """Return a strike, in stars at the money: bold type is lost in a file."""
    return f"*{strike_text(strike)}*" if is_atm else f"{strike_text(strike)} "


def _leg(legs: Legs, i: int) -> tuple[str, str, str]:
    oi, change, ltp = (column.item(i) for column in (legs.oi, legs.oi_change_day, legs.ltp))
    return _count(oi), _count(change, sign="+"), grouped(ltp)


def _count(value: float, sign: str = "") -> str:
    """Return a count as India writes it: in crore and lakh where it is large."""
    if not math.isfinite(value):
        return UNKNOWN
    for unit, name in ((1e7, "cr"), (1e5, "L")):
        if abs(value) >= unit:
            return f"{value / unit:{sign}.2f}{name}"
    return f"{value:{sign},.0f}"


def strike_text(value: float | None) -> str:
    """Return a strike as it is shown, dashes where there is none."""
    return UNKNOWN if value is None else f"{value:g}"


def ratio_text(value: float | None) -> str:
    """Return a ratio as it is shown, dashes where there is none."""
    return UNKNOWN if value is None else f"{value:.4f}"


def levels_text(levels: list[tuple[float, float]]) -> str:
    """Return levels as strike and strength, strongest first as it is shown, dashes where there is none."""
    return "  ".join(f"{strike_text(k)} ({strength:.0f})" for k, strength in levels) or UNKNOWN


def _since(analysis: ChainAnalysis, name: str) -> str:
    """Return what calls and puts changed since an anchor, in lakh and crore and in contracts, since when and by whose word."""
    found = next((anchor for anchor in analysis.oi_anchors if anchor.name == name), None)
    if found is None or found.source is None:
        return UNKNOWN
    return counted(analysis, found)


def _walls(analysis: ChainAnalysis) -> str:
    return f"{strike_text(analysis.support_wall)}, {strike_text(analysis.resistance_wall)}"
