"""Texts to people, while Telegram or their sender fails: rows 32 and 33. Source: bus contract, 12 and 18."""

from itertools import cycle, islice, product

from notifier import news
from tests.chaos.case import Case, Row
from tests.chaos.outbox import telling
from tests.fakes.telegram import LOST, SLOW

_KINDS = (news.DECISION, news.STATE)
_ANSWERS = (SLOW, (429, 2), 500, LOST, 400, 403)
"""No answer after the text has come; too many requests; an error of theirs; no answer and no text; the chat is gone; the bot is blocked."""


async def fail_to_answer(case: Case) -> None:
    """Row 32: Telegram refuses, errs or is silent; decisions arrive all the same, nothing else comes twice, and what is unknown is called so."""
    async with telling(case) as (scene, bus):
        for step, kind in islice(cycle(product(_ANSWERS, _KINDS)), case.wanted):
            strike = await scene.strike(kind, step, bus)
            case.fault()
            await scene.done(strike)


async def harm_the_sender(case: Case) -> None:
    """Row 33: the sender is killed, or stopped past its lease, in the middle of a call; another goes on."""
    world = case.world
    async with telling(case) as (scene, bus):
        harms = product((SLOW, LOST), ("kill", "stop"), _KINDS)
        for step, harm, kind in islice(cycle(harms), case.wanted):
            strike = await scene.strike(kind, step, bus)
            case.fault()
            sender = await scene.sender()
            if harm == "stop":
                sender.stop()
            else:
                await sender.kill()
                scene.notifier()
            await scene.done(strike)
            sender.go_on()
            await world.ready()


ROWS = (
    Row(
        number=32, name="Telegram: 429, 500, silent, 400, 403", inject=fail_to_answer, faults=48, quick=0,
        protection="doubt", recovery_s=15.0,
    ),
    Row(
        number=33, name="SIGKILL, SIGSTOP the sender mid-call", inject=harm_the_sender, faults=50, quick=0,
        protection="note,fence", recovery_s=16.0,
    ),
)  # fmt: skip
