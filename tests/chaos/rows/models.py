"""The model as what costs money: row 31. Source: bus contract, 12 and 18."""

import json

from oimon import codec
from oimon.messages import ADVICE_MINIMAL, Advice
from oimon.terms import DecidedBy
from tests.chaos.case import Case, Row
from tests.chaos.replica import Replica
from tests.chaos.waiting import until
from tests.fakes.model import FakeModel

CALLS = 20
ALERT = 0.8
"""Share of the budget above which somebody is told (deploy/prometheus/alerts.yml)."""
WITHIN_S = 60.0
_PACE = 30.0  # an analysis is warm after five minutes of the market's time


async def use_up_the_budget(case: Case) -> None:
    """Row 31: two coaches use a day's calls up, and those that come after them find it so: rule, an alert, and not one call more."""
    world = case.world
    world.partitions = world.partitions[:2]
    async with FakeModel() as model:
        settings = {
            "MODEL_BASE_URL": model.base_url,
            "MODEL_BUDGET_CALLS": str(CALLS),
            "MINIMAL_MODEL_EVERY_SECOND": "true",
        }
        await world.start("analytics")
        for _ in range(2):
            world.replica("coach-minimal", **settings)
        await world.ready()
        async with case.fed(beats_per_s=_PACE):
            await _used_up(case)
            for _ in case.each_fault():
                victim, owned = await world.owner("coach-minimal")
                mark = await case.mark(victim, owned)
                await victim.kill()
                world.replica("coach-minimal", **settings)
                await case.taken_over(mark, ADVICE_MINIMAL)
                await world.ready()
                await _used_up(case)
        asked = len(model.requests)
        case.expect(asked == CALLS, f"{asked} calls were made, {CALLS} may be")


async def _used_up(case: Case) -> None:
    """Wait until every coach knows that the budget is used up, says so to whoever looks, and advises by rule."""
    coaches = case.world.alive("coach-minimal")

    async def is_known() -> bool:
        return all([await _off(each) == "budget" for each in coaches])

    async def is_by_rule() -> bool:
        return all([await _why(case, each) == "budget" for each in case.world.partitions])

    await until(is_known, "use the budget up", within_s=WITHIN_S)
    await until(is_by_rule, "advise by rule", within_s=WITHIN_S)
    for each in coaches:
        used = (await each.look())["oi_model_budget_ratio"]
        case.expect(used > ALERT, f"the budget is used up, {used:.0%} are told")


async def _off(coach: Replica) -> str | None:
    """Return why a coach asks no model."""
    status, body = await coach.get("/status")
    return json.loads(body).get("model", {}).get("off") if status == 200 else None


async def _why(case: Case, partition: str) -> str | None:
    """Return why the newest advice is not a model's."""
    found = await case.world.newest(ADVICE_MINIMAL, partition)
    advice = found and codec.decode(found.entry.kind, found.entry.version, found.entry.data)
    is_by_rule = isinstance(advice, Advice) and advice.by is DecidedBy.RULE
    return advice.by_why if is_by_rule else None


ROWS = (
    Row(
        number=31, name="model's budget used up, coaches killed", inject=use_up_the_budget, faults=10, quick=0,
        protection="one-budget", recovery_s=4.0,
    ),
)  # fmt: skip
