"""One underlying of a live day: its instruments, and what is known of them from before."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.instruments import Instrument
from ingest.master.plan import Ask, Part
from ingest.smartapi.again import Published, wanted_of
from ingest.smartapi.day import Key, LiveDay, live_day


@dataclass(kw_only=True, eq=False)
class Partition:
    """One underlying's instruments in the order of their rows, and what is known of them from before."""

    part: Part
    found: list[Instrument] = field(default_factory=list)
    prev_close: dict[Key, float] = field(default_factory=dict)
    oi_prev: dict[Key, int] = field(default_factory=dict)

    def go_on(self, published: Published) -> None:
        """Begin with what was published before, in its order."""
        self.found = list(published.found)
        self.prev_close, self.oi_prev = dict(published.prev_close), dict(published.oi_prev)

    def add(self, asks: Iterable[Ask]) -> bool:
        """Take in instruments that are new and of this partition; say whether there were any."""
        mine, known = set(wanted_of(self.part)), set(self.found)
        asked = dict.fromkeys(ask.instrument for ask in asks)
        new = [each for each in asked if each in mine and each not in known]
        self.found += new
        return bool(new)

    @property
    def contracts(self) -> list[Instrument]:
        """Those that have open interest of their own: an index and a share have none."""
        return [each for each in self.found if each.expiry]

    def day(self, iso_day: str, *, mcx_oi: bool, run: str = "") -> LiveDay:
        """Return the day as it is known now; see ``live_day``."""
        return live_day(
            self.part.underlying,
            self.part.segment,
            iso_day,
            self.found,
            prev_close=self.prev_close,
            oi_prev=self.oi_prev,
            mcx_oi=mcx_oi,
            run=run,
        )


def key_of(instrument: Instrument) -> Key:
    """Return what requests call an instrument."""
    return instrument.exchange, instrument.token
