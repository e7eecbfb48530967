"""The fast coach: an advice on every analysis, with the model's word when there is one."""

from collections.abc import Sequence
from dataclasses import replace

from coach_minimal import prompt
from coach_minimal.config import Config
from coach_minimal.decide import decide
from coach_minimal.paper import State, resumed
from oimon.bus import Entry, Output, Role
from oimon.coach.desk import Desk, NoModel
from oimon.coach.question import UNCHANGED_S, Heard, Question, Seen, seen_of, strike_range
from oimon.coach.refusal import is_coached, refusal
from oimon.coach.wiring import desk_of, measured
from oimon.config import load
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, Advice, ChainAnalysis
from oimon.service import Running, Service
from oimon.terms import Coach, DecidedBy, MarketState

TIMEOUT_S = 2.5
MAX_TOKENS = 300
SKIPS_S = UNCHANGED_S - TIMEOUT_S - 1.0
"""How old an answer may be that saves a question: the next one's comes, from the beat after, before this one has had its time."""


def role(settings: Config, desk: Desk) -> Role[State]:
    """Return the fast coach's duty.

    Args:
        settings: the paper account's capital, how often to ask.
        desk: where answers lie and questions go out.
    """

    def handle(state: State, entry: Entry) -> tuple[State, Sequence[Output]]:
        message = entry.message
        if isinstance(message, Advice):
            # what the deep coach's rule says when its model is away is no second opinion
            rich = None if message.by is DecidedBy.RULE else message
            return replace(state, rich=rich or state.rich), ()
        if not is_coached(message):
            return state, ()
        heard, age_s = desk.hear(entry.partition), desk.age_s(entry.id)
        state, advice = decide(message, state, heard, age_s=age_s, capital=settings.paper_capital)
        if _is_worth_asking(message, state, age_s) and desk.can_ask(entry.partition, entry.id):
            seen = seen_of(message, _opened_us(state))
            if settings.minimal_model_every_second or not _is_answered(seen, heard):
                desk.ask(_question(entry, message, state, seen))
        return state, (Output(ADVICE_MINIMAL, advice),)

    return Role(
        name="coach-minimal",
        reads=ANALYSIS,
        writes=ADVICE_MINIMAL,
        consults=ADVICE_RICH,
        newest_only=True,
        start=lambda _partition: State(),
        handle=handle,
        resume=_resume,
    )


def offline_role() -> Role[State]:
    """Return the same duty without a model and without a wall clock, over every analysis: for ``oi replay``."""
    return replace(role(load(Config), NoModel("offline")), newest_only=False)


async def run(running: Running[Config]) -> None:
    """Advise until stopped."""
    settings = running.settings
    async with desk_of(
        settings,
        running.bus,
        running.clock,
        Coach.MINIMAL,
        model=settings.minimal_model,
        timeout_s=TIMEOUT_S,
        max_tokens=MAX_TOKENS,
    ) as desk:
        running.facts["model"] = desk.status
        duty = role(settings, desk)
        handle = measured(duty.handle, desk, running.clock, Coach.MINIMAL)
        await running.bus.own(replace(duty, handle=handle))


service = Service(name="coach-minimal", settings=Config, run=run, offline_role=offline_role)


def _resume(_partition: str, last: Entry, _answered: Entry | None) -> State:
    message = last.message
    return resumed(message) if isinstance(message, Advice) else State()


def _is_worth_asking(analysis: ChainAnalysis, state: State, age_s: float) -> bool:
    """Say whether a model's word could matter: flat, outside continuous trading, it could not."""
    is_of_use = analysis.market is MarketState.OPEN or state.position is not None
    return is_of_use and refusal(analysis, age_s) is None


def _is_answered(seen: Seen, heard: Heard) -> bool:
    """Say whether the newest answer still serves, since nothing that the model would see has changed."""
    answer = heard.answer
    if answer is None or heard.age_s > SKIPS_S:
        return False
    return seen.is_like(answer.question.seen)


def _opened_us(state: State) -> int | None:
    return None if state.position is None else state.position.entry_ts_us


def _question(entry: Entry, analysis: ChainAnalysis, state: State, seen: Seen) -> Question:
    return Question(
        partition=entry.partition,
        entry_id=entry.id,
        ts_us=analysis.ts_us,
        prompt=prompt.write(analysis, state),
        held=None if state.position is None else state.position.side,
        x=analysis.x,
        strikes=strike_range(analysis),
        seen=seen,
    )
