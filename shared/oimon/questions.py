"""What ``oi up`` asks: a flag answers first, then the environment or ``.env``, then the person at the terminal; without one it never asks."""

import sys
from collections.abc import Callable, Mapping

import typer

from oimon.broker_keys import BROKER_KEYS, has_broker_keys
from oimon.environment import given
from oimon.errors import ConfigError
from oimon.terms import Segment

MENU = {"1": Segment.NFO, "2": Segment.MCX, "3": Segment.NSE, "4": Segment.BFO}
FEEDS = ("replay", "sim", "live")
_ABOUT = {
    Segment.NFO: "options of NSE's indices and shares, with all analyses and coaches",
    Segment.MCX: "commodities: prices of their futures",
    Segment.NSE: "shares: prices",
    Segment.BFO: "options of BSE's indices, with all analyses and coaches",
}
_OTHER = "another"
COMMODITIES = {"1": "SILVERMIC", "2": "GOLDM", "3": "COPPER"}


def segment(flag: str | None, say: Callable[[str], None], *, is_live: bool = False) -> Segment:
    """Return the segment to show; what cannot be used is told by ``say``, and the default taken.

    Args:
        flag: what ``--segment`` names, if given.
        say: told, a sentence at a time.
        is_live: the question is asked as a list to choose from.
    """
    named = flag or given("FEED_SEGMENT")
    if named:
        if named.strip().upper() in Segment.__members__:
            return Segment[named.strip().upper()]
        say(f"Segment {named!r} is not one of {', '.join(Segment)}; taking the default, NFO")
        return Segment.NFO
    if not _asks():
        return Segment.NFO
    if is_live:
        about = {each.value: f"{each.value}  {what}" for each, what in _ABOUT.items()}
        return Segment(_chosen("Which part of the exchange?", about))
    answer = typer.prompt("Segment: 1 NFO  2 MCX  3 NSE  4 BFO", default="1").strip().upper()
    chosen = MENU.get(answer) or (Segment[answer] if answer in Segment.__members__ else None)
    if chosen is None:
        say(f"{answer!r} is not one of 1, 2, 3, 4; taking the default, NFO")
    return chosen or Segment.NFO


def commodity(flag: str | None, *, is_live: bool = False) -> str | None:
    """Return the name of the commodity, None where none is named.

    Args:
        flag: what ``--commodity`` names, if given.
        is_live: the question is asked as a list to choose from.
    """
    named = flag or given("MCX_NAME")
    if named or not _asks():
        return named or None
    if is_live:
        names = {name: name for name in COMMODITIES.values()} | {_OTHER: _OTHER}
        answer = _chosen("Which commodity?", names)
        if answer != _OTHER:
            return answer
        return str(typer.prompt("Its name, or several with commas")).strip().upper()
    menu = "  ".join(f"{number} {name}" for number, name in COMMODITIES.items())
    answer = (
        str(typer.prompt(f"Commodity: {menu}, or another by its name", default="1")).strip().upper()
    )
    return COMMODITIES.get(answer, answer)


def wants_live(flag: bool | None, named: str | None = None) -> bool:
    """Say whether flags or environment ask for the live feed, before anything is asked; arguments as of :func:`feed`."""
    if named or flag is None:
        return (named or given("FEED") or "").strip().lower() == "live"
    return flag


def demand_keys() -> None:
    """Refuse a live feed that nobody could log in to, before anything is asked or started.

    Raises:
        ConfigError: keys of the broker are missing.
    """
    if not has_broker_keys():
        raise ConfigError(
            f"the live feed needs {', '.join(BROKER_KEYS)}; docs/operations.md tells where to get them. "
            "Without an account: `oi up --recorded`, or `oi fake-broker` for a broker on this machine"
        )


def feed(flag: bool | None, named: str | None = None) -> str:
    """Return ``live``, ``replay`` or ``sim``.

    Args:
        flag: ``--live`` or ``--recorded``, if given.
        named: what ``--feed`` names, if given; it wins.

    Raises:
        ConfigError: there is no such feed.
    """
    keys = has_broker_keys()
    wanted = (named or given("FEED") or "").strip().lower()
    if named and wanted not in FEEDS:
        raise ConfigError(f"--feed takes one of {', '.join(FEEDS)}, found {named!r}")
    if flag is not None and not named:
        return "live" if flag else "replay"
    if wanted:
        return wanted
    if not _asks():
        return "live" if keys else "replay"
    default = "1" if keys else "2"
    answer = typer.prompt("Data: 1 live  2 a recorded day  3 a simulated day", default=default)
    return {"1": "live", "3": "sim"}.get(answer.strip(), "replay")


def _chosen(question: str, titles: Mapping[str, str]) -> str:
    """Return what is chosen from a list, by arrow keys or by number; Ctrl-C ends the program as ever."""
    import questionary  # noqa: PLC0415 - slow to import, and of no use without a terminal

    choices = [
        questionary.Choice(title, value=value, shortcut_key=str(number))
        for number, (value, title) in enumerate(titles.items(), 1)
    ]
    return str(questionary.select(question, choices, use_shortcuts=True).unsafe_ask())


def _asks() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
