"""One analysis, the state and the newest answer in; one advice out (pure).

Source: analytics specification, 7.3 and 11.1; rulings, 15 and 16.
"""

from dataclasses import replace
from datetime import date

from coach_minimal.advice import Circumstances, Said, advice_of
from coach_minimal.idea import Idea, idea_of, wanted_side
from coach_minimal.paper import State, begun, contract_of, holding_of, observed, settled
from coach_minimal.quotes import Quote, quote_of
from oimon import calendar
from oimon.coach.question import Heard, Usable, seen_of, usable
from oimon.coach.refusal import refusal
from oimon.core.advice import RuleAdvice, advise_flat, advise_held, rule_probability
from oimon.core.arbitrate import Decider, Opinion, Ruling, arbitrate_flat, arbitrate_held
from oimon.core.position import QUOTE_AGE_S, Sight, coach_in_position
from oimon.messages import Advice, ChainAnalysis, DayTotals, Order, Position, Transcript
from oimon.terms import Action

ANSWER_S = 5.0  # an answer is usable until its analysis is this old


def decide(
    analysis: ChainAnalysis, state: State, heard: Heard, *, age_s: float, capital: float
) -> tuple[State, Advice]:
    """Return the state after one analysis, and the advice on it.

    Args:
        analysis: the market.
        state: what is remembered.
        heard: what the desk has.
        age_s: wall age of the analysis.
        capital: of the paper account, in rupees.
    """
    state, day = begun(state, analysis)
    state, day, fill = settled(state, analysis, day)
    refused = refusal(analysis, age_s)
    found = Usable(answer=None, why=refused)
    if refused is None:
        found = usable(heard, seen_of(analysis, _opened_us(state)), ANSWER_S)
    state, transcript = _told(state, heard, found)
    if state.position is not None:
        state, said = _in_position(analysis, state, state.position, found)
    else:
        state, said = _flat(analysis, state, day, found, refused=refused, capital=capital)
    around = Circumstances(
        analysis=analysis, found=found, day=day, fill=fill, transcript=transcript
    )
    return state, advice_of(around, state, said)


def _told(state: State, heard: Heard, found: Usable) -> tuple[State, Transcript | None]:
    """Return the state once the newest answer is counted, and its transcript, each answer's once."""
    newest = heard.newest
    if newest is None or newest.question.seen.run != state.run:
        return state, None
    if newest.question.entry_id == state.heard_of:
        return state, None
    decision = None if found.answer is None else found.answer.decision
    says_exit = decision is not None and decision.action is Action.EXIT
    count = state.exits_in_a_row + 1 if says_exit and heard.failure is None else 0
    state = replace(state, heard_of=newest.question.entry_id, exits_in_a_row=count)
    return state, newest.transcript


def _in_position(
    analysis: ChainAnalysis, state: State, position: Position, found: Usable
) -> tuple[State, Said]:
    quote = quote_of(analysis, position.expiry, position.strikes[0], position.side)
    sight = _sight(analysis, quote)
    limit_s = QUOTE_AGE_S if quote is None else quote.limit_s
    held, action, reason = coach_in_position(holding_of(position), sight, limit_s)
    rule = advise_held(position.side, action, reason, analysis.confidence_factor)
    position = observed(position, held, quote.bid if quote and quote.is_fresh else None)
    contract = contract_of(position, position.qty // position.lots)
    if state.order is not None:
        ruling = Ruling(
            action=Action.EXIT, side=position.side, decider=Decider.RULE, why="order_open"
        )
    else:
        ruling = arbitrate_held(
            rule, _opinion(found, analysis), _rich(state, analysis), state.exits_in_a_row
        )
    order = state.order
    if ruling.action is Action.EXIT and order is None:
        why = rule.why if ruling.decider is Decider.RULE else f"{ruling.decider}_exit"
        order = Order(buy=False, contract=contract, decided_ts_us=analysis.ts_us, reason=why)
    state = replace(state, position=position, order=order)
    return state, Said(rule=rule, ruling=ruling, contract=contract)


def _sight(analysis: ChainAnalysis, quote: Quote | None) -> Sight:
    """Return what is seen of a position at this beat."""
    square_off_us = calendar.square_off_us(analysis.segment, date.fromisoformat(analysis.date))
    return Sight(
        ts_s=analysis.ts_us / 1e6,
        is_square_off=analysis.ts_us >= square_off_us,
        bid=None if quote is None else quote.bid,
        quote_age_s=None if quote is None else quote.age_s,
        x=analysis.x,
        direction=analysis.direction,
        confidence=analysis.confidence_factor,
    )


def _flat(
    analysis: ChainAnalysis,
    state: State,
    day: DayTotals,
    found: Usable,
    *,
    refused: str | None,
    capital: float,
) -> tuple[State, Said]:
    idea = idea_of(analysis, wanted_side(analysis), day, capital)
    rule = advise_flat(idea.view, idea.entry)
    if refused is not None:
        rule = _refused(refused, analysis)
    if state.order is not None:
        contract = state.order.contract
        ruling = Ruling(
            action=Action.ENTER, side=contract.side, decider=Decider.RULE, why="order_open"
        )
        return state, Said(rule=rule, ruling=ruling, contract=contract)
    opinion = _opinion(found, analysis)
    idea = _models_idea(idea, opinion, analysis, day, capital)
    ruling = arbitrate_flat(rule, opinion, _rich(state, analysis), idea.entry)
    if ruling.action is not Action.ENTER or idea.contract is None:
        return state, Said(rule=rule, ruling=ruling)
    order = Order(buy=True, contract=idea.contract, decided_ts_us=analysis.ts_us, reason="entry")
    return replace(state, order=order), Said(rule=rule, ruling=ruling, contract=idea.contract)


def _models_idea(
    idea: Idea,
    opinion: Opinion | None,
    analysis: ChainAnalysis,
    day: DayTotals,
    capital: float,
) -> Idea:
    """Return the idea of the side that the model wants, where that is another than the rule's."""
    if opinion is None or opinion.side is None or opinion.side is wanted_side(analysis):
        return idea
    return idea_of(analysis, opinion.side, day, capital)


def _refused(why: str, analysis: ChainAnalysis) -> RuleAdvice:
    confidence = rule_probability(analysis.confidence_factor, is_directional=False)
    return RuleAdvice(action=Action.WAIT, side=None, why=why, confidence=confidence)


def _opinion(found: Usable, analysis: ChainAnalysis) -> Opinion | None:
    if found.answer is None or found.answer.decision is None:
        return None
    decision = found.answer.decision
    age_s = (analysis.ts_us - found.answer.question.ts_us) / 1e6
    return Opinion(
        action=decision.action, side=decision.side, confidence=decision.confidence, age_s=age_s
    )


def _rich(state: State, analysis: ChainAnalysis) -> Opinion | None:
    rich = state.rich
    if rich is None:
        return None
    age_s = (analysis.ts_us - rich.input_ts_us) / 1e6
    return Opinion(action=rich.action, side=rich.side, confidence=rich.confidence, age_s=age_s)


def _opened_us(state: State) -> int | None:
    return None if state.position is None else state.position.entry_ts_us
