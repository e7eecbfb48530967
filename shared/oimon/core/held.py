"""A reading in time: a new one counts once it has lasted, so that what dithers tells nothing."""

from dataclasses import dataclass

from oimon.core.compare import reaches


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The reading in force, and another that has not lasted long enough yet, since when in seconds."""

    value: str | None = None
    candidate: str | None = None
    since_s: float = 0.0


def hold(held: Held, at_s: float, value: str | None, hold_s: float) -> Held:
    """Return what is in force after one more reading: the first at once, another once it has lasted.

    A third reading restarts the wait; an unknown one ends it and changes nothing.

    Args:
        held: after the reading before; the same object is returned where nothing changed.
        at_s: time of this reading, in seconds.
        value: the reading, None where it is unknown.
        hold_s: how long another must last.

    Source: analytics specification, 4.2 (shift), for readings that are words.
    """
    if held.value is None:
        return held if value is None else Held(value=value)
    if value is None or value == held.value:
        return held if held.candidate is None else Held(value=held.value)
    if value != held.candidate:
        return Held(value=held.value, candidate=value, since_s=at_s)
    return Held(value=value) if reaches(at_s - held.since_s, hold_s) else held
