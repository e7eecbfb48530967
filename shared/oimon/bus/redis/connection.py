"""A connection that ends at once when whoever uses it is cancelled, and that packs commands faster."""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from typing_extensions import override

_SERIALIZER = HiredisRespSerializer()


class Prompt(AbstractConnection):
    """Sends commands as the client does, but not in a task of their own, which the client makes for its time-out.

    ``asyncio.wait_for``, on Python 3.11, loses a cancellation that comes as its task ends: a reader that was to leave would first
    sit out its BLOCK. Sending is also a tenth cheaper so.
    """

    @override
    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send a command.

        Raises:
            redis.exceptions.TimeoutError: it did not leave in time.
            redis.exceptions.ConnectionError: the server is away.
        """
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]  # the client's own
        if isinstance(command, str):
            command = command.encode()
        chunks = [command] if isinstance(command, bytes) else command
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command(chunks)
        except TimeoutError as error:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout writing to socket") from error
        except OSError as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"Error while writing to socket: {error}") from error
        except BaseException:
            await self.disconnect(nowait=True)  # half a command may have left
            raise

    @override
    def pack_command(self, *args: Any) -> list[bytes]:
        """Return a command as it is sent: by the library in C that already reads replies, five times as fast."""
        packed: list[bytes] = _SERIALIZER.pack(*args)
        return packed


def prompt(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return a class of connection (plain, TLS or by a socket file) made prompt."""
    return type(f"Prompt{kind.__name__}", (Prompt, kind), {})
