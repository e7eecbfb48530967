"""A decision as an advice: whose word it is, and in which words (pure).

Source: analytics specification, 11.1 and 11.5; bus contract, 12 (labels).
"""

from dataclasses import dataclass, replace

from coach_minimal.paper import State, invalidation_of
from oimon.coach.question import Usable
from oimon.coach.words import in_words, rule_reasons
from oimon.core.advice import RuleAdvice, rule_probability
from oimon.core.answer import DEFAULT_HORIZON_MIN
from oimon.core.arbitrate import Decider, Ruling
from oimon.messages import Advice, ChainAnalysis, Contract, DayTotals, Fill, Transcript
from oimon.terms import Action, Coach, DecidedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A decision: the rule's own, the one that counts, and the contract it is about."""

    rule: RuleAdvice
    ruling: Ruling
    contract: Contract | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an advice tells besides the decision."""

    analysis: ChainAnalysis
    found: Usable
    day: DayTotals
    fill: Fill | None
    transcript: Transcript | None


def advice_of(around: Circumstances, state: State, said: Said) -> Advice:
    """Return the advice, as the rule says it; a model's words come over it where the ruling is its."""
    analysis, ruling = around.analysis, said.ruling
    why, reasons, confidence = _rules_words(around, said)
    advice = Advice(
        ts_us=analysis.ts_us,
        run=analysis.run,
        mode=analysis.mode,
        underlying=analysis.underlying,
        coach=Coach.MINIMAL,
        x=analysis.x,
        action=ruling.action,
        side=ruling.side,
        confidence=confidence,
        reasons=reasons,
        invalidation=_level(analysis, state, ruling),
        horizon_min=DEFAULT_HORIZON_MIN,
        by=DecidedBy.RULE,
        by_why=why,
        input_ts_us=analysis.ts_us,
        forced=said.rule.is_forced,
        rule_action=said.rule.action,
        warnings=[],
        quotes_assumed=analysis.quotes_assumed,
        contract=said.contract,
        position=state.position,
        order=state.order,
        fill=around.fill,
        day=around.day,
        transcript=around.transcript,
    )
    match ruling.decider:
        case Decider.MINIMAL:
            return _by_model(advice, around.found)
        case Decider.RICH:
            return _by_rich(advice, state)
        case Decider.RULE:
            return advice


def _rules_words(around: Circumstances, said: Said) -> tuple[str | None, list[str], float]:
    """Return why it is not the model's word, the rule's reasons, and its confidence."""
    analysis, rule, why = around.analysis, said.rule, said.ruling.why
    if why == "forced":
        return why, rule_reasons(rule, analysis), rule.confidence
    if why is None or why == rule.why:  # the rule's own reason: its words stand
        return around.found.why or why, rule_reasons(rule, analysis), rule.confidence
    is_directional = said.ruling.action in (Action.ENTER, Action.HOLD)
    confidence = rule_probability(analysis.confidence_factor, is_directional=is_directional)
    return why, [in_words(why)], confidence


def _by_model(advice: Advice, found: Usable) -> Advice:
    answer = found.answer
    if answer is None or answer.decision is None:
        raise ValueError("a model's ruling needs its answer, was none")
    decision, asked_us = answer.decision, answer.question.ts_us
    level = decision.invalidation if advice.position is None else None
    return replace(
        advice,
        confidence=decision.confidence,
        reasons=list(decision.reasons),
        invalidation=advice.invalidation if level is None else level,
        horizon_min=decision.horizon_min,
        by=DecidedBy.MODEL if asked_us == advice.ts_us else DecidedBy.CACHED,
        by_why=None,
        input_ts_us=asked_us,
        warnings=list(answer.warnings),
    )


def _by_rich(advice: Advice, state: State) -> Advice:
    rich = state.rich
    if rich is None:
        raise ValueError("the deep coach's ruling needs its advice, was none")
    return replace(
        advice,
        confidence=rich.confidence,
        reasons=rich.reasons,
        by=DecidedBy.CACHED,
        by_why=None,
        input_ts_us=rich.input_ts_us,
        warnings=["rich_exit"],
    )


def _level(analysis: ChainAnalysis, state: State, ruling: Ruling) -> float | None:
    if state.position is not None:
        return state.position.inv
    return None if ruling.side is None else invalidation_of(analysis, ruling.side)
