import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from oimon.bus.redis import waiting as redis_waiting
from oimon.bus.redis.waiting import MOST, Waiting
from oimon.bus.turn import Turn

A, B = "oi.ticks.v1:{A}", "oi.ticks.v1:{B}"


def row(number):
    return f"{number}-0".encode(), {b"n": str(number).encode()}


class Server:
    """Streams that entries are put into; answers reads as XREAD does, and keeps what it was asked."""

    def __init__(self):
        self.rows = {A: [], B: []}
        self.asked = []
        self.down = None
        self._changed = asyncio.Event()

    def put(self, key, *numbers):
        self.rows[key] += [row(number) for number in numbers]
        self._changed.set()

    def fail(self, error):
        self.down = error
        self._changed.set()

    def _new(self, after, count):
        found = []
        for key, at in after.items():
            least = int(at.partition("-")[0])
            new = [each for each in self.rows[key] if int(each[0].partition(b"-")[0]) > least]
            if new:
                found.append([key.encode(), new[:count]])
        return found

    async def send(self, after, count, block_ms):
        self.asked.append(dict(after))
        found = self._new(after, count)
        if not found and block_ms:
            self._changed.clear()
            try:
                async with asyncio.timeout(block_ms / 1000):
                    while not found and self.down is None:
                        await self._changed.wait()
                        self._changed.clear()
                        found = self._new(after, count)
            except TimeoutError:
                pass
        if self.down is not None:
            raise self.down
        return found


@pytest.fixture
async def server():
    return Server()


@pytest.fixture
async def turn():
    return Turn()


@pytest.fixture
async def waiting(server, turn):
    waiting = Waiting(server.send, turn)
    yield waiting
    waiting.close()


def numbers(rows):
    return [int(name.partition(b"-")[0]) for name, _ in rows]


async def soon(*awaitables):
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    await asyncio.sleep(0.01)
    return tasks


async def test_all_who_wait_are_one_read_and_who_is_left_is_read_for_at_once(server, waiting):
    first, second = await soon(waiting.read(A, "0-0", 64, 1000), waiting.read(B, "5-0", 64, 1000))
    assert server.asked == [{A: "0-0", B: "5-0"}]
    server.put(A, 1, 2)
    assert numbers(await first) == [1, 2]
    await asyncio.sleep(0.01)
    assert server.asked[1:] == [{B: "5-0"}]
    server.put(B, 6)
    assert numbers(await second) == [6]


async def test_who_was_served_is_taken_along_with_who_was_served_beside_it(
    server, waiting, monkeypatch
):
    monkeypatch.setattr(redis_waiting, "GATHER_S", 0.5)
    first, second = await soon(waiting.read(A, "0-0", 64, 1000), waiting.read(B, "0-0", 64, 1000))
    server.put(A, 1)
    server.put(B, 1)
    await asyncio.gather(first, second)
    asked = len(server.asked)
    await soon(waiting.read(A, "1-0", 64, 1000))
    assert server.asked[asked:] == []
    await soon(waiting.read(B, "1-0", 64, 1000))
    assert server.asked[asked:] == [{A: "1-0", B: "1-0"}]


async def test_who_was_served_waits_no_longer_than_a_moment_for_one_that_does_not_come_back(
    server, waiting
):
    first, second = await soon(waiting.read(A, "0-0", 64, 1000), waiting.read(B, "0-0", 64, 1000))
    server.put(A, 1)
    server.put(B, 1)
    await asyncio.gather(first, second)
    again, _ = await soon(waiting.read(A, "1-0", 64, 1000), asyncio.sleep(0))
    server.put(A, 2)
    assert numbers(await asyncio.wait_for(again, 0.5)) == [2]


async def queue_up(turn):
    """Have three ask for a turn that is taken; return what gives it up."""
    await turn.__aenter__()
    asking = [asyncio.ensure_future(turn.__aenter__()) for _ in range(3)]
    await asyncio.sleep(0)

    async def give_up():
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await turn.__aexit__()

    return give_up


async def test_nothing_more_is_read_while_what_is_in_hand_queues_up(
    server, waiting, turn, monkeypatch
):
    monkeypatch.setattr(redis_waiting, "QUEUE_S", 60.0)
    first, second = await soon(waiting.read(A, "0-0", 64, 1000), waiting.read(B, "0-0", 64, 1000))
    give_up = await queue_up(turn)
    server.put(A, 1)
    await first
    asked = len(server.asked)
    await asyncio.sleep(0.01)
    assert server.asked[asked:] == []
    await give_up()
    await asyncio.sleep(0.01)
    assert server.asked[asked:] == [{B: "0-0"}]
    second.cancel()


async def test_a_long_queue_keeps_nobody_from_being_read_for(server, waiting, turn):
    first, second = await soon(waiting.read(A, "0-0", 64, 1000), waiting.read(B, "0-0", 64, 1000))
    give_up = await queue_up(turn)
    server.put(A, 1)
    await first
    server.put(B, 1)
    assert numbers(await asyncio.wait_for(second, 5)) == [1]
    await give_up()


async def test_two_readers_of_one_stream_each_go_on_from_their_own_place(server, waiting):
    server.put(A, 1, 2, 3)
    early, late = await soon(waiting.read(A, "1-0", 64, 1000), waiting.read(A, "2-0", 64, 1000))
    assert (numbers(await early), numbers(await late)) == ([2, 3], [3])
    assert server.asked[0] == {A: "1-0"}


async def test_what_one_read_cannot_bring_is_read_on(server, waiting):
    server.put(A, *range(1, MOST + 10))
    server.put(B, 1)
    found, _ = await soon(waiting.read(A, "0-0", 2 * MOST, 1000), waiting.read(B, "0-0", 64, 1000))
    assert numbers(await found) == list(range(1, MOST + 10))
    assert numbers(await waiting.read(A, "0-0", 3, 1000)) == [1, 2, 3]


async def test_nothing_comes_back_when_nothing_came_in_about_that_time(server, waiting):
    started_s = asyncio.get_running_loop().time()
    assert not await waiting.read(A, "0-0", 64, 100)
    assert 0.02 <= asyncio.get_running_loop().time() - started_s < 0.5


async def test_a_lost_connection_is_told_to_all_and_the_next_read_is_a_new_one(server, waiting):
    both = await soon(waiting.read(A, "0-0", 64, 1000), waiting.read(B, "0-0", 64, 1000))
    server.fail(RedisConnectionError("gone"))
    told = await asyncio.gather(*both, return_exceptions=True)
    assert [str(error) for error in told] == ["gone", "gone"]
    server.down = None
    server.put(A, 1)
    assert numbers(await waiting.read(A, "0-0", 64, 1000)) == [1]


async def test_who_waits_no_longer_is_read_for_no_more(server, waiting):
    gone, stays = await soon(waiting.read(A, "0-0", 64, 1000), waiting.read(B, "0-0", 64, 1000))
    gone.cancel()
    server.put(A, 1)
    await asyncio.sleep(0.01)
    assert server.asked[-1] == {B: "0-0"}
    server.put(B, 1)
    assert numbers(await stays) == [1]
