"""Commands asked for in one turn of the loop go in one message, and none of them is the worse for it."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from oimon.bus.redis.together import Together
from tests.eventually import eventually


class Wire:
    """Answers each command by its words; refuses one that begins with "no"; is cut, or held up, when told to."""

    def __init__(self):
        self.sent = []
        self.is_cut = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def has_sent(self, times):
        await eventually(lambda: len(self.sent) >= times)

    async def send(self, commands):
        self.sent.append([" ".join(command) for command in commands])
        await self.may_answer.wait()
        if self.is_cut:
            raise RedisConnectionError("cut")
        return [
            ResponseError("refused") if command[0] == "no" else f"{command[0]}!"
            for command in commands
        ]


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def together(wire):
    return Together(wire.send)


async def asked(together, *commands):
    """Return what comes of commands that are asked for in one turn."""
    return await asyncio.gather(
        *(together.ask(*each.split(" ")) for each in commands), return_exceptions=True
    )


async def test_what_is_asked_in_one_turn_is_sent_in_one_go_and_answered_one_by_one(wire, together):
    first = await asked(together, "a 1", "b 2", "c 3")
    second = await asked(together, "d 4")

    assert wire.sent == [["a 1", "b 2", "c 3"], ["d 4"]]
    assert (first, second) == (["a!", "b!", "c!"], ["d!"])


async def test_nobody_waits_for_the_answers_of_an_earlier_turn(wire, together):
    wire.may_answer.clear()
    early = asyncio.ensure_future(together.ask("early"))
    await wire.has_sent(1)

    late = asyncio.ensure_future(together.ask("late"))
    await wire.has_sent(2)
    wire.may_answer.set()

    assert wire.sent == [["early"], ["late"]]
    assert [await early, await late] == ["early!", "late!"]


@pytest.mark.parametrize("commands", [("no", "b", "c"), ("a", "no", "c")])
async def test_a_refusal_is_that_of_one_command(together, commands):
    told = await asked(together, *commands)

    refused = [command for command, each in zip(commands, told, strict=True) if isinstance(each, ResponseError)]  # fmt: skip
    assert refused == ["no"]
    assert [each for each in told if isinstance(each, str)] == [f"{c}!" for c in commands if c != "no"]  # fmt: skip


async def test_a_lost_connection_is_everybody_s_and_the_next_turn_s_is_another(wire, together):
    wire.is_cut = True
    lost = await asked(together, "a", "b")
    wire.is_cut = False

    found = await asked(together, "a", "b")

    assert [type(each) for each in lost] == [RedisConnectionError] * 2
    assert found == ["a!", "b!"]


async def test_who_comes_along_may_be_cancelled_and_the_others_are_answered(wire, together):
    wire.may_answer.clear()
    asking = [asyncio.ensure_future(together.ask(name)) for name in "abc"]
    await wire.has_sent(1)

    asking[1].cancel()
    wire.may_answer.set()
    told = await asyncio.gather(*asking, return_exceptions=True)

    assert [told[0], told[2]] == ["a!", "c!"]
    assert isinstance(told[1], asyncio.CancelledError)


@pytest.mark.parametrize("turns", [1, 2])  # before the commands leave, and after
async def test_who_sends_may_be_cancelled_and_the_others_know_that_nobody_knows(
    wire, together, turns
):
    wire.may_answer.clear()
    asking = [asyncio.ensure_future(together.ask(name)) for name in "abc"]
    for _ in range(turns):
        await asyncio.sleep(0)

    asking[0].cancel()
    told = await asyncio.gather(*asking, return_exceptions=True)
    wire.may_answer.set()

    assert len(wire.sent) == turns - 1
    assert [type(each) for each in told] == [asyncio.CancelledError, *[RedisConnectionError] * 2]
    assert await together.ask("d") == "d!"
