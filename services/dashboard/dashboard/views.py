"""What the REST addresses answer, from entries and statuses (pure).

Every answer says how old it is and whether to act on it. Source: screens, section 4; bus contract, section 11 (stale).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from oimon.bus import Entry
from oimon.errors import OimonError
from oimon.system import System
from oimon.terms import FeedState, MarketState

STALE_MS = 5_000
"""An analysis written longer ago than this is stale, whatever it says."""
IST = timezone(timedelta(hours=5, minutes=30), "IST")

Json = dict[str, Any]

_OPEN = (MarketState.OPEN, MarketState.OPEN_CAS)
_MINUTE = ("ts_s", "x", "pcr", "coi", "score", "direction", "max_pain")
_HEAD = ("ts_us", "run", "mode", "segment", "market", "feed", "tick_age_ms", "oi_age_s")
_OF_EXPIRY = ("expiry", "days_to_expiry", "lot", "tick", "forward", "atm", "quality", "verdicts")
_VERDICT = ("strike", "ce_build_up", "pe_build_up", "verdict", "score")


class NotThereError(OimonError):
    """What was asked for is not there; says what is.

    Args:
        error: what was wrong and what was found.
        what_to_do: what to ask instead.
    """

    def __init__(self, error: str, what_to_do: str) -> None:
        super().__init__(f"{error}. {what_to_do}")
        self.error, self.what_to_do = error, what_to_do


def problem(error: str, what_to_do: str) -> Json:
    """Return the body of every answer that is not 200."""
    return {"error": error, "what_to_do": what_to_do}


def age_ms(entry: Entry, now_us: int) -> int:
    """Return how long ago the bus wrote an entry, by the milliseconds in its id."""
    return max(0, now_us // 1000 - int(entry.id.split("-", maxsplit=1)[0]))


def is_stale(body: Json, written_ago_ms: int) -> bool:
    """Say whether not to act on an analysis.

    A day that has ended and a closed market give one beat a minute; silence there is no sign of trouble.
    """
    is_quiet = (
        body.get("feed") == FeedState.ENDED or body.get("market", MarketState.OPEN) not in _OPEN
    )
    return bool(body.get("is_stale")) or (not is_quiet and written_ago_ms > STALE_MS)


def analysis(entry: Entry, now_us: int) -> Json:
    """Return the newest analysis (or quote board), whole, with its age."""
    body: Json = orjson.loads(entry.data)
    return _about(entry, body, now_us) | {entry.kind: body}


def chain(entry: Entry, now_us: int, expiry: str | None) -> Json:
    """Return one expiry's chain as aligned columns.

    Args:
        entry: the newest analysis.
        now_us: the present instant.
        expiry: ISO day; ``None`` for the nearest.

    Raises:
        NotThereError: a mode without option chains, or no such expiry.
    """
    body: Json = orjson.loads(entry.data)
    if entry.kind != "analysis":
        raise NotThereError(
            f"{entry.partition} has no option chain in {body['segment']} mode",
            f"Ask /analysis/{entry.partition} for its quotes",
        )
    tracked = {part["expiry"]: part for part in (body, *body["more"])}
    chosen = tracked.get(expiry or body["expiry"])
    if chosen is None:
        raise NotThereError(
            f"{entry.partition} has no expiry {expiry} here",
            f"Ask for one of {', '.join(tracked)}",
        )
    about = _about(entry, body, now_us) | {name: body[name] for name in ("spot", "quotes_assumed")}
    about |= {name: chosen[name] for name in _OF_EXPIRY}
    about["verdicts"] = [dict(zip(_VERDICT, row, strict=True)) for row in chosen["verdicts"]]
    return about | {"expiries": list(tracked), "columns": chosen["chain"]}


def history(entry: Entry, now_us: int) -> Json:
    """Return the minutes that the newest analysis stands on.

    Raises:
        NotThereError: a mode without option analysis.
    """
    body: Json = orjson.loads(entry.data)
    if entry.kind != "analysis":
        raise NotThereError(
            f"{entry.partition} has no history in {body['segment']} mode",
            f"Ask /analysis/{entry.partition} for its quotes",
        )
    minutes = [dict(zip(_MINUTE, row, strict=True)) for row in body["history"]]
    for minute in minutes:
        minute["ist"] = _ist(minute["ts_s"])
    return _about(entry, body, now_us) | {"minutes": minutes}


def advice(partition: str, minimal: Entry | None, rich: Entry | None, now_us: int) -> Json:
    """Return what both coaches said last; ``null`` for one that has not spoken."""
    return {
        "underlying": partition,
        "minimal": None if minimal is None else _advice(minimal, now_us),
        "rich": None if rich is None else _advice(rich, now_us),
    }


def system(
    statuses: Sequence[Mapping[str, Any]], newest: Mapping[str, Entry | None], now_us: int
) -> Json:
    """Return the whole system's state.

    Args:
        statuses: of every live replica.
        newest: the newest analysis of each declared underlying.
        now_us: the present instant.
    """
    found = System(services=statuses)
    underlyings = {name: _underlying(entry, now_us) for name, entry in newest.items()}
    troubles = [
        *found.troubles,
        *(
            f"{name}: {trouble}"
            for name, about in underlyings.items()
            for trouble in _troubles(about)
        ),
    ]
    return {
        "state": "degraded" if troubles else "ready",
        "says": "; ".join(troubles) or _in_words(underlyings),
        "at_us": now_us,
        "missing": found.missing,
        "off": _off(statuses),
        "underlyings": underlyings,
        "services": list(statuses),
    }


def heading(entry: Entry, now_us: int) -> Json:
    """Return of what an analysis is, how old it is and whether to act on it."""
    return _about(entry, orjson.loads(entry.data), now_us)


def _about(entry: Entry, body: Json, now_us: int) -> Json:
    written_ago_ms = age_ms(entry, now_us)
    return {
        "id": entry.key,
        "underlying": entry.partition,
        "ist": _ist(body["ts_us"] / 1e6),
        "age_ms": written_ago_ms,
        "is_stale": is_stale(body, written_ago_ms),
        **{name: body[name] for name in _HEAD if name in body},
    }


def _advice(entry: Entry, now_us: int) -> Json:
    body: Json = orjson.loads(entry.data)
    return {
        "id": entry.key,
        "ist": _ist(body["ts_us"] / 1e6),
        "age_ms": age_ms(entry, now_us),
        **body,
    }


def _underlying(entry: Entry | None, now_us: int) -> Json:
    if entry is None:
        return {"is_stale": False, "says": "no analysis yet"}
    body: Json = orjson.loads(entry.data)
    about = _about(entry, body, now_us)
    if entry.kind != "analysis":
        return about | {"off": body["off"], "says": f"quotes of {len(body['rows'])} instruments"}
    ended = body["feed"] == FeedState.ENDED
    return about | {
        "says": "the recorded day has ended" if ended else f"market {body['market']}",
        "quality": body["quality"],
        "direction": body["direction"],
        "pcr": body["pcr"],
    }


def _troubles(about: Json) -> list[str]:
    feed = about.get("feed", FeedState.OK)
    return [
        *([] if feed in (FeedState.OK, FeedState.ENDED) else [f"feed {feed}"]),
        *(["stale"] if about["is_stale"] else []),
    ]


def _in_words(underlyings: Mapping[str, Json]) -> str:
    if not underlyings:
        return "all services run; no underlying is watched yet"
    told = (
        f"{name} {about.get('mode', '')}: {about['says']}".replace(" :", ":")
        for name, about in underlyings.items()
    )
    return "all services run; " + "; ".join(told)


def _off(statuses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whatever a service says is off: a fact of the form ``{"off": "why"}``."""
    return [
        f"{status.get('service')}: {name} is off: {fact['off']}"
        for status in statuses
        for name, fact in sorted(status.items())
        if isinstance(fact, Mapping) and fact.get("off")
    ]


def _ist(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, IST).strftime("%Y-%m-%d %H:%M:%S")
