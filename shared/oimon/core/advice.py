"""Advice by rule for one beat: what is said when no model can be heard, and what no model can put off."""

from collections.abc import Collection
from dataclasses import dataclass

from oimon.core.compare import reaches
from oimon.core.position import REVERSAL_CONFIDENCE, RISK_EXITS, Reason, is_opposite
from oimon.core.signal import Veto, View
from oimon.terms import Action, Direction, OptionKind, Signal

REENTRY_CONFIDENCE = 0.65  # on the side that was stopped today
_SIDES = {Signal.BUY: OptionKind.CE, Signal.SELL: OptionKind.PE}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAdvice:
    """The rule's decision; ``why`` names it in one word, ``is_forced`` says that it executes whatever others say."""

    action: Action
    side: OptionKind | None
    why: str
    confidence: float
    is_forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What decides whether a side may be entered.

    ``lots`` is the size that fits; ``stopped_sides`` those whose position was stopped today.
    """

    vetoes: tuple[Veto, ...]
    lots: int
    direction: Direction
    confidence: float
    stopped_sides: Collection[OptionKind] = ()


def rule_probability(confidence_factor: float, *, is_directional: bool = True) -> float:
    """Return the probability that the rule states, from the strength of directional evidence in [0, 1].

    Directional are ENTER, HOLD and reversal exits; WAIT and other exits are surest when there is no direction.
    Source: analytics specification, 11.5.
    """
    return 0.5 + 0.20 * (confidence_factor if is_directional else 1.0 - confidence_factor)


def side_of(view: Signal) -> OptionKind | None:
    """Return what a view buys: a call for BUY, a put for SELL."""
    return _SIDES.get(view)


def entry_block(side: OptionKind, entry: Entry) -> str | None:
    """Return why a side may not be entered, or ``None``. Source: analytics specification, 7.1, 7.3 and 11.1."""
    if entry.vetoes:
        return entry.vetoes[0]
    if entry.lots < 1:
        return "no_size"
    is_against = is_opposite(side, entry.direction)
    if is_against and reaches(entry.confidence, REVERSAL_CONFIDENCE):
        return "label_opposite"
    if side in entry.stopped_sides and not reaches(entry.confidence, REENTRY_CONFIDENCE):
        return "stopped_side"
    return None


def advise_flat(view: View, entry: Entry) -> RuleAdvice:
    """Return ENTER when there is a signal and nothing is against it, else WAIT. Source: 7.3."""
    side = side_of(view.raw)
    block = "no_signal" if side is None else entry_block(side, entry)
    if block is None:
        confidence = rule_probability(entry.confidence)
        return RuleAdvice(action=Action.ENTER, side=side, why="signal", confidence=confidence)
    confidence = rule_probability(entry.confidence, is_directional=False)
    return RuleAdvice(action=Action.WAIT, side=None, why=block, confidence=confidence)


def advise_held(
    side: OptionKind, action: Action, reason: Reason, confidence_factor: float
) -> RuleAdvice:
    """Return what the state machine of 7.3 said, with its stated probability."""
    is_directional = action is Action.HOLD or reason is Reason.REVERSAL
    return RuleAdvice(
        action=action,
        side=side,
        why=reason,
        confidence=rule_probability(confidence_factor, is_directional=is_directional),
        is_forced=action is Action.EXIT and reason in RISK_EXITS,
    )
