"""Which features a segment does not have, and why, as sentences for the user (pure). Source: requirements, R175 to R178."""

from oimon.terms import Segment

_NO_ADVICE = "No coaches and no paper trades: they act on the analysis of an option chain."


def switched_off(segment: Segment, *, mcx_oi: bool, has_options: bool) -> tuple[str, ...]:
    """Return what is off, one sentence each; nothing for index options.

    Args:
        segment: what is watched.
        mcx_oi: whether the user has switched open interest of commodities on.
        has_options: whether the partition has an option chain.
    """
    if segment is Segment.NSE:
        return (
            "No open interest, PCR, max pain or strike verdicts: a share of the cash market has none.",
            _NO_ADVICE,
        )
    if segment is Segment.MCX and not mcx_oi:
        return (
            "No open-interest analysis and no option chain: the MCX mode streams prices only. MCX_OI=1 switches it on.",
            _NO_ADVICE,
        )
    if segment is Segment.MCX and has_options:
        return ("No direction, signals or coaches: they are not made for commodities.",)
    if segment is not Segment.MCX and not has_options:
        return (
            "No PCR, max pain or strike verdicts: the list has no options on it that could be followed.",
            _NO_ADVICE,
        )
    if not has_options:
        return (
            "No PCR, max pain or strike verdicts: no options are listed on it (SILVERMIC has futures only).",
            _NO_ADVICE,
        )
    return ()
