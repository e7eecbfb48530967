"""From settings to a desk, and from a handler to one that is measured."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from oimon import metrics
from oimon.bus import Bus, Entry, Handler, Output
from oimon.clock import Clock
from oimon.coach import payload
from oimon.coach.budget import Budget
from oimon.coach.desk import Desk, NoModel, open_desk
from oimon.coach.settings import CoachSettings
from oimon.llm.model import Asked, OpenAiModel
from oimon.messages import Advice, ChainAnalysis
from oimon.terms import Coach, Mode

S = TypeVar("S")


@contextlib.asynccontextmanager
async def desk_of(
    settings: CoachSettings,
    bus: Bus,
    clock: Clock,
    coach: Coach,
    *,
    model: str,
    timeout_s: float,
    max_tokens: int,
) -> AsyncIterator[Desk]:
    """Give the desk that the settings ask for, for as long as the service works.

    Args:
        settings: where the model is and what it may cost.
        bus: counts what it has cost.
        clock: the machine's.
        coach: whose desk it is.
        model: the model's name.
        timeout_s: longest wait for an answer.
        max_tokens: of an answer.
    """
    address = settings.address
    if address is None:
        yield NoModel("no_key", clock)
        return
    asked = Asked(
        base_url=address.base_url,
        # the client asks for a key even where the server does not
        key=(address.key and address.key.get_secret_value()) or "none",
        name=model,
        system=payload.SYSTEM,
        schema=payload.SCHEMA,
        timeout_s=timeout_s,
        max_tokens=max_tokens,
    )
    budget = Budget(
        bus,
        coach,
        calls=settings.model_budget_calls,
        inr=settings.model_budget_inr,
        usd_inr=settings.usd_inr,
        clock=clock,
    )
    metrics.BUDGET_USED.labels(coach).set_function(budget.used)
    client = OpenAiModel(asked, budget, clock)
    await client.open()
    try:
        async with open_desk(client, coach, clock) as desk:
            watching = desk.tasks.create_task(budget.watch(), name=f"{coach} watches its budget")
            try:
                yield desk
            finally:
                watching.cancel()
    finally:
        await client.close()


def measured(handle: Handler[S], desk: Desk, clock: Clock, coach: Coach) -> Handler[S]:
    """Return the handler with its advice counted and the age of what it reads kept."""

    def handle_measured(state: S, entry: Entry) -> tuple[S, Sequence[Output]]:
        state, outputs = handle(state, entry)
        message = entry.message
        if isinstance(message, ChainAnalysis):
            metrics.ANALYSIS_AGE.labels(entry.partition).set(desk.age_s(entry.id))
            if message.mode is Mode.LIVE and message.tick_received_us is not None:
                age_s = (clock.now_us() - message.tick_received_us) / 1e6
                metrics.TICK_AGE.labels(f"coach-{coach}").observe(age_s)
        for output in outputs:
            if isinstance(output.message, Advice):
                metrics.ADVICE.labels(coach, output.message.by).inc()
        return state, outputs

    return handle_measured
