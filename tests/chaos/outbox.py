"""Two notifiers, a coach that changes its mind every few seconds, and Telegram's fake: where rows 32 and 33 take place."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from notifier import herald, news
from oimon import codec
from oimon.bus import Entry, Output, Role
from oimon.bus.log import SENDER
from oimon.bus.redis import RedisBus
from oimon.messages import ADVICE_MINIMAL, ANALYSIS, OUTBOX, ChainAnalysis, Text
from oimon.terms import Action
from tests.chaos.case import Case
from tests.chaos.replica import Replica
from tests.chaos.waiting import until
from tests.fakes.telegram import TOKEN, FakeTelegram, fake_telegram
from tests.unit.notifier.samples import make_advice

UNDERLYING = "NIFTY"
CHATS = ("42", "43")
MIND_BEATS = 4
"""The coach changes its mind after so many beats: both chats have time to catch up."""
DONE_S = 60.0
"""What is not done with by then never will be."""
_OPEN = ("", "sending", "not_sent")

Key = tuple[str, str]
"""Recipient and words: no two texts share them."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A fault that hit a call: what was said, to whom, and what Telegram did."""

    kind: str
    key: Key
    step: Any


@dataclass(frozen=True, kw_only=True)
class Told:
    """A text of the outbox, and what is noted of it."""

    id: str
    text: Text
    noted: str

    @property
    def key(self) -> Key:
        return self.text.recipient, self.text.text

    @property
    def is_done(self) -> bool:
        return self.noted.partition(" ")[0] not in _OPEN


@dataclass(eq=False, kw_only=True)
class Scene:
    """Notifiers that tell, and a Telegram that fails as it is told."""

    case: Case
    api: FakeTelegram
    strikes: list[Strike] = field(default_factory=list)
    due: tuple[str, Any] | None = None
    """Kind of the text that is hit next, and with what."""
    states: int = 0

    def __post_init__(self) -> None:
        self.api.choose = self._choose

    def _choose(self, form: Mapping[str, str]) -> Any:
        kind = news.DECISION if form["text"].startswith("⚡") else news.STATE
        if self.due is None or self.due[0] != kind:
            return 200
        (_, step), self.due = self.due, None
        self.strikes.append(Strike(kind=kind, key=(form["chat_id"], form["text"]), step=step))
        return step

    def notifier(self) -> Replica:
        """Start one more notifier."""
        return self.case.world.replica(
            "notifier",
            TELEGRAM_BOT_TOKEN=TOKEN,
            TELEGRAM_CHAT_IDS=",".join(CHATS),
            TELEGRAM_BASE_URL=self.api.url,
        )

    async def strike(self, kind: str, step: Any, bus: RedisBus) -> Strike:
        """Let a fault hit the next call with a text of this kind, and wait until it has."""
        wanted = len(self.strikes) + 1
        self.due = (kind, step)
        if kind == news.STATE:
            await self._say_state(bus)

        async def has_struck() -> bool:
            return len(self.strikes) == wanted

        await until(has_struck, f"send a {kind}", within_s=DONE_S)
        return self.strikes[-1]

    async def _say_state(self, bus: RedisBus) -> None:
        """Put in the outbox, as the role of the direction does, a state of a family of its own."""
        self.states += 1
        key = f"{ANALYSIS}:{UNDERLYING}/{self.states}-0"
        text = Text(
            family=f"state {self.states}",
            kind=news.STATE,
            recipient=self.case.world.dice.choice(CHATS),
            text=f"🧭 state {self.states}",
            loud=False,
            tag=news.tag_of(key),
            made_ts_us=1,
            of=key,
            underlying=UNDERLYING,
            mode="REPLAY",
            run="chaos",
        )
        name = f"{key}/{text.recipient}"
        await bus._log.enqueue(SENDER, OUTBOX, name, "text", codec.encode(text))

    async def told(self) -> list[Told]:
        """Return every text of the outbox, in order."""
        client = self.case.world.server.client
        noted = await client.hgetall(f"oi.sent:{{{SENDER}}}")
        return [
            Told(id=each.entry.id, text=each.entry.message, noted=noted.get(each.entry.id.encode(), b"").decode())
            for each in await self.case.world.written(OUTBOX, SENDER)
        ]  # fmt: skip

    async def done(self, strike: Strike) -> None:
        """Wait until what becomes of the text that was hit is noted; take down how long that was."""

        async def is_done() -> bool:
            await asyncio.sleep(0.1)
            return any(each.is_done for each in await self.told() if each.key == strike.key)

        with self.case.timed():
            await until(
                is_done, f"be done with a {strike.kind} after {strike.step}", within_s=DONE_S
            )

    async def sender(self) -> Replica:
        """Return the replica that sends."""

        async def found() -> Replica | None:
            owner = (await self.case.world.record(SENDER, SENDER)).get("owner")
            there = [each for each in self.case.world.alive("notifier") if await each.has_name()]
            return next((each for each in there if each.name == owner), None)

        return await until(found, "find who sends", within_s=DONE_S)

    # --- what must hold ----------------------------------------------------------------------------------------------

    async def judge(self) -> None:
        """Note as a complaint whatever was lost, doubled, out of order or noted otherwise than it was."""
        told, expect = await self.told(), self.case.expect
        sent = Counter((form["chat_id"], form["text"]) for form in self.api.delivered)
        hits = Counter(strike.key for strike in self.strikes)
        kinds = {each.key: each.text.kind for each in told}
        refused = {each.key for each in told if each.noted.startswith("failed")}
        lost = [key for key, kind in kinds.items() if kind == news.DECISION and not sent[key]]
        doubled = [key for key, count in sent.items() if kinds.get(key) == news.STATE and count > 1]
        expect(not set(lost) - refused, f"{len(set(lost) - refused)} decisions lost")
        expect(not doubled, f"{len(doubled)} states doubled")
        repeats = sum(max(0, count - 1 - hits[key]) for key, count in sent.items())
        expect(not repeats, f"{repeats} repeats without a fault")
        expect(not set(sent) - set(kinds), "something was sent that nobody put in the outbox")
        untagged = [each.id for each in told if each.text.tag not in each.text.text and each.text.kind == news.DECISION]  # fmt: skip
        expect(not untagged, f"{len(untagged)} decisions without a tag")
        for chat in CHATS:
            came = list(dict.fromkeys(form["text"] for form in self.api.delivered if form["chat_id"] == chat))  # fmt: skip
            order = [words for to, words in kinds if to == chat and words in came]
            expect(came == order, f"the order of chat {chat} was not kept")
        self._judge_notes(told, sent)
        await self._judge_news(told)
        self._judge_rows(told)

    def _judge_notes(self, told: Sequence[Told], sent: Counter[Key]) -> None:
        hit = {strike.key: strike for strike in self.strikes}
        for each in told:
            strike, name = hit.get(each.key), each.noted.partition(" ")[0]
            wanted = "sent" if strike is None else _outcome(strike)
            what = f"{each.text.kind} {each.id} to {each.text.recipient}"
            self.case.expect(name == wanted, f"{what} is noted {each.noted!r}, was {wanted}")
            self.case.expect(
                name != "sent" or sent[each.key], f"{what} is noted sent and never came"
            )

    async def _judge_news(self, told: Sequence[Told]) -> None:
        """Every change of mind must be told, to each chat, once."""
        advice = await self.case.world.written(ADVICE_MINIMAL, UNDERLYING)
        changed = [
            now.entry.key
            for was, now in pairwise(advice)
            if was.entry.message.action is not now.entry.message.action
        ]
        for chat in CHATS:
            of = [each.text.of for each in told if each.text.recipient == chat and each.text.kind == news.DECISION]  # fmt: skip
            self.case.expect(of == changed, f"chat {chat} has {len(of)} decisions of {len(changed)} changes of mind")  # fmt: skip

    def _judge_rows(self, told: Sequence[Told]) -> None:
        with contextlib.closing(
            sqlite3.connect(self.case.world.folder / "data" / "oimon.db")
        ) as db:
            rows = dict(db.execute("SELECT id, outcome FROM texts").fetchall())
        noted = {f"{each.text.of}/{each.text.recipient}": each.noted.partition(" ")[0] for each in told}  # fmt: skip
        self.case.expect(rows == noted, "the rows are not what is noted")


def _outcome(strike: Strike) -> str:
    """Return what a fault makes of a text."""
    if strike.step in (400, 403):
        return "failed"
    is_known = isinstance(strike.step, tuple)  # a 429
    return "sent" if strike.kind == news.DECISION or is_known else "unknown"


@contextlib.asynccontextmanager
async def telling(case: Case) -> AsyncIterator[tuple[Scene, RedisBus]]:
    """Give a scene in which a coach has begun to speak; at its end everything is told, and judged."""
    world = case.world
    world.partitions = (UNDERLYING,)
    await world.start("analytics")
    bus = RedisBus(world.server.url, "coach-of-the-runner")
    async with fake_telegram() as api:
        scene = Scene(case=case, api=api)
        await world.ready(scene.notifier(), scene.notifier())
        try:
            async with case.fed(beats_per_s=1.0):
                speaking = asyncio.ensure_future(_speak(case, bus))
                try:
                    yield scene, bus
                finally:
                    await bus.stop()
                    await speaking
            await until(lambda: _all_done(scene), "tell everything", within_s=DONE_S)
            await scene.judge()
        finally:
            await bus.close()


async def _all_done(scene: Scene) -> bool:
    await asyncio.sleep(0.1)
    told, world = await scene.told(), scene.case.world
    heard = await world.record(herald.MINIMAL, UNDERLYING)
    said = await world.newest(ADVICE_MINIMAL, UNDERLYING)
    sends = await world.record(SENDER, SENDER)
    return bool(told) and heard["cursor"] == said.entry.id and sends["cursor"] == told[-1].id


async def _speak(case: Case, bus: RedisBus) -> None:
    """Change one's mind every few beats, once somebody reads along."""

    async def is_heard() -> bool:
        return bool((await case.world.record(herald.MINIMAL, UNDERLYING)).get("owner"))

    await until(is_heard, "have somebody read along", within_s=DONE_S)
    await bus.own(
        Role(
            name="coach-minimal",
            reads=ANALYSIS,
            writes=ADVICE_MINIMAL,
            start=lambda _partition: None,
            handle=_advise,
        )
    )


def _advise(state: None, entry: Entry) -> tuple[None, Sequence[Output]]:
    analysis = entry.message
    if not isinstance(analysis, ChainAnalysis):
        return state, ()
    action = (Action.WAIT, Action.ENTER)[entry.n // MIND_BEATS % 2]
    advice = make_advice(action=action, ts_us=analysis.ts_us, run=analysis.run)
    return state, [Output(ADVICE_MINIMAL, advice)]
