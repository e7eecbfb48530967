"""What would be subscribed, as lines for people and as a plain object for machines (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.master.follow import MOST, SOCKET_MOST, Held, Moved, follow
from ingest.master.plan import Ask, Chain, Part, Plan
from ingest.packets import EXCHANGE_TYPES, LTP, QUOTE, SNAP_QUOTE
from oimon import figures

MODES = {LTP: "LTP", QUOTE: "QUOTE", SNAP_QUOTE: "SNAP_QUOTE"}


def shown(plan: Plan, spots: Mapping[str, float]) -> tuple[list[str], Moved]:
    """Return the lines that say what is subscribed at these spots, and what is.

    Args:
        plan: what is wanted.
        spots: rupees, by symbol; where one is not known, its options are told as a width.
    """
    moved = follow(plan, spots, Held())
    lines = [line for part in plan.parts for line in _part(part, plan.each_side, moved.held)]
    count = len(moved.held.asks)
    sockets = -(-count // SOCKET_MOST)
    at_least = "" if _is_whole(plan, moved.held) else "at least "
    lines.append(
        f"{at_least}{count} of {MOST} token-modes, on {sockets} socket{'s' if sockets > 1 else ''}"
    )
    return lines, moved


def plain(plan: Plan, moved: Moved) -> Mapping[str, Any]:
    """Return the plan as an object of JSON: what is subscribed, contract by contract."""
    return {
        "parts": [
            {
                "underlying": part.underlying,
                "segment": part.segment.value,
                "always": [_plain_ask(ask) for ask in part.always],
                "chains": [_plain_chain(chain, moved.held) for chain in part.chains],
                "off": list(part.off),
            }
            for part in plan.parts
        ],
        "token_modes": len(moved.held.asks),
        "token_modes_most": MOST,
        "notes": [*plan.notes, *moved.notes],
    }


def _part(part: Part, each_side: int | None, held: Held) -> list[str]:
    always = ", ".join(f"{a.instrument.symbol} ({MODES[a.mode]})" for a in part.always)
    return [
        f"{part.underlying}, {part.segment}",
        f"  always      {always}",
        *(f"  {chain.expiry}  {_chain(chain, each_side, held)}" for chain in part.chains),
        *(f"  off         {sentence}" for sentence in part.off),
    ]


def _chain(chain: Chain, each_side: int | None, held: Held) -> str:
    listed = f"{len(chain.strikes)} strikes listed, {_range(chain.strikes)}"
    centre = held.centres.get((chain.underlying, chain.expiry))
    if centre is None:
        width = "all of them" if each_side is None else f"{each_side} on each side of the money"
        return f"{listed}; {width}, once the price of {chain.spot.symbol} is known (--spot)"
    inside = [s for s in chain.strikes if set(chain.asks([s])) & held.asks]
    contracts = len(set(chain.asks(chain.strikes)) & held.asks)
    return (
        f"{listed}; at the money {figures.plain(centre)}: {contracts} contracts, {_range(inside)}"
    )


def _range(strikes: Sequence[float]) -> str:
    if not strikes:
        return "none"
    return f"{figures.plain(strikes[0])} to {figures.plain(strikes[-1])}"


def _is_whole(plan: Plan, held: Held) -> bool:
    return all((c.underlying, c.expiry) in held.centres for p in plan.parts for c in p.chains)


def _plain_chain(chain: Chain, held: Held) -> Mapping[str, Any]:
    return {
        "expiry": chain.expiry,
        "spot": chain.spot.symbol,
        "listed": len(chain.strikes),
        "at_the_money": held.centres.get((chain.underlying, chain.expiry)),
        "contracts": [_plain_ask(a) for a in chain.asks(chain.strikes) if a in held.asks],
    }


def _plain_ask(ask: Ask) -> Mapping[str, Any]:
    found = ask.instrument
    return {
        "exchange": found.exchange,
        "exchange_type": EXCHANGE_TYPES[found.exchange],
        "token": found.token,
        "symbol": found.symbol,
        "kind": found.kind.value,
        "expiry": found.expiry,
        "strike": found.strike,
        "lot": found.lot,
        "tick": found.tick,
        "mode": MODES[ask.mode],
    }
