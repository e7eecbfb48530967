"""What the core says of one chain, section by section (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.situation import Before, ChainNow, Classes, Interest, MarketNow
from oimon.core.direction import Component, DirectionScore, Part
from oimon.core.direction_filter import DirectionState
from oimon.core.forward import Forward
from oimon.core.gex import Gex
from oimon.core.net_build_up import NetBuildUp
from oimon.core.pcr import PcrSlope
from oimon.core.quality import ChainQuality
from oimon.core.signal import View
from oimon.core.smile import Smile
from oimon.core.straddle import Straddle
from oimon.messages import Event
from oimon.terms import BuildUp


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Volatility:
    """Smile, exposure and expected moves in rupees (5.1, 9)."""

    curve: Smile | None
    exposure: Gex | None
    straddle: Straddle | None
    em_window: float | None
    em_expiry: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """Build-up and verdicts (5), basis (6.1)."""

    classes: Classes
    net: NetBuildUp | None
    future: BuildUp | None
    basis: float | None
    basis_then: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Direction and signal (6, 7.1)."""

    parts: Mapping[Component, Part]
    slope: PcrSlope | None
    scored: DirectionScore
    state: DirectionState
    confidence: float
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that one chain says at one beat, and what is remembered after it."""

    chain: ChainNow
    market: MarketNow
    quality: ChainQuality
    reference: Reference
    volatility: Volatility
    interest: Interest
    flow: Flow
    judgement: Judgement
    events: list[Event]
    after: Before
