"""The account as a connection of the stream sees it. Source: smartapi, 4.1."""

from collections.abc import Mapping

from ingest.smartapi.account import Account
from ingest.smartapi.envelope import Tokens
from ingest.smartapi.errors import LoginStopped, LoginWaits
from ingest.smartapi.line import NoTokens

STOPPED_S = 60.0
"""From one look at a login that was stopped to the next."""


class StreamTokens:
    """The account as a connection sees it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._sent: Tokens | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of a connection, logging in if need be.

        Raises:
            NoTokens: there are none now.
        """
        try:
            self._sent = await self._account.tokens()
        except LoginWaits as waits:
            raise NoTokens(str(waits), wait_s=waits.wait_s) from waits
        except LoginStopped as stopped:
            raise NoTokens(str(stopped), wait_s=STOPPED_S) from stopped
        return {
            "Authorization": f"Bearer {self._sent.jwt.removeprefix('Bearer ')}",
            "x-api-key": self._account.api_key,
            "x-client-code": self._account.client_code,
            "x-feed-token": self._sent.feed,
        }

    def refuse(self, why: str, *, renew: bool) -> None:
        """Note that the broker did not take the tokens."""
        if self._sent is not None:
            self._account.refused(self._sent, why, renew=renew)

    def hide(self, text: str) -> str:
        """Return a text of the broker's without what must not be shown."""
        return self._account.hide(text)
