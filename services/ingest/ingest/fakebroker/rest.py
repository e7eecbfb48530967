"""The broker's REST over HTTP: limits, tokens and faults before each answer; its instrument master; and the switches, under /fake."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from ingest.fakebroker import envelope, master
from ingest.fakebroker.account import Account, Denial, bearer
from ingest.fakebroker.faults import ANSWER, GATEWAY, LOGIN, MASTER, Fault, FaultBox, arm
from ingest.fakebroker.limits import RollingLimits
from ingest.fakebroker.routes import Answer, Routes
from ingest.fakebroker.routes import Request as Asked
from ingest.fakebroker.source import Source
from oimon.errors import ConfigError

_LOGIN = "loginByPassword"


class Rest:
    """Answers the broker's REST."""

    def __init__(
        self,
        account: Account,
        routes: Routes,
        limits: RollingLimits,
        faults: FaultBox,
        *,
        slow_s: float,
    ) -> None:
        """Prepare to answer.

        Args:
            account: whose tokens are good.
            routes: what is answered.
            limits: how often.
            faults: what goes wrong.
            slow_s: how much later a slow answer comes.
        """
        self._account, self._routes, self._limits, self._faults = account, routes, limits, faults
        self._slow_s = slow_s
        self._requests: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()

    async def answer(self, request: Request) -> Response:
        """Return the answer to a request; its query is not looked at, as the SDK puts odd things there."""
        found = self._routes.find(request.method, request.url.path)
        if found is None:
            return Response("no Route matched with those values", 404, media_type="text/plain")
        endpoint, answer = found
        self._requests[endpoint] += 1
        body = await request.body()
        if self._faults.strikes(Fault.SLOW):
            await asyncio.sleep(self._slow_s)
        if not self._limits.lets(endpoint):
            self._throttled[endpoint] += 1
            return envelope.throttled()
        whole = self._answered(endpoint, answer, request, body)
        fault = self._faults.first(ANSWER)
        return whole if fault is None else envelope.spoilt(fault, whole)

    def facts(self) -> Mapping[str, Any]:
        """Return what was asked and refused, by endpoint or code."""
        return {
            "logins": self._routes.logins,
            "renewals": self._routes.renewals,
            "requests": dict(self._requests),
            "throttled": dict(self._throttled),
            "refused": dict(self._refused),
        }

    def _answered(self, endpoint: str, answer: Answer, request: Request, body: bytes) -> Response:
        denial = self._denial(request)
        if denial is not None:
            self._refused[denial.value] += 1
            return envelope.gateway(denial)
        fault = self._faults.first(LOGIN) if endpoint == _LOGIN else None
        if fault is not None:
            self._refused[fault.value.upper()] += 1
            return envelope.failure(fault.value.upper())
        try:
            asked = Asked(_decoded(body, request.method), request.headers.get("Authorization", ""))
            return envelope.success(answer(asked))
        except envelope.RefusedError as error:
            self._refused[error.code] += 1
            return envelope.failure(error.code, error.status)

    def _denial(self, request: Request) -> Denial | None:
        """Return what the gateway finds wrong with a request."""
        key = request.headers.get("X-PrivateKey", "")
        if not self._routes.is_secure(request.url.path):
            return None if key == self._account.credentials.api_key else Denial.API_KEY
        fault = self._faults.first(GATEWAY)
        if fault is not None:
            return Denial(fault.value.upper())
        return self._account.check(bearer(request.headers.get("Authorization", "")), key)


class Master:
    """Serves the instrument master."""

    def __init__(self, source: Source, faults: FaultBox, *, filler: int) -> None:
        """Make the file of a feed, with so many contracts more."""
        self._source, self._faults = source, faults
        self._rows = master.rows(source, filler=filler)
        self._whole = master.encode(self._rows)
        self.downloads = 0

    async def answer(self) -> Response:
        """Return the file, or what a fault makes of it."""
        self.downloads += 1
        fault = self._faults.first(MASTER)
        if fault is Fault.MASTER_HUGE:
            return StreamingResponse(master.endless(self._rows), media_type="application/json")
        if fault in (Fault.MASTER_HTML, Fault.MASTER_503):
            status = 503 if fault is Fault.MASTER_503 else 200
            return Response(master.HTML, status, media_type="text/html")
        return _file(self._spoilt(fault))

    def _spoilt(self, fault: Fault | None) -> bytes:
        match fault:
            case Fault.MASTER_HALF:
                return self._whole[: len(self._whole) // 2]
            case Fault.MASTER_EMPTY:
                return b"[]"
            case Fault.MASTER_STALE:
                return master.encode(master.stale(self._rows, self._source))
            case _:
                return self._whole


def router(
    rest: Rest, file: Master, faults: FaultBox, facts: Callable[[], Mapping[str, Any]]
) -> APIRouter:
    """Return the web application's routes: the broker's own, and those under /fake that no broker has."""
    web = APIRouter()
    web.add_api_route(master.PATH, file.answer, methods=["GET"], response_class=Response)

    @web.get("/fake/facts", summary="What was asked, sent, refused")
    async def tell() -> Response:
        return _file(msgspec.json.encode(facts()))

    @web.post("/fake/faults", summary="Switch faults on and off")
    async def switch(request: Request) -> Response:
        try:
            _switch(faults, msgspec.json.decode(await request.body()))
        except (ConfigError, msgspec.MsgspecError) as error:
            return Response(f"{error}\n", 400, media_type="text/plain")
        return _file(msgspec.json.encode(faults.facts()))

    web.add_api_route("/rest/{path:path}", rest.answer, methods=["GET", "POST"], response_class=Response)  # fmt: skip
    return web


def _switch(faults: FaultBox, told: Any) -> None:
    """Do what a body says: a list of ``NAME`` or ``NAME=RATE``, as on the command line; an empty one switches all off.

    Raises:
        ConfigError: it says something else.
    """
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise ConfigError(f'expected a list like ["close", "slow=0.1"], found {told!r}')
    if not told:
        faults.clear()
    for each in told:
        arm(faults, each)


def _decoded(body: bytes, method: str) -> Mapping[str, Any]:
    if method == "GET":
        return {}
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        found = None
    if not isinstance(found, dict):
        raise envelope.RefusedError("AB1004", 400)
    return found


def _file(data: bytes) -> Response:
    return Response(data, media_type="application/json")
