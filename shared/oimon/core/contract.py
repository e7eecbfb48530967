"""Which contract expresses a view: its expiry and its strikes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from oimon.core.compare import reaches
from oimon.terms import OptionKind

SWITCH_S = 13 * 3600  # 13:00 on the expiry day
RICH_PREMIUM = 80.0  # IV percentile from which a spread is bought


class Mode(StrEnum):
    """How a contract is chosen."""

    ATM = "atm"
    ITM1 = "itm1"
    SPREAD = "spread"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Strike to buy and, for a spread, strike to sell, in rupees; ``mode`` is what it came to."""

    mode: Mode
    buy: float
    sell: float | None


def pick_expiry(
    expiries: Sequence[str], day: str, second_of_day: int, switch_s: int = SWITCH_S
) -> str | None:
    """Return the nearest expiry, or on its own day from the switch on the next one.

    Args:
        expiries: ISO days, in any order.
        day: ISO day of the decision, in India.
        second_of_day: of the decision, since midnight in India.
        switch_s: second of the expiry day from which the next one is taken.

    Returns:
        The expiry, or None where there is none to trade.

    Source: analytics specification, 7.2.
    """
    is_over = second_of_day >= switch_s
    return min((e for e in expiries if e > day or (e == day and not is_over)), default=None)


def pick_contract(
    side: OptionKind,
    strikes: Sequence[float],
    atm: float,
    mode: Mode,
    *,
    iv_percentile: float | None = None,
    em_day: float | None = None,
) -> Choice:
    """Return the strikes to trade.

    Args:
        side: call or put.
        strikes: listed strikes in rupees, ascending, ``atm`` among them.
        atm: at-the-money strike by the forward.
        mode: how to choose.
        iv_percentile: 0 to 100; unknown is not rich.
        em_day: expected move of one day, in rupees.

    Source: analytics specification, 7.2.
    """
    at, outward = list(strikes).index(atm), 1 if side is OptionKind.CE else -1
    if mode is Mode.AUTO:
        is_rich = iv_percentile is not None and reaches(iv_percentile, RICH_PREMIUM)
        mode = Mode.SPREAD if is_rich else Mode.ATM
    if mode is Mode.ITM1 and 0 <= at - outward < len(strikes):
        return Choice(mode=mode, buy=strikes[at - outward], sell=None)
    if mode is Mode.SPREAD and em_day is not None:
        away = strikes[at + 2 :] if outward > 0 else strikes[: max(at - 1, 0)]
        if away:
            aim = atm + outward * em_day
            sell = min(away, key=lambda strike: (abs(strike - aim), strike))
            return Choice(mode=mode, buy=atm, sell=sell)
    return Choice(mode=Mode.ATM, buy=atm, sell=None)
