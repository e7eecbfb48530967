"""The deep coach: speaks when open interest has shifted, of the analysis that showed it."""

from collections.abc import Sequence
from dataclasses import replace

from coach_rich import prompt, trigger
from coach_rich.config import Config
from coach_rich.decide import Due, State, answered, by_rule, refused, remembered
from oimon.bus import Entry, Output, Role
from oimon.coach.desk import Desk, NoModel
from oimon.coach.question import Question, seen_of, strike_range
from oimon.coach.refusal import is_coached, refusal
from oimon.coach.wiring import desk_of, measured
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, Advice, ChainAnalysis
from oimon.service import Running, Service
from oimon.terms import Coach

TIMEOUT_S = 30.0
MAX_TOKENS = 700


def role(desk: Desk) -> Role[State]:
    """Return the deep coach's duty.

    Args:
        desk: where answers lie and questions go out.
    """

    def handle(state: State, entry: Entry) -> tuple[State, Sequence[Output]]:
        message = entry.message
        if isinstance(message, Advice):
            return _with_position(state, message), ()
        if not is_coached(message):
            return state, ()
        if state.run != message.run:
            state = State(run=message.run)
        if state.due is not None:
            return _collect(state, state.due, entry.partition, desk)
        watch, reason = trigger.is_due(state.watch, message)
        state = replace(state, watch=watch)
        if reason is None:
            return state, ()
        due = Due(entry_id=entry.id, analysis=message, trigger=reason, position=state.position)
        return _speak(state, due, entry, desk)

    return Role(
        name="coach-rich",
        reads=ANALYSIS,
        writes=ADVICE_RICH,
        consults=ADVICE_MINIMAL,
        newest_only=True,
        start=lambda _partition: State(),
        handle=handle,
        resume=_resume,
    )


def offline_role() -> Role[State]:
    """Return the same duty without a model and without a wall clock, over every analysis: for ``oi replay``.

    It looks at no other coach: which of two has read further is chance, and a replay knows no chance.
    """
    return replace(role(NoModel("offline")), newest_only=False, consults=None)


async def run(running: Running[Config]) -> None:
    """Advise until stopped."""
    async with desk_of(
        running.settings,
        running.bus,
        running.clock,
        Coach.RICH,
        model=running.settings.rich_model,
        timeout_s=TIMEOUT_S,
        max_tokens=MAX_TOKENS,
    ) as desk:
        running.facts["model"] = desk.status
        duty = role(desk)
        handle = measured(duty.handle, desk, running.clock, Coach.RICH)
        await running.bus.own(replace(duty, handle=handle))


service = Service(name="coach-rich", settings=Config, run=run, offline_role=offline_role)


def _with_position(state: State, fast: Advice) -> State:
    """Return the state with the fast coach's position; one of another run is none of ours."""
    return replace(state, position=fast.position) if fast.run == state.run else state


def _speak(state: State, due: Due, entry: Entry, desk: Desk) -> tuple[State, Sequence[Output]]:
    """Ask the model about an analysis; where that can't be done, say at once what the rule says."""
    why = refusal(due.analysis, desk.age_s(entry.id))
    if why is not None:
        advice = refused(due, why)
    elif desk.can_ask(entry.partition, entry.id):
        desk.ask(_question(entry, due, state))
        return replace(state, due=due), ()
    else:
        advice = by_rule(due, desk.hear(entry.partition).off or "late")
    return remembered(state, advice), (Output(ADVICE_RICH, advice),)


def _collect(state: State, due: Due, partition: str, desk: Desk) -> tuple[State, Sequence[Output]]:
    """Return the advice on the analysis that was asked about, once its answer lies on the desk."""
    newest = desk.hear(partition).newest
    if newest is None or newest.question.entry_id != due.entry_id:
        return state, ()
    advice = answered(due, newest)
    return remembered(state, advice), (Output(ADVICE_RICH, advice, id=due.entry_id),)


def _question(entry: Entry, due: Due, state: State) -> Question:
    analysis, position = due.analysis, due.position
    opened_us = None if position is None else position.entry_ts_us
    return Question(
        partition=entry.partition,
        entry_id=entry.id,
        ts_us=analysis.ts_us,
        prompt=prompt.write(analysis, due.trigger, position=position, recent=state.recent),
        held=None if position is None else position.side,
        x=analysis.x,
        strikes=strike_range(analysis),
        seen=seen_of(analysis, opened_us),
    )


def _resume(_partition: str, last: Entry, spoken_of: Entry | None) -> State:
    """Return the state after the last advice; an analysis too old to be kept means starting anew."""
    advice, analysis = last.message, None if spoken_of is None else spoken_of.message
    if not isinstance(advice, Advice) or not isinstance(analysis, ChainAnalysis):
        return State()
    return State(run=advice.run, watch=trigger.spoken_of(analysis), recent=(advice,))
