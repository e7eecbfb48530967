"""When a connection counts as dead though nobody closed it, and how long to wait for the next one (pure).

Source: smartapi, 9 (4 and 5); bus contract, row 22.
"""

import random
from dataclasses import dataclass

from oimon.terms import MarketState

LEAST_SILENCES, MOST_SILENCES = 2, 8
"""So many silent connections in a row ask for a login; after each that did not help twice as many, up to the most: a market that rests on a day
that the calendar does not know must not become a login every other minute."""
_TRADING = frozenset({MarketState.OPEN, MarketState.OPEN_CAS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long what is waited for; seconds."""

    silent_s: float = 25.0
    """Without a packet while the market trades."""
    heartbeat_s: float = 10.0
    no_answer_s: float = 25.0
    """Without an answer to a heartbeat, or anything else, at any hour."""
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    crowded_wait_s: float = 60.0
    """After the broker said that there are too many connections."""

    def wait_s(self, attempt: int, dice: random.Random) -> float:
        """Return how long to wait before a further attempt: twice as long each time, up to the longest, by up to a half less.

        Args:
            attempt: how many failed in a row, from 1.
            dice: spreads the attempts of many clients.
        """
        doubled = self.first_wait_s * 2.0 ** min(attempt - 1, 10)
        return min(doubled, self.longest_wait_s) * dice.uniform(0.5, 1.0)


class Watchdog:
    """Watches one connection after another; times are seconds of a monotonic clock."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since_s = 0.0
        self._packet_s: float | None = None
        self._answer_s = 0.0
        self._trading_since_s: float | None = None
        self._silences, self._enough = 0, LEAST_SILENCES

    @property
    def wants_login(self) -> bool:
        """Whether connections were silent often enough in a row: then their tokens are the likely reason. Source: smartapi, 4.1."""
        return self._silences >= self._enough

    def connected(self, now_s: float) -> None:
        """Begin with a new connection."""
        self._since_s = self._answer_s = now_s
        self._packet_s = None

    def packet(self, now_s: float) -> None:
        """Note a packet: the connection works, and so do its tokens."""
        self._packet_s = now_s
        self._silences, self._enough = 0, LEAST_SILENCES

    def answered(self, now_s: float) -> None:
        """Note the answer to a heartbeat, of either kind."""
        self._answer_s = now_s

    def logged_in(self) -> None:
        """Forget the silences of tokens that are no longer used; should the new ones bring nothing either, they are not the reason."""
        self._silences, self._enough = 0, min(2 * self._enough, MOST_SILENCES)

    def doubt(self, now_s: float, market: MarketState) -> str | None:
        """Return why the connection is to be given up, ``None`` while there is no reason.

        Silence counts from when trading was first seen: before that it says nothing.

        Args:
            now_s: the instant.
            market: its state.
        """
        quiet_s = now_s - max(self._answer_s, self._packet_s or self._since_s)
        if quiet_s > self._patience.no_answer_s:
            return f"no answer to heartbeats for {quiet_s:.0f} s"
        if market not in _TRADING:
            self._trading_since_s = None
            return None
        if self._trading_since_s is None:
            self._trading_since_s = now_s
        silent_s = now_s - max(self._packet_s or self._since_s, self._trading_since_s)
        if silent_s <= self._patience.silent_s:
            return None
        self._silences += 1
        return f"no packet for {silent_s:.0f} s while the market trades"
