"""Findings as the project's message (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from analytics.anchors import NAMES, Base, anchors
from analytics.cells import Cell
from analytics.findings import Findings
from analytics.sheets import chain_sheet, verdict_sheet
from analytics.situation import CHAINS_KEPT, ChainCells, marks_of
from analytics.words import line
from oimon.core import fast
from oimon.core.coi import MIN_KNOWN
from oimon.core.direction import Component, against
from oimon.core.direction_filter import DirectionState
from oimon.core.implied_vol import IV_STATUSES
from oimon.core.mark import MARK_SOURCES
from oimon.core.oi import WINDOW_S
from oimon.messages import (
    Chain,
    CoiReading,
    ComponentReading,
    Contribution,
    ExpiryAnalysis,
    FutureReading,
    Gex,
    LabelReading,
    Legs,
    SignalReading,
    StrikeVerdict,
)
from oimon.plain import FEW_ROWS

DAY_S = 86_400.0
AGAINST = 3  # contrary lines shown
_MADE_HERE = {"mark_source", "build_up", "delta"}
_CELLS = {f.name: getattr(Cell, f.name.upper()) for f in fields(Legs) if f.name not in _MADE_HERE}
"""Cell of each column of the message."""

_SOURCES = tuple(source and source.value for source in MARK_SOURCES)
_NAMES = {part: part.value for part in Component}  # asking an enum takes ten times as long

_NO_SPOT = "no price of the underlying yet"
_NO_VOLATILITY = "no at-the-money volatility"
_NO_STRIKE = "no strike has come yet"
_YOUNG = "history is younger than 5 minutes"
_FEW_CHANGES = (
    f"less than {MIN_KNOWN:.0%} of the legs around the money have a change over 15 minutes"
)
_SHORT_TERM = tuple(NAMES).index(Cell.OI_CHANGE_15M)
"""Place of the short-term window among the anchors."""
_WHY: Mapping[str, str] = MappingProxyType(
    {
        "lot": "lot unknown: open interest is in contracts",
        "forward": _NO_SPOT,
        "forward_source": _NO_SPOT,
        "atm": _NO_SPOT,
        "atm_spot": _NO_SPOT,
        "pcr": "no call open interest",
        "pcr_window": "no call open interest around the money",
        "pcr_vol": "no call volume",
        "pcr_slope_per_hour": "fewer than 5 samples of PCR over 5 minutes",
        "max_pain": "no open interest",
        "max_pain_zone": "no open interest",
        "support_wall": "no put open interest at or below the level",
        "resistance_wall": "no call open interest at or above the level",
        "support_second_ratio": "no second strike",
        "resistance_second_ratio": "no second strike",
        "support_weak_towards": "the second strike is not close",
        "resistance_weak_towards": "the second strike is not close",
        "atm_iv": "no volatility at any strike",
        "rr25": "25-delta wings are not in the chain",
        "straddle": "a leg at the money has no price",
        "em_window": _NO_VOLATILITY,
        "em_expiry": _NO_VOLATILITY,
        "gex": "no volatility at any strike",
    }
)


def expiry_analysis(found: Findings, bases: Sequence[Base]) -> ExpiryAnalysis:
    """Return the message's part about one expiry; arguments as of :func:`expiry_fields`."""
    return ExpiryAnalysis(**expiry_fields(found, bases))


def expiry_fields(found: Findings, bases: Sequence[Base]) -> dict[str, Any]:
    """Return the fields of the message's part about one expiry; each null at its top has a reason in ``why_null``.

    Args:
        found: what the chain says.
        bases: what changes of its open interest count from.

    Source: messages-sketch (fields), analytics specification, 14.
    """
    chain, judged, levels = found.chain, found.judgement, found.interest.levels
    contributions, coi, told = _contributions(found, bases), _coi(found), _nullable(found)
    contrary = {_NAMES[name] for name, _ in against(judged.scored, judged.state.label)}
    return dict(
        told,
        why_null=_why_null(told, found, bases),
        expiry=chain.expiry,
        days_to_expiry=max(chain.seconds_left, 0.0) / DAY_S,
        tick=chain.tick,
        quality=found.quality.quality,
        quality_why=list(found.quality.why),
        coi=coi,
        support=list(levels.support.strongest),
        resistance=list(levels.resistance.strongest),
        direction=judged.state.label,
        confidence_factor=judged.confidence,
        score=judged.scored.score,
        agreement=judged.scored.agreement,
        coverage=judged.scored.coverage,
        components={
            _NAMES[name]: ComponentReading(score=part.score, status=part.status.value)
            for name, part in judged.parts.items()
        },
        contributions=contributions,
        against=[c for c in contributions if c[0] in contrary][:AGAINST],
        signal=SignalReading(
            signal=judged.view.signal,
            raw=judged.view.raw,
            vetoes=[veto.value for veto in judged.view.vetoes],
        ),
        verdicts=_verdicts(found),
        chain=_chain(found),
        label=_label(judged.state),
        oi_anchors=anchors(chain.rows, bases),
    )


def _label(state: DirectionState) -> LabelReading:
    is_waiting = state.wanted is not None
    return LabelReading(
        smoothed=state.smoothed,
        since_us=round(state.label_since_s * 1e6),
        wanted=state.wanted,
        wanted_since_us=round(state.wanted_since_s * 1e6) if is_waiting else None,
    )


def _nullable(found: Findings) -> dict[str, Any]:
    """Return the message's fields that may be null, each of which then needs a reason."""
    chain, reference, interest = found.chain, found.reference, found.interest
    forward, pain, curve = reference.forward, interest.pain, found.volatility.curve
    support, resistance = interest.levels
    slope, straddle = found.judgement.slope, found.volatility.straddle
    return {
        "lot": chain.lot,
        "forward": None if forward is None else forward.price,
        "forward_source": None if forward is None else forward.source.value,
        "atm": None if reference.atm is None else chain.strike.item(reference.atm),
        "atm_spot": reference.atm_spot,
        "pcr": interest.pcr.by_oi,
        "pcr_window": interest.pcr_window.by_oi,
        "pcr_vol": interest.pcr.by_volume,
        "pcr_slope_per_hour": None if slope is None else slope.per_hour,
        "max_pain": None if pain is None else pain.strike,
        "max_pain_zone": None if pain is None else pain.zone,
        "support_wall": support.wall,
        "resistance_wall": resistance.wall,
        "support_second_ratio": support.second_ratio,
        "resistance_second_ratio": resistance.second_ratio,
        "support_weak_towards": support.weak_towards and support.weak_towards.value,
        "resistance_weak_towards": resistance.weak_towards and resistance.weak_towards.value,
        "atm_iv": None if curve is None else curve.atm_iv,
        "rr25": None if curve is None else curve.rr25,
        "straddle": None if straddle is None else straddle.price,
        "em_window": found.volatility.em_window,
        "em_expiry": found.volatility.em_expiry,
        "gex": _gex(found),
    }


def future_reading(found: Findings) -> FutureReading | None:
    """Return what the near future says, None where the session has none."""
    future, flow = found.market.future, found.flow
    if future is None:
        return None
    return FutureReading(
        symbol=future.symbol,
        mark=future.mark,
        oi=None if future.oi is None else int(future.oi),
        build_up=None if flow.future is None else flow.future.value,
        basis=None if future.mark is None else flow.basis,  # the synthetic one's stands in
    )


def _why_null(told: Mapping[str, object], found: Findings, bases: Sequence[Base]) -> dict[str, str]:
    """Return the reason of each null at the top."""
    why = {name: _WHY[name] for name, value in told.items() if value is None}
    reference, nowhere = found.reference, None
    if reference.atm is None:
        nowhere = _NO_SPOT if reference.forward is None else _NO_STRIKE
        why |= dict.fromkeys(why.keys() & {"atm", "pcr_window", "straddle"}, nowhere)
    if found.market.spot is not None:
        why |= dict.fromkeys(why.keys() & {"atm_spot"}, _NO_STRIKE)
    if reference.level is None:
        why |= dict.fromkeys(why.keys() & {"support_wall", "resistance_wall"}, _NO_SPOT)
    for side in ("support", "resistance"):
        if f"{side}_second_ratio" in why:
            why[f"{side}_weak_towards"] = why[f"{side}_second_ratio"]
    why_no_iv = nowhere or _why_no_iv(found)
    if why_no_iv is not None:
        why |= dict.fromkeys(why.keys() & {"atm_iv", "gex"}, why_no_iv)
    if "atm_iv" in why and "rr25" in why:
        why["rr25"] = why["atm_iv"]
    if found.interest.coi.balance is None:
        is_young = bases[_SHORT_TERM].source is None
        why["coi.balance"] = nowhere or (_YOUNG if is_young else _FEW_CHANGES)
    return why


def _why_no_iv(found: Findings) -> str | None:
    """Return why the strike at the money has no volatility, None where it has one."""
    curve, atm = found.volatility.curve, found.reference.atm
    if curve is None or atm is None or curve.status[atm] == 0:
        return None
    return f"at the money: {IV_STATUSES[curve.status[atm]].replace('_', ' ')}"


def _contributions(found: Findings, bases: Sequence[Base]) -> list[Contribution]:
    since_s = bases[_SHORT_TERM].at_s
    window_s = WINDOW_S if since_s is None else found.market.now_s - since_s
    return [
        (_NAMES[name], share, line(name, share, found, window_s))
        for name, share in found.judgement.scored.contributions
    ]


def _coi(found: Findings) -> CoiReading:
    change = found.interest.coi
    return CoiReading(
        balance=change.balance,
        case=change.case.value,
        ratio=change.ratio,
        ce_change=change.ce_change,
        pe_change=change.pe_change,
    )


def _gex(found: Findings) -> Gex | None:
    exposure = found.volatility.exposure
    if exposure is None:
        return None
    return Gex(net=exposure.net, abs=exposure.absolute, zero=exposure.zero_gamma)


def _verdicts(found: Findings) -> Sequence[StrikeVerdict]:
    classes = found.flow.classes
    # fewer rows are rounded one by one, which is not to the last bit as columns are
    is_sheet = fast.loops is not None and len(classes.rows.strike) >= FEW_ROWS
    return verdict_sheet(classes) if is_sheet else classes.told


def _chain(found: Findings) -> Chain:
    curve, rows, classes = found.volatility.curve, found.chain.rows, found.flow.classes
    if curve is None:
        delta = np.full((2, len(rows.strike)), np.nan)
        iv = delta[0]
    else:
        delta, iv = curve.delta, curve.iv

    def make() -> Chain:
        calls, puts = (
            Legs(**columns, build_up=names, delta=of_side)
            for columns, names, of_side in zip(_columns(rows), classes.names, delta, strict=True)
        )
        return Chain(strike=rows.strike, iv=iv, ce=calls, pe=puts)

    if fast.loops is None:
        return make()
    return cast(Chain, chain_sheet(rows, classes, delta, iv, make))  # it has a chain's attributes


@lru_cache(maxsize=CHAINS_KEPT)
def _columns(rows: ChainCells) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of calls and of puts that are cells, by the message's names."""
    calls, puts = (
        {
            "mark_source": _sources(codes.tobytes()),
            **{name: rows.cells[cell, side] for name, cell in _CELLS.items()},
        }
        for side, codes in enumerate(marks_of(rows).source)
    )
    return calls, puts


@lru_cache(maxsize=CHAINS_KEPT)
def _sources(codes: bytes) -> list[str | None]:
    return [_SOURCES[code] for code in codes]
