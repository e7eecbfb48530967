"""What all of it adds up to: components, direction, signal (pure)."""

from analytics.findings import Flow, Judgement, Reference, Volatility
from analytics.levels import newest_break
from analytics.situation import Before, ChainNow, MarketNow
from oimon.core.coi import coi_score
from oimon.core.direction import (
    NOT_APPLICABLE,
    Component,
    Part,
    direction_score,
)
from oimon.core.direction_filter import direction_filter
from oimon.core.futures import futures_score
from oimon.core.level_break import LevelKind
from oimon.core.max_pain import max_pain_applies, max_pain_score
from oimon.core.open_interest import Reading
from oimon.core.pcr import pcr_level_score, pcr_slope
from oimon.core.quality import ChainQuality
from oimon.core.skew import skew_score
from oimon.core.walls import SupportResistance, sr_position_score


def judge(
    chain: ChainNow,
    market: MarketNow,
    reference: Reference,
    quality: ChainQuality,
    volatility: Volatility,
    interest: Reading,
    flow: Flow,
    before: Before,
) -> Judgement:
    """Weigh the components, carry the label on by one beat, and return what that is worth.

    Args:
        chain: one expiry.
        market: what all expiries share.
        reference: where the market stands.
        quality: how far the chain can be trusted.
        volatility: smile and expected move.
        interest: ratios and levels.
        flow: build-up and basis.
        before: what is remembered of this expiry.

    Source: analytics specification, 6 and 7.1.
    """
    slope = pcr_slope(((sample.at_s, sample.ratio) for sample in before.pcr), market.now_s)
    parts = _parts(reference, volatility, interest, flow, before)
    parts[Component.PCR_SLOPE] = Part.of(None if slope is None else slope.score)
    scored = direction_score(parts)
    state = direction_filter(
        before.direction,
        market.now_s,
        score=scored.score,
        agreement=scored.agreement,
        coverage=scored.coverage,
        quality=quality.quality,
    )
    return Judgement(
        chain=chain,
        market=market,
        reference=reference,
        quality=quality,
        parts=parts,
        slope=slope,
        scored=scored,
        state=state,
    )


def _parts(
    reference: Reference,
    volatility: Volatility,
    interest: Reading,
    flow: Flow,
    before: Before,
) -> dict[Component, Part]:
    """Return the score of every component but the slope. Source: analytics specification, 6.1."""
    window, change, curve = interest.pcr_window, interest.coi, volatility.curve
    pain = NOT_APPLICABLE
    if reference.forward is None:
        pain = Part.of(None)
    elif max_pain_applies(reference.years):
        strike = None if interest.pain is None else interest.pain.strike
        sigma = None if curve is None else curve.atm_iv
        pain = Part.of(max_pain_score(reference.forward.price, strike, sigma, reference.years))
    ratio = window.by_oi
    return {
        Component.NET_BUILDUP: Part.of(None if flow.net is None else flow.net.score),
        Component.COI_BALANCE: Part.of(
            coi_score(
                change.balance, change.ce_change, change.pe_change, window.ce_oi + window.pe_oi
            )
        ),
        Component.FUTURES: Part.of(futures_score(flow.future, flow.basis, flow.basis_then)),
        Component.PCR_LEVEL: Part.of(None if ratio is None else pcr_level_score(ratio)),
        Component.SR_POSITION: Part.of(_position(reference.level, interest.levels, before)),
        Component.MAX_PAIN: pain,
        Component.IV_SKEW: Part.of(
            skew_score(None if curve is None else curve.rr25, before.rr25_reference)
        ),
    }


def _position(level: float | None, found: SupportResistance, before: Before) -> float | None:
    """Score a broken level, the newest if both are, else the place between the primaries."""
    broken = newest_break(before.support, before.resistance)
    if broken is not None:
        return 1.0 if broken is LevelKind.RESISTANCE else -1.0
    if level is None:
        return None
    support, resistance = found.support.strongest, found.resistance.strongest
    return sr_position_score(
        level, support[0] if support else None, resistance[0] if resistance else None
    )
