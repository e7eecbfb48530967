"""A server, two feeders, two analysts, and a fate that kills, pauses, robs of replies and cuts the log back.

Each bus call of each process passes the fate, which draws from one seed. When the faults are over, what is left in the log
must be what an undisturbed run would have made of it.
"""

import asyncio
import copy
import random
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from oimon.bus import Entry, Keeping, Output, Pulse, Role
from oimon.bus.engine import Engine
from oimon.bus.memory import MemoryLog, MemoryStore
from oimon.errors import BusDown
from oimon.messages import ANALYSIS, TICKS, Beat, Gap, Text
from oimon.terms import FeedState, MarketState
from tests.simulation.time import ServerClock, VirtualLoop

PARTITION = "NIFTY"
FAULTS_S = 5.0  # of disturbed time
CALM_S = 5.0  # for the last fault to be got over
PACE_S = 0.4  # from beat to beat
COPY_S = 0.25
PAUSE_S = (0.5, 4.0)  # below the lease's three seconds and above
LATENCY_S = (0.0002, 0.004)
ODDS = {
    "crash": 0.012,
    "pause": 0.008,
    "lost reply": 0.016,
    "lost request": 0.008,
    "stop": 0.006,
    "rollback": 0.002,
}


def folded(state: int, entry: Entry) -> tuple[int, list[Output]]:
    """Fold every number into the state, in order; say the state on each beat."""
    match entry.message:
        case Gap(from_us=number):
            return (state * 31 + number) % 1_000_000_007, []
        case Beat(ts_us=ts_us):
            return state, [Output(ANALYSIS, _text(f"{ts_us}: {state}"))]
    raise AssertionError(entry)


def _text(words: str) -> Text:
    return Text(
        family="f", kind="news", recipient="r", text=words, loud=False, tag="t", made_ts_us=0
    )


ANALYST = Role(
    name="analytics",
    reads=TICKS,
    writes=ANALYSIS,
    start=lambda _: 0,
    handle=folded,
    keeping=Keeping(schema=1, freeze=lambda state: b"%d" % state, thaw=lambda _, data: int(data)),
)


class Fate:
    """Decides what happens at each bus call, and keeps old copies of the server to go back to."""

    def __init__(self, seed: int, store: MemoryStore, odds: Mapping[str, float]) -> None:
        self.random = random.Random(seed)
        self._odds = odds
        self.is_over = False
        self.happened: Counter[str] = Counter()
        self._store = store
        self._copies: deque[dict[str, object]] = deque(maxlen=8)

    def at_call(self) -> str | None:
        """Return the fault of this call, if it has one."""
        if self.is_over:
            return None
        drawn = self.random.random()
        for fault, odds in self._odds.items():
            if drawn < odds:
                self.happened[fault] += 1
                return fault
            drawn -= odds
        return None

    async def copy_now_and_then(self) -> None:
        while True:
            names = ("streams", "owns", "snapshots", "parked")
            kept = {name: getattr(self._store, name) for name in names}
            self._copies.append(
                {
                    "streams": {
                        key: replace(one, entries=list(one.entries), order=list(one.order))
                        for key, one in kept["streams"].items()
                    },
                    "owns": {key: copy.copy(own) for key, own in kept["owns"].items()},
                    "snapshots": dict(kept["snapshots"]),
                    "parked": {key: dict(one) for key, one in kept["parked"].items()},
                }
            )
            await asyncio.sleep(COPY_S)

    def cut_back(self) -> None:
        """Let the log lose its end, and nobody's connection."""
        if not self._copies:
            return
        old = self.random.choice(list(self._copies))
        self._copies.clear()
        for name, value in old.items():
            setattr(self._store, name, copy.deepcopy(value) if name == "owns" else value)


@dataclass
class Process:
    """One process: its log through the fate, and the task that is its life."""

    name: str
    kind: str
    task: asyncio.Task[None] | None = None
    bus: Engine | None = None
    is_dead: bool = False
    is_stopping: bool = False


@dataclass
class Findings:
    """What is left in the log, against what should be."""

    beats: int
    missing: int
    unequal: int
    repeated: int
    disordered: int
    hung: int
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        return self.beats > 0 and not (
            self.missing or self.unequal or self.repeated or self.disordered or self.hung
        )


class FatefulLog:
    """A log whose every call may go wrong."""

    is_in_process = True

    def __init__(self, world: "World", process: Process, log: MemoryLog) -> None:
        self._world = world
        self._process = process
        self._log = log
        self.turn = log.turn

    def __getattr__(self, name: str):
        call = getattr(self._log, name)

        async def fateful(*args, **kwargs):
            return await self._meet(call, *args, **kwargs)

        return fateful

    async def _meet(self, call, *args, **kwargs):
        process, fate = self._process, self._world.fate
        if process.is_dead:
            raise asyncio.CancelledError
        await asyncio.sleep(fate.random.uniform(*LATENCY_S))
        fault = fate.at_call()
        if fault == "lost request":
            raise BusDown("the request was lost")
        if fault == "pause":
            await asyncio.sleep(fate.random.uniform(*PAUSE_S))
        if fault == "stop":
            self._world.stop(process)
        if fault == "rollback":
            fate.cut_back()
        if fault == "crash" and fate.random.random() < 0.5:
            self._die()
        if process.is_dead:
            raise asyncio.CancelledError
        result = await call(*args, **kwargs)
        await self._on_its_way(fault)
        if process.is_dead or fault == "crash":
            self._die()
        if fault == "lost reply":
            raise BusDown("the reply was lost")
        return result

    async def _on_its_way(self, fault: str | None) -> None:
        """Let the reply to who is told to stop meanwhile come when it is stopping."""
        if fault == "stop":
            await asyncio.sleep(self._world.fate.random.uniform(*LATENCY_S))

    def _die(self) -> None:
        self._world.kill(self._process)
        raise asyncio.CancelledError


class World:
    """All of it, of one seed."""

    kinds = ("ingest", "ingest", "analytics", "analytics")
    calm_s = CALM_S

    def __init__(
        self, seed: int, odds: Mapping[str, float] = ODDS, *, role: Role[int] = ANALYST
    ) -> None:
        self.loop = VirtualLoop()
        self.store = MemoryStore(ServerClock(self.loop))
        self.store.partitions = {PARTITION}
        self.fate = Fate(seed, self.store, odds)
        self._role = role
        self._numbers = count(1)
        self._names = count(1)
        self._living: list[Process] = []
        self._is_fed = True
        self._ending: set[asyncio.Task[None]] = set()
        self._stopped: list[Process] = []
        self.hung = 0
        """Processes that were told to stop long ago and work on."""

    def run(self) -> Findings:
        """Live through it and return what is left."""
        state = random.getstate()
        random.seed(self.fate.random.random())  # the jitter of waiting
        try:
            with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
                runner.run(self._live())
        finally:
            random.setstate(state)
        return self._findings()

    async def _live(self) -> None:
        copying = asyncio.ensure_future(self.fate.copy_now_and_then())
        for kind in self.kinds:
            self._start(kind)
        await asyncio.sleep(FAULTS_S)
        self.fate.is_over = True
        copying.cancel()
        self._is_fed = self.calm_s == CALM_S
        await asyncio.sleep(self.calm_s)
        self._is_fed = False
        await asyncio.sleep(PACE_S)
        self.hung = sum(not process.task.done() for process in self._stopped)
        for process in self._living + self._stopped:
            process.is_dead = True
            process.task.cancel()
        ended = (process.task for process in self._living + self._stopped)
        await asyncio.gather(*ended, return_exceptions=True)

    # --- processes -------------------------------------------------------------------------------------------------

    def _start(self, kind: str) -> None:
        process = Process(f"{kind}-{next(self._names)}", kind)
        log = FatefulLog(self, process, MemoryLog(self.store, process.name))
        process.bus = Engine(log, process.name)
        process.task = self.loop.create_task(self._work(process))
        self._living.append(process)

    async def _work(self, process: Process) -> None:
        if process.kind == "ingest":
            await process.bus.lead(lambda: self._feed(process.bus))
        else:
            await process.bus.own(self._role)

    async def _feed(self, bus: Engine) -> None:
        place = await bus.place(PARTITION)
        second = place.beat_us
        while self._is_fed:
            second += 1_000_000
            pulse = Pulse(
                run="run", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=second
            )
            number = next(self._numbers)
            await bus.publish(PARTITION, [Gap(from_us=number, to_us=0, why="")], pulse)
            await asyncio.sleep(PACE_S)

    def kill(self, process: Process) -> None:
        """End a process at once; another of its kind is started a little later."""
        if not process.is_dead:
            process.is_dead = True
            process.task.cancel()
            self._replace(process)

    def stop(self, process: Process) -> None:
        """Tell a process to stop in good order."""
        if not process.is_stopping and not process.is_dead:
            process.is_stopping = True
            self._stopped.append(process)
            ending = self.loop.create_task(process.bus.stop())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            self._replace(process)

    def _replace(self, process: Process) -> None:
        if process in self._living:
            self._living.remove(process)
            self.loop.call_later(0.3, self._start, process.kind)

    # --- what is left ----------------------------------------------------------------------------------------------

    def _findings(self) -> Findings:
        ticks = self.store.stream(TICKS, PARTITION).entries
        answers = self.store.stream(ANALYSIS, PARTITION).entries
        state, expected = 0, []
        for entry in ticks:
            state, outputs = folded(state, entry)
            expected += [output.message.text for output in outputs]
        said = [entry.message.text for entry in answers]
        once = dict(text.split(": ") for text in said)
        due = dict(text.split(": ") for text in expected)
        beats = [entry.message.ts_us for entry in ticks if entry.kind == "beat"]
        gaps = [entry.message.from_us for entry in ticks if entry.kind == "gap"]
        is_ordered = beats == sorted(set(beats)) and gaps == sorted(set(gaps))
        is_whole = [entry.n for entry in ticks] == list(range(1, len(ticks) + 1))
        return Findings(
            beats=len(beats),
            missing=len(due.keys() - once.keys()),
            unequal=sum(once[key] != due[key] for key in due.keys() & once.keys()),
            repeated=len(said) - len(once),
            disordered=(not is_ordered) + (not is_whole) + (list(once) != sorted(once, key=int)),
            hung=self.hung,
            faults=self.fate.happened,
        )
