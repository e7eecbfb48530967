"""What the broker's codes mean and what is done about each, as data; the errors that follow from them (pure).

BrokerError
├── LoginStopped       stop: no login is tried until the settings change or ingest is started again
├── Refused            this request is wrong; another one may be right
└── NotNow             back off and try again
    ├── Throttled      too many requests; says nothing about the login
    └── LoginWaits     a login is due later: one a minute at most
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from oimon.errors import OimonError, TransientError

ACCESS_RATE = "exceeding access rate"
"""Part of the plain text that a request beyond the limits is answered with, under HTTP 403. Source: smartapi, 3.2."""

TEXT_MOST = 300
"""Characters of the broker's own words that an error repeats."""


class Act(StrEnum):
    """What is done about a code."""

    LOGIN = "log in again"
    STOP = "stop"
    NEXT_TOTP = "try once more with a later TOTP, then stop"
    BACK_OFF = "back off and try again"
    FIX = "correct the request"
    EMPTY = "take it as empty"
    RETRY = "try again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """One row of the table of codes."""

    what: str
    act: Act
    remedy: str


_KEYS = "check SMARTAPI_CLIENT_CODE and SMARTAPI_PIN (the four-digit MPIN, not the web password), then start again"
_AGAIN = "nothing to do: ingest logs in again"
_MASTER = (
    "nothing to do: the instrument is left out; a new instrument master comes with the next day"
)
_EMPTY = "nothing to do: there is nothing to show"
_LATER = "nothing to do: it is tried again later"
_UNMET = "report it: a monitor makes no request that is answered so"

_Row = tuple[str, Act, str]
_INVALID: _Row = ("client or PIN is wrong", Act.STOP, _KEYS)
_SESSION: _Row = ("the broker's session has ended", Act.LOGIN, _AGAIN)
_NOTHING: _Row = ("there are none", Act.EMPTY, _EMPTY)
_OTHER: _Row = ("a matter of orders, registration or the account", Act.FIX, _UNMET)

_ROWS: Mapping[str, _Row] = {
    "AG8001": ("the token is invalid", Act.LOGIN, _AGAIN),
    "AG8002": ("the token has expired", Act.LOGIN, _AGAIN),
    "AG8003": ("the token is missing", Act.LOGIN, _AGAIN),
    "AG8004": (
        "the API key is invalid",
        Act.STOP,
        "set SMARTAPI_API_KEY to the key of an app of type Market or Trading on the broker's SmartAPI page, then start again",
    ),
    "AB8050": ("the refresh token is invalid", Act.LOGIN, _AGAIN),
    "AB8051": ("the refresh token has expired", Act.LOGIN, _AGAIN),
    "AB1010": _SESSION,
    "AB1011": _SESSION,
    "AB1000": _INVALID,
    "AB1001": _INVALID,
    "AB1007": _INVALID,
    "AB1050": (
        "the TOTP is invalid",
        Act.NEXT_TOTP,
        "set SMARTAPI_TOTP_SECRET to the base32 text shown when TOTP was enabled, and set this machine's clock, then start again",
    ),
    "AB1005": (
        "the user's type must be USER",
        Act.STOP,
        "use the client code of a person, not of a partner, then start again",
    ),
    "AB1006": (
        "the client is blocked",
        Act.STOP,
        "unblock the account with the broker (log in to its app, or call it), then start again",
    ),
    "AB1004": ("something went wrong, or a range of dates is bad", Act.BACK_OFF, _LATER),
    "AB1021": ("too many requests", Act.BACK_OFF, _LATER),
    "AB1009": ("the symbol was not found", Act.FIX, _MASTER),
    "AB1018": ("the symbol's details failed", Act.FIX, _MASTER),
    "AB4018": ("the token is empty", Act.FIX, _MASTER),
    "AB1013": _NOTHING,
    "AB1014": _NOTHING,
    "AB1015": _NOTHING,
    "AB1016": _NOTHING,
    "AB9019": ("no data is available", Act.EMPTY, _EMPTY),
    "AB2000": ("error not specified", Act.RETRY, _LATER),
    "AB2001": ("internal error", Act.RETRY, _LATER),
    "AB1002": _OTHER,
    "AB1003": _OTHER,
    "AB1008": _OTHER,
    "AB1012": _OTHER,
    "AB1017": _OTHER,
    "AB1031": _OTHER,
    "AB1032": _OTHER,
    "AB2002": _OTHER,
    "AB4008": _OTHER,
}
CODES: Mapping[str, Meaning] = {
    code: Meaning(what=what, act=act, remedy=remedy) for code, (what, act, remedy) in _ROWS.items()
}
"""The broker's codes. Source: smartapi, 3.1."""

UNKNOWN = Meaning(what="no code that the broker's papers know", act=Act.RETRY, remedy=_LATER)
THROTTLING = frozenset({"AB1021"})
"""Codes that mean the same as an answer with ``ACCESS_RATE``."""


def meaning(code: str | None) -> Meaning:
    """Return what a code means and what to do; of one that the papers do not know, ``UNKNOWN``."""
    return CODES.get(code or "", UNKNOWN)


def is_throttled(code: str | None, text: str) -> bool:
    """Say whether an answer means that there were too many requests."""
    return code in THROTTLING or ACCESS_RATE in text.lower()


class BrokerError(OimonError):
    """The broker did not do what it was asked; never holds a secret.

    Args:
        what: what was asked and what came back.
        code: the broker's, where it gave one.
    """

    def __init__(self, what: str, code: str | None = None) -> None:
        super().__init__(what)
        self.code = code


class LoginStopped(BrokerError):  # noqa: N818 - named after what happened, as its neighbours are
    """No login is tried until the settings change or ingest is started again; its text holds the remedy."""


class Refused(BrokerError):  # noqa: N818
    """This request is wrong; the same again would be refused again."""


class NotNow(BrokerError, TransientError):  # noqa: N818
    """The broker is away, or answered nothing that can be used."""


class Throttled(NotNow):
    """Too many requests: wait; the login is as good as it was."""


class LoginWaits(NotNow):
    """A login is due in a while.

    Args:
        what: why there is no session now.
        wait_s: seconds until the next attempt may be made.
    """

    def __init__(self, what: str, wait_s: float) -> None:
        super().__init__(what)
        self.wait_s = wait_s


def outcome(error: BrokerError) -> str:
    """Return how an error is counted."""
    match error:
        case Throttled():
            return "throttled"
        case NotNow():
            return "away"
        case _:
            return "refused"
