import asyncio
import itertools

from oimon.bus.turn import Turn


async def test_the_loop_goes_on_between_two_answers_however_many_are_ready():
    turn, happened = Turn(), []
    loop = asyncio.get_running_loop()

    def beat():
        happened.append("loop")
        loop.call_soon(beat)

    async def answer():
        async with turn:
            happened.append("answer")

    beat()
    await asyncio.gather(*(answer() for _ in range(20)))
    pairs = list(itertools.pairwise(happened))
    assert happened.count("answer") == 20
    assert ("answer", "answer") not in pairs


async def test_the_first_answer_of_a_pass_does_not_wait_for_another():
    turn = Turn()
    step = turn.__aenter__()
    try:
        step.send(None)
    except StopIteration:
        entered = True
    assert entered
    await turn.__aexit__()


async def test_there_is_a_queue_while_more_than_one_wait():
    turn = Turn()
    await turn.__aenter__()
    asking = []
    for count in range(3):
        assert turn.has_queue == (count > 1)
        asking.append(asyncio.ensure_future(turn.__aenter__()))
        await asyncio.sleep(0)
    for each in asking:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert not turn.has_queue


async def test_who_is_cancelled_in_the_queue_does_not_keep_the_turn():
    turn, done = Turn(), []

    async def answer(name):
        async with turn:
            done.append(name)

    tasks = [asyncio.ensure_future(answer(n)) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == [0, 2]
