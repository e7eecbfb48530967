"""The desk between a coach and its model: questions go out, answers lie ready, nobody waits.

One question of an underlying is out at a time. A handler looks at what lies there and offers the next question; both
return at once. Limits on waiting are wall time at any speed of a replay. Source: bus contract, 11 and 12.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from oimon import metrics
from oimon.clock import Clock
from oimon.coach.question import Answer, Heard, Question, check
from oimon.llm.limits import SPENT, UNKNOWN
from oimon.messages import Transcript
from oimon.terms import Coach

logger = logging.getLogger(__name__)
WORTH_ASKING_S = 2.5  # an older analysis is not worth a question
ASK_EVERY_S = 0.9
"""A question a beat of a second: beats come some milliseconds early or late, and a replay's much faster."""


class Desk(Protocol):
    """What a coach's handler may ask of its desk."""

    def hear(self, partition: str) -> Heard:
        """Return what there is of an underlying."""
        ...

    def age_s(self, entry_id: str) -> float:
        """Return the wall age of an entry, 0 where there is no wall time."""
        ...

    def can_ask(self, partition: str, entry_id: str) -> bool:
        """Say whether a question about that entry would go out now."""
        ...

    def ask(self, question: Question) -> None:
        """Send a question out."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of the model."""
        ...


class Model(Protocol):
    """One model, as a desk sees it: ``oimon.llm`` has the real one."""

    def refusal(self) -> str | None:
        """Return why no question can be asked now."""
        ...

    async def ask(self, prompt: str) -> Transcript:
        """Return what came back, in time, with the error if it is no text; never raises but when cancelled."""
        ...

    def note(self, *, is_good: bool) -> None:
        """Learn whether the answer was of use."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of it."""
        ...


class NoModel:
    """A desk without a model: the coach decides by rule.

    Args:
        why: there is none.
        clock: by which entries grow old; an offline replay has none.
    """

    def __init__(self, why: str, clock: Clock | None = None) -> None:
        self._heard = Heard(off=why)
        self._clock = clock

    def hear(self, partition: str) -> Heard:  # noqa: ARG002 - the protocol's argument
        """Return that there is nothing to hear."""
        return self._heard

    def age_s(self, entry_id: str) -> float:
        """Return the wall age of an entry, 0 without a clock."""
        return 0.0 if self._clock is None else _age_s(entry_id, self._clock)

    def can_ask(self, partition: str, entry_id: str) -> bool:  # noqa: ARG002 - the protocol's arguments
        """Say no."""
        return False

    def ask(self, question: Question) -> None:
        """Refuse.

        Raises:
            ValueError: always; ``can_ask`` said no.
        """
        raise ValueError(f"no model to ask about {question.partition}: {self._heard.off}")

    def status(self) -> Mapping[str, Any]:
        """Return why decisions are made by rule."""
        return {"off": self._heard.off, "text": "no model is asked: decisions are by rule"}


@dataclass
class _Drawer:
    """What lies on the desk of one underlying."""

    is_out: bool = False
    asked_s: float | None = None
    answer: Answer | None = None
    about_s: float = 0.0
    """Monotonic instant of the analysis that ``answer`` is about."""
    failure: Answer | None = None


@dataclass
class ModelDesk:
    """A desk with a model; ``open_desk`` makes one and ends its questions."""

    model: Model
    coach: Coach
    clock: Clock
    tasks: asyncio.TaskGroup
    out: set[asyncio.Task[None]] = field(default_factory=set)
    _drawers: dict[str, _Drawer] = field(default_factory=dict)

    def hear(self, partition: str) -> Heard:
        """Return what there is of an underlying."""
        drawer = self._drawers.get(partition)
        if drawer is None:
            return Heard(off=self.model.refusal())
        return Heard(
            answer=drawer.answer,
            age_s=self.clock.monotonic_s() - drawer.about_s,
            failure=drawer.failure,
            off=self.model.refusal(),
        )

    def age_s(self, entry_id: str) -> float:
        """Return the wall age of an entry."""
        return _age_s(entry_id, self.clock)

    def can_ask(self, partition: str, entry_id: str) -> bool:
        """Say whether a question about that entry would go out now."""
        drawer = self._drawers.get(partition)
        if drawer is not None and (drawer.is_out or self._is_too_soon(drawer)):
            return False
        return self.age_s(entry_id) <= WORTH_ASKING_S and self.model.refusal() is None

    def ask(self, question: Question) -> None:
        """Send a question out; its answer will lie on the desk."""
        drawer = self._drawers.setdefault(question.partition, _Drawer())
        drawer.is_out, drawer.asked_s = True, self.clock.monotonic_s()
        task = self.tasks.create_task(
            self._fetch(question, drawer), name=f"{self.coach} asks about {question.partition}"
        )
        self.out.add(task)
        task.add_done_callback(self.out.discard)

    def status(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of the model."""
        return {**self.model.status(), "out": len(self.out)}

    async def _fetch(self, question: Question, drawer: _Drawer) -> None:
        about_s = self.clock.monotonic_s() - self.age_s(question.entry_id)
        try:
            answer = _answered(question, await self.model.ask(question.prompt))
        finally:
            drawer.is_out = False
        if answer.transcript.error not in (SPENT, UNKNOWN):  # else it did not go out
            self.model.note(is_good=answer.decision is not None)
            _measure(self.coach, answer.transcript)
        if answer.decision is None:
            drawer.failure = answer
            _report(self.coach, answer)
        else:
            drawer.answer, drawer.about_s, drawer.failure = answer, about_s, None

    def _is_too_soon(self, drawer: _Drawer) -> bool:
        now = self.clock.monotonic_s()
        return drawer.asked_s is not None and now - drawer.asked_s < ASK_EVERY_S


@contextlib.asynccontextmanager
async def open_desk(model: Model, coach: Coach, clock: Clock) -> AsyncIterator[ModelDesk]:
    """Give a desk for as long as the service works; questions still out at its end are dropped."""
    async with asyncio.TaskGroup() as tasks:
        desk = ModelDesk(model=model, coach=coach, clock=clock, tasks=tasks)
        try:
            yield desk
        finally:
            for task in tuple(desk.out):
                task.cancel()


def _answered(question: Question, transcript: Transcript) -> Answer:
    if transcript.error is not None:
        return Answer(question=question, transcript=transcript)
    checked = check(transcript.answer, question)
    if checked.decision is None:
        failed = replace(transcript, error=f"invalid: {checked.error}")
        return Answer(question=question, transcript=failed)
    return Answer(
        question=question,
        transcript=transcript,
        decision=checked.decision,
        warnings=checked.warnings,
    )


def _report(coach: Coach, failure: Answer) -> None:
    facts = {
        "coach": coach,
        "underlying": failure.question.partition,
        "error": failure.transcript.error,
        "latency_ms": failure.transcript.latency_ms,
    }
    logger.warning("model gave no usable answer", extra=facts)


def _measure(coach: Coach, transcript: Transcript) -> None:
    outcome = (transcript.error or "ok").partition(":")[0]
    metrics.MODEL_CALLS.labels(coach, outcome).inc()
    metrics.MODEL_SECONDS.labels(coach).observe(transcript.latency_ms / 1000)
    if transcript.cost_usd is not None:
        metrics.MODEL_COST.labels(coach).inc(transcript.cost_usd)


def _age_s(entry_id: str, clock: Clock) -> float:
    """Return the age of an entry by the milliseconds that its id begins with."""
    return (clock.now_us() - 1000 * int(entry_id.partition("-")[0])) / 1e6
