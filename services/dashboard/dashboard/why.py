"""Why a market has its direction, or a strike its verdict: what `oi why` prints, for browsers (pure)."""

import msgspec

from dashboard.views import Json, NotThereError, heading
from oimon.bus import Entry
from oimon.explain.direction import DirectionReading, read_direction
from oimon.explain.strike import StrikeReading, nearest_strike, read_strike
from oimon.messages import ChainAnalysis, ExpiryAnalysis


def why(entry: Entry, now_us: int, expiry: str | None, strike: float | None) -> Json:
    """Return the reading with its sentences and its age.

    Args:
        entry: the newest analysis.
        now_us: the present instant.
        expiry: ISO day; ``None`` for the nearest.
        strike: in rupees; ``None`` asks for the direction.

    Raises:
        NotThereError: there is no verdict of it, no such expiry or no such strike; says what there is.
    """
    analysis = entry.message
    if not isinstance(analysis, ChainAnalysis):
        raise NotThereError(
            f"{entry.partition} has quotes only, and no verdict to explain",
            f"Ask /analysis/{entry.partition} for its quotes",
        )
    tracked = {found.expiry: found for found in (analysis, *analysis.more)}
    chosen = tracked.get(expiry or analysis.expiry)
    if chosen is None:
        raise NotThereError(
            f"{entry.partition} has no expiry {expiry} here", f"Ask for one of {', '.join(tracked)}"
        )
    body: Json = msgspec.to_builtins(_reading(analysis, chosen, strike))
    return heading(entry, now_us) | body


def _reading(
    analysis: ChainAnalysis, expiry: ExpiryAnalysis, strike: float | None
) -> DirectionReading | StrikeReading:
    if strike is not None:
        try:
            return read_strike(analysis, expiry, strike)
        except LookupError as error:
            near = nearest_strike(expiry, strike)
            remedy = "Its chain has none yet" if near is None else f"Ask for {near:g}, the nearest"
            raise NotThereError(
                f"{analysis.underlying} {expiry.expiry} has no strike {strike:g}", remedy
            ) from error
    if analysis.off:
        raise NotThereError(
            f"{analysis.underlying} has no direction: {'; '.join(analysis.off)}",
            "Ask for a strike: ?strike=",
        )
    return read_direction(analysis, expiry)
