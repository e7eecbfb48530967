"""Chains in, everything that they say out, by way of ``oimon.core`` (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics import levels
from analytics.cells import Cell, known
from analytics.findings import Findings, Flow, Judgement, Reference, Volatility
from analytics.flow import Position, flows_of
from analytics.judge import judge
from analytics.reference import reference_of, spot_carry
from analytics.situation import Before, ChainNow, Interest, MarketNow, is_doubtful, sampled
from analytics.watches import Seen, watch
from oimon.core.build_up import em_window
from oimon.core.chain import CE, PE, IntArray
from oimon.core.compare import age_limit
from oimon.core.forward import RATE, Forward
from oimon.core.level_break import LevelKind
from oimon.core.oi import WINDOW_S
from oimon.core.oi_speed import chain_flow
from oimon.core.one_pass import Columns, one_pass, reading_of
from oimon.core.open_interest import Reading, open_interest
from oimon.core.quality import SLOW_S, STALE_S, ChainQuality, OiShares, quality_of
from oimon.core.smile import Quotes, Smile, smiles
from oimon.core.walls import SupportResistance
from oimon.messages import Event
from oimon.terms import Direction, EventKind, MarketState, Quality

_COLUMNS = np.array(
    Columns(
        oi=Cell.OI,
        volume=Cell.VOLUME,
        mark=Cell.MARK,
        price_change=Cell.PRICE_CHANGE_15M,
        oi_change=Cell.OI_CHANGE_15M,
        oi_change_day=Cell.OI_CHANGE_DAY,
        oi_age_s=Cell.OI_AGE_S,
    )
)


def analyse(
    chains: Sequence[ChainNow], market: MarketNow, before: Sequence[Before]
) -> list[Findings]:
    """Return everything that each chain says at a beat.

    Args:
        chains: the expiries.
        market: what all of them share.
        before: what is remembered of each expiry.

    Source: analytics specification, 1 to 6, 7.1, 9.
    """
    references = [reference_of(c, market, b) for c, b in zip(chains, before, strict=True)]
    curves = _curves(chains, references)
    stands = [
        _stand(chain, market, memory, reference, curve)
        for chain, memory, reference, curve in zip(chains, before, references, curves, strict=True)
    ]
    flows = flows_of(market, [stand.position for stand in stands])
    return [
        _findings(market, stand, flow, memory)
        for stand, flow, memory in zip(stands, flows, before, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stand:
    """What one chain says before its flow is asked."""

    position: Position
    interest: Interest
    quality: ChainQuality
    events: list[Event]


def _curves(chains: Sequence[ChainNow], references: Sequence[Reference]) -> list[Smile | None]:
    """Return the smile of each chain that has a forward, all of them solved at once."""
    asked = [
        Quotes(chain.strike, chain.cells[Cell.MARK], ref.forward.price, ref.years, chain.tick)
        for chain, ref in zip(chains, references, strict=True)
        if ref.forward is not None and ref.atm is not None
    ]
    solved = iter(smiles(asked, RATE))
    return [None if ref.atm is None else next(solved) for ref in references]


def _stand(
    chain: ChainNow, market: MarketNow, before: Before, reference: Reference, curve: Smile | None
) -> _Stand:
    """Return what one chain says, given where the market stands and its smile, and what is remembered of it now."""
    volatility = _volatility(chain, reference, curve)
    interest, codes = _interest(chain, reference, volatility, before)
    reading = interest.reading
    memory = sampled(
        before,
        market.now_s,
        chain.rows,
        carry=spot_carry(reference, market),
        rr25=None if volatility.curve is None else volatility.curve.rr25,
    )
    memory, happened = _watch_levels(chain, market, reference, reading.levels, memory)
    return _Stand(
        position=Position(
            chain=chain, reference=reference, volatility=volatility, before=memory, codes=codes
        ),
        interest=interest,
        quality=_quality(chain, reading.shares, market, reference.forward),
        events=happened,
    )


def _findings(market: MarketNow, stand: _Stand, flow: Flow, before: Before) -> Findings:
    """Return everything that one chain says, given its flow."""
    position, interest, quality = stand.position, stand.interest.reading, stand.quality
    chain, reference, volatility = position.chain, position.reference, position.volatility
    memory = position.before
    judgement = judge(chain, market, reference, quality, volatility, interest, flow, memory)
    watches, happened = watch(memory.watches, market.now_s, _seen(market, stand, flow))
    return Findings(
        chain=chain,
        market=market,
        quality=quality,
        reference=reference,
        volatility=volatility,
        interest=interest,
        flow=flow,
        judgement=judgement,
        events=stand.events + happened + _label_change(before, judgement, market.ts_us),
        after=replace(
            memory,
            direction=judgement.state,
            interest=stand.interest,
            classes=flow.classes,
            watches=watches,
        ),
    )


def _seen(market: MarketNow, stand: _Stand, flow: Flow) -> Seen:
    """Return what is watched of one chain; of one that cannot be trusted nothing is known."""
    position, interest, chain = stand.position, stand.interest.reading, stand.position.chain
    if stand.quality.quality is Quality.BAD:
        return Seen(chain.tick)
    memory = position.before
    is_sampled = memory.sampled_s == market.now_s
    is_drawn = memory.watches.band is not None or market.market is not MarketState.OPEN
    straddle = None if is_drawn else position.volatility.straddle
    return Seen(
        tick=chain.tick,
        max_pain=None if interest.pain is None else interest.pain.strike,
        pcr=interest.pcr.by_oi,
        net=None if flow.net is None else flow.net.score,
        level=position.reference.level,
        straddle=None if straddle is None else straddle.price,
        flow=chain_flow(chain.cells[Cell.OI_CHANGE_3M]) if is_sampled else None,
        oi=interest.pcr.ce_oi + interest.pcr.pe_oi,
    )


def _quality(
    chain: ChainNow, shares: OiShares, market: MarketNow, forward: Forward | None
) -> ChainQuality:
    return quality_of(
        shares,
        underlying_age_s=market.underlying_age_s,
        forward_source=None if forward is None else forward.source,
        slow_s=age_limit(SLOW_S, market.cadence_s),
        stale_s=age_limit(STALE_S, market.cadence_s),
        is_doubtful=is_doubtful(chain.rows),
    )


def _volatility(chain: ChainNow, reference: Reference, curve: Smile | None) -> Volatility:
    em_w = None
    if curve is not None and curve.atm_iv is not None and reference.forward is not None:
        em_w = em_window(reference.forward.price, curve.atm_iv, WINDOW_S, chain.session_s)
    return Volatility(chain=chain, reference=reference, curve=curve, em_window=em_w)


def _interest(
    chain: ChainNow, reference: Reference, volatility: Volatility, before: Before
) -> tuple[Interest, IntArray | None]:
    """Return ratios, max pain and levels, and the classes of the legs if they were read with them.

    Of the same cells, at one level, the former are those of the beat before; the classes depend on the volatility too.
    """
    window, level = reference.window, reference.level
    curve, em_w = volatility.curve, volatility.em_window
    asked_of = (chain.rows, level, window)
    known = before.interest
    read = one_pass(
        chain.strike,
        chain.cells,
        _COLUMNS,
        level=level,
        window=window,
        lot=chain.lot or 1,
        tick=chain.tick,
        noise=None if curve is None or em_w is None else (curve.delta, em_w),
    )
    codes = None if read is None else read[1]
    if known is not None and known.asked_of == asked_of:
        return known, codes
    if read is None:
        return Interest(asked_of, _reading(chain, level, window)), None
    return Interest(asked_of, reading_of(read[0], len(chain.strike), window)), codes


def _reading(chain: ChainNow, level: float | None, window: slice) -> Reading:
    cells = chain.cells
    return open_interest(
        chain.strike,
        cells[Cell.OI],
        cells[Cell.VOLUME],
        oi_change=cells[Cell.OI_CHANGE_15M],
        oi_change_day=cells[Cell.OI_CHANGE_DAY],
        oi_age_s=cells[Cell.OI_AGE_S],
        level=level,
        window=window,
    )


def _watch_levels(
    chain: ChainNow,
    market: MarketNow,
    reference: Reference,
    found: SupportResistance,
    before: Before,
) -> tuple[Before, list[Event]]:
    """Carry both levels on by one beat; return what is remembered and what happened."""
    if reference.level is None:
        return before, []
    watches, happened = [], []
    for kind, side, row, was in (
        (LevelKind.SUPPORT, found.support, PE, before.support),
        (LevelKind.RESISTANCE, found.resistance, CE, before.resistance),
    ):
        primary = side.strongest[0][0] if side.strongest else None
        now = levels.watch(was, market.now_s, reference.level, primary, kind=kind, tick=chain.tick)
        watches.append(now)
        if now.run is not was.run or now.reference is not was.reference:
            change = _change_at(chain, row, now.watched)
            happened += levels.events(was, now, market.ts_us, kind=kind, oi_change=change)
    if watches[0] is not before.support or watches[1] is not before.resistance:
        before = replace(before, support=watches[0], resistance=watches[1])
    return before, happened


def _change_at(chain: ChainNow, row: int, strike: float | None) -> float | None:
    place = (chain.strike == strike).nonzero()[0]
    return known(chain.cells[Cell.OI_CHANGE_15M, row, place[0]]) if len(place) else None


def _label_change(before: Before, judged: Judgement, ts_us: int) -> list[Event]:
    was = Direction.NEUTRAL if before.direction is None else before.direction.label
    now = judged.state.label
    if was is now:
        return []
    text = f"direction {was} → {now}, smoothed score {judged.state.smoothed:+.2f}"
    kind = EventKind.DIRECTION_CHANGE.value
    return [Event(kind=kind, text=text, ts_us=ts_us, was=was, now=now)]
