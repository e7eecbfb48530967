"""What each component says, in one line with its raw values (pure). Source: analytics specification, 6.1."""

from collections.abc import Callable

from analytics.findings import Findings
from analytics.levels import newest_break
from oimon.core.direction import WEIGHTS, Component
from oimon.core.level_break import LevelKind
from oimon.core.oi import WINDOW_S
from oimon.core.pcr import pcr_band
from oimon.figures import grouped
from oimon.terms import BuildUp


def line(name: Component, share: float, found: Findings, window_s: float = WINDOW_S) -> str:
    """Return a component's score, its share of the whole score, and what it was read from.

    For example ``coi_balance +0.80 → +0.126: puts written 16,48,400, calls covered 4,56,300 around the money in 15 min``.

    Args:
        name: of the component.
        share: of the whole score.
        found: what the chain says.
        window_s: what changes of open interest span: less in a younger history, more after a gap (1.3).
    """
    score = found.judgement.parts[name].score
    shown = "" if score is None else f" {score:+.2f}"
    says = _SAYS[name](found)
    if name is Component.COI_BALANCE:
        says += f" in {window_s / 60:.0f} min"
    return f"{name}{shown} → {share:+.3f}: {says}"


def _net_buildup(found: Findings) -> str:
    net = found.flow.net
    if net is None:
        return "no open interest to compare with"
    is_known = None not in (found.market.level_then, found.reference.level)
    moved = "how far the price moved is unknown"
    if is_known and found.volatility.em_window:
        moved = f"the price moved {net.significance:.0%} of what is usual"
    return f"build-up near the money {net.net:+.2f}, of {net.participation:.0%} of a full flow, {moved}"


def _pcr_slope(found: Findings) -> str:
    slope = found.judgement.slope
    return "too few samples" if slope is None else f"PCR {slope.per_hour:+.3f} an hour"


def _coi_balance(found: Findings) -> str:
    change = found.interest.coi
    if change.pe_change is None or change.ce_change is None:
        return "too few changes known"
    puts = "written" if change.pe_change >= 0 else "covered"
    calls = "written" if change.ce_change >= 0 else "covered"
    return (
        f"puts {puts} {grouped(abs(change.pe_change), 0)}, "
        f"calls {calls} {grouped(abs(change.ce_change), 0)} around the money"
    )


def _futures(found: Findings) -> str:
    flow = found.flow
    future = found.market.future
    kind = "synthetic future" if future is None or future.mark is None else "future"
    is_classed = flow.future not in (None, BuildUp.NONE)
    label = f" {str(flow.future).replace('_', ' ').lower()}," if is_classed else ""
    was = "" if flow.basis_then is None else f", was {flow.basis_then:+.3%}"
    basis = "unknown" if flow.basis is None else f"{flow.basis:+.3%}"
    return f"{kind}{label} basis {basis}{was}"


def _pcr_level(found: Findings) -> str:
    ratio = found.interest.pcr_window.by_oi
    if ratio is None:
        return "no call interest around the money"
    return f"PCR {ratio:.3f} around the money, {pcr_band(ratio).replace('_', ' ')}"


def _sr_position(found: Findings) -> str:
    watches = {
        LevelKind.SUPPORT: found.after.support,
        LevelKind.RESISTANCE: found.after.resistance,
    }
    broken = newest_break(*watches.values())
    if broken is not None:
        return f"{broken} {_strike(watches[broken].watched)} is broken"
    sides = (found.interest.levels.support, found.interest.levels.resistance)
    below, above = (
        f"{_strike(side.strongest[0][0])} ({side.strongest[0][1]:.0f})"
        if side.strongest
        else "none"
        for side in sides
    )
    return f"support {below}, resistance {above}"


def _max_pain(found: Findings) -> str:
    pain, forward = found.interest.pain, found.reference.forward
    if pain is None or forward is None:
        return "unknown"
    return f"max pain {_strike(pain.strike)}, forward {grouped(forward.price)}"


def _iv_skew(found: Findings) -> str:
    curve, reference = found.volatility.curve, found.after.rr25_reference
    if curve is None or curve.rr25 is None or reference is None:
        return "unknown"
    return f"25-delta skew {curve.rr25:+.2%}, usual today {reference:+.2%}"


def _strike(value: float | None) -> str:
    is_whole = value is not None and value == int(value)
    return grouped(value, 0 if is_whole else 2)


_SAYS: dict[Component, Callable[[Findings], str]] = {
    Component.NET_BUILDUP: _net_buildup,
    Component.PCR_SLOPE: _pcr_slope,
    Component.COI_BALANCE: _coi_balance,
    Component.FUTURES: _futures,
    Component.PCR_LEVEL: _pcr_level,
    Component.SR_POSITION: _sr_position,
    Component.MAX_PAIN: _max_pain,
    Component.IV_SKEW: _iv_skew,
}
if _SAYS.keys() != WEIGHTS.keys():  # pragma: no cover - a new component without words
    raise LookupError(f"components without words: {WEIGHTS.keys() - _SAYS.keys()}")
