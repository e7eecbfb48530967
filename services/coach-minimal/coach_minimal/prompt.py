"""The fast coach's question (pure)."""

from coach_minimal.paper import State
from oimon.coach import payload
from oimon.messages import ChainAnalysis


def write(analysis: ChainAnalysis, state: State) -> str:
    """Return the question about an analysis, at most 250 tokens. Source: analytics specification, 11.2."""
    return payload.written(payload.fast(analysis, rich=state.rich, position=state.position))
