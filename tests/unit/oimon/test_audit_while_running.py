"""An audit reads one stream after the other while beats go on being answered; a system at work is clean all the same."""

from oimon.audit.reading import Audit
from oimon.bus import Output, Pulse, Role
from oimon.bus.log import Draft
from oimon.bus.memory import MemoryLog, MemoryStore
from oimon.codec import encode, kind_of
from oimon.messages import ADVICE_MINIMAL, ANALYSIS, TICKS, Gap
from oimon.terms import FeedState, MarketState

NIFTY = "NIFTY"


def handle(state: int, entry):
    """Answer a beat with how many there have been."""
    if entry.kind != "beat":
        return state, []
    return state + 1, [Output(ANALYSIS, answer(state + 1))]


def answer(count: int) -> Gap:
    return Gap(from_us=count, to_us=count, why="answered")


ROLE = Role(name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda _: 0, handle=handle)


class Running:
    """A log in which, before each look-up, one more beat comes and is answered, and its answer advised on."""

    def __init__(self):
        self._log = MemoryLog(MemoryStore(), "one")
        self._count = 0

    async def begin(self):
        log = self._log
        self._ingest = (await log.acquire("ingest", NIFTY)).lease
        self._analytics = (await log.acquire(ROLE.name, NIFTY, TICKS)).lease
        self._coach = (await log.acquire("coach-minimal", NIFTY, ANALYSIS)).lease
        await self.go_on()

    async def go_on(self):
        self._count += 1
        log, count = self._log, self._count
        second = Pulse(run="a", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=count * 10**6)  # fmt: skip
        await log.publish(self._ingest, TICKS, count, [], second)
        beat = await log.newest(TICKS, NIFTY)
        told = [Draft(beat.id, kind_of(answer(count)), encode(answer(count)))]
        self._analytics, _ = await log.commit(self._analytics, TICKS, ANALYSIS, beat, told)
        analysis = await log.newest(ANALYSIS, NIFTY)
        self._coach, _ = await log.commit(self._coach, ANALYSIS, ADVICE_MINIMAL, analysis, told)

    def __getattr__(self, name):
        call = getattr(self._log, name)

        async def after_one_more(*args, **kwargs):
            await self.go_on()
            return await call(*args, **kwargs)

        return after_one_more


async def test_what_is_answered_between_two_look_ups_is_no_difference():
    log = Running()
    await log.begin()

    found = await Audit(log, ROLE, [], archive=None, tell=lambda _: None).of(NIFTY)

    assert found.differences == []
    assert found.pending == 1  # the one that was answered after the analyses had been looked up
    assert found.not_recomputed == 0
    assert found.beats > found.advice[ADVICE_MINIMAL] > 0
