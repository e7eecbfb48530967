"""The same world with notifiers in it: what is news goes to an outbox, and from there to a chat that keeps what it was sent.

Whatever happens to the notifiers, each piece of news is in the outbox once; of the texts each decision arrives, again at most as often
as something went wrong, and other news arrives once or not at all.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from oimon.bus import Entry, Outcome, Output, Parcel, Role
from oimon.bus.log import SENDER
from oimon.messages import ANALYSIS, OUTBOX, Text
from tests.simulation.world import ODDS, PARTITION, Process, World

DECISION, STATE = "decision", "state"
ODDS_OF_TEXTS = {fault: odds for fault, odds in ODDS.items() if fault != "rollback"}
"""A log that loses its end loses what was noted of texts, too: then one may be sent again."""
CALL_S = (0.05, 0.8)


def compared(told: str | None, entry: Entry) -> tuple[str, list[Output]]:
    """Tell every answer but the first: every other one is a decision."""
    words = entry.message.text
    if told is None:
        return words, []
    kind = STATE if entry.n % 2 else DECISION
    family = words if entry.n % 4 == 1 else kind  # some give way to newer ones
    text = Text(family=family, kind=kind, recipient="chat", text=words, loud=False, tag="t", made_ts_us=0)  # fmt: skip
    return words, [Output(OUTBOX, text, id=f"{entry.key}/chat")]


TELLER = Role(
    name="notify-direction",
    reads=ANALYSIS,
    writes=OUTBOX,
    to=SENDER,
    compares=True,
    start=lambda _: None,
    handle=compared,
)


@dataclass
class Told:
    """What was told and what arrived, against what should have been."""

    texts: int
    untold: int
    told_twice: int
    lost: int
    repeated: int
    doubled: int
    disordered: bool
    hung: int
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        is_wrong = self.untold or self.told_twice or self.lost or self.doubled or self.disordered
        is_wrong = is_wrong or self.hung
        return not is_wrong and self.repeated <= self.faults.total()


class Chat:
    """Takes texts, each call as long as it takes; one that is cut off may have arrived."""

    def __init__(self, world: "Texts") -> None:
        self._world = world

    async def deliver(self, parcel: Parcel) -> Outcome:
        world, chance = self._world, self._world.fate.random
        if parcel.text.kind == STATE and parcel.is_outdated:
            return Outcome(name="dropped")
        if parcel.text.kind == STATE and parcel.may_be_out:
            return Outcome(name="unknown")
        await parcel.begin()
        is_early = chance.random() < 0.5
        if is_early:
            world.arrived.append(parcel.text)
        await asyncio.sleep(chance.uniform(*CALL_S))
        if not is_early:
            world.arrived.append(parcel.text)
        return Outcome(name="sent")

    async def record(self, text: Text, entry: Entry, outcome: Outcome) -> None:
        self._world.outcomes[entry.id] = outcome.name


class Texts(World):
    """The world of one seed, with notifiers."""

    kinds = ("ingest", "ingest", "analytics", "analytics", "notifier", "notifier")
    calm_s = 30.0  # a sender that died is followed after 13 s

    def __init__(self, seed: int, odds=ODDS_OF_TEXTS) -> None:
        super().__init__(seed, odds)
        self.arrived: list[Text] = []
        self.outcomes: dict[str, str] = {}

    async def _work(self, process: Process) -> None:
        if process.kind != "notifier":
            await super()._work(process)
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(process.bus.own(TELLER))
            tasks.create_task(process.bus.send(Chat(self)))

    def _findings(self) -> Told:
        said = [entry.message.text for entry in self.store.stream(ANALYSIS, PARTITION).entries]
        texts = [entry.message for entry in self.store.stream(OUTBOX, SENDER).entries]
        told = [text.text for text in texts]
        due = said[said.index(told[0]) :] if told else []
        decisions = [text.text for text in texts if text.kind == DECISION]
        arrived = Counter(text.text for text in self.arrived)
        first = list(dict.fromkeys(text.text for text in self.arrived if text.kind == DECISION))
        return Told(
            texts=len(texts),
            untold=len(set(due) - set(told)),
            told_twice=len(told) - len(set(told)),
            lost=len(set(decisions) - arrived.keys()),
            repeated=sum(arrived[text] - 1 for text in decisions if text in arrived),
            doubled=sum(count > 1 for text, count in arrived.items() if text not in set(decisions)),
            disordered=first != [text for text in decisions if text in arrived],
            hung=self.hung,
            faults=self.fate.happened,
        )
