"""What roles and sinks have set aside: listed, shown, tried again: ``oi dead``. Source: bus contract, section 10."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oimon import codec
from oimon.audit.lines import entries
from oimon.audit.recomputing import Recomputation, kept_snapshot
from oimon.bus import Entry, Role
from oimon.bus.log import SENDER, Log, Parked
from oimon.errors import ConfigError, PoisonMessage
from oimon.terms import Group

GROUPS = tuple(group.value for group in Group)
"""Who sets entries aside and owns nothing."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of trying an entry again."""

    is_usable: bool
    words: str


async def parked(log: Log, names: Sequence[str], underlyings: Sequence[str]) -> list[Parked]:
    """Return what these roles and groups have set aside of these underlyings.

    Raises:
        BusDown: the log cannot be reached.
    """
    return [
        each
        for underlying in underlyings
        for name in names
        for each in await log.parked(name, underlying)
    ]


async def find(log: Log, name: str, underlying: str, entry_id: str) -> Parked:
    """Return the entry that the role or group has set aside.

    Args:
        log: where it was set aside.
        name: the role or group.
        underlying: the entry's partition.
        entry_id: its id, or its whole key, since an answer bears the id of what it answers.

    Raises:
        ConfigError: it has set none such aside, or more than one.
        BusDown: the log cannot be reached.
    """
    there = await log.parked(name, underlying)
    found = [each for each in there if entry_id in (each.entry.id, each.entry.key)]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(each.entry.key for each in found)
        raise ConfigError(f"{name} has set several entries {entry_id} aside: name one of {keys}")
    ids = ", ".join(each.entry.id for each in there[:5]) or "nothing"
    raise ConfigError(
        f"{name} has set no entry {entry_id!r} of {underlying} aside; there is {ids}. `oi dead list` shows all"
    )


async def replay(log: Log, roles: Mapping[str, Role[Any]], of: Parked) -> Outcome:
    """Try an entry again, and take it off the list where nothing depends on its being there.

    Args:
        log: where it was set aside.
        roles: every role that owns, by its name; the others are groups.
        of: the entry.

    Raises:
        BusDown: the log cannot be reached.
    """
    if of.role == SENDER:
        return await _put_in_again(log, of)
    role = roles.get(of.role)
    if role is None:
        return await _hand_out_again(log, of)
    kept = await log.entry(of.entry.stream, of.entry.partition, of.entry.id)
    is_replayed = role.resume is None and not role.compares  # by whoever restores
    if is_replayed and kept is None:
        await log.unpark(of)
        return Outcome(
            is_usable=False,
            words="the log does not keep it any more, so nothing depends on it: taken off the list",
        )
    tried = await _work_again(log, role, replace(of, entry=kept or of.entry))
    if tried.is_usable and not is_replayed:
        await log.unpark(of)
        return replace(tried, words=f"{tried.words}: taken off the list")
    if tried.is_usable:
        why = "the log went on without it, so whoever restores from the log passes over it as long as the log keeps it"
        return replace(tried, words=f"{tried.words}; it stays on the list: {why}")
    return tried


async def _hand_out_again(log: Log, of: Parked) -> Outcome:
    """Give an entry to a group once more: one of its members takes it within half a minute."""
    if not await log.redeliver(of.role, of.entry):
        return Outcome(
            is_usable=False,
            words="the log does not keep it any more, so it cannot be handed out again; it stays on the list",
        )
    await log.unpark(of)
    return Outcome(is_usable=True, words=f"{of.role} is given it again within half a minute")


async def _put_in_again(log: Log, of: Parked) -> Outcome:
    """Put a text in the outbox once more, by a name of its own, so that it is sent once however often this is asked."""
    entry = of.entry
    try:
        entry.message  # noqa: B018 - decoded here
    except PoisonMessage as error:
        return Outcome(is_usable=False, words=f"it still cannot be sent: {error}")
    await log.enqueue(entry.partition, entry.stream, f"{entry.key}/again", entry.kind, entry.data)
    await log.unpark(of)
    return Outcome(is_usable=True, words="it is in the outbox again")


async def _work_again(log: Log, role: Role[Any], of: Parked) -> Outcome:
    """Say what the role would make of an entry, in the state that it was in just before."""
    try:
        state = await _state_before(log, role, of.entry)
        if state is None:
            words = "the log does not reach far enough back to know the state that it met"
            return Outcome(is_usable=False, words=words)
        _, outputs = role.handle(state.of, of.entry)
    except PoisonMessage as error:
        return Outcome(is_usable=False, words=f"{role.name} still cannot use it: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a handler fails with is the answer
        words = f"{role.name} still fails on it: {type(error).__name__}: {error}"
        return Outcome(is_usable=False, words=words)
    answers = [f"{codec.kind_of(o.message)} {codec.encode(o.message).decode()}" for o in outputs]
    said = (
        f"would have answered with {'; '.join(answers)}" if answers else "would not have answered"
    )
    return Outcome(is_usable=True, words=f"{role.name} can use it now and {said}")


@dataclass(frozen=True)
class _State:
    """A state, whatever it is."""

    of: Any


async def _state_before(log: Log, role: Role[Any], entry: Entry) -> _State | None:
    """Return the role's state just before an entry of its input; ``None`` where nobody can know it any more."""
    entry.message  # noqa: B018 - what cannot be decoded is told before the log is read
    if role.resume is not None:
        return _State(await _resumed(log, role, entry))
    if role.compares:
        before = await log.newest(role.reads, entry.partition, entry.id)
        state = role.start(entry.partition)
        return _State(state if before is None else role.handle(state, before)[0])
    set_aside = await log.parked(role.name, entry.partition)
    snapshot = await log.snapshot(role.name, entry.partition)
    recomputation = Recomputation(
        log,
        role,
        entry.partition,
        passed_over={each.entry.id for each in set_aside},
        snapshot=kept_snapshot(role, entry.partition, snapshot, at_most=entry.id),
        answers_from=entry.id,
    )
    async for each in entries(log, role.reads, entry.partition, until=entry.id):
        await recomputation.take(each)
    return _State(recomputation.state) if recomputation.is_known else None


async def _resumed(log: Log, role: Role[Any], entry: Entry) -> Any:
    """Return the state of a role that resumes from its own last word, having heard whom it consults."""
    state, partition = role.start(entry.partition), entry.partition
    last = await log.newest(role.writes, partition, entry.id)
    if last is not None and role.resume is not None:
        state = role.resume(partition, last, await log.entry(role.reads, partition, last.id))
    if role.consults is not None:
        heard = await log.newest(role.consults, partition, entry.id)
        if heard is not None:
            state, _ = role.handle(state, heard)
    return state
