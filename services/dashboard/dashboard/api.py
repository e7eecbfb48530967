"""The read-only REST addresses."""

import html
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from typing_extensions import override

from dashboard import views
from dashboard.config import DashboardSettings
from dashboard.views import NotThereError, problem
from dashboard.why import why
from oimon.bus import Bus, Entry
from oimon.errors import ConfigError, PoisonMessage, TransientError
from oimon.http import json_response
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS
from oimon.service import Running


class Problem(BaseModel):
    """Body of every answer that is not 200."""

    error: str = Field(description="what was wrong and what was found")
    what_to_do: str = Field(description="what to do or to ask instead")


class _Route(APIRoute):
    """Answers every trouble in one form, and lets nobody keep what grows old in a second."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with its troubles turned into answers."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            response = await _answered(handler, request)
            response.headers["Cache-Control"] = "no-store"
            return response

        return answer


async def _answered(
    handler: Callable[[Request], Awaitable[Response]], request: Request
) -> Response:
    try:
        return await handler(request)
    except NotThereError as error:
        return json_response(problem(error.error, error.what_to_do), 404)
    except RequestValidationError as error:
        what = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in error.errors())
        return json_response(problem(what, "See /openapi.json for what may be asked"), 422)
    except TransientError as error:
        return json_response(
            problem(str(error), "Start Redis, or wait until it is back; `oi status` says more"), 503
        )
    except ConfigError as error:  # Redis does not know its user
        return json_response(problem(str(error), "Then start the dashboard again"), 503)
    except PoisonMessage as error:
        what_to_do = "Run dashboard and analytics of one version; `oi status --json` says which run"
        return json_response(problem(f"the analysis cannot be read: {error}", what_to_do), 503)


Underlying = Annotated[str, Path(description="such as NIFTY; small letters will do", max_length=32)]
Expiry = Annotated[
    str | None,
    Query(description="ISO day; left out, the nearest", pattern=r"^\d{4}-\d{2}-\d{2}$"),
]
Strike = Annotated[
    float | None, Query(description="rupees; left out, the direction is explained", gt=0, lt=1e8)
]


def routes(running: Running[DashboardSettings]) -> APIRouter:
    """Return the addresses of one dashboard."""
    bus, clock = running.bus, running.clock
    away: dict[int | str, dict[str, Any]] = {
        503: {"model": Problem, "description": "the bus is away, or cannot be read"}
    }
    of_one = {404: {"model": Problem, "description": "not watched, or nothing there yet"}} | away
    router = APIRouter(route_class=_Route)

    @router.get("/", summary="Where to look", response_class=HTMLResponse)
    async def index() -> Response:
        return HTMLResponse(_index(router))

    @router.get("/status", summary="State of the whole system, in words", responses=away)
    async def status() -> Response:
        newest = {name: await bus.latest(ANALYSIS, name) for name in await bus.partitions()}
        return json_response(views.system(await bus.statuses(), newest, clock.now_us()))

    @router.get(
        "/chain/{underlying}",
        summary="One option chain: a column a field, a value a strike (rupees, quantity, microseconds)",
        responses=of_one,
    )
    async def chain(underlying: Underlying, expiry: Expiry = None) -> Response:
        entry = await _newest(bus, underlying)
        return json_response(views.chain(entry, clock.now_us(), expiry))

    @router.get(
        "/analysis/{underlying}",
        summary="The newest analysis, whole (quotes in the modes without option analysis)",
        responses=of_one,
    )
    async def analysis(underlying: Underlying) -> Response:
        return json_response(views.analysis(await _newest(bus, underlying), clock.now_us()))

    @router.get(
        "/why/{underlying}",
        summary="Why the market has its direction, or a strike its verdict, in sentences",
        responses=of_one,
    )
    async def why_so(
        underlying: Underlying, expiry: Expiry = None, strike: Strike = None
    ) -> Response:
        entry = await _newest(bus, underlying)
        return json_response(why(entry, clock.now_us(), expiry, strike))

    @router.get("/advice/{underlying}", summary="What both coaches said last", responses=of_one)
    async def advice(underlying: Underlying) -> Response:
        name = await _known(bus, underlying)
        minimal = await bus.latest(ADVICE_MINIMAL, name)
        rich = await bus.latest(ADVICE_RICH, name)
        return json_response(views.advice(name, minimal, rich, clock.now_us()))

    @router.get(
        "/history/{underlying}", summary="The last 30 minutes, one row a minute", responses=of_one
    )
    async def history(underlying: Underlying) -> Response:
        return json_response(views.history(await _newest(bus, underlying), clock.now_us()))

    return router


async def _known(bus: Bus, underlying: str) -> str:
    """Return the underlying as the bus spells it.

    Raises:
        NotThereError: it is not watched.
    """
    name, watched = underlying.upper(), await bus.partitions()
    if name not in watched:
        raise NotThereError(
            f"{underlying} is not watched",
            f"Ask for one of {', '.join(watched)}"
            if watched
            else "Start ingest: nothing is watched",
        )
    return name


async def _newest(bus: Bus, underlying: str) -> Entry:
    """Return the newest analysis.

    Raises:
        NotThereError: the underlying is not watched, or has no analysis yet.
    """
    name = await _known(bus, underlying)
    entry = await bus.latest(ANALYSIS, name)
    if entry is None:
        raise NotThereError(
            f"there is no analysis of {name} yet",
            "Ask again in a second; /status says what is running",
        )
    return entry


def _index(router: APIRouter) -> str:
    rows = "".join(
        f"<tr><td>{_linked(route.path)}</td><td>{html.escape(route.summary or '')}</td></tr>"
        for route in router.routes
        if isinstance(route, APIRoute) and route.path != "/"
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>OI Monitor</title>
<style>body{{font:16px system-ui;margin:2em}}td{{padding:.2em 1em .2em 0}}</style></head>
<body><h1>OI Monitor</h1><p>Read-only. Decision support, not advice. Times are IST.</p>
<table>{rows}</table>
<p><a href="/openapi.json">/openapi.json</a> describes them for programs.
<a href="/docs">/docs</a> shows that as a page, for which the browser loads scripts from a public server.</p>
</body></html>
"""


def _linked(path: str) -> str:
    shown = html.escape(path)
    return shown if "{" in path else f'<a href="{shown}">{shown}</a>'
