"""The one account of the local broker: who may log in, and which tokens are good (pure but for chance and its memory).

A session is good until midnight in India, whenever it began. Source: smartapi, sections 1.6, 2.2 and 3.1.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import pyotp

from oimon.calendar import day_of
from oimon.clock import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What the account's owner knows; none of it opens anything but this program."""

    api_key: str = "FAKEkey1"
    client_code: str = "FAKE001"
    pin: str = "1234"
    totp_secret: str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - the example of every paper on TOTP


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What one login or renewal gave."""

    jwt: str
    refresh: str
    feed: str


class Denial(StrEnum):
    """Why not: the broker's code."""

    TOKEN_INVALID = "AG8001"  # noqa: S105 - a code, no password
    TOKEN_EXPIRED = "AG8002"  # noqa: S105 - as above
    TOKEN_MISSING = "AG8003"  # noqa: S105 - as above
    API_KEY = "AG8004"
    REFRESH_INVALID = "AB8050"
    REFRESH_EXPIRED = "AB8051"
    CREDENTIALS = "AB1007"
    BLOCKED = "AB1006"
    TOTP = "AB1050"


@dataclass(slots=True)
class _Session:
    tokens: Tokens
    day: int  # ordinal, in India
    is_expired: bool = False


class Account:
    """Logs in, renews, and says of each token whether it is good."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self.credentials = credentials
        self._clock = clock
        self._sessions: list[_Session] = []

    def login(self, client_code: str, pin: str, totp: str) -> Tokens | Denial:
        """Return new tokens; a TOTP of the step before or after is as good."""
        own = self.credentials
        if not pin:
            return Denial.TOTP  # so the broker says of an empty PIN, too
        if client_code != own.client_code or not _same(pin, own.pin):
            return Denial.CREDENTIALS
        now = datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC)
        if not pyotp.TOTP(own.totp_secret).verify(totp, for_time=now, valid_window=1):
            return Denial.TOTP
        return self._open()

    def renew(self, refresh: str) -> Tokens | Denial:
        """Return three new tokens for a refresh token; the old three are good no more."""
        for session in self._sessions:
            if _same(session.tokens.refresh, refresh):
                if self._is_over(session):
                    return Denial.REFRESH_EXPIRED
                self._sessions.remove(session)
                return self._open()
        return Denial.REFRESH_INVALID

    def logout(self, jwt: str) -> None:
        """End the session of a token."""
        self._sessions = [each for each in self._sessions if not _same(each.tokens.jwt, jwt)]

    def expire(self) -> None:
        """Let all tokens expire now, as midnight does."""
        for session in self._sessions:
            session.is_expired = True

    def check(self, jwt: str, api_key: str) -> Denial | None:
        """Return what a secure route finds wrong; ``None``: nothing."""
        if not _same(api_key, self.credentials.api_key):
            return Denial.API_KEY
        if not jwt:
            return Denial.TOKEN_MISSING
        for session in self._sessions:
            if _same(session.tokens.jwt, jwt):
                return Denial.TOKEN_EXPIRED if self._is_over(session) else None
        return Denial.TOKEN_INVALID

    def is_feed_token(self, feed: str) -> bool:
        """Return whether the stream may be opened with a feed token."""
        return any(
            _same(each.tokens.feed, feed) and not self._is_over(each) for each in self._sessions
        )

    def is_jwt(self, jwt: str) -> bool:
        """Return whether the stream may be opened with a jwt."""
        return self.check(jwt, self.credentials.api_key) is None

    def _open(self) -> Tokens:
        tokens = Tokens(
            jwt=f"eyJ.{secrets.token_urlsafe(48)}",
            refresh=f"ref.{secrets.token_urlsafe(32)}",
            feed=f"fee.{secrets.token_urlsafe(24)}",
        )
        self._sessions.append(_Session(tokens, self._today()))
        return tokens

    def _is_over(self, session: _Session) -> bool:
        return session.is_expired or session.day != self._today()

    def _today(self) -> int:
        return day_of(self._clock.now_us()).toordinal()


def bearer(authorization: str) -> str:
    """Return the token of an Authorization header, with or without "Bearer "."""
    return authorization.removeprefix("Bearer ").strip()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
