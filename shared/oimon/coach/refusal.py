"""When a coach has nothing to say: the market is closed, or the numbers can't be trusted."""

from oimon.messages import ChainAnalysis
from oimon.terms import MarketState

STALE_S = 5.0  # wall age of an analysis from which its reader calls it stale, whatever it says
_TRADING = (MarketState.OPEN, MarketState.OPEN_CAS)


def refusal(analysis: ChainAnalysis, age_s: float) -> str | None:
    """Return why no model is asked and nothing is entered, or ``None``.

    Args:
        analysis: the one in hand.
        age_s: its wall age in seconds; an analytics that died cannot say that it is stale.

    Source: bus contract, 11.
    """
    if analysis.market not in _TRADING:
        return "market_closed"
    if analysis.is_stale or age_s > STALE_S:
        return "stale"
    if analysis.is_gapped:
        return "gapped"
    return None if analysis.is_warm else "cold"
