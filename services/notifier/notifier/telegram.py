"""Texts to Telegram: one sender, one waiting line. The only module that knows python-telegram-bot.

What is sent once and for all, what is sent again and what is given up follows the bus contract, section 12: a refused
connection and a 429 are "not sent" and tried again; 400 and 403 are never repeated; a time-out or a 5xx is *unknown*: a
decision goes out once more under the same tag, other news is only recorded. What
waits when the service stops is recorded as dropped.
"""

import asyncio
import contextlib
import logging
import os
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telegram import Bot
from telegram.error import (
    BadRequest,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from notifier.news import News
from oimon import figures, metrics
from oimon.errors import PoisonMessage, TransientError

WAITING_MAX = 200
"""Texts that wait at most; beyond that the oldest is given up and recorded as ``dropped``."""
CHAT_GAP_S = 1.0
GROUP_GAP_S = 60 / 18
"""Time between two texts to one chat. Source: bus contract, section 12 (1/s a chat, 18/min a group)."""
BACKOFF_S = (0.5, 30.0)
TIMEOUT_S = 10.0
LAST_NOTES_S = 2.0
"""At the stop the database gets this long to take what became of the last texts."""
_NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout")
_UNRECORDED_MAX = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Item:
    """One text on its way to one chat."""

    news: News
    chat_id: int


@dataclass(frozen=True)
class _Outcome:
    """What became of one call."""

    name: str  # sent, failed, unknown; not_sent is tried again
    why: str | None = None
    wait_s: float | None = None  # Telegram's own wish


class Telegram:
    """The sender.

    Args:
        token: the bot's.
        chat_ids: who is told; nobody else is.
        base_url: address of the Bot API, without ``/bot``.
        record: writes what became of a text: columns of the table ``texts``.
        gap_s: least time between two texts to one chat, and to one group.
        timeout_s: how long Telegram may take to answer.
    """

    def __init__(
        self,
        token: str,
        chat_ids: Sequence[int],
        *,
        base_url: str,
        record: Callable[[dict[str, Any]], Awaitable[None]],
        gap_s: tuple[float, float] = (CHAT_GAP_S, GROUP_GAP_S),
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        os.environ.setdefault(
            "PTB_TIMEDELTA", "true"
        )  # the library's switch to its coming behaviour
        self._request = HTTPXRequest(
            connection_pool_size=4, read_timeout=timeout_s, write_timeout=timeout_s
        )
        self._bot = Bot(
            token,
            base_url=f"{base_url.rstrip('/')}/bot",
            request=self._request,
            get_updates_request=self._request,
        )
        self._chat_ids = tuple(chat_ids)
        self._gap_s = gap_s
        self._record = record
        self._waiting: deque[_Item] = deque()
        self._something = asyncio.Event()
        self._free_at: dict[int, float] = {}
        self._unrecorded: deque[dict[str, Any]] = deque(maxlen=_UNRECORDED_MAX)
        self.outcomes: Counter[str] = Counter()
        self.last_error: str | None = None
        for chat_id in self._chat_ids:
            if chat_id < 0:
                log.warning(
                    "a chat is a group: all its members read along", extra={"chat": chat_id}
                )

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says."""
        return {
            "off": None,
            "chats": len(self._chat_ids),
            "waiting": len(self._waiting),
            "outcomes": dict(self.outcomes),
            "last_error": self.last_error,
        }

    def offer(self, news: News) -> None:
        """Put a text in the waiting line, for each chat; never waits.

        A waiting state gives way to a newer one of its family; a decision gives way to nothing but the line's bound.
        """
        for chat_id in self._chat_ids:
            if not news.is_decision:
                for item in [i for i in self._waiting if i.chat_id == chat_id]:
                    if item.news.family == news.family:
                        self._waiting.remove(item)
                        self._note(item, _Outcome("dropped", "a newer one took its place"))
            self._waiting.append(_Item(news, chat_id))
            if len(self._waiting) > WAITING_MAX:
                self._note(self._waiting.popleft(), _Outcome("dropped", "too many were waiting"))
        self._something.set()

    async def run(self) -> None:
        """Send what waits, until cancelled; what still waits then is recorded as dropped."""
        await self._request.initialize()
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while self._waiting:
                    await self._send_next()
                    await self._write_notes()
        finally:
            while self._waiting:
                self._note(self._waiting.popleft(), _Outcome("dropped", "the service stopped"))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_NOTES_S):
                    await self._write_notes()
            await self._request.shutdown()

    async def _send_next(self) -> None:
        item = self._waiting.popleft()
        try:
            outcome = await self._deliver(item)
        except asyncio.CancelledError:
            self._note(item, _Outcome("unknown", "the service stopped while it was being sent"))
            raise
        self._note(item, outcome)

    async def _deliver(self, item: _Item) -> _Outcome:
        """Send until the outcome is known, or as known as it will be."""
        attempt, unknowns = 0, 0
        while True:
            await self._wait_for_turn(item.chat_id)
            outcome = await self._call(item)
            if outcome.why is not None:
                self.last_error = outcome.why
            if outcome.name == "unknown":
                unknowns += 1
                if not item.news.is_decision or unknowns > 1:
                    return outcome
            elif outcome.name != "not_sent":
                return outcome
            metrics.TELEGRAM.labels("retried").inc()
            low, high = BACKOFF_S
            patience_s = min(high, low * 2.0 ** min(attempt, 10))
            await asyncio.sleep(patience_s if outcome.wait_s is None else outcome.wait_s)
            attempt += 1

    async def _call(self, item: _Item) -> _Outcome:
        try:
            await self._bot.send_message(
                item.chat_id, item.news.text, disable_notification=not item.news.is_loud
            )
        except RetryAfter as error:
            after = error.retry_after
            wait_s = after if isinstance(after, int) else after.total_seconds()
            return _Outcome("not_sent", str(error), wait_s)
        except BadRequest as error:  # a NetworkError by the library's tree, but an answer
            return _Outcome("failed", str(error))
        except (TimedOut, NetworkError) as error:
            was_sent = type(error.__cause__).__name__ not in _NOT_SENT
            return _Outcome("unknown" if was_sent else "not_sent", str(error))
        except TelegramError as error:  # 403, a wrong token, a chat that moved
            return _Outcome("failed", str(error))
        return _Outcome("sent")

    async def _wait_for_turn(self, chat_id: int) -> None:
        now_s = asyncio.get_running_loop().time()
        start_s = max(now_s, self._free_at.get(chat_id, now_s))
        self._free_at[chat_id] = start_s + self._gap_s[chat_id < 0]
        await asyncio.sleep(start_s - now_s)

    def _note(self, item: _Item, outcome: _Outcome) -> None:
        news = item.news
        self.outcomes[outcome.name] += 1
        metrics.TELEGRAM.labels(outcome.name).inc()
        if outcome.name != "sent":
            log.warning(
                "a text was not sent for certain",
                extra={"id": news.key, "outcome": outcome.name, "why": outcome.why},
            )
        self._unrecorded.append(
            {
                "id": f"{news.key}/{item.chat_id}",
                "ts_us": news.ts_us,
                "ist": figures.date_time(news.ts_us),
                "underlying": news.underlying,
                "mode": news.mode,
                "run": news.run,
                "kind": "decision" if news.is_decision else "state",
                "recipient": str(item.chat_id),
                "outcome": outcome.name,
                "why": outcome.why,
                "text": news.text,
            }
        )

    async def _write_notes(self) -> None:
        while self._unrecorded:
            try:
                await self._record(self._unrecorded[0])
            except TransientError as error:  # the database is away: with the next text again
                self.last_error = str(error)
                return
            except PoisonMessage as error:  # it was sent or not all the same: the next text goes on
                self.last_error = str(error)
                facts = {"id": self._unrecorded[0]["id"], "why": str(error)}
                log.error("a text has no row", extra=facts)  # noqa: TRY400 - a known cause needs no traceback
            self._unrecorded.popleft()
