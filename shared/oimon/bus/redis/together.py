"""Commands that are asked for in one turn of the event loop, sent in one go.

Two hundred idle owners renew their leases in few turns, since their waits for entries end together: one message to the server and
one back cost it a fraction of two hundred.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

Command: TypeAlias = tuple[Any, ...]
Send: TypeAlias = Callable[[Sequence[Command]], Awaitable[Sequence[Any]]]


class Together:
    """Sends commands in company; each has an answer or a refusal of its own, while a lost connection is everybody's.

    Args:
        send: sends commands on one connection and returns the answers, in order; a refusal is returned, not raised.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._company: list[tuple[Command, asyncio.Future[Any]]] | None = None

    async def ask(self, *command: Any) -> Any:
        """Return the answer to a command. Who asks first in a turn sends for all.

        Raises:
            redis.exceptions.RedisError: the server refused it, or the connection was lost.
            OSError: there is no connection.
        """
        if self._company is not None:
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._company.append((command, answer))
            return await answer
        company = self._company = []
        try:
            try:
                await asyncio.sleep(0)
            finally:
                self._company = None
            own, *others = await self._send([command, *(each for each, _ in company)])
        except BaseException as error:
            _lose(company, error)
            raise
        for (_, answer), told in zip(company, others, strict=True):
            _tell(answer, told)
        if isinstance(own, ResponseError):
            raise own
        return own


def _tell(answer: "asyncio.Future[Any]", told: Any) -> None:
    if answer.done():  # whoever asked was cancelled
        return
    if isinstance(told, ResponseError):
        answer.set_exception(told)
    else:
        answer.set_result(told)


def _lose(company: Sequence[tuple[Command, "asyncio.Future[Any]"]], error: BaseException) -> None:
    """Tell everybody that nobody knows what became of their commands, also when it is the sender that was cancelled."""
    for _, answer in company:
        if not answer.done():
            why = str(error) or "whoever sent for several was cancelled"
            answer.set_exception(RedisConnectionError(why))
