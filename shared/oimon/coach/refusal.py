"""When a coach has nothing to say: the market is closed, or the numbers can't be trusted."""

from oimon.explain.ages import DataState, states
from oimon.messages import ChainAnalysis
from oimon.terms import MarketState

STALE_S = 5.0  # wall age of an analysis from which its reader calls it stale, whatever it says
_TRADING = (MarketState.OPEN, MarketState.OPEN_CAS)
_OF_INTEREST = (DataState.OI_OLD, DataState.ONE_SIDED)


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
