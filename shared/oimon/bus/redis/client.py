"""The connections to Redis, the errors that come of them, and the scripts.

Client rules (bus contract, section 13): no silent retries of writes, a socket time-out above every BLOCK, protocol 2, blocking
reads on connections of their own.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any, cast
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)

from oimon import metrics
from oimon.bus.redis.connection import prompt
from oimon.bus.redis.together import Command, Together
from oimon.errors import BusDown, ConfigError, LostOwnership, OimonError, inside

SOCKET_TIMEOUT_S = 5.0
_CLUSTER = "redis+cluster://", "rediss+cluster://"
_UNWRITABLE = (OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError)
"""Answers of a server that cannot write now, of which the client makes classes of their own; their text lacks the code."""
_UNWRITABLE_CODES = {"MISCONF", "BUSY", "NOREPLICAS", "UNBLOCKED"}
"""The other ones; the last is told to who waits for entries when the server becomes another's replica, or the stream is gone."""
_REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError)
_REFUSED_IN_SCRIPT = ("ACL failure in script", "The user executing the script")
"""The words of Valkey and later Redis, and of Redis 7.0, for a command in a script that the user may not run."""


@dataclass(frozen=True)
class Script:
    """A script and the name that a server knows it by."""

    text: str
    sha: str


@cache
def _script(name: str) -> Script:
    text = (files("oimon.bus") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Client:
    """Connections to one server, or to a cluster, for everything that does not block and for what does.

    Args:
        url: ``redis://``, or ``redis+cluster://`` for any node of a cluster; ``rediss`` for TLS.
    """

    def __init__(self, url: str) -> None:
        self.is_cluster = url.startswith(_CLUSTER)
        self.redis = _connect(url, is_cluster=self.is_cluster)
        self.blocking = _connect(url, is_cluster=self.is_cluster)
        parts = urlsplit(url)
        self._where = f"Redis at {parts.hostname or parts.path}" + (
            f":{parts.port}" if parts.port else ""
        )
        self._user = parts.username or "default"
        self._known: set[str] = set()  # scripts that the server has been sent
        self._together = Together(partial(_execute_all_on, self.redis))

    async def ask(self, call: Awaitable[Any]) -> Any:
        """Return the answer to a call of the client.

        Raises:
            BusDown: the server does not answer, or cannot write now.
            LostOwnership: a script has refused to write.
            ConfigError: the user may not do this.
            ResponseError: another refusal, which the caller knows of.
        """
        before = _cancellations()
        try:
            answer = await call
        except (RedisError, RedisClusterException, OSError) as error:
            _cancel_if_more(before)
            told = self._told(error)
            if told is None:
                raise
            raise told from error
        except AttributeError as error:
            # When one call fails, a cluster's client closes the connections that all others are using, and they trip over that.
            if not self.is_cluster:
                raise
            raise self._down(error) from error
        _cancel_if_more(before)
        return answer

    async def run(
        self, name: str, keys: Sequence[str], args: Sequence[Any], *, together: bool = False
    ) -> Any:
        """Run a script, which must only touch these keys; ``together`` with others that are asked for in the same turn.

        The server is sent its text once, and its short name from then on: a stand-in closes the connection of who names a script
        that it does not know. A real one says so, having done nothing, when it was restarted meanwhile.
        """
        script = _script(name)
        execute = self._together.ask if together and not self.is_cluster else self._execute
        if name in self._known:
            try:
                return await self.ask(execute("EVALSHA", script.sha, len(keys), *keys, *args))
            except NoScriptError:
                self._known.clear()
        answer = await self.ask(execute("EVAL", script.text, len(keys), *keys, *args))
        self._known.add(name)
        return answer

    async def _execute(self, *command: Any) -> Any:
        """Return the answer to a command."""
        if self.is_cluster:
            routed: Any = self.redis.execute_command
            return await routed(*command)
        return _unless_refused(await _execute_all_on(self.redis, [command]))

    async def block(self, *command: Any) -> Any:
        """Return the answer, as the server sent it, to a command that waits for something; not of a cluster.

        Raises:
            redis.exceptions.RedisError: the server refused it, or the connection was lost.
            OSError: there is no connection.
        """
        return _unless_refused(await _execute_all_on(self.blocking, [command]))

    def _told(self, error: Exception) -> OimonError | None:
        """Return what an error of the client means to us; nothing when only its caller can know."""
        text = _without_pipeline(str(error)).rstrip(".',)")
        is_refused = isinstance(error, _REFUSED) or isinstance(error.__cause__, _REFUSED)
        if is_refused or text.startswith(_REFUSED_IN_SCRIPT):  # a cluster's client hides the cause
            return ConfigError(
                f"{self._where} refused its user {self._user!r}: {text}. Set REDIS_URL to a user and password that it knows;"
                " the users and what each may do are in deploy/redis/users.acl; people ask as admin"
            )
        if isinstance(error, ResponseError):
            if text.startswith(("FENCED", "DIVERGED")):
                return LostOwnership(text)
            code = getattr(error, "status_code", None) or text.split(" ", 1)[0]
            if not isinstance(error, _UNWRITABLE) and code not in _UNWRITABLE_CODES:
                return None
            metrics.REDIS_ERRORS.labels(code).inc()
            return BusDown(f"{self._where} cannot write now: {text}")
        return self._down(error)

    def _down(self, error: Exception) -> BusDown:
        metrics.REDIS_ERRORS.labels(type(error).__name__).inc()
        self._known.clear()  # another server may answer next
        return BusDown(f"{self._where} does not answer: {inside(error)}")

    async def close(self) -> None:
        """Close connections."""
        await self.redis.aclose()
        await self.blocking.aclose()


async def _execute_all_on(client: Redis, commands: Sequence[Command]) -> Sequence[Any]:
    """Return the answers to commands, without the retries and telemetry that the client would add and nobody asks for.

    A refusal is an answer: it says nothing of the other commands.
    """
    pool: Any = client.connection_pool
    connection = await pool.get_connection()
    try:
        await connection.send_packed_command(connection.pack_commands(commands))
        return [await _answer(connection) for _ in commands]
    finally:
        await pool.release(connection)


def _unless_refused(answers: Sequence[Any]) -> Any:
    """Return the only answer, unless it is a refusal."""
    (answer,) = answers
    if isinstance(answer, ResponseError):
        raise answer
    return answer


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:
        return refusal


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _cancel_if_more(before: int) -> None:
    """Raise the cancellation that asyncio, on Python 3.11, may lose when it meets a reply inside the client."""
    if _cancellations() > before:
        raise asyncio.CancelledError


def _connect(url: str, *, is_cluster: bool) -> Redis:
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "protocol": 2,
        "max_connections": 1024,
    }
    if is_cluster:
        cluster = RedisCluster.from_url(url.replace("+cluster", "", 1), **options)
        return cast(Redis, cluster)  # it has the same commands
    client: Redis = Redis.from_url(url, **options)
    pool = client.connection_pool
    pool.connection_class = prompt(pool.connection_class)
    return client


def _without_pipeline(text: str) -> str:
    """Return the server's own words: the client says in front of them which command of a pipeline they answer."""
    return text.rsplit("of pipeline caused error: ", 1)[-1].lstrip("('\"")
