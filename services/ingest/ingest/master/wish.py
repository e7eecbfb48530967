"""What the settings ask to be subscribed."""

from ingest.config import IngestSettings
from ingest.master.plan import Wanted
from oimon.terms import Segment


def wanted(settings: IngestSettings) -> Wanted:
    """Return what is to be subscribed, live."""
    names = {Segment.MCX: settings.commodities, Segment.NSE: settings.nse_symbols}
    return Wanted(
        segment=settings.feed_segment,
        names=names.get(settings.feed_segment, settings.underlyings),
        expiries=settings.expiries,
        days=settings.expiry,
        each_side=None if settings.strikes_each_side == "all" else settings.strikes_each_side,
        mcx_oi=settings.mcx_oi,
    )
