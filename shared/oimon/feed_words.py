"""What ingest knows of its feed, in sentences for people: the state and its remedy, what is off, how it compares (pure)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from oimon.errors import inside
from oimon.terms import FeedState, Mode


class Meaning(NamedTuple):
    """What a state of a live feed means, and what a person should do."""

    means: str
    remedy: str


MEANINGS: Mapping[FeedState, Meaning] = MappingProxyType(
    {
        FeedState.OK: Meaning("connected; while the market trades, packets come", "nothing"),
        FeedState.SILENT: Meaning(
            "connected, and for 10 s no packet while the market trades",
            "nothing: after 25 s the connection is made anew, the second time in a row with a new login",
        ),
        FeedState.DOWN: Meaning(
            "a connection is missing; `why` has the broker's words",
            "nothing for outages: it is tried again after 1 to 60 s, for ever, and meanwhile quotes are asked for by request; "
            "after `Connection Limit Exceeded` end the other program that uses the account",
        ),
        FeedState.LOGIN_FAILED: Meaning(
            "there is no session; `why` names the code and the remedy",
            "mend what it names, then start again",
        ),
    }
)
"""By state of a live feed; a replay's also ends."""


def feed_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """Give what a person should know of a live feed: why it is not better and what to do, what is off, what differs.

    Args:
        status: of an ingest; of a feed that is not live there is nothing to say.
    """
    feed = status.get("feed")
    if not isinstance(feed, Mapping) or feed.get("mode") != Mode.LIVE:
        return
    state = FeedState(feed["state"])
    if state is not FeedState.OK:
        why = feed.get("why") or MEANINGS[state].means
        yield f"Feed {state}: {inside(why)}. What to do: {MEANINGS[state].remedy}"
    yield from notes(status)
    for feature in feed.get("off", ()):
        yield f"Off: {feature}"
    yield from _recording(feed.get("recording"))
    yield from _before(feed.get("oi_prev"))
    yield from _gaps(feed.get("gaps"))
    yield from _checks(feed.get("checks"))


def notes(status: Mapping[str, Any]) -> Iterator[str]:
    """Give what is otherwise than was asked for: of the settings, of the broker's list, of what could be subscribed."""
    feed = status.get("feed")
    known = feed if isinstance(feed, Mapping) else {}
    master = known.get("master")
    warnings = master.get("warnings", ()) if isinstance(master, Mapping) else ()
    for note in dict.fromkeys([*status.get("notes", ()), *warnings, *known.get("notes", ())]):
        yield f"Note: {note}"


def _recording(known: Mapping[str, Any] | None) -> Iterator[str]:
    if known and known["why"]:
        yield f"Not recorded: {known['why']} ({known['frames_lost']} packets so far)"


def _before(known: Mapping[str, int] | None) -> Iterator[str]:
    if known and known["unknown"]:
        count = sum(known.values())
        yield (
            f"Open interest of the session before: known of {count - known['unknown']} of {count} contracts "
            f"({known['note']} noted here, {known['broker']} from the broker's history)"
        )


def _gaps(counts: Mapping[str, int] | None) -> Iterator[str]:
    if counts and any(counts.values()):
        yield f"Gaps: of {counts['filled']} instruments filled, of {counts['not_filled']} not, {counts['to_come']} to come"


def _checks(found: Mapping[str, Mapping[str, Any]] | None) -> Iterator[str]:
    for what, counts in (found or {}).items():
        told = ", ".join(f"{counts[name]} {name}" for name in ("equal", "newer", "differs", "missing") if counts.get(name))  # fmt: skip
        last = f"; last: {'; '.join(counts['last'])}" if counts.get("last") else ""
        yield f"Beside the broker's own {what}: {told}{last}"
