"""The bus on Redis Streams: one server, or a cluster. The only package that knows redis and the names of keys."""

from oimon.bus.engine import Engine
from oimon.bus.log import Retention
from oimon.bus.redis.log import RedisLog

__all__ = ["RedisBus", "RedisLog"]


class RedisBus(Engine):
    """The bus on Redis Streams.

    Args:
        url: address, see ``RedisLog``.
        me: name of this replica, new at every start.
        retention: what is kept of each stream.
        beat_ms: step of the server-clock beats; 0 makes every batch a beat.
    """

    def __init__(
        self, url: str, me: str, *, retention: Retention | None = None, beat_ms: int = 1000
    ) -> None:
        super().__init__(RedisLog(url, me, retention=retention, beat_ms=beat_ms), me)
