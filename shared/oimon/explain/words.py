"""Numbers in sentences: all digits, in Indian groups, so that a reader can check the arithmetic; unknown is ``--`` (pure)."""

from oimon import figures

UNKNOWN = "--"


def known(value: float | None) -> float | None:
    """Return a column's number, None where it is NaN."""
    return None if value is None or value != value else float(value)  # noqa: PLR0124 - only NaN differs from itself


def rupees(value: float | None) -> str:
    """Return a price with its paise."""
    return figures.grouped(value)


def quantity(value: float | None) -> str:
    """Return an open interest in whole units."""
    return figures.grouped(value, 0)


def strike_name(value: float | None) -> str:
    """Return a strike without needless decimals."""
    return UNKNOWN if value is None else f"{value:g}"


def share(value: float | None, decimals: int = 2) -> str:
    """Return a score or a ratio with its sign."""
    return UNKNOWN if value is None else f"{value:+.{decimals}f}"


def span(seconds: float | None) -> str:
    """Return how long: 0.4 s, 42 s, 12 min, 2 h 05 min."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
