"""One chain in, everything that it says out, by way of ``oimon.core`` (pure)."""

from dataclasses import replace

from analytics import levels
from analytics.cells import Cell, known
from analytics.findings import Findings, Interest, Judgement, Reference, Volatility
from analytics.flow import flow_of
from analytics.judge import judge
from analytics.reference import reference_of, spot_carry
from analytics.situation import Before, ChainNow, Holdings, MarketNow, sampled
from oimon.core.build_up import em_window
from oimon.core.chain import CE, PE
from oimon.core.coi import coi
from oimon.core.compare import age_limit
from oimon.core.forward import RATE, Forward
from oimon.core.gex import gex
from oimon.core.level_break import LevelKind
from oimon.core.max_pain import max_pain
from oimon.core.oi import WINDOW_S
from oimon.core.pcr import pcr
from oimon.core.quality import SLOW_S, STALE_S, ChainQuality, chain_quality
from oimon.core.smile import smile
from oimon.core.straddle import expected_move, straddle
from oimon.core.walls import Levels, SupportResistance, sr_levels
from oimon.messages import Event
from oimon.terms import Direction


def analyse(chain: ChainNow, market: MarketNow, before: Before) -> Findings:
    """Return everything that one chain says at a beat.

    Args:
        chain: one expiry.
        market: what all expiries share.
        before: what is remembered of this expiry.

    Source: analytics specification, 1 to 6, 7.1, 9.
    """
    reference = reference_of(chain, market, before)
    quality = _quality(chain, market, reference.forward)
    volatility = _volatility(chain, reference)
    holdings = _holdings(chain, reference, before)
    interest = Interest(
        pcr=holdings.pcr,
        pcr_window=holdings.pcr_window,
        coi=coi(chain.cells[Cell.OI_CHANGE_15M][:, reference.window]),
        pain=holdings.pain,
        levels=holdings.levels,
    )
    memory = sampled(
        before,
        market.now_s,
        pcr=interest.pcr.by_oi,
        carry=spot_carry(reference, market),
        rr25=None if volatility.curve is None else volatility.curve.rr25,
    )
    memory, happened = _watch_levels(chain, market, reference, interest.levels, memory)
    flow = flow_of(chain, market, reference, volatility, memory)
    judgement = judge(chain, market, reference, quality, volatility, interest, flow, memory)
    happened += _label_change(before, judgement, market.ts_us)
    return Findings(
        chain=chain,
        market=market,
        quality=quality,
        reference=reference,
        volatility=volatility,
        interest=interest,
        flow=flow,
        judgement=judgement,
        events=happened,
        after=replace(memory, direction=judgement.state, holdings=holdings),
    )


def _quality(chain: ChainNow, market: MarketNow, forward: Forward | None) -> ChainQuality:
    return chain_quality(
        chain.cells[Cell.OI],
        chain.cells[Cell.OI_AGE_S],
        legs=2 * len(chain.strike),
        underlying_age_s=market.spot_age_s,
        forward_source=None if forward is None else forward.source,
        slow_s=age_limit(SLOW_S, market.cadence_s),
        stale_s=age_limit(STALE_S, market.cadence_s),
    )


def _volatility(chain: ChainNow, reference: Reference) -> Volatility:
    if reference.forward is None or reference.atm is None:
        return Volatility(curve=None, exposure=None, straddle=None, em_window=None, em_expiry=None)
    price, mark = reference.forward.price, chain.cells[Cell.MARK]
    terms = {"forward": price, "years": reference.years, "rate": RATE}
    curve = smile(chain.strike, mark, tick=chain.tick, **terms)
    sigma = curve.atm_iv
    call, put = mark[:, reference.atm].tolist()
    return Volatility(
        curve=curve,
        exposure=gex(chain.strike, chain.cells[Cell.OI], curve, **terms),
        straddle=straddle(known(call), known(put), price),
        em_window=None if sigma is None else em_window(price, sigma, WINDOW_S, chain.session_s),
        em_expiry=None if sigma is None else expected_move(price, sigma, reference.years),
    )


def _holdings(chain: ChainNow, reference: Reference, before: Before) -> Holdings:
    """Return ratios, max pain and levels: between two batches of ticks, at one level, those of the beat before."""
    window, level = reference.window, reference.level
    asked_of = (chain.version, level, window)
    if before.holdings is not None and before.holdings.asked_of == asked_of:
        return before.holdings
    oi, volume = chain.cells[Cell.OI], chain.cells[Cell.VOLUME]
    levels_now = SupportResistance(Levels(), Levels())
    if level is not None:
        levels_now = sr_levels(chain.strike, oi, chain.cells[Cell.OI_CHANGE_DAY], level)
    return Holdings(
        asked_of=asked_of,
        pcr=pcr(oi, volume),
        pcr_window=pcr(oi[:, window], volume[:, window]),
        pain=max_pain(chain.strike, oi, level or 0.0),  # without a level the lower of equal strikes
        levels=levels_now,
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
    return replace(before, support=watches[0], resistance=watches[1]), happened


def _change_at(chain: ChainNow, row: int, strike: float | None) -> float | None:
    place = (chain.strike == strike).nonzero()[0]
    return known(chain.cells[Cell.OI_CHANGE_15M, row, place[0]]) if len(place) else None


def _label_change(before: Before, judged: Judgement, ts_us: int) -> list[Event]:
    was = Direction.NEUTRAL if before.direction is None else before.direction.label
    now = judged.state.label
    if was is now:
        return []
    text = f"direction {was} → {now}, score {judged.state.smoothed:+.2f}"
    return [Event(kind="DIRECTION_CHANGE", text=text, ts_us=ts_us, was=was, now=now)]
