"""When a coach has nothing to say: the mode has no coaches, the market is closed, or the numbers can't be trusted."""

from typing_extensions import TypeIs

from oimon.explain.ages import DataState, states
from oimon.messages import ChainAnalysis, Message
from oimon.terms import MarketState, Segment

STALE_S = 5.0  # wall age of an analysis from which its reader calls it stale, whatever it says
_TRADING = (MarketState.OPEN, MarketState.OPEN_CAS)
_COACHED = (Segment.NFO, Segment.BFO)
_OF_INTEREST = (DataState.OI_OLD, DataState.ONE_SIDED)


def is_coached(message: Message) -> TypeIs[ChainAnalysis]:
    """Say whether coaches speak on this: on options of indices and shares, on nothing else. Source: rulings, 18."""
    return isinstance(message, ChainAnalysis) and message.segment in _COACHED


def refusal(analysis: ChainAnalysis, age_s: float) -> str | None:
    """Return why no model is asked and nothing is entered, or ``None``.

    Args:
        analysis: the one in hand.
        age_s: its wall age in seconds; an analytics that died cannot say that it is stale.

    Source: bus contract, 11; requirement B01 (open interest that is old).
    """
    if analysis.market not in _TRADING:
        return "market_closed"
    if analysis.is_stale or age_s > STALE_S:
        return "stale"
    if analysis.is_gapped:
        return "gapped"
    if not analysis.is_warm:
        return "cold"
    return next((state.value for state in states(analysis) if state in _OF_INTEREST), None)
