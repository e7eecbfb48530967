"""A model's answer, checked: nothing that it says is used before it has passed here."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from oimon.core.compare import SLACK
from oimon.terms import Action, OptionKind

MOST_REASONS, REASON_LENGTH = 5, 160
HORIZONS_MIN = (1, 5, 15, 30, 60)
DEFAULT_HORIZON_MIN = 5
FARTHEST = 0.05  # of X, for an invalidation
_NUMBER = re.compile(
    r"(?<![\w.,])(\d[\d,]*+(?:\.\d+)?+)(?!\s*(?:%|lots?\b|lakh|cr\b|crore|[LKkM]\b))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a coach says, in a legal state. ``invalidation`` is a level of the underlying, in rupees."""

    action: Action
    side: OptionKind | None
    confidence: float
    reasons: tuple[str, ...]
    invalidation: float | None
    horizon_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A checked answer: a decision, or the error that makes it unusable."""

    decision: Decision | None
    error: str | None
    warnings: tuple[str, ...] = ()
    level: float | None = None
    """The invalidation as it was given, kept or not, where it was a number."""


def validate_coach(raw: str, held: OptionKind | None, x: float | None) -> Checked:
    """Return what a model's text comes to; never raises, whatever the text.

    Args:
        raw: the model's whole answer.
        held: side of the position that it was asked about, ``None`` when flat.
        x: reference level, in rupees; unknown drops any invalidation.

    Source: analytics specification, 11.4.
    """
    found = _parsed(raw)
    if not isinstance(found, dict):
        return Checked(decision=None, error="not_json" if found is None else "not_object")
    error = _error(found)
    if error is not None:
        return Checked(decision=None, error=error)
    action, side = Action(found["action"]), found.get("side")
    wanted = OptionKind(side) if side in list(OptionKind) else None
    legal = legal_action(action, wanted, held)
    warnings = [] if legal is action else [f"coerced_{action}_to_{legal}"]
    kept_side = wanted if legal is Action.ENTER else held
    given = found.get("invalidation")
    level, warning = _invalidation(given, legal, kept_side, x)
    warnings += warning
    horizon = found.get("horizon_min")
    if isinstance(horizon, bool) or horizon not in HORIZONS_MIN:
        horizon = DEFAULT_HORIZON_MIN
        warnings.append("horizon_defaulted")
    return Checked(
        decision=Decision(
            action=legal,
            side=kept_side,
            confidence=float(found["confidence"]),
            reasons=tuple(_clean(reason) for reason in found["reasons"]),
            invalidation=level,
            horizon_min=int(horizon),
        ),
        error=None,
        warnings=tuple(warnings),
        level=_number(given),
    )


def legal_action(action: Action, side: OptionKind | None, held: OptionKind | None) -> Action:
    """Return the action that the state allows: flat ENTER or WAIT, in a position HOLD or EXIT."""
    if held is None:
        return Action.WAIT if action in (Action.HOLD, Action.EXIT) else action
    if action is Action.WAIT:
        return Action.HOLD
    if action is Action.ENTER:
        return Action.HOLD if side is held else Action.EXIT
    return action


def levels_outside(texts: Sequence[str], x: float, low: float, high: float) -> tuple[float, ...]:
    """Return the levels of the underlying that texts name and the chain does not reach.

    A number between half and twice the reference level is taken for a level, unless a unit follows it.

    Args:
        texts: a coach's reasons.
        x: reference level, in rupees.
        low: lowest strike of the chain.
        high: highest strike of the chain.

    Source: bus contract, 12 ("numbers outside the chain").
    """
    named = (float(found.replace(",", "")) for text in texts for found in _NUMBER.findall(text))
    return tuple(n for n in named if 0.5 * x <= n <= 2.0 * x and not low <= n <= high)


def _parsed(raw: str) -> object:
    """Return the JSON value of the text, or of its part in braces; ``None`` when neither is JSON."""
    for text in (raw, raw[raw.find("{") : raw.rfind("}") + 1]):
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError):
            continue
        return value if value is not None else False  # a bare null is JSON, but no object
    return None


def _error(found: dict[str, object]) -> str | None:
    action, reasons = found.get("action"), found.get("reasons")
    confidence = _number(found.get("confidence"))
    if action not in list(Action):
        return "bad_action"
    if confidence is None or not 0.0 <= confidence <= 1.0:
        return "bad_confidence"
    if not isinstance(reasons, list) or not 1 <= len(reasons) <= MOST_REASONS:
        return "bad_reasons"
    if not all(isinstance(reason, str) and _clean(reason) for reason in reasons):
        return "bad_reasons"
    if action == Action.ENTER and found.get("side") not in list(OptionKind):
        return "missing_side"
    return None


def _invalidation(
    value: object, action: Action, side: OptionKind | None, x: float | None
) -> tuple[float | None, list[str]]:
    if value is None:
        return None, []
    level = _number(value)
    if level is None or x is None or abs(level - x) > FARTHEST * x + SLACK:
        return None, ["invalidation_dropped"]
    is_right_side = level < x if side is OptionKind.CE else level > x
    if action in (Action.ENTER, Action.HOLD) and not is_right_side:
        return None, ["invalidation_wrong_side"]
    return level, []


def _number(value: object) -> float | None:
    """Return a finite number, or ``None`` for anything else: a boolean is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _clean(text: str) -> str:
    """Return the text trimmed and cut, without halves of surrogate pairs, which no encoder takes."""
    return text.strip()[:REASON_LENGTH].encode("utf-8", "replace").decode("utf-8")
