"""What a connection of the stream is made with: where the broker is and how patiently it is called, and the tokens that it is shown."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Protocol

from ingest.smartapi.watchdog import Patience


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """How the broker is called."""

    url: str
    """``wss://…``; ``ws://…`` for a broker on this machine."""
    tls: SSLContext | None = None
    """By which certificates are checked; the system's where none is given."""
    patience: Patience = field(default_factory=Patience)
    dice: random.Random = field(default_factory=random.Random)
    """Spreads attempts."""


class Tokens(Protocol):
    """Who has what the broker wants to see, and gets it anew; see ``stream_tokens``."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of a connection, logging in if need be.

        Raises:
            NoTokens: there are none now.
        """
        ...

    def refuse(self, why: str, *, renew: bool) -> None:
        """Note that the broker did not take the tokens: the next headers are of new ones.

        Args:
            why: in words.
            renew: whether a renewal may help; else it is a login.
        """
        ...

    def hide(self, text: str) -> str:
        """Return a text of the broker's without what must not be shown."""
        ...


class NoTokens(Exception):  # noqa: N818 - a state of the feed
    """There are no tokens now."""

    def __init__(self, why: str, *, wait_s: float) -> None:
        """Say why.

        Args:
            why: in words, with the remedy.
            wait_s: how long it makes no sense to ask again.
        """
        super().__init__(why)
        self.wait_s = wait_s
