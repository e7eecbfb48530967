"""Numbers, ages and times as an Indian trader reads them (pure).

Lakh and crore, Indian digit groups, IST; what is unknown is ``--``, never 0. Source: screens, shared rules.
"""

from datetime import UTC, datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")
UNKNOWN = "--"
LAKH = 1e5
CRORE = 1e7


def is_known(value: float | None) -> bool:
    """Say whether a number is there: neither ``None`` nor NaN."""
    return value is not None and value == value  # noqa: PLR0124 - NaN alone differs from itself


def grouped(value: float | None, decimals: int = 2) -> str:
    """Return a number with Indian digit groups: 1,02,345.60."""
    if value is None or not is_known(value):
        return UNKNOWN
    text = f"{abs(value):.{decimals}f}"
    whole, _, fraction = text.partition(".")
    head, tail = whole[:-3], whole[-3:]
    while head:
        head, tail = head[:-2], f"{head[-2:]},{tail}"
    sign = "-" if value < 0 and text.strip("0.") else ""
    return f"{sign}{tail}.{fraction}" if fraction else f"{sign}{tail}"


def plain(value: float | None, decimals: int = 2) -> str:
    """Return a number without digit groups, whole ones without decimals: a strike, a ratio's column."""
    if value is None or not is_known(value):
        return UNKNOWN
    return f"{value:.0f}" if value == int(value) else f"{value:.{decimals}f}"


def decimal(value: float | None, decimals: int = 2) -> str:
    """Return a number with a fixed count of decimals."""
    return UNKNOWN if value is None or not is_known(value) else f"{value:.{decimals}f}"


def signed(value: float | None, decimals: int = 2) -> str:
    """Return a change with its sign: +0.04, -1.20, 0.00."""
    if value is None or not is_known(value):
        return UNKNOWN
    text = f"{value:+.{decimals}f}"
    return text if text.strip("+-0.") else text[1:]


def percent(fraction: float | None) -> str:
    """Return a share from 0 to 1 as whole percent."""
    return UNKNOWN if fraction is None or not is_known(fraction) else f"{fraction * 100:.0f}%"


def lakh_crore(quantity: float | None) -> str:
    """Return an open interest or a volume: 1.63cr, 61.3L, 0.45L, 9,750."""
    if quantity is None or not is_known(quantity):
        return UNKNOWN
    size = abs(quantity)
    if round(size / CRORE, 2) >= 1:
        return f"{quantity / CRORE:.2f}cr"
    if round(size / LAKH, 1) >= 1:
        return f"{quantity / LAKH:.1f}L"
    if size >= LAKH / 10:
        return f"{quantity / LAKH:.2f}L"
    return grouped(quantity, 0)


def lakh_crore_change(quantity: float | None) -> str:
    """Return a change of open interest with its sign: +4.1L, -12.0L, 0."""
    text = lakh_crore(quantity)
    return f"+{text}" if quantity is not None and quantity > 0 and text != "0" else text


def rupees(amount: float | str | None) -> str:
    """Return money with its sign: +₹1,140, -₹248."""
    if amount is None or amount == "" or not is_known(float(amount)):
        return UNKNOWN
    value = float(amount)
    return f"{'-' if value < 0 else '+'}₹{grouped(abs(value), 0)}"


def age(seconds: float | None) -> str:
    """Return how long ago: 0.3s, 42s, 1m12s, 2h05m, 3d 04h."""
    if seconds is None or not is_known(seconds):
        return UNKNOWN
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return f"{days}d {hours_left:02d}h"
    if hours:
        return f"{hours}h{minutes_left:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def clock_time(ts_us: int | None) -> str:
    """Return the time of day in IST: 12:41:07."""
    return UNKNOWN if ts_us is None else _in_ist(ts_us).strftime("%H:%M:%S")


def day(ts_us: int) -> str:
    """Return the ISO day in IST: 2026-08-18."""
    return _in_ist(ts_us).date().isoformat()


def date_time(ts_us: int) -> str:
    """Return date and time in IST: 2026-08-18 12:41:07."""
    return _in_ist(ts_us).strftime("%Y-%m-%d %H:%M:%S")


def short_date(iso_day: str) -> str:
    """Return an ISO day as traders write an expiry: 18 Aug."""
    return datetime.fromisoformat(iso_day).replace(tzinfo=UTC).strftime("%d %b").lstrip("0")


def _in_ist(ts_us: int) -> datetime:
    return datetime.fromtimestamp(ts_us / 1e6, IST)
