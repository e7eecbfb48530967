"""An OpenAI-compatible model on loopback, with switches for everything that a model may do wrong."""

import asyncio
import json
from enum import StrEnum
from typing import Any, Self

GOOD = {
    "v": 1,
    "action": "WAIT",
    "side": None,
    "confidence": 0.61,
    "reasons": ["evidence conflicts"],
    "invalidation": None,
    "horizon_min": 5,
}
_REASONS = {200: "OK", 400: "Bad Request", 429: "Too Many Requests", 500: "Internal Server Error"}


class Mood(StrEnum):
    """How the model answers."""

    WELL = "well"
    LATE = "late"  # when the test lets it
    NEVER = "never"
    NOT_JSON = "not_json"
    UNKNOWN_ACTION = "unknown_action"
    NOT_A_NUMBER = "not_a_number"
    OUTSIDE_CHAIN = "outside_chain"
    ECHO = "echo"  # of the prompt
    EMPTY = "empty"
    HUGE = "huge"  # 1 MB
    NO_CHOICES = "no_choices"
    NOT_HTTP_JSON = "not_http_json"
    HALF = "half"  # the connection breaks off in the body
    LIMITED = "limited"  # 429
    BROKEN = "broken"  # 500
    NO_SCHEMA = "no_schema"  # takes no response_format of kind json_schema


class FakeModel:
    """The server; use as an async context manager."""

    def __init__(self, mood: Mood = Mood.WELL, answer: dict[str, Any] | None = None) -> None:
        self.mood = mood
        self.answer = answer or GOOD
        self.cost: float | None = None
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.let_go = asyncio.Event()
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            while await self._request(reader):
                await self._respond(writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client gave up, or the test is over: Python 3.11 complains of a handler that was cancelled
        finally:
            self._busy.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return False
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        self.keys.append(headers.get("authorization", ""))
        self.requests.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
        return True

    async def _respond(self, writer: asyncio.StreamWriter) -> None:
        if self.mood is Mood.NEVER:
            await asyncio.Event().wait()
        if self.mood is Mood.LATE:
            await self.let_go.wait()
        status, body = self._body(self.requests[-1])
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode())
        writer.write(body[: len(body) // 2] if self.mood is Mood.HALF else body)
        await writer.drain()
        if self.mood is Mood.HALF:
            raise ConnectionResetError

    def _body(self, request: dict[str, Any]) -> tuple[int, bytes]:
        match self.mood:
            case Mood.LIMITED:
                return 429, b'{"error":{"message":"slow down"}}'
            case Mood.BROKEN:
                return 500, b'{"error":{"message":"out of order"}}'
            case Mood.NO_SCHEMA if request.get("response_format", {}).get("type") == "json_schema":
                return 400, b'{"error":{"message":"response_format json_schema is not supported"}}'
            case Mood.NO_CHOICES:
                return 200, b'{"choices":[]}'
            case Mood.NOT_HTTP_JSON:
                return 200, b"<html>a captive portal</html>"
        usage: dict[str, Any] = {"prompt_tokens": 300, "completion_tokens": 60}
        if self.cost is not None:
            usage["cost"] = self.cost
        message = {"role": "assistant", "content": self._text(request)}
        return 200, json.dumps({"choices": [{"message": message}], "usage": usage}).encode()

    def _text(self, request: dict[str, Any]) -> str:
        changes: dict[Mood, dict[str, Any]] = {
            Mood.UNKNOWN_ACTION: {"action": "BUY NOW"},
            Mood.NOT_A_NUMBER: {"confidence": float("nan")},
            Mood.OUTSIDE_CHAIN: {"reasons": ["support at 31,000 holds"]},
            Mood.HUGE: {"reasons": ["a" * 1_000_000]},
        }
        texts = {
            Mood.NOT_JSON: "The market will go up.",
            Mood.ECHO: str(request["messages"][-1]["content"]),
            Mood.EMPTY: "",
        }
        return texts.get(self.mood, json.dumps({**self.answer, **changes.get(self.mood, {})}))
