"""Three deciders, one action: rule, the fast model, the deep model.

Source: analytics specification, 11.1.
"""

from dataclasses import dataclass
from enum import StrEnum

from oimon.core.advice import Entry, RuleAdvice, entry_block
from oimon.core.compare import reaches
from oimon.terms import Action, OptionKind

SURE_EXIT = 0.70  # a single answer that closes a position
EXITS_IN_A_ROW = 2
RICH_FRESH_S = 60.0
RICH_HEEDED_S = 900.0
RICH_WAIT = 0.60


class Decider(StrEnum):
    """Whose word an action is."""

    RULE = "rule"
    MINIMAL = "minimal"
    RICH = "rich"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A model's usable answer; ``age_s`` is that of the analysis it was made for."""

    action: Action
    side: OptionKind | None
    confidence: float
    age_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The action and whose word it is; ``why`` says what turned a model's word down."""

    action: Action
    side: OptionKind | None
    decider: Decider
    why: str | None = None


def arbitrate_held(
    rule: RuleAdvice, minimal: Opinion | None, rich: Opinion | None, exits_in_a_row: int
) -> Ruling:
    """Return what becomes of a position.

    Args:
        rule: the rule's decision; its risk exits always execute.
        minimal: the fast model's usable answer, or ``None``: then the rule speaks.
        rich: the deep model's newest answer, or ``None``.
        exits_in_a_row: answers of the fast model up to this one that said EXIT, without another between.
    """
    side = rule.side
    if rule.is_forced:
        return Ruling(action=Action.EXIT, side=side, decider=Decider.RULE, why="forced")
    if rich is not None and rich.action is Action.EXIT and rich.age_s <= RICH_FRESH_S:
        return Ruling(action=Action.EXIT, side=side, decider=Decider.RICH)
    if minimal is None:
        return Ruling(action=rule.action, side=side, decider=Decider.RULE)
    if minimal.action is not Action.EXIT:
        return Ruling(action=Action.HOLD, side=side, decider=Decider.MINIMAL)
    if reaches(minimal.confidence, SURE_EXIT) or exits_in_a_row >= EXITS_IN_A_ROW:
        return Ruling(action=Action.EXIT, side=side, decider=Decider.MINIMAL)
    # a one-second model must not close a position on a single blink; its words are those of an exit
    return Ruling(action=Action.HOLD, side=side, decider=Decider.RULE, why="exit_unconfirmed")


def arbitrate_flat(
    rule: RuleAdvice, minimal: Opinion | None, rich: Opinion | None, entry: Entry
) -> Ruling:
    """Return whether a position is entered.

    Args:
        rule: the rule's decision, for when the fast model can't be heard.
        minimal: the fast model's usable answer, or ``None``.
        rich: the deep model's newest answer, or ``None``.
        entry: what decides whether the side that is wanted may be entered.
    """
    decider = Decider.RULE if minimal is None else Decider.MINIMAL
    wanted = rule if minimal is None else minimal
    if wanted.action is not Action.ENTER or wanted.side is None:
        return Ruling(action=Action.WAIT, side=None, decider=decider)
    block = entry_block(wanted.side, entry)
    if block is None and rich is not None and _is_contrary(wanted.side, rich):
        block = "rich_contrary"
    if block is not None:
        return Ruling(action=Action.WAIT, side=None, decider=Decider.RULE, why=block)
    return Ruling(action=Action.ENTER, side=wanted.side, decider=decider)


def _is_contrary(side: OptionKind, rich: Opinion) -> bool:
    if rich.age_s >= RICH_HEEDED_S:
        return False
    if rich.action is Action.WAIT:
        return reaches(rich.confidence, RICH_WAIT)
    return rich.action in (Action.ENTER, Action.HOLD) and rich.side is not side
