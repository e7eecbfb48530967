"""Who may open the stream (pure). Source: smartapi, section 4.1."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs

from ingest.fakebroker.account import Account, bearer

MOST_CONNECTIONS = 3
"""Open at one time, of one client code."""


class Refused(NamedTuple):
    """An answer to a handshake other than 101."""

    status: int
    message: str  # x-error-message; empty: there is none
    body: bytes = b""


INVALID_TOKEN = Refused(401, "Invalid Header - Invalid Auth token")
TOO_MANY = Refused(
    429,
    "Invalid Request. Connection Limit Exceeded.",
    b"<html><body><h1>429 Too Many Requests</h1></body></html>",
)
UNAVAILABLE = Refused(503, "")
_BY_QUERY = {"x-client-code": "clientCode", "x-feed-token": "feedToken", "x-api-key": "apiKey"}


def refusal(
    headers: Mapping[str, str], query: str, account: Account, connections: int
) -> Refused | None:
    """Return why a handshake is refused; ``None``: it is not.

    Clients are known that send only code and feed token; who sends more is held to all of it.

    Args:
        headers: of the request, their names in any case.
        query: of its address: a browser cannot send headers and names the three there.
        account: knows the tokens.
        connections: open now.
    """
    asked = parse_qs(query)
    by_query = {name: asked.get(key, [""])[0] for name, key in _BY_QUERY.items()}
    given = {name: headers.get(name, by_query[name]) for name in _BY_QUERY}
    authorization = headers.get("Authorization", "")
    own = account.credentials
    if authorization or "x-api-key" in headers:
        if not account.is_jwt(bearer(authorization)):
            return INVALID_TOKEN
        if given["x-api-key"] != own.api_key:
            return Refused(401, "Invalid Header - Invalid API Key")
    elif given["x-api-key"] not in ("", own.api_key):
        return Refused(401, "Invalid Header - Invalid API Key")
    if given["x-client-code"] != own.client_code:
        return Refused(401, "Invalid Header - Invalid Client Code")
    if not account.is_feed_token(given["x-feed-token"]):
        return Refused(401, "Invalid Header - Invalid Feed Token")
    return TOO_MANY if connections >= MOST_CONNECTIONS else None
