"""The broker's account as ingest uses it: one login a day, tokens for the stream, requests at the pace its limits allow.

Source: smartapi, 2.2, 3 and 9.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ingest.smartapi.credentials import Credentials
from ingest.smartapi.envelope import Answer, Tokens
from ingest.smartapi.errors import (
    TEXT_MOST,
    Act,
    BrokerError,
    LoginStopped,
    LoginWaits,
    NotNow,
    Refused,
    Throttled,
    is_throttled,
    meaning,
    outcome,
)
from ingest.smartapi.limits import Endpoint, Limits
from ingest.smartapi.login import Logins, Step, totp_wait_s
from ingest.smartapi.redact import Secrets
from ingest.smartapi.session import TIMEOUT_S, Broker, SmartBroker, totp
from ingest.smartapi.threads import Threads
from oimon import metrics
from oimon.clock import Clock
from oimon.log import hide

Sleep = Callable[[float], Awaitable[None]]
_STATES = {Step.USE: "logged in", Step.STOPPED: "stopped", Step.WAIT: "waits"}

log = logging.getLogger(__name__)


class Account:
    """One login for all that asks the broker: the stream's tokens and the requests beside it.

    Args:
        credentials: checked already.
        clock: of the pace, of midnight and of the TOTP.
        connect: makes a broker that is not logged in; one for each login, so that one left hanging changes nothing later.
        limits: of the endpoints.
        threads: where blocking calls are made.
        sleep: waits.
    """

    def __init__(
        self,
        credentials: Credentials,
        clock: Clock,
        *,
        connect: Callable[[Credentials, Secrets], Broker] | None = None,
        limits: Limits | None = None,
        threads: Threads | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._credentials, self._clock = credentials, clock
        self._connect = connect or SmartBroker
        self._limits = limits or Limits(clock)
        self._threads = threads or Threads()
        self._sleep = sleep
        self._logins = Logins(clock)
        self._secrets = Secrets()
        self._know(credentials)
        self._broker: Broker | None = None
        self._tokens: Tokens | None = None
        self._busy = asyncio.Lock()
        self._counts = {Step.LOGIN: 0, Step.RENEW: 0}
        self._since_us: int | None = None
        self._last_error: str | None = None

    @property
    def client_code(self) -> str:
        """Whose account it is; the stream sends it beside the tokens."""
        return self._credentials.client_code

    @property
    def api_key(self) -> str:
        """What the stream sends beside the tokens; a secret."""
        return self._credentials.api_key.get_secret_value()

    def hide(self, text: str) -> str:
        """Return a text, of the stream for instance, without what must not be shown."""
        return self._secrets.hide(text)

    async def tokens(self) -> Tokens:
        """Return tokens that hold as far as is known, after a login or a renewal where one is due.

        Raises:
            LoginStopped: a person has to mend something first; the text says what.
            LoginWaits: the next attempt is made later; ask again then.
        """
        async with self._busy:
            while True:
                due = self._logins.due()
                if due.step is Step.USE and self._tokens is not None:
                    return self._tokens
                if due.step is Step.STOPPED:
                    raise LoginStopped(due.why)
                if due.step is Step.WAIT:
                    raise LoginWaits(f"{due.why}; next login in {due.wait_s:.0f} s", due.wait_s)
                await self._attempt(due.step)

    async def wait_for_tokens(self) -> Tokens:
        """Return tokens, however long it takes.

        Raises:
            LoginStopped: a person has to mend something first.
        """
        while True:
            try:
                return await self.tokens()
            except LoginWaits as waits:
                await self._sleep(waits.wait_s)

    def refused(self, tokens: Tokens, why: str, *, renew: bool = True) -> None:
        """Note that tokens were not taken, by the stream or a request; those of an earlier login are none of ours.

        Args:
            tokens: what was sent.
            why: what the broker said.
            renew: try a renewal first; ``False`` where the session itself is in doubt, as behind a mute socket.
        """
        if tokens == self._tokens:
            self._last_error = self.hide(why)
            self._logins.refused(self._last_error, renew=renew)

    async def ask(self, endpoint: Endpoint, *arguments: object) -> Answer:
        """Return the answer of a data endpoint, one that says there is nothing included; log in again once if need be.

        Raises:
            LoginStopped, LoginWaits: there is no session.
            Throttled: too many requests; the endpoint's next turn comes later.
            Refused: the request is wrong.
            NotNow: the broker is away, or cannot answer now.
        """
        answer = await self._ask_once(endpoint, arguments)
        if not answer.ok and meaning(answer.code).act is Act.LOGIN:
            answer = await self._ask_once(endpoint, arguments)
        if answer.ok:
            return answer
        what = f"{endpoint}: {answer.code or 'no code'}: {self.hide(answer.message)[:TEXT_MOST]}"
        match meaning(answer.code).act:
            case Act.EMPTY:
                return replace(answer, ok=True, data=None)
            case Act.STOP:
                self._logins.failed(answer.code, what)
                raise LoginStopped(self._logins.due().why, answer.code)
            case Act.FIX:
                raise Refused(what, answer.code)
            case _:
                raise NotNow(what, answer.code)

    async def logout(self) -> None:
        """End the session with the broker, when there is one; what it answers changes nothing."""
        broker, self._broker, self._tokens = self._broker, None, None
        if broker is None:
            return
        self._logins.settings_changed()
        try:
            await self._limits[Endpoint.LOGOUT].turn()
            await self._threads.call(partial(broker.logout, self.client_code), 2 * TIMEOUT_S)
        except BrokerError as error:
            log.info("logout was not answered", extra={"why": str(error)})

    def change(self, credentials: Credentials) -> None:
        """Take other credentials; the same ones change nothing, a login that was stopped stays so."""
        if credentials == self._credentials:
            return
        self._credentials, self._tokens, self._broker = credentials, None, None
        self._know(credentials)
        self._logins.settings_changed()

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of the session."""
        due = self._logins.due()
        return {
            "state": _STATES.get(due.step, "not logged in"),
            "since_us": self._since_us if due.step is Step.USE else None,
            "why": due.why or None,
            "next_login_s": round(due.wait_s, 1) if due.step is Step.WAIT else None,
            "logins": self._counts[Step.LOGIN],
            "renewals": self._counts[Step.RENEW],
            "last_error": self._last_error,
            "requests_left": self._limits.left(),
        }

    def _know(self, credentials: Credentials) -> None:
        lasting = [s.get_secret_value() for s in (credentials.api_key, credentials.totp_secret)]
        hide(*lasting)
        self._secrets = Secrets(*lasting, credentials.pin.get_secret_value())

    async def _attempt(self, step: Step) -> None:
        """Log in or renew, and note what became of it."""
        try:
            self._tokens = await (self._login() if step is Step.LOGIN else self._renew())
        except BrokerError as error:
            self._last_error = str(error)
            self._logins.failed(error.code, str(error))
            due = self._logins.due()
            metrics.BROKER_LOGINS.labels(step, outcome(error)).inc()
            stopped = due.step is Step.STOPPED
            log.log(
                logging.ERROR if stopped else logging.WARNING,
                "no session with the broker",
                extra={
                    "step": step,
                    "why": due.why if stopped else str(error),
                    "next_s": due.wait_s,
                },
            )
            return
        hide(self._tokens.jwt, self._tokens.refresh, self._tokens.feed)
        self._secrets.add(self._tokens.jwt, self._tokens.refresh, self._tokens.feed)
        self._logins.succeeded()
        self._since_us = self._clock.now_us()
        metrics.BROKER_LOGINS.labels(step, "ok").inc()
        log.info("session with the broker", extra={"step": step})

    async def _login(self) -> Tokens:
        await self._limits[Endpoint.LOGIN].turn()
        wait_s = totp_wait_s(self._clock.now_us())
        if wait_s:
            await self._sleep(wait_s)
        secret = self._credentials.totp_secret.get_secret_value()
        code = totp(secret, self._clock.now_us())
        broker = self._connect(self._credentials, self._secrets)
        self._note(Step.LOGIN)
        work = partial(
            broker.login, self.client_code, self._credentials.pin.get_secret_value(), code
        )
        tokens: Tokens = await self._threads.call(work, 2 * TIMEOUT_S + 1)
        self._broker = broker
        return tokens

    async def _renew(self) -> Tokens:
        if self._broker is None or self._tokens is None:
            raise Refused("there is no session to renew")
        await self._limits[Endpoint.RENEW].turn()
        self._note(Step.RENEW)
        work = partial(self._broker.renew, self._tokens.refresh)
        return await self._threads.call(work, TIMEOUT_S + 1)

    def _note(self, step: Step) -> None:
        self._logins.attempted()
        self._counts[step] += 1

    async def _ask_once(self, endpoint: Endpoint, arguments: tuple[object, ...]) -> Answer:
        pace = self._limits[endpoint]
        await self.tokens()
        await pace.turn()
        tokens, broker = self._tokens, self._broker
        if tokens is None or broker is None:
            raise NotNow("the session was ended")
        try:
            answer = await self._threads.call(
                partial(broker.ask, endpoint, *arguments), TIMEOUT_S + 1
            )
            if is_throttled(answer.code, answer.message):
                raise Throttled(f"{endpoint}: too many requests", answer.code)
        except BrokerError as error:
            if isinstance(error, Throttled):
                pace.throttled()
            metrics.BROKER_REQUESTS.labels(endpoint, outcome(error)).inc()
            raise
        pace.answered()
        metrics.BROKER_REQUESTS.labels(endpoint, "ok" if answer.ok else "refused").inc()
        if answer.ok:
            self._logins.worked()
        elif meaning(answer.code).act is Act.LOGIN:
            self.refused(tokens, f"{answer.code}: {meaning(answer.code).what}")
        return answer
