"""What became of the texts in the outbox: those that their sender has passed must all be accounted for. Source: bus contract, 12 and 17."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from oimon.audit.lines import entries
from oimon.bus.log import NEVER, SENDER, TWO_DAYS_MS, Log, stamp
from oimon.bus.sending import NOT_SENT, SENDING
from oimon.messages import OUTBOX

WAITING = "waiting"
_SLACK_MS = 3_600_000
"""What becomes of a text is kept for two days; one nearly as old is not judged."""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What an audit says of the outbox."""

    outcomes: Mapping[str, int]
    """How many texts of two days had which outcome; ``waiting`` and ``sending`` have none yet."""
    lost: Sequence[str]
    """Ids of texts that the sender has passed, and of which nobody knows what became."""
    holes: int
    """Texts gone from within the outbox, by their numbers."""

    @property
    def is_clean(self) -> bool:
        """Whether every text is accounted for."""
        return not self.lost and not self.holes


async def of_the_outbox(log: Log) -> Texts:
    """Return what became of the texts.

    Raises:
        BusDown: the log cannot be reached.
    """
    # what must be there with something is looked up after it: with the cursor, what was noted up to it
    cursor = (await log.records(SENDER, [SENDER]))[SENDER].cursor
    noted = await log.marks(SENDER)
    aside = {each.entry.id for each in await log.parked(SENDER, SENDER)}
    newest = await log.newest(OUTBOX, SENDER)
    until = NEVER if newest is None else newest.id
    read = [(each.id, each.n) async for each in entries(log, OUTBOX, SENDER, until=until)]
    oldest_ms = await log.now_ms() - TWO_DAYS_MS + _SLACK_MS
    return judged([each for each in read if stamp(each[0])[0] >= oldest_ms], cursor, noted, aside)


def judged(
    read: Sequence[tuple[str, int]], cursor: str, noted: Mapping[str, str], aside: Collection[str]
) -> Texts:
    """Return what became of texts (pure).

    Args:
        read: id and number of each text, in order.
        cursor: id of the last one that the sender has passed.
        noted: what the sender has noted of each.
        aside: ids of those that were set aside.
    """
    outcomes: Counter[str] = Counter()
    lost = []
    for entry_id, _ in read:
        outcome = noted.get(entry_id, "").partition(" ")[0]
        is_open = outcome in ("", SENDING, NOT_SENT)
        if is_open and entry_id in aside:
            outcomes["set aside"] += 1
        elif is_open and stamp(entry_id) <= stamp(cursor):
            lost.append(entry_id)
        else:
            outcomes[WAITING if outcome in ("", NOT_SENT) else outcome] += 1
    holes = sum(abs(later - earlier - 1) for (_, earlier), (_, later) in pairwise(read))
    return Texts(outcomes=dict(sorted(outcomes.items())), lost=lost, holes=holes)
