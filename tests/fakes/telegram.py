"""Telegram's Bot API on loopback, with a switch for each way it is known to fail."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

TOKEN = "12345:AAAA-fake_token_of_a_fake_bot_aaaaaaaaaa"
SLOW = "slow"
"""The text arrives, the answer comes too late."""
LOST = "lost"
"""The text does not arrive, and no answer comes."""
DRIP = "drip"
"""The text arrives, the answer comes byte by byte and takes too long in all."""


@dataclass
class FakeTelegram:
    """Keeps what was delivered; answers as the ``script`` says, then well.

    A script's step is a status (400, 403, 500, (429, retry_after)), ``SLOW``, ``LOST`` or ``DRIP``.
    """

    script: deque = field(default_factory=deque)
    delivered: list[dict[str, str]] = field(default_factory=list)
    calls: int = 0
    url: str = ""
    answer_now: asyncio.Event = field(default_factory=asyncio.Event)
    choose: Callable[[dict[str, str]], Any] | None = None
    """Returns the step for a text, in place of the script's."""

    async def answer(self, method: str, form: dict[str, str]) -> Response:
        self.calls += 1
        step = self.script.popleft() if self.script else 200
        if self.choose is not None:
            step = self.choose(form)
        if step in (SLOW, DRIP):
            self.delivered.append(form)
        if step in (SLOW, LOST):
            await self.answer_now.wait()
        if step == DRIP:
            return StreamingResponse(self._dripping())
        match step:
            case (429, after):
                return _error(429, f"Too Many Requests: retry after {after}", retry_after=after)
            case 400:
                return _error(400, "Bad Request: chat not found")
            case 403:
                return _error(403, "Forbidden: bot was blocked by the user")
            case 500:
                return _error(500, "Internal Server Error")
        if step == 200:
            self.delivered.append(form)
        return JSONResponse({"ok": True, "result": _message(form)})

    async def _dripping(self):
        while not self.answer_now.is_set():
            yield b" "
            await asyncio.sleep(0.02)


def _error(code, description, **parameters):
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return JSONResponse(body, code)


def _message(form):
    return {
        "message_id": 1,
        "date": 1_787_037_067,
        "chat": {"id": int(form["chat_id"]), "type": "private"},
        "text": form["text"],
    }


@contextlib.asynccontextmanager
async def fake_telegram():
    """Serve the fake on a free loopback port until the block ends."""
    fake = FakeTelegram()
    app = FastAPI()

    @app.post("/bot{token}/{method}")
    async def call(token: str, method: str, request: Request) -> Response:
        if token != TOKEN:
            return _error(401, "Unauthorized")
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        return await fake.answer(method, form)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        fake.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1, lifespan="off")
        )
        server.capture_signals = contextlib.nullcontext
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            yield fake
        finally:
            fake.answer_now.set()
            server.should_exit = True
            await serving
