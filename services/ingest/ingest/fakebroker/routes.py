"""What the broker answers at each address, from the feed's state now. Source: smartapi, section 2."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ingest.fakebroker import boards, history, quotes
from ingest.fakebroker.account import Account, Denial, Tokens, bearer
from ingest.fakebroker.envelope import RefusedError
from ingest.fakebroker.greeks import option_greeks
from ingest.fakebroker.market import Market
from ingest.fakebroker.subscriptions import Name

_SECURE = "/rest/secure/angelbroking"
_AUTH = "/rest/auth/angelbroking"
Body = Mapping[str, Any]


class Request(NamedTuple):
    """A request, read."""

    body: Body
    authorization: str


Answer = Callable[[Request], Any]
"""Returns ``data``.

Raises:
    RefusedError: there is none.
"""


class Routes:
    """The broker's addresses; no address of orders is among them, and none of them changes anything but sessions."""

    def __init__(self, account: Account, market: Market) -> None:
        self._account, self._market = account, market
        self.logins = 0
        self.renewals = 0
        self._by_path: Mapping[tuple[str, str], Answer] = {
            ("POST", f"{_AUTH}/user/v1/loginByPassword"): self._login,
            ("POST", f"{_AUTH}/jwt/v1/generateTokens"): self._renew,
            ("GET", f"{_SECURE}/user/v1/getProfile"): self._profile,
            ("POST", f"{_SECURE}/user/v1/logout"): self._logout,
            ("GET", f"{_SECURE}/user/v1/getRMS"): self._funds,
            ("POST", f"{_SECURE}/market/v1/quote"): self._quote,
            ("POST", f"{_SECURE}/order/v1/getLtpData"): self._last_price,
            ("POST", f"{_SECURE}/order/v1/searchScrip"): self._search,
            ("POST", f"{_SECURE}/historical/v1/getCandleData"): self._candles,
            ("POST", f"{_SECURE}/historical/v1/getOIData"): self._open_interest,
            ("POST", f"{_SECURE}/marketData/v1/optionGreek"): self._greeks,
            ("GET", f"{_SECURE}/marketData/v1/putCallRatio"): self._ratios,
            ("POST", f"{_SECURE}/marketData/v1/gainersLosers"): self._movers,
            ("POST", f"{_SECURE}/marketData/v1/OIBuildup"): self._build_ups,
        }

    def find(self, method: str, path: str) -> tuple[str, Answer] | None:
        """Return the endpoint's name and what answers it; ``None``: there is no such address."""
        found = self._by_path.get((method, path.rstrip("/")))
        return None if found is None else (path.rstrip("/").rpartition("/")[2], found)

    @staticmethod
    def is_secure(path: str) -> bool:
        """Return whether an address wants a token."""
        return path.startswith(_SECURE)

    # --- session -------------------------------------------------------------------------------------------------------

    def _login(self, request: Request) -> Any:
        body = request.body
        pin, totp = (str(body.get(key, "")) for key in ("password", "totp"))
        tokens = self._tokens(self._account.login(str(body.get("clientcode", "")), pin, totp))
        self.logins += 1
        return tokens | ({"state": body["state"]} if "state" in body else {})

    def _renew(self, request: Request) -> Any:
        tokens = self._tokens(self._account.renew(str(request.body.get("refreshToken", ""))))
        self.renewals += 1
        return tokens

    @staticmethod
    def _tokens(found: Tokens | Denial) -> dict[str, Any]:
        if isinstance(found, Denial):
            raise RefusedError(found.value)
        return {"jwtToken": found.jwt, "refreshToken": found.refresh, "feedToken": found.feed}

    def _profile(self, _: Request) -> Any:
        return {
            "clientcode": self._account.credentials.client_code,
            "name": "FAKE ACCOUNT",
            "email": "",
            "mobileno": "",
            "exchanges": ["nse_cm", "nse_fo", "bse_cm", "bse_fo", "mcx_fo"],
            "products": ["CNC", "NRML", "MIS"],
            "lastlogintime": "",
            "brokerid": "B2C",
        }

    def _logout(self, request: Request) -> Any:
        self._account.logout(bearer(request.authorization))

    def _funds(self, _: Request) -> Any:
        return {"net": "0.0000", "availablecash": "0.0000"}  # nobody can trade here

    # --- market data ---------------------------------------------------------------------------------------------------

    def _quote(self, request: Request) -> Any:
        mode = request.body.get("mode")
        tokens = _token_lists(request.body.get("exchangeTokens"))
        count = sum(len(each) for each in tokens.values())
        if mode not in quotes.MODES or not 0 < count <= quotes.MOST_TOKENS:
            raise RefusedError("AB1004")
        return quotes.quote(self._market, mode, tokens)

    def _last_price(self, request: Request) -> Any:
        return quotes.last_price(self._market, self._name(request.body))

    def _search(self, request: Request) -> Any:
        body = request.body
        wanted = str(body.get("searchscrip", "")).upper()
        return [
            {
                "exchange": listed.row.exch_seg,
                "tradingsymbol": listed.row.symbol,
                "symboltoken": listed.row.token,
            }
            for listed in self._market.listed.values()
            if listed.row.exch_seg == body.get("exchange") and wanted in listed.row.symbol.upper()
        ] or None

    def _candles(self, request: Request) -> Any:
        name, wanted = self._name(request.body), _span(request.body)
        return history.candles(self._market, name, wanted) or None

    def _open_interest(self, request: Request) -> Any:
        name, wanted = self._name(request.body), _span(request.body)
        return history.open_interest(self._market, name, wanted)

    def _greeks(self, request: Request) -> Any:
        body = request.body
        found = option_greeks(
            self._market, str(body.get("name", "")), str(body.get("expirydate", ""))
        )
        if found is None:
            raise RefusedError("AB9019")
        return found

    def _ratios(self, _: Request) -> Any:
        return boards.put_call_ratios(self._market) or None

    def _movers(self, request: Request) -> Any:
        kind, expiry_type = (str(request.body.get(key)) for key in ("datatype", "expirytype"))
        if kind not in boards.MOVERS or expiry_type not in boards.EXPIRY_TYPES:
            raise RefusedError("AB1004")
        return boards.movers(self._market, kind, expiry_type) or None

    def _build_ups(self, request: Request) -> Any:
        kind, expiry_type = (str(request.body.get(key)) for key in ("datatype", "expirytype"))
        if kind not in boards.BUILD_UPS or expiry_type not in boards.EXPIRY_TYPES:
            raise RefusedError("AB1004")
        return boards.build_ups(self._market, kind, expiry_type) or None

    def _name(self, body: Body) -> Name:
        exchange, token = str(body.get("exchange", "")), str(body.get("symboltoken", ""))
        name = quotes.find(self._market, exchange, token)
        if name is None:
            raise RefusedError("AB1009")
        return name


def _span(body: Body) -> history.Span:
    try:
        found = history.span(
            *(str(body.get(key, "")) for key in ("interval", "fromdate", "todate"))
        )
    except history.BadFormError:
        raise RefusedError("AB1004", 400) from None
    if found is None:
        raise RefusedError("AB1004")
    return found


def _token_lists(tokens: Any) -> Mapping[str, Sequence[str]]:
    """Return lists of tokens by exchange; none where the request has something else."""
    try:
        return msgspec.convert(tokens, dict[str, list[str]])
    except msgspec.ValidationError:
        return {}
