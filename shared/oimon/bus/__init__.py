"""The bus as services see it: publish, own (one owner a partition), share (a group), latest, subscribe.

A partition is one underlying. A handler is a pure function ``(state, entry) → (state, outputs)``; it knows nothing of
leases, cursors or epochs. What the bus promises is the bus contract; who keeps the promises are ``redis`` and ``memory``
beside this file, both driven by ``engine``.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from oimon import codec
from oimon.messages import Message, Text
from oimon.terms import FeedState, MarketState

S = TypeVar("S")

PARTITION = re.compile(r"[A-Z0-9&_-]{1,32}|all|telegram|llm")
"""Names a partition may have (bus contract, section 2)."""


@dataclass(frozen=True)
class Entry:
    """One entry of a stream, as read."""

    stream: str
    partition: str
    id: str
    kind: str
    version: int
    data: bytes
    n: int = 0
    at_ms: int = field(default=0, compare=False)
    """When it was written, in the server's ms."""

    @cached_property
    def message(self) -> Message:
        """The decoded message.

        Raises:
            PoisonMessage: the entry cannot be decoded.
        """
        return codec.decode(self.kind, self.version, self.data)

    @property
    def key(self) -> str:
        """The message id: primary key of its row in the database (bus contract, section 3)."""
        return f"{self.stream}:{self.partition}/{self.id}"


@dataclass(frozen=True)
class Output:
    """One entry to append; it bears the id of the entry that it answers."""

    stream: str
    message: Message
    id: str | None = None
    """Another id than that of the entry in hand: an answer that took its time names the entry it was asked about."""


Handler = Callable[[S, Entry], tuple[S, Sequence[Output]]]


@dataclass(frozen=True, kw_only=True)
class Keeping(Generic[S]):
    """How a role's state is kept in a snapshot, so that a successor need not work the whole log again."""

    schema: int
    """Number of the state's shape; another one's snapshot is not used."""
    freeze: Callable[[S], bytes]
    """Returns the whole state as bytes; equal states give equal answers ever after."""
    thaw: Callable[[str, bytes], S]
    """Makes the state of a partition of such bytes; raises ``ValueError`` when they are not of one."""


@dataclass(frozen=True, kw_only=True)
class Role(Generic[S]):
    """One duty over partitions: what it reads, what it writes, how it answers.

    Restoring: with ``resume`` the state is made from the role's own last output and the entry that it answered (``None``
    when that was trimmed); without it the input is replayed up to the cursor, output off: from the newest snapshot where the
    role is ``keeping`` them, else from the oldest entry kept.
    """

    name: str
    reads: str
    writes: str
    start: Callable[[str], S]
    """Makes the empty state of a partition."""
    handle: Handler[S]
    replay: Callable[[S, Entry], S] | None = None
    """As ``handle``, when nobody wants the outputs again: a restore is then faster; the state comes to the same."""
    resume: Callable[[str, Entry, Entry | None], S] | None = None
    begins: Callable[[Entry, Entry | None], bool] | None = None
    """Says whether the first unread entry starts the state anew, whatever was before, so that nothing has to be restored;
    given the role's own last output too."""
    keeping: Keeping[S] | None = None
    consults: str | None = None
    """Another stream, whose newest entry older than the one in hand is handed to the handler first, once."""
    consults_answered: bool = False
    """… not that one but the entry of the other stream that the one in hand answers, which has its id."""
    newest_only: bool = False
    """Skip what is older than the newest entry read; what is skipped is counted."""
    compares: bool = False
    """An entry is only compared with the one before it: the state is made from that one, and a role that never had the partition
    begins with the newest entry there."""
    to: str | None = None
    """Another partition, in whose queue ``writes`` each output is put once, by its id as a name, before the cursor moves on."""


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What the next beat will say, should the bus add one (bus contract, section 7)."""

    run: str
    market: MarketState
    feed: FeedState
    age_ms: int | None
    conflated: int = 0
    event_us: int | None = None
    """Event second that has come when the messages are in, in a replay or a simulation: a beat is added after them when it
    is new for the run. 0: none has come yet. ``None``: the server's clock decides."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """How far a partition was published, by whomever."""

    run: str
    """Run of the last beat; empty when there was none."""
    beat_us: int
    """Time of the last beat."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a replica knows of one partition that it owns, for ``/status``."""

    role: str
    partition: str
    cursor: str
    epoch: int
    lag: int = 0
    """Entries not yet worked."""
    lag_s: float = 0.0
    """How much older the last one worked is than the newest, in the server's seconds."""
    restored: bool = True
    parked: int = 0
    """Entries set aside since this replica has held it."""
    last_error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Use:
    """What was used of a purse, or may be."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a text: ``sent``, ``failed`` (refused for good), ``unknown``, ``dropped``."""

    name: str
    why: str | None = None


class Parcel(Protocol):
    """A text on its way out, as it is handed to who sends it."""

    @property
    def entry(self) -> Entry:
        """The text's entry in the outbox."""
        ...

    @property
    def text(self) -> Text:
        """What is sent."""
        ...

    @property
    def may_be_out(self) -> bool:
        """Whether an owner before began to send it, and nobody knows more."""
        ...

    @property
    def is_outdated(self) -> bool:
        """Whether a newer text of its family waits for the same recipient."""
        ...

    async def begin(self) -> None:
        """Note that it is being sent now: to be awaited right before each call, which may then take as long as the lease allows.

        Raises:
            LostOwnership: another sends now.
            BusDown: nobody knows whether it was noted.
        """
        ...

    async def not_sent(self) -> None:
        """Note that the call did not send it. Raises as ``begin`` does."""
        ...


class Courier(Protocol):
    """Takes texts to people, of each recipient one after the other."""

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Send a text, and return once its outcome is as known as it will be."""
        ...

    async def record(self, text: Text, entry: Entry, outcome: Outcome) -> None:
        """Write down what became of a text; the same again changes nothing.

        Raises:
            TransientError: the database is away; it is tried again.
        """
        ...


Sink = Callable[[Sequence[Entry]], Awaitable[None]]
"""Writes entries, and raises ``TransientError`` while its way out is away; given none, it only looks."""


class Bus(Protocol):
    """What a service may ask of the bus."""

    async def publish(self, partition: str, messages: Sequence[Message], pulse: Pulse) -> int:
        """Append messages to the partition's ticks and, when the clock entered a new second, a beat after them.

        Where each batch is a beat (``BEAT_MS=0``), one whose forerunner is not answered yet adds none, for a second at most:
        beats would queue up, and each answer be older than the one before.

        Returns:
            The time of the beat that was added, in microseconds; 0: there was none.

        Waits while Redis is away, and at first while another replica still has the partition.

        Raises:
            LostOwnership: another replica publishes now.
            BusDown: Redis is away and the bus was stopped.
        """
        ...

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work``, which publishes, whenever this replica is the one that does; stand by otherwise; until stopped.

        The work is cancelled when another takes over, and begun anew when this one has the lead again.
        """
        ...

    async def place(self, partition: str) -> Place:
        """Take a partition over and return how far it was published."""
        ...

    def backwards(self, partition: str) -> AsyncIterator[Entry]:
        """Give what was published of a partition, the newest first, as far as the log still has it."""
        ...

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        ...

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        ...

    async def own(self, role: Role[Any]) -> None:
        """Own what can be had of the role's partitions, answer entries, until cancelled or stopped."""
        ...

    async def share(self, group: str, streams: Sequence[str], sink: Sink) -> None:
        """Hand every entry of the streams to the sink, at least once, until cancelled; stopped: when all are handed over."""
        ...

    async def send(self, courier: Courier) -> None:
        """Have the outbox's texts delivered whenever this replica is the one that does, each once; until cancelled or stopped."""
        ...

    async def spend(
        self, purse: str, day: str, who: str, use: Use, limit: Use | None = None
    ) -> tuple[bool, Use]:
        """Take from what ``who`` may use on a day, unless the limit is reached; return whether it was taken, and the day's use.

        Raises:
            BusDown: nobody knows whether it was.
        """
        ...

    async def latest(self, stream: str, partition: str) -> Entry | None:
        """Return the newest entry of a stream."""
        ...

    def subscribe(self, streams: Sequence[str], partition: str) -> AsyncIterator[Entry]:
        """Give the newest entry of each stream, then each new one; a slow reader is given the newest it can get."""
        ...

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep this replica's status where ``oi status`` and the dashboard read it, for ten seconds."""
        ...

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica of every service."""
        ...

    def held(self) -> Sequence[Held]:
        """Return what this replica owns."""
        ...

    def problems(self) -> Sequence[str]:
        """Return, in plain words, why this replica is not ready; empty when it is."""
        ...

    async def stop(self) -> None:
        """Finish the batch in hand, let sinks drain, release what is owned."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
