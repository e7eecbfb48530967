"""The broker by its SDK: what it sends, what it answers, and nothing that it does beside that; and the TOTP.

The only module that knows the broker's SDK and ``pyotp``; its calls block. Source: smartapi, 1 and 2.2.
"""

import logging
import os
import warnings
from collections.abc import Callable
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Protocol

import logzero
import pyotp
import requests

from ingest.smartapi import envelope
from ingest.smartapi.credentials import Credentials
from ingest.smartapi.envelope import Answer, Tokens
from ingest.smartapi.errors import TEXT_MOST, BrokerError, NotNow, Refused, Throttled, is_throttled
from ingest.smartapi.limits import Endpoint
from ingest.smartapi.redact import Secrets

TIMEOUT_S = 7.0
"""The SDK's own, for each of the (at most two) requests of a call."""
_SESSION_ROUTES = frozenset({"api.login", "api.token", "api.user.profile", "api.logout"})
_ROUTES = _SESSION_ROUTES | {
    "api.market.data", "api.oi.data", "api.optionGreek", "api.putCallRatio",
}  # fmt: skip
"""All that may be asked for: whatever else the SDK can do is refused before it is sent."""


class Broker(Protocol):
    """What an account asks of the broker; blocking, and raises ``BrokerError``."""

    def login(self, client_code: str, pin: str, code: str) -> Tokens:
        """Return the tokens of a login."""
        ...

    def renew(self, refresh: str) -> Tokens:
        """Return the tokens that a refresh token gives."""
        ...

    def ask(self, endpoint: Endpoint, *arguments: object) -> Answer:
        """Return the answer of a data endpoint."""
        ...

    def logout(self, client_code: str) -> Answer:
        """End the broker's session."""
        ...


Connect = Callable[[], Broker]


class _Answered(Exception):  # noqa: N818 - a refusal on its way out of the SDK, which would stumble over it
    def __init__(self, answer: Answer) -> None:
        super().__init__("refused")
        self.answer = answer


class _Totp(pyotp.TOTP):
    """Takes a secret of any length: how long it is was the broker's choice, and a shorter one still has to log in."""

    min_secret_length_bits = 8


def totp(secret: str, now_us: int) -> str:
    """Return the code of six digits that is valid at an instant."""
    return _Totp(secret).at(now_us // 1_000_000)


class SmartBroker:
    """The broker by its SDK, which is kept from looking up addresses, from writing logs, and from everything but reading."""

    def __init__(
        self, credentials: Credentials, secrets: Secrets, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._secrets = secrets
        with warnings.catch_warnings():  # the SDK turns warnings of TLS off, for the whole process
            warnings.simplefilter("ignore", DeprecationWarning)  # and sets options of ssl that are
            self._sdk = _client()(
                api_key=credentials.api_key.get_secret_value(),
                root=credentials.url,
                timeout=timeout_s,
            )

    def login(self, client_code: str, pin: str, code: str) -> Tokens:
        """Return the tokens of a login."""
        self._secrets.add(code)
        try:
            self._run("login", partial(self._sdk.generateSession, client_code, pin, code))
        except BrokerError:
            # Logged in all the same where only the profile failed that the SDK asks for at once.
            if not (self._sdk.access_token and self._sdk.refresh_token and self._sdk.feed_token):
                raise
        return self._kept(self._sdk.refresh_token)

    def renew(self, refresh: str) -> Tokens:
        """Return the tokens that a refresh token gives."""
        raw = self._run("renewal", partial(self._sdk.generateToken, refresh))
        found = envelope.tokens(envelope.read(raw).data, refresh)
        return self._kept(found.refresh if found else refresh)

    def ask(self, endpoint: Endpoint, *arguments: object) -> Answer:
        """Return the answer of a data endpoint."""
        method = {
            Endpoint.QUOTE: self._sdk.getMarketData,
            Endpoint.OI: self._sdk.getOIData,
            Endpoint.GREEKS: self._sdk.optionGreek,
            Endpoint.PCR: self._sdk.putCallRatio,
        }[endpoint]
        return envelope.read(self._run(endpoint, partial(method, *arguments)))

    def logout(self, client_code: str) -> Answer:
        """End the broker's session."""
        return envelope.read(self._run("logout", partial(self._sdk.terminateSession, client_code)))

    def _kept(self, refresh: str) -> Tokens:
        found = envelope.tokens(
            {"jwtToken": self._sdk.access_token, "feedToken": self._sdk.feed_token}, refresh
        )
        if found is None:
            raise NotNow("login: the answer lacks a token")
        self._secrets.add(found.jwt, found.refresh, found.feed)
        self._sdk.setAccessToken(found.jwt)  # without "Bearer", which the SDK adds
        self._sdk.setRefreshToken(found.refresh)
        return found

    def _run(self, what: str, work: Callable[[], Any]) -> Any:
        """Return what the SDK returns; whatever it raises becomes an error of ours, without secrets and without its cause."""
        try:
            return work()
        except _Answered as refused:
            text = self._secrets.hide(refused.answer.message)[:TEXT_MOST]
            code = refused.answer.code
            if is_throttled(code, text):
                raise Throttled(f"{what}: {text}", code) from None
            raise Refused(f"{what}: {code or 'no code'}: {text}", code) from None
        except (_sdk().ex.SmartAPIException, OSError) as error:  # OSError: every error of requests
            text = self._secrets.hide(str(error))[:TEXT_MOST]
            kind = Throttled if is_throttled(None, text) else NotNow
            raise kind(f"{what}: {type(error).__name__}: {text}") from None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise NotNow(
                f"{what}: the broker's answer is not what the SDK expects ({type(error).__name__})"
            ) from None


@cache
def _sdk() -> Any:
    """Return the SDK's module, imported without its look-up of this machine's address, and unable to write a log.

    Its log would hold the API key, the PIN and every token in clear text. Source: smartapi, 1.2 and 1.5.
    """
    logzero.logfile(None, disableStderrLogger=True)
    logzero.logger.disabled = True  # with no handler left it would be heard on standard error
    # Its DEBUG lines show addresses, and the SDK puts the refresh token into one.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    look_up = requests.get
    requests.get = _no_look_up  # type: ignore[assignment]  # for the import only
    try:
        from SmartApi import smartConnect  # noqa: PLC0415 - importing has side effects: only when needed
    finally:
        requests.get = look_up
    silent = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001 - in no tree, so that nobody can wake it
    silent.addHandler(logging.NullHandler())
    smartConnect.logger = smartConnect.log = silent
    smartConnect.logzero = SimpleNamespace(logfile=_nothing)
    smartConnect.os = SimpleNamespace(path=os.path, makedirs=_nothing)
    return smartConnect


@cache
def _client() -> Any:
    """Return the SDK's client, made to hand refusals of session routes out as they came, and to refuse what does not read."""
    connect: Any = _sdk().SmartConnect

    class Client(connect):  # type: ignore[misc]  # the SDK has no types
        def _request(self, route: str, method: str, parameters: Any = None) -> Any:
            if route not in _ROUTES:
                raise PermissionError(f"{route} is no route of a monitor")
            raw = super()._request(route, method, parameters)
            if route in _SESSION_ROUTES:
                answer = envelope.read(raw)
                if not answer.ok:
                    raise _Answered(answer)
            return raw

    return Client


def _no_look_up(*_: object, **__: object) -> None:
    raise OSError("not asked")


def _nothing(*_: object, **__: object) -> None:
    return None
