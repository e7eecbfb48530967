"""What is said on the stream in text: subscriptions to it, refusals from it (pure). Source: smartapi, 4.1 and 4.2."""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

import msgspec

HEARTBEAT, ANSWER = "ping", "pong"
BATCH = 50
"""Tokens in one request."""


class Action(IntEnum):
    """What a request asks for."""

    UNSUBSCRIBE = 0
    SUBSCRIBE = 1


class Subscription(NamedTuple):
    """One stream of packets: an instrument in one mode. Limits count these."""

    mode: int
    exchange_type: int
    token: str


class Refusal(NamedTuple):
    """A request that was not accepted."""

    code: str
    text: str
    request: str
    """Number of the request, empty where the broker does not say."""


class _TokenList(msgspec.Struct, rename="camel"):
    exchange_type: int
    tokens: list[str]


class _Params(msgspec.Struct, rename="camel"):
    mode: int
    token_list: list[_TokenList]


class _Request(msgspec.Struct):
    correlation_id: str = msgspec.field(name="correlationID")
    action: int
    params: _Params


class _Refused(msgspec.Struct):
    code: str = msgspec.field(name="errorCode")
    text: str = msgspec.field(name="errorMessage", default="")
    request: str | None = msgspec.field(name="correlationID", default=None)


def requests(
    action: Action, subscriptions: Iterable[Subscription], *, first: int = 1
) -> Iterator[str]:
    """Give the texts that ask for subscriptions, at most ``BATCH`` tokens in each; of several exchanges where they share a mode.

    Args:
        action: to subscribe or to unsubscribe.
        subscriptions: in any order; those of one mode go together, in the order given.
        first: number of the first request; the broker repeats it when it refuses.
    """
    number = first
    by_mode = sorted(subscriptions, key=lambda each: each.mode)  # stable
    for mode, some in groupby(by_mode, key=lambda each: each.mode):
        tokens = list(some)
        for start in range(0, len(tokens), BATCH):
            params = _Params(mode=mode, token_list=_by_exchange(tokens[start : start + BATCH]))
            asked = _Request(correlation_id=f"oimon{number:05}"[-10:], action=action, params=params)
            yield msgspec.json.encode(asked).decode()
            number += 1


def refusal(text: str) -> Refusal | None:
    """Return the refusal that a text from the broker is, ``None`` where it is none: an answer to a heartbeat, or unknown."""
    try:
        told = msgspec.json.decode(text, type=_Refused)
    except msgspec.MsgspecError:
        return None
    return Refusal(code=told.code, text=told.text, request=told.request or "")


def _by_exchange(tokens: Sequence[Subscription]) -> list[_TokenList]:
    found: dict[int, list[str]] = {}
    for each in tokens:
        found.setdefault(each.exchange_type, []).append(each.token)
    return [_TokenList(exchange_type=kind, tokens=some) for kind, some in found.items()]
