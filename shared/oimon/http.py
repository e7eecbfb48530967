"""The four addresses of every service: ``/healthz``, ``/readyz``, ``/metrics``, ``/status``; and the server that answers them."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import uvicorn
from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from typing_extensions import override

from oimon.errors import ConfigError
from oimon.watchdog import Watchdog


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
    watchdog: Watchdog | None = None,
) -> FastAPI:
    """Return a service's web application; its own ``routes`` win over the four below.

    Args:
        title: the service's name.
        problems: why it is not ready, in plain words; empty when it is.
        status: its ``/status``.
        routes: what it answers besides.
        watchdog: knows whether the event loop turns; without one an answer is proof enough.
    """
    web = FastAPI(title=f"OI Monitor {title}", version="1", redoc_url=None)
    if routes is not None:
        web.include_router(routes)

    @web.get("/healthz", summary="The event loop turns")
    async def healthz() -> Response:
        if watchdog is None:
            return json_response({"ok": True})
        is_well = watchdog.is_answered
        body = {"ok": is_well, "loop_answered_s_ago": round(watchdog.age_s, 3)}
        return json_response(body, 200 if is_well else 503)

    @web.get("/readyz", summary="Ready to work, or why not")
    async def readyz() -> Response:
        reasons = list(problems())
        body = {"service": title, "ready": not reasons, "reasons": reasons}
        return json_response(body, 503 if reasons else 200)

    @web.get("/metrics", summary="Prometheus metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    if not any(getattr(route, "path", None) == "/status" for route in web.routes):

        @web.get("/status", summary="What this service does and knows")
        async def own_status() -> Response:
            return json_response(status())

    return web


class _Web(uvicorn.Server):
    """A web server that leaves signals to us."""

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket on ``port``, or on the next free one.

    Raises:
        ConfigError: none of the next 100 ports is free, or the address is not of this machine.
    """
    error: OSError | None = None
    for candidate in range(port, port + 100) if port else (0,):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(64)
        except OSError as problem:
            listener.close()
            error = problem
        else:
            return listener
    raise ConfigError(
        f"HTTP_HOST {host}, HTTP_PORT {port}: cannot listen there or on the next 100 ports: {error}"
    )


@contextlib.asynccontextmanager
async def serving(web: FastAPI, host: str, port: int) -> AsyncIterator[str]:
    """Answer requests on ``port``, or on the next free one, and give the address.

    Raises:
        ConfigError: there is no such address or free port.
    """
    listener = bound_socket(host, port)
    bound_host, bound_port = listener.getsockname()[:2]
    server = _Web(
        uvicorn.Config(web, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    )
    answering = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield f"http://{bound_host}:{bound_port}"
    finally:
        server.should_exit = True
        await answering
        listener.close()
