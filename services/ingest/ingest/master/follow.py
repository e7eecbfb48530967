"""What to add and what to remove as the money drifts, within what the broker allows (pure).

A window moves when the spot is more than one step off its centre, so that a spot on the boundary does not make it flap. Contracts that
leave a window stay while there is room: their open interest has a history. Source: smartapi, sections 4.1 and 7.2.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.master.plan import Ask, Chain, Plan
from ingest.subscription import around, at_the_money

SOCKETS = 3
"""Connections that a client code may have."""
SOCKET_MOST = 1000
"""Token-modes that one connection may have."""
MOST = SOCKETS * SOCKET_MOST

Expiry = tuple[str, str]
"""Underlying and ISO day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What is subscribed, and around which strikes."""

    asks: frozenset[Ask] = frozenset()
    centres: Mapping[Expiry, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing to do."""

    add: Sequence[Ask] = ()
    remove: Sequence[Ask] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What to do, in order, and what is held then. After each step no more is held than the broker allows."""

    steps: Sequence[Step]
    wanted: Sequence[Ask]  # all that is held then, the most important first
    held: Held
    notes: Sequence[str]


def follow(plan: Plan, spots: Mapping[str, float], held: Held, *, most: int = MOST) -> Moved:
    """Return the steps from what is held to what the plan asks for at these spots.

    Args:
        plan: what is wanted.
        spots: rupees, by the symbol of ``Chain.spot``; a chain whose spot is not known keeps its window, or has none yet.
        held: the outcome of the call before; an empty one at the start.
        most: token-modes that may be held.
    """
    chains = [chain for part in plan.parts for chain in part.chains]
    centres = {
        (chain.underlying, chain.expiry): centre
        for chain in chains
        if (centre := _centre(chain, spots.get(chain.spot.symbol), held)) is not None
    }
    always = list(dict.fromkeys(ask for part in plan.parts for ask in part.always))
    windows, notes = _windows(plan, chains, centres, most - len(always))
    wanted = list(dict.fromkeys([*always, *windows]))
    if len(wanted) > most:
        notes = [f"{len(wanted) - most} instruments do not fit into {most}, the broker's limit"]
        wanted = wanted[:most]
    new = [ask for ask in wanted if ask not in held.asks]
    strays = _farthest_first(held.asks - set(wanted), chains, centres)
    surplus = strays[: max(0, len(held.asks) + len(new) - most)]
    room = max(0, most - len(held.asks))
    steps = [Step(add=new[:room]), Step(remove=surplus), Step(add=new[room:])]
    return Moved(
        steps=[step for step in steps if step.add or step.remove],
        wanted=[*wanted, *reversed(strays[len(surplus) :])],
        held=Held(asks=(held.asks | set(new)) - set(surplus), centres=centres),
        notes=notes,
    )


def _centre(chain: Chain, spot: float | None, held: Held) -> float | None:
    """Return the strike around which a chain is held."""
    before = held.centres.get((chain.underlying, chain.expiry))
    if spot is None or not (math.isfinite(spot) and spot > 0) or not chain.strikes:
        return before
    if before is not None and before in chain.legs and not _is_off(chain.strikes, before, spot):
        return before
    return chain.strikes[at_the_money(chain.strikes, spot)]


def _is_off(strikes: Sequence[float], centre: float, spot: float) -> bool:
    """Say whether the spot is beyond the strike next to the centre; beyond the last one there is nothing to move to."""
    at = list(strikes).index(centre)
    if spot > centre:
        return at + 1 < len(strikes) and spot > strikes[at + 1]
    return at > 0 and spot < strikes[at - 1]


def _windows(
    plan: Plan, chains: Sequence[Chain], centres: Mapping[Expiry, float], room: int
) -> tuple[list[Ask], list[str]]:
    """Return the contracts around the centres, nearest first; all chains get narrower windows when they do not fit."""
    known = [
        (chain, centres[key])
        for chain in chains
        if (key := (chain.underlying, chain.expiry)) in centres
    ]
    widest = max((len(chain.strikes) for chain, _ in known), default=0)
    asked = widest if plan.each_side is None else min(plan.each_side, widest)

    def too_many(each_side: int) -> int:
        counts = (
            len(chain.legs[strike])
            for chain, centre in known
            for strike in around(chain.strikes, centre, each_side)
        )
        return max(0, sum(counts) - room)

    # Every second on the loop: only what fits is made.
    each_side = bisect_left(range(asked + 1), 1, key=too_many) - 1
    found = [
        ask
        for chain, centre in (known if each_side >= 0 else ())
        for ask in chain.asks(_nearest(around(chain.strikes, centre, each_side), centre))
    ]
    if not known or each_side == asked:
        return found, []
    width = "all" if plan.each_side is None else str(plan.each_side)
    return found, [
        f"STRIKES_EACH_SIDE={width} does not fit into {MOST}, the broker's limit: {max(each_side, 0)} are subscribed on each side"
    ]


def _nearest(strikes: Iterable[float], centre: float) -> list[float]:
    return sorted(strikes, key=lambda strike: abs(strike - centre))


def _farthest_first(
    asks: Iterable[Ask], chains: Sequence[Chain], centres: Mapping[Expiry, float]
) -> list[Ask]:
    """Return what is held beyond the plan: first what belongs to no chain any more, then the strikes farthest from the money."""
    listed = {(chain.underlying, chain.expiry): chain.strikes for chain in chains}

    def distance(ask: Ask) -> tuple[float, str]:
        leg = ask.instrument
        key = (leg.underlying, leg.expiry or "")
        centre, strikes = centres.get(key), listed.get(key)
        if centre is None or strikes is None or leg.strike is None:
            return (-math.inf, leg.symbol)
        return (-abs(at_the_money(strikes, leg.strike) - at_the_money(strikes, centre)), leg.symbol)

    return sorted(asks, key=distance)
