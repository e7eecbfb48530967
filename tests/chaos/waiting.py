"""Waiting for what must come, and saying in words what did not."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_S = 0.02


class DidNot(Exception):  # noqa: N818 - it reads as a sentence
    """What a row waited for has not happened; the text says what."""


async def until(condition: Callable[[], Awaitable[T]], what: str, *, within_s: float) -> T:
    """Return the condition's first true value.

    Args:
        condition: asked again and again.
        what: the condition in words that follow "did not": "take over NIFTY".
        within_s: how long it may take.

    Raises:
        DidNot: it never was true.
    """
    deadline = time.monotonic() + within_s
    while True:
        value = await condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise DidNot(f"did not {what} within {within_s:g} s")
        await asyncio.sleep(_POLL_S)
