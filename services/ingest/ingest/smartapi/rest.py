"""Market data by request, beside the socket and in its place: quotes, open interest of the past, Greeks, ratios.

Source: smartapi, 2.3, 2.4 and 9.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ingest.smartapi import envelope
from ingest.smartapi.account import Account
from ingest.smartapi.envelope import BrokerGreeks, OiPoint, Quote, Unfetched
from ingest.smartapi.errors import LoginWaits, NotNow, Refused
from ingest.smartapi.limits import Endpoint
from oimon.calendar import IST, instant_us
from oimon.terms import Segment

BATCH = 50
"""Instruments that one request for quotes may name, over all exchanges."""
INTERVAL_S = 180
"""Of the history of open interest that is asked for: the exchange publishes about so often."""
LEAST_WINDOW_S = 900
"""Shorter windows of the history are known to come back empty."""
DAYS_BACK = 7
"""Reaches the previous session over any row of holidays."""

Key = tuple[str, str]
"""Exchange and token: a token is unique within its exchange only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteBatch:
    """What one request for quotes brought."""

    asked: tuple[Key, ...]
    quotes: dict[Key, Quote]
    unfetched: list[Unfetched]


class Rest:
    """Requests for market data, each at its endpoint's pace.

    All of its methods raise what ``Account.ask`` does: ``LoginStopped``, ``LoginWaits``, ``Throttled``, ``Refused``, ``NotNow``.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    async def quotes(self, keys: Iterable[Key]) -> AsyncIterator[QuoteBatch]:
        """Give the full quotes of instruments, 50 at a time as they come: about a second for each batch."""
        for asked in batches(keys):
            tokens: dict[str, list[str]] = {}
            for exchange, token in asked:
                tokens.setdefault(exchange, []).append(token)
            answer = await self._account.ask(Endpoint.QUOTE, "FULL", tokens)
            found, missed = envelope.quotes(answer.data)
            known = {(quote.exchange, quote.token): quote for quote in found}
            # What was not asked for is not ours to use.
            wanted = {key: known[key] for key in asked if key in known}
            yield QuoteBatch(asked=asked, quotes=wanted, unfetched=missed)

    async def oi_between(self, key: Key, from_us: int, to_us: int) -> Sequence[OiPoint] | None:
        """Return a contract's open interest within a stretch of time, a point every three minutes, to fill a gap.

        ``None``: the broker has none of it: the contract has expired, is not one of futures and options, or nothing was published.
        """
        if from_us > to_us:
            raise ValueError(f"a stretch ends after it begins, was {from_us} to {to_us}")
        points = await self._history(key, from_us, to_us)
        return [point for point in points if from_us <= point.at_us <= to_us] or None

    async def oi_prev(self, key: Key, day: date) -> OiPoint | None:
        """Return a contract's last open interest before a day; ``None``: the broker has none, as of a contract listed today."""
        today_us = instant_us(day, time(0))
        from_us = instant_us(day - timedelta(days=DAYS_BACK), time(9))
        points = await self._history(key, from_us, today_us - 60_000_000)
        before = [point for point in points if point.at_us < today_us]
        return before[-1] if before else None

    async def all_oi_prev(
        self, keys: Iterable[Key], day: date
    ) -> AsyncIterator[tuple[Key, OiPoint | None]]:
        """Give ``oi_prev`` of many contracts as it comes, about a second each; one that is not answered is left out.

        Raises:
            LoginStopped, LoginWaits: there is no session, so none would be answered.
        """
        for key in keys:
            try:
                yield key, await self.oi_prev(key, day)
            except LoginWaits:
                raise
            except (Refused, NotNow):
                continue  # counted where it was asked; it stays unknown

    async def greeks(
        self, underlying: str, expiry: date, segment: Segment
    ) -> Sequence[BrokerGreeks] | None:
        """Return the broker's own Greeks of an expiry; ``None``: it has none, as of every segment but NFO."""
        if segment is not Segment.NFO:
            return None  # Source: smartapi, 2.4: NSE only
        named = {"name": underlying, "expirydate": expiry.strftime("%d%b%Y").upper()}
        answer = await self._account.ask(Endpoint.GREEKS, named)
        return envelope.greeks(answer.data) or None

    async def put_call_ratios(self) -> dict[str, float]:
        """Return the broker's put-call ratios by the symbol of a future."""
        return envelope.put_call_ratios((await self._account.ask(Endpoint.PCR)).data)

    async def _history(self, key: Key, from_us: int, to_us: int) -> list[OiPoint]:
        exchange, token = key
        begin, end = window(from_us, to_us)
        asked = {
            "exchange": exchange,
            "symboltoken": token,
            "interval": "THREE_MINUTE",
            "fromdate": begin,
            "todate": end,
        }
        return envelope.oi_points((await self._account.ask(Endpoint.OI, asked)).data)


def batches(keys: Iterable[Key]) -> Iterator[tuple[Key, ...]]:
    """Give the keys, each once and in order, as many as a request may name."""
    once = list(dict.fromkeys(keys))
    for start in range(0, len(once), BATCH):
        yield tuple(once[start : start + BATCH])


def window(from_us: int, to_us: int) -> tuple[str, str]:
    """Return a stretch as the broker's history takes it: whole minutes in India, no seconds, long enough to bring something."""
    longer_us = max(0, LEAST_WINDOW_S * 1_000_000 - (to_us - from_us))
    begin = _minute(from_us - longer_us)
    end = _minute(to_us) + timedelta(minutes=1)
    return begin.strftime("%Y-%m-%d %H:%M"), end.strftime("%Y-%m-%d %H:%M")


def _minute(at_us: int) -> datetime:
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(IST)
    return at.replace(second=0)
