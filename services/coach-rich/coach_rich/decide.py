"""What the deep coach says of the analysis that it was asked about (pure)."""

from dataclasses import dataclass, replace

from coach_rich.trigger import Watch
from oimon.coach.question import Answer
from oimon.coach.words import in_words, rule_reasons
from oimon.core.advice import RuleAdvice, rule_probability, side_of
from oimon.core.answer import DEFAULT_HORIZON_MIN, legal_action
from oimon.messages import Advice, ChainAnalysis, Position, Trigger
from oimon.terms import Action, Coach, DecidedBy

RECENT = 5
_WHY = {Action.ENTER: "signal", Action.HOLD: "in_position", Action.EXIT: "reversal"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Due:
    """An analysis that the model was asked about."""

    entry_id: str
    analysis: ChainAnalysis
    trigger: Trigger
    position: Position | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """All that the deep coach remembers of an underlying."""

    run: str = ""
    watch: Watch | None = None
    position: Position | None = None
    """The fast coach's, as its newest advice says."""
    due: Due | None = None
    recent: tuple[Advice, ...] = ()


def remembered(state: State, advice: Advice) -> State:
    """Return the state once an advice is given."""
    return replace(state, due=None, recent=(*state.recent, advice)[-RECENT:])


def by_rule(due: Due, why: str) -> Advice:
    """Return the rule's advice, and why it is not the model's.

    It is the analysis's own signal, made legal for the position that is open.
    """
    analysis, position = due.analysis, due.position
    wanted = side_of(analysis.signal.signal)
    held = None if position is None else position.side
    action = legal_action(Action.WAIT if wanted is None else Action.ENTER, wanted, held)
    is_directional = action is not Action.WAIT
    rule = RuleAdvice(
        action=action,
        side=wanted if action is Action.ENTER else held,
        why=_WHY.get(action) or next(iter(analysis.signal.vetoes), "no_signal"),
        confidence=rule_probability(analysis.confidence_factor, is_directional=is_directional),
    )
    return Advice(
        ts_us=analysis.ts_us,
        run=analysis.run,
        mode=analysis.mode,
        underlying=analysis.underlying,
        coach=Coach.RICH,
        x=analysis.x,
        action=action,
        side=rule.side,
        confidence=rule.confidence,
        reasons=rule_reasons(rule, analysis),
        invalidation=None,
        horizon_min=DEFAULT_HORIZON_MIN,
        by=DecidedBy.RULE,
        by_why=why,
        input_ts_us=analysis.ts_us,
        forced=False,
        rule_action=action,
        warnings=[],
        quotes_assumed=analysis.quotes_assumed,
        trigger=due.trigger,
    )


def refused(due: Due, why: str) -> Advice:
    """Return WAIT with the reason: the market is closed, or the numbers can't be trusted."""
    advice = by_rule(due, why)
    held = None if due.position is None else due.position.side
    action = legal_action(Action.WAIT, None, held)
    return replace(
        advice,
        action=action,
        rule_action=action,
        side=held,
        reasons=[in_words(why)],
        confidence=rule_probability(due.analysis.confidence_factor, is_directional=False),
    )


def answered(due: Due, answer: Answer) -> Advice:
    """Return the model's advice, or the rule's when the answer is of no use."""
    decision = answer.decision
    advice = by_rule(due, answer.transcript.error or "invalid")
    advice = replace(advice, transcript=answer.transcript)
    if decision is None:
        return advice
    return replace(
        advice,
        action=decision.action,
        side=decision.side,
        confidence=decision.confidence,
        reasons=list(decision.reasons),
        invalidation=decision.invalidation,
        horizon_min=decision.horizon_min,
        by=DecidedBy.MODEL,
        by_why=None,
        warnings=list(answer.warnings),
    )
