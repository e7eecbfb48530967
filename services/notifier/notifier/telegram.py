"""Texts of the outbox to Telegram. The only module that knows python-telegram-bot.

What is sent once and for all, what is sent again and what is given up follows the bus contract, section 12: a refused
connection and a 429 are "not sent" and tried again; 400 and 403 are never repeated; a time-out or a 5xx is *unknown*: a
decision goes out once more under the same tag, other news is only recorded.
"""

import asyncio
import logging
import os
from collections import Counter
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

from notifier.news import DECISION
from oimon import figures, metrics
from oimon.bus import Entry, Outcome, Parcel
from oimon.bus.sending import CALL_S
from oimon.calendar import day_of
from oimon.clock import Clock
from oimon.messages import Text

ANY_GAP_S = 1 / 25
CHAT_GAP_S = 1.0
GROUP_GAP_S = 60 / 18
"""Time between two texts: any two, to one chat, to one group. Source: bus contract, section 12 (25/s in all, 1/s a chat, 18/min a group)."""
BACKOFF_S = (0.5, 30.0)
_NO_CONNECTION = "PoolTimeout"
"""No connection was free. A call that is cancelled just as its time runs out, as after the machine was asleep, keeps its own for ever."""
_NOT_SENT = ("ConnectError", "ConnectTimeout", _NO_CONNECTION)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Call:
    """What became of one call."""

    name: str  # sent, failed, unknown; not_sent is tried again
    why: str | None = None
    wait_s: float | None = None  # Telegram's own wish


class Telegram:
    """Takes texts to chats.

    Args:
        token: the bot's.
        chat_ids: who is told; nobody else is.
        base_url: address of the Bot API, without ``/bot``.
        record: writes what became of a text: columns of the table ``texts``.
        clock: says which day it is: a text of another day is not sent.
        gap_s: least time between two texts to one chat, and to one group.
        timeout_s: how long a call may take.
    """

    def __init__(
        self,
        token: str,
        chat_ids: Sequence[int],
        *,
        base_url: str,
        record: Callable[[dict[str, Any]], Awaitable[None]],
        clock: Clock,
        gap_s: tuple[float, float] = (CHAT_GAP_S, GROUP_GAP_S),
        timeout_s: float = CALL_S,
    ) -> None:
        os.environ.setdefault(
            "PTB_TIMEDELTA", "true"
        )  # the library's switch to its coming behaviour
        self._token = token
        self._base_url = f"{base_url.rstrip('/')}/bot"
        self._timeout_s = timeout_s
        self._requests: list[HTTPXRequest] = []
        self._recipients = {str(chat_id) for chat_id in chat_ids}
        self._record = record
        self._clock = clock
        self._gap_s = gap_s
        self._free_at: dict[str, float] = {}
        self._any_free_at = 0.0
        self.outcomes: Counter[str] = Counter()
        self.last_error: str | None = None
        for chat_id in chat_ids:
            if chat_id < 0:
                log.warning(
                    "a chat is a group: all its members read along", extra={"chat": chat_id}
                )
        self._bot = self._connect()

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says; how many texts wait, the outbox's own line there does."""
        return {
            "off": None,
            "chats": len(self._recipients),
            "outcomes": dict(self.outcomes),
            "last_error": self.last_error,
        }

    def _connect(self) -> Bot:
        """Return the bot, with connections that nobody has used: as many as there are calls at a time."""
        request = HTTPXRequest(
            connection_pool_size=max(1, len(self._recipients)),
            read_timeout=self._timeout_s,
            write_timeout=self._timeout_s,
            pool_timeout=self._timeout_s / 10,
        )
        self._requests.append(request)
        return Bot(
            self._token, base_url=self._base_url, request=request, get_updates_request=request
        )

    async def close(self) -> None:
        """Close the connections."""
        for request in self._requests:
            await request.shutdown()

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Send a text, and return once its outcome is as known as it will be."""
        outcome = await self._deliver(parcel)
        self.outcomes[outcome.name] += 1
        metrics.TELEGRAM.labels(outcome.name).inc()
        if outcome.name != "sent":
            log.warning(
                "a text was not sent for certain",
                extra={"id": parcel.text.of, "outcome": outcome.name, "why": outcome.why},
            )
        return outcome

    async def record(self, text: Text, entry: Entry, outcome: Outcome) -> None:  # noqa: ARG002 - the protocol's argument
        """Write the row of a text that was delivered, or not."""
        await self._record(
            {
                "id": f"{text.of}/{text.recipient}",
                "ts_us": text.made_ts_us,
                "ist": figures.date_time(text.made_ts_us),
                "underlying": text.underlying,
                "mode": text.mode,
                "run": text.run,
                "kind": text.kind,
                "recipient": text.recipient,
                "outcome": outcome.name,
                "why": outcome.why,
                "text": text.text,
            }
        )

    async def _deliver(self, parcel: Parcel) -> Outcome:
        is_decision, may_be_out = parcel.text.kind == DECISION, parcel.may_be_out
        if may_be_out and not is_decision:
            return Outcome(name="unknown", why="its sender ended while it was being sent")
        attempt = 0
        while True:
            why_not = self._why_not(parcel)
            if why_not is None:
                await self._wait_for_turn(parcel.text.recipient)
                why_not = self._why_not(parcel)  # meanwhile it may have become so
            if why_not is not None:
                return Outcome(name="unknown" if may_be_out else "dropped", why=why_not)
            await parcel.begin()
            call = await self._call(parcel.text)
            if call.why is not None:
                self.last_error = call.why
            if call.name == "unknown":
                if may_be_out or not is_decision:
                    return Outcome(name="unknown", why=call.why)
                may_be_out = True
            elif call.name != "not_sent":
                return Outcome(name=call.name, why=call.why)
            elif not may_be_out:  # else the note stays: the call before may have sent it
                await parcel.not_sent()
            metrics.TELEGRAM.labels("retried").inc()
            low, high = BACKOFF_S
            patience_s = min(high, low * 2.0 ** min(attempt, 10))
            await asyncio.sleep(patience_s if call.wait_s is None else call.wait_s)
            attempt += 1

    def _why_not(self, parcel: Parcel) -> str | None:
        """Return why a text is not to be sent any more."""
        if parcel.text.recipient not in self._recipients:
            return "the chat is not on the list"
        if day_of(1000 * parcel.entry.at_ms) != day_of(self._clock.now_us()):
            return "of another day"
        if parcel.text.kind != DECISION and parcel.is_outdated:
            return "a newer one took its place"
        return None

    async def _call(self, text: Text) -> _Call:
        try:
            async with asyncio.timeout(self._timeout_s):  # the library's own are of each read
                await self._bot.send_message(
                    text.recipient, text.text, disable_notification=not text.loud
                )
        except TimeoutError:
            return _Call("unknown", f"Telegram did not answer within {self._timeout_s:g} s")
        except RetryAfter as error:
            after = error.retry_after
            wait_s = after if isinstance(after, int) else after.total_seconds()
            return _Call("not_sent", str(error), wait_s)
        except BadRequest as error:  # a NetworkError by the library's tree, but an answer
            return _Call("failed", str(error))
        except (TimedOut, NetworkError) as error:
            cause = type(error.__cause__).__name__
            if cause == _NO_CONNECTION:
                self._bot = self._connect()
            return _Call("not_sent" if cause in _NOT_SENT else "unknown", str(error))
        except TelegramError as error:  # 403, a wrong token, a chat that moved
            return _Call("failed", str(error))
        return _Call("sent")

    async def _wait_for_turn(self, recipient: str) -> None:
        """Wait until a text may go to this chat, and then until any may."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._free_at.get(recipient, 0.0) - clock())
        start_s = max(clock(), self._any_free_at)
        self._any_free_at = start_s + ANY_GAP_S
        self._free_at[recipient] = start_s + self._gap_s[recipient.startswith("-")]
        await asyncio.sleep(start_s - clock())
