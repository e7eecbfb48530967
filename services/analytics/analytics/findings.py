"""What the core says of one chain, section by section (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.cells import Cell, known
from analytics.situation import Before, ChainNow, Classes, MarketNow
from oimon.core.chain import CE, PE
from oimon.core.direction import Component, DirectionScore, Part, confidence_factor
from oimon.core.direction_filter import DirectionState
from oimon.core.forward import RATE, Forward
from oimon.core.gex import Gex, gex
from oimon.core.lazy import lazy
from oimon.core.net_build_up import NetBuildUp
from oimon.core.open_interest import Reading
from oimon.core.pcr import PcrSlope
from oimon.core.quality import ChainQuality
from oimon.core.signal import Conditions, View, signal
from oimon.core.smile import Smile
from oimon.core.straddle import Straddle, expected_move, straddle
from oimon.messages import Event
from oimon.terms import BuildUp, Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where the market stands (1.5), rupees; ``window`` is ATM±10 by place in the chain."""

    years: float
    is_spot_good: bool
    forward: Forward | None
    level: float | None
    atm: int | None
    atm_spot: float | None
    window: slice


@dataclass(frozen=True, kw_only=True, eq=False)
class Volatility:
    """Smile, exposure and expected moves in rupees (5.1, 9).

    What nothing that is remembered depends on is worked out when it is asked for: a restore asks for none of it.
    """

    chain: ChainNow
    reference: Reference
    curve: Smile | None
    em_window: float | None

    @lazy
    def exposure(self) -> Gex | None:
        """Gamma exposure by the smile, None without one."""
        forward, curve = self.reference.forward, self.curve
        if curve is None or forward is None:
            return None
        strike, oi, years = self.chain.strike, self.chain.cells[Cell.OI], self.reference.years
        return gex(strike, oi, curve, forward=forward.price, years=years, rate=RATE)

    @lazy
    def straddle(self) -> Straddle | None:
        """The straddle at the money, None where a leg has no price."""
        forward, atm = self.reference.forward, self.reference.atm
        if self.curve is None or forward is None or atm is None:
            return None
        call, put = self.chain.cells[Cell.MARK, :, atm].tolist()
        return straddle(known(call), known(put), forward.price)

    @lazy
    def em_expiry(self) -> float | None:
        """Expected move to expiry, None without a volatility at the money."""
        forward, curve = self.reference.forward, self.curve
        if curve is None or curve.atm_iv is None or forward is None:
            return None
        return expected_move(forward.price, curve.atm_iv, self.reference.years)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """Build-up and verdicts (5), basis (6.1)."""

    classes: Classes
    net: NetBuildUp | None
    future: BuildUp | None
    basis: float | None
    basis_then: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """Direction and signal (6, 7.1); the signal too is worked out when it is asked for."""

    chain: ChainNow
    market: MarketNow
    reference: Reference
    quality: ChainQuality
    parts: Mapping[Component, Part]
    slope: PcrSlope | None
    scored: DirectionScore
    state: DirectionState

    @lazy
    def confidence(self) -> float:
        """Strength of the evidence for the label, 0 to 1."""
        scored, quality = self.scored, self.quality.quality
        return confidence_factor(self.state.smoothed, scored.agreement, scored.coverage, quality)

    @lazy
    def view(self) -> View:
        """The signal, and what holds it back."""
        conditions = Conditions(
            market=self.market.market,
            is_in_entry_window=self.chain.is_in_entry_window,
            quality=self.quality.quality,
            spread_share=_spread(self.chain, self.reference.atm, self.state.label),
        )
        return signal(self.state.label, self.confidence, conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that one chain says at one beat, and what is remembered after it."""

    chain: ChainNow
    market: MarketNow
    quality: ChainQuality
    reference: Reference
    volatility: Volatility
    interest: Reading
    flow: Flow
    judgement: Judgement
    events: list[Event]
    after: Before


def _spread(chain: ChainNow, atm: int | None, label: Direction) -> float | None:
    """Return spread over mid of the leg that the label would buy, None without a good quote (1.4); of no label the wider of both."""
    if atm is None:
        return None
    sides = {Direction.BULLISH: (CE,), Direction.BEARISH: (PE,), Direction.NEUTRAL: (CE, PE)}
    shares: list[float] = []
    for side in sides[label]:
        if not chain.cells.item(Cell.IS_MID, side, atm) > 0:
            return None
        bid, ask = chain.cells.item(Cell.BID, side, atm), chain.cells.item(Cell.ASK, side, atm)
        shares.append(2.0 * (ask - bid) / (ask + bid))
    return max(shares)
