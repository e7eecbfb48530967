"""One entry to what is said about it, encoded. Source: bus contract, sections 5 and 10."""

import logging
from collections.abc import Sequence
from typing import TypeVar

from oimon import codec, metrics
from oimon.bus import Entry, Output, Role
from oimon.bus.log import Draft
from oimon.errors import PoisonMessage

S = TypeVar("S")
logger = logging.getLogger(__name__)


class UnusableEntry(Exception):  # noqa: N818 - what becomes of it is not said here
    """An entry cannot be used."""

    def __init__(self, kind: str, why: str) -> None:
        """Say which kind of unusable (a label of the metric), and why."""
        super().__init__(why)
        self.kind = kind


def handled(role: Role[S], state: S, entry: Entry) -> tuple[S, Sequence[Output]]:
    """Hand an entry to the role; one that is undecodable never reaches it.

    Raises:
        UnusableEntry: it cannot be decoded, or the role failed on it.
    """
    try:
        entry.message  # noqa: B018 - decoded here
    except PoisonMessage as error:
        raise UnusableEntry("undecodable", str(error)) from error
    try:
        return role.handle(state, entry)
    except MemoryError:
        raise  # the process', not the entry's: another goes on
    except Exception as error:  # a bug that one entry brings out must not stop the others
        raise UnusableEntry("failed", f"{type(error).__name__}: {error}") from error


def drafted(
    entry: Entry, outputs: Sequence[Output], *, is_in_process: bool
) -> tuple[list[Draft], str | None]:
    """Return the outputs encoded, and why one is left out because it is too large for an entry, if so.

    Args:
        entry: what they answer.
        outputs: what the role said.
        is_in_process: whether readers are given the message itself, as it will be read.
    """
    drafts: list[Draft] = []
    problem = None
    for output in outputs:
        message = None
        try:
            if is_in_process:
                data, message = codec.encode_and_decode(output.message)
            else:
                data = codec.encode(output.message)
        except ValueError as error:
            metrics.PARKED.labels("oversized").inc()
            problem = f"no answer to {entry.key}: {error}"
            logger.exception("answer left out", extra={"entry": entry.key})
        else:
            kind = codec.kind_of(output.message)
            drafts.append(Draft(output.id or entry.id, kind, data, message))
    return drafts, problem
