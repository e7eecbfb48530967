"""Does to a log what time and misfortune do."""

import contextlib
from collections import Counter

import redis as redis_py

from oimon.bus import Entry
from oimon.bus.log import stamp
from oimon.bus.memory import MemoryStore
from oimon.errors import BusDown
from oimon.messages import TICKS
from tests.eventually import eventually

ROLE = "analytics"
LONG_AGO_MS = 60_000
PASS_BY = """
redis.call('XADD', KEYS[1], ARGV[1], 'n', 0)
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], 'cursor', ARGV[1])
"""


class Hand:
    """Does to a log what time and misfortune do, without waiting for them."""

    def __init__(self, behind):
        self._store = behind if isinstance(behind, MemoryStore) else None
        if self._store is None:
            url = behind.replace("+cluster", "")
            kind = redis_py.Redis if url == behind else redis_py.RedisCluster
            self._client = kind.from_url(url, protocol=2)

    def set_deadline(self, deadline_ms: int, role: str = ROLE) -> None:
        if self._store is not None:
            self._store.own(role, "NIFTY").until_ms = deadline_ms
        else:
            self._client.hset(f"oi.own:{{NIFTY}}:{role}", "until", deadline_ms)

    def end_lease(self, role: str = ROLE) -> None:
        self.set_deadline(1, role)

    def set_epoch(self, epoch: int, role: str = ROLE) -> None:
        if self._store is not None:
            self._store.own(role, "NIFTY").epoch = epoch
        else:
            self._client.hset(f"oi.own:{{NIFTY}}:{role}", "epoch", epoch)

    def age_beat(self, by_s: int) -> None:
        """Let the producer's last beat have been so much earlier."""
        by_us = by_s * 1_000_000
        if self._store is not None:
            self._store.own("ingest", "NIFTY").beat_us -= by_us
        else:
            self._client.hincrby("oi.own:{NIFTY}:ingest", "beat", -by_us)

    def set_cursor(self, cursor: str, n: int, role: str = ROLE) -> None:
        if self._store is not None:
            own = self._store.own(role, "NIFTY")
            own.cursor, own.in_n = cursor, n
        else:
            self._client.hset(f"oi.own:{{NIFTY}}:{role}", mapping={"cursor": cursor, "in_n": n})

    def move_on(self) -> str:
        """Move the place on to an entry that nobody has seen, and that is gone; return its id."""
        lost = f"{self.now_ms() + 60_000}-0"
        if self._store is not None:
            self._store.stream(TICKS, "NIFTY").last = stamp(lost)
            self._store.own(ROLE, "NIFTY").cursor = lost
        else:
            keys = f"{TICKS}:{{NIFTY}}", f"oi.own:{{NIFTY}}:{ROLE}"
            self._client.eval(PASS_BY, 2, *keys, lost)
        return lost

    def now_ms(self) -> int:
        if self._store is not None:
            return self._store.now_ms()
        told = self._client.time()
        seconds, _ = told if isinstance(told, tuple) else next(iter(told.values()))
        return seconds * 1000

    def lose(self, stream: str) -> None:
        if self._store is not None:
            del self._store.streams[stream, "NIFTY"]
        else:
            self._client.delete(f"{stream}:{{NIFTY}}")

    def leave_idle(self, group: str, entry: Entry) -> None:
        if self._store is not None:
            pending = self._store.groups[group, entry.stream, "NIFTY"].pending
            owner, _, tries = pending[entry.id]
            pending[entry.id] = (owner, self._store.now_ms() - LONG_AGO_MS, tries)
        else:
            self._client.xclaim(
                f"{entry.stream}:{{NIFTY}}", group, "dead", 0, [entry.id], idle=LONG_AGO_MS, justid=True
            )  # fmt: skip

    def members_of(self, group: str, stream: str) -> dict[str, int]:
        """Return what each member of a group has pending; on lists there is nobody who has nothing."""
        if self._store is not None:
            pending = self._store.groups[group, stream, "NIFTY"].pending.values()
            return Counter(owner for owner, _, _ in pending)
        told = self._client.xinfo_consumers(f"{stream}:{{NIFTY}}", group)
        return {each["name"].decode(): each["pending"] for each in told}

    def close(self) -> None:
        if self._store is None:
            self._client.close()


async def in_spite_of_hanging_up(call):
    """Return what a log answers: the stand-in hangs up after an error, so that the next call may find nobody there."""

    async def answered():
        with contextlib.suppress(BusDown):
            return [await call()]
        return None

    return (await eventually(answered))[0]


def shorten(monkeypatch, *, leases_ms: int | None = None, members_ms: int | None = None) -> None:
    """Let leases and memberships run out sooner than they do, on every log."""
    if leases_ms is not None:
        monkeypatch.setattr("oimon.bus.log.LEASE_TTL_MS", leases_ms)
    if members_ms is not None:
        for log in ("memory.owned", "redis.owned"):
            monkeypatch.setattr(f"oimon.bus.{log}.MEMBER_TTL_MS", members_ms)
