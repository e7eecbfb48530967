"""When to log in, to renew, to wait and to stop: never a login loop (pure, with the clock handed in).

At most one login a minute and one renewal a minute. After a code that a person has to mend, or a second refusal of the TOTP,
none at all until the settings change. Tokens die at midnight in India. Source: smartapi, 2.2, 3.1 and 9; bus contract, row 23.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ingest.smartapi.errors import Act, meaning
from oimon.calendar import day_of
from oimon.clock import Clock

PACE_S = 60.0
"""Least seconds from one login to the next, and from one renewal to the next."""
LONGEST_WAIT_S = 480.0
TOTP_STEP_S = 30
TOTP_LEAST_S = 3.0
"""A code that is valid for less than this may be late when it arrives."""
_WEB_PASSWORD = "mpin"  # noqa: S105 - what the broker's text says where the web password was sent as PIN
_PIN_REMEDY = "set SMARTAPI_PIN to the four-digit MPIN, not the web password, then start again"


class Step(StrEnum):
    """What is to be done about the session now."""

    USE = "use"
    LOGIN = "login"
    RENEW = "renew"
    WAIT = "wait"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A step, with the seconds until the next one and the reason, where it waits or has stopped."""

    step: Step
    wait_s: float = 0.0
    why: str = ""


def totp_wait_s(now_us: int) -> float:
    """Return the seconds to wait before a code is made: to the next step where this one is nearly over."""
    left_s = TOTP_STEP_S - now_us / 1e6 % TOTP_STEP_S
    return left_s if left_s < TOTP_LEAST_S else 0.0


class Logins:
    """What became of logins and renewals, and what may be tried next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._day: date | None = None  # of the login that holds
        self._wanted = Step.LOGIN
        self._is_renewed = False
        self._attempted_s: dict[Step, float] = {}
        self._failures: dict[Step, int] = {Step.LOGIN: 0, Step.RENEW: 0}
        self._totp_refusals = 0
        self._why = "not logged in yet"
        self._stopped = ""

    def due(self) -> Due:
        """Return what to do now."""
        if self._stopped:
            return Due(step=Step.STOPPED, why=self._stopped)
        if self._day is not None and self._day != day_of(self._clock.now_us()):
            self._day, self._wanted = None, Step.LOGIN
            self._why = "the session ended at midnight"
        if self._wanted is Step.USE:
            return Due(step=Step.USE)
        wait_s = self._wait_s(self._wanted)
        if wait_s > 0:
            return Due(step=Step.WAIT, wait_s=wait_s, why=self._why)
        return Due(step=self._wanted)

    def attempted(self) -> None:
        """Note that the step that is due goes out now."""
        self._attempted_s[self._wanted] = self._clock.monotonic_s()

    def succeeded(self) -> None:
        """Note that the step brought tokens."""
        self._is_renewed = self._wanted is Step.RENEW
        if not self._is_renewed:
            self._day = day_of(self._clock.now_us())
            self._totp_refusals = 0
        self._wanted = Step.USE

    def worked(self) -> None:
        """Note that a request was answered with the tokens: the next failure is the first again."""
        self._failures = {Step.LOGIN: 0, Step.RENEW: 0}

    def failed(self, code: str | None, text: str) -> None:
        """Note that the step, or a request, was refused or not answered.

        Args:
            code: the broker's, where it gave one.
            text: what it said, without secrets.
        """
        known = meaning(code)
        self._why = f"{code}: {known.what}" if known.act is not Act.RETRY else text
        self._failures[Step.LOGIN if self._wanted is Step.USE else self._wanted] += 1
        if known.act is Act.NEXT_TOTP:
            self._totp_refusals += 1
        if known.act is Act.STOP or self._totp_refusals > 1:
            self._stop(f"{code}: {known.what}; {known.remedy}")
        elif _WEB_PASSWORD in text.lower():
            self._stop(f"the PIN was refused; {_PIN_REMEDY}")
        elif self._wanted is Step.RENEW and known.act not in (Act.BACK_OFF, Act.RETRY):
            self._wanted = Step.LOGIN

    def refused(self, why: str, *, renew: bool = True) -> None:
        """Note that the newest tokens were not taken: they are renewed first, and a login follows where that did not help.

        Args:
            why: what the broker said.
            renew: whether a renewal may help.
        """
        if self._wanted is not Step.USE:
            return
        self._why = why
        self._wanted = Step.RENEW if renew and not self._is_renewed else Step.LOGIN
        self._failures[self._wanted] += 1

    def settings_changed(self) -> None:
        """Let a login be tried again, a minute after the last."""
        self._stopped, self._wanted, self._day = "", Step.LOGIN, None
        self._totp_refusals = 0
        self.worked()

    def _stop(self, why: str) -> None:
        self._stopped = f"no further login is tried: {why}"

    def _wait_s(self, step: Step) -> float:
        """Return the seconds until a step may be tried: longer with each failure that no answer came between."""
        last_s = self._attempted_s.get(step)
        if last_s is None:
            return 0.0
        pace_s = min(LONGEST_WAIT_S, PACE_S * 2.0 ** min(max(0, self._failures[step] - 1), 10))
        return last_s + pace_s - self._clock.monotonic_s()
