"""The four addresses of every service: ``/healthz``, ``/readyz``, ``/metrics``, ``/status``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


def json_response(value: object, status: int = 200) -> Response:
    """Return ``value`` as JSON."""
    return Response(
        orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS),
        status,
        media_type="application/json",
    )


def app(
    title: str,
    *,
    problems: Callable[[], Sequence[str]],
    status: Callable[[], Mapping[str, Any]],
    routes: APIRouter | None = None,
) -> FastAPI:
    """Return a service's web application; its own ``routes`` win over the four below.

    Args:
        title: the service's name.
        problems: why it is not ready, in plain words; empty when it is.
        status: its ``/status``.
        routes: what it answers besides.
    """
    web = FastAPI(title=f"OI Monitor {title}", version="1", redoc_url=None)
    if routes is not None:
        web.include_router(routes)

    @web.get("/healthz", summary="The event loop turns")
    async def healthz() -> Response:
        return json_response({"ok": True})

    @web.get("/readyz", summary="Ready to work, or why not")
    async def readyz() -> Response:
        reasons = list(problems())
        return json_response({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    @web.get("/metrics", summary="Prometheus metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    if not any(getattr(route, "path", None) == "/status" for route in web.routes):

        @web.get("/status", summary="What this service does and knows")
        async def own_status() -> Response:
            return json_response(status())

    return web
