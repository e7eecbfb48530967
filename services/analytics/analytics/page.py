"""The analysis of one page of NSE's (pure)."""

from typing import Any

from analytics.analyse import analyse
from analytics.anchors import page_bases
from analytics.nse import NsePage, situation
from analytics.report import expiry_fields
from analytics.sheet import VOLUME_ONLY
from analytics.situation import Before
from oimon.messages import ChainAnalysis
from oimon.terms import FeedState, Mode, OiUnit, Segment


def page_analysis(page: NsePage, lot: int | None) -> ChainAnalysis:
    """Return the analysis of a page's nearest expiry.

    Args:
        page: what was read.
        lot: quantity of a contract; None leaves open interest and volume in contracts.
    """
    chain, market = situation(page, lot)
    (found,) = analyse([chain], market, [Before()])
    first = expiry_fields(found, page_bases(page.path.name))
    told: dict[str, Any] = {
        "spot": page.spot,
        "x": found.reference.level,
        "spot_prev_close": None,
        "vix": None,
        "tick_received_us": None,
        "tick_age_ms": None,
        "oi_age_s": None,
        "quotes_assumed": None,
        "future": None,
    }
    first["why_null"] |= {
        name: "the page does not tell it" for name, value in told.items() if value is None
    }
    if lot is None and page.oi_unit is OiUnit.QTY:
        first["why_null"]["lot"] = VOLUME_ONLY
    return ChainAnalysis(
        **first,
        **told,
        ts_us=page.ts_us,
        run=page.path.name,
        mode=Mode.REPLAY,
        underlying=page.underlying,
        segment=Segment.NFO,
        date=page.at.date().isoformat(),
        market=market.market,
        feed=FeedState.ENDED,
        cadence_s=0.0,
        is_stale=False,
        is_gapped=False,
        is_warm=False,
        history_s=0.0,
        events=found.events,
        history=[],
        more=[],
    )
