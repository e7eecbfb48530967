"""What a client of the stream asks for, and what it has (pure but for its memory). Source: smartapi, sections 4.1 and 4.2."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

import msgspec

from ingest.packets import LTP, QUOTE, SNAP_QUOTE

MOST = 1000
"""Subscriptions of one connection, counted as token × mode."""
MODES = (LTP, QUOTE, SNAP_QUOTE)
EXCHANGE_TYPES = (1, 2, 3, 4, 5, 7, 13)
Name = bytes
"""Exchange type and padded token: bytes 1 to 26 of a packet."""
_NAME_BYTES = 26


class Action(IntEnum):
    """What to do with a list of tokens."""

    UNSUBSCRIBE = 0
    SUBSCRIBE = 1


class _Tokens(msgspec.Struct):
    exchangeType: int  # noqa: N815 - the broker's spelling
    tokens: list[Annotated[str, msgspec.Meta(min_length=1, max_length=25)]]


class _Params(msgspec.Struct):
    mode: int
    tokenList: list[_Tokens]  # noqa: N815 - the broker's spelling


class _Request(msgspec.Struct):
    action: int
    params: _Params
    correlationID: str = ""  # noqa: N815 - the broker's spelling; the SDK's re-subscribe leaves it out


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An error frame."""

    correlation_id: str
    code: str
    message: str

    def text(self) -> bytes:
        """Return the frame's JSON."""
        told = {
            "correlationID": self.correlation_id,
            "errorCode": self.code,
            "errorMessage": self.message,
        }
        return msgspec.json.encode(told)


class Subscriptions:
    """The (token, mode) pairs of one connection, in the order in which they were asked for."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._modes: dict[Name, tuple[int, ...]] = {}
        self.count = 0

    def modes(self, name: Name) -> tuple[int, ...]:
        """Return the modes in which a token is subscribed, ascending."""
        return self._modes.get(name, ())

    def __iter__(self) -> Iterator[tuple[Name, int]]:
        """Give each token with each of its modes."""
        return ((name, mode) for name, modes in self._modes.items() for mode in modes)

    def apply(self, text: bytes) -> list[tuple[Name, int]] | Refusal:
        """Do what a client's frame says; return what is subscribed that was not, or why nothing was changed.

        Duplicates are ignored and not counted, and so is unsubscribing what is not there.
        """
        try:
            request = msgspec.json.decode(text, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _invalid(_correlation_id(text))
        params = request.params
        asked = [
            name_of(part.exchangeType, token)
            for part in params.tokenList
            for token in part.tokens
            if token.isascii()
        ]
        if (
            params.mode not in MODES
            or request.action not in tuple(Action)
            or any(part.exchangeType not in EXCHANGE_TYPES for part in params.tokenList)
        ):
            return _invalid(request.correlationID)
        if request.action == Action.UNSUBSCRIBE:
            self._remove(asked, params.mode)
            return []
        fresh = [name for name in dict.fromkeys(asked) if params.mode not in self.modes(name)]
        if self.count + len(fresh) > self._most:
            return Refusal(
                correlation_id=request.correlationID,
                code="E1002",
                message="Invalid Request. Subscription Limit Exceeded",
            )
        for name in fresh:
            self._modes[name] = tuple(sorted((*self.modes(name), params.mode)))
        self.count += len(fresh)
        return [(name, params.mode) for name in fresh]

    def _remove(self, names: list[Name], mode: int) -> None:
        for name in names:
            modes = self.modes(name)
            if mode in modes:
                self.count -= 1
                left = tuple(each for each in modes if each != mode)
                if left:
                    self._modes[name] = left
                else:
                    del self._modes[name]


def name_of(exchange_type: int, token: str) -> Name:
    """Return how packets name a token.

    Raises:
        ValueError: the exchange type does not fit a byte.
    """
    return bytes([exchange_type & 0xFF]) + token.encode().ljust(_NAME_BYTES - 1, b"\0")


def _invalid(correlation_id: str) -> Refusal:
    return Refusal(correlation_id=correlation_id, code="E1001", message="Invalid Request Payload.")


def _correlation_id(text: bytes) -> str:
    """Return the echo of a request that is otherwise of no use; empty where there is none."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    echo = found.get("correlationID", "") if isinstance(found, dict) else ""
    return echo if isinstance(echo, str) else ""
