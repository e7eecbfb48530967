"""One model at one address, asked one question at a time; the only module that knows ``openai``.

Source: analytics specification, 11.1; bus contract, 12.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import genai_prices
import orjson

from oimon.clock import Clock
from oimon.llm.limits import SPENT, UNKNOWN, Breaker, Budget, NoBudget, Taken
from oimon.messages import Transcript

MOST_ANSWER = 8 * 1024  # characters; a longer one is no decision
MOST_BODY = 64 * 1024  # bytes that are read of a response
_OPENROUTER = "openrouter.ai"
_CHARS_A_TOKEN = (
    3  # fewer than usual, so that what is taken from the budget is no less than the cost
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model is always told, and how long it may take."""

    base_url: str
    key: str = field(repr=False)
    name: str
    system: str
    schema: Mapping[str, Any]
    timeout_s: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back."""

    text: str = ""
    error: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None


class _Refused(Exception):  # noqa: N818 - the server's word: it does not take this form of question
    """The server answered with an error status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"http_{status}")
        self.status, self.text = status, text

    @property
    def is_about_the_form(self) -> bool:
        """Whether a plainer form of the question may be taken."""
        named = any(word in self.text for word in ("response_format", "json_schema", "parameters"))
        return named and self.status not in (401, 403, 429)


class OpenAiModel:
    """A model that answers with one JSON object.

    Args:
        asked: what it is told, and where it is.
        budget: what it may cost.
        clock: by which waiting is measured.
    """

    def __init__(self, asked: Asked, budget: Budget, clock: Clock) -> None:
        self._asked, self._budget, self._clock = asked, budget, clock
        self._breaker = Breaker(clock)
        self._client: Any = None
        self._forms = list(_forms(asked.schema))
        self._last_error: str | None = None
        self._system_hash = hashlib.sha256(asked.system.encode()).hexdigest()[:16]

    async def open(self) -> None:
        """Load the client; it takes seconds, which only a service with a model pays."""
        self._client = await asyncio.to_thread(self._connect)

    async def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            await self._client.close()

    def refusal(self) -> str | None:
        """Return why no question can be asked now: ``breaker``, ``budget``."""
        if self._breaker.is_open:
            return "breaker"
        return SPENT if self._budget.is_spent() else None

    def note(self, *, is_good: bool) -> None:
        """Learn whether the answer was of use."""
        self._breaker.note(is_good=is_good)

    def status(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of it."""
        return {
            "name": self._asked.name,
            "host": urlsplit(
                self._asked.base_url
            ).hostname,  # the whole address may hold a password
            "off": self.refusal(),
            "budget": self._budget.status(),
            "last_error": self._last_error,
        }

    async def ask(self, prompt: str) -> Transcript:
        """Return what came back in time; an error stands in the transcript."""
        began_s = self._clock.monotonic_s()
        reply = await self._reply(prompt)
        self._last_error = reply.error
        return Transcript(
            model=self._asked.name,
            system=self._system_hash,
            prompt=prompt,
            answer=reply.text[:MOST_ANSWER],
            latency_ms=round((self._clock.monotonic_s() - began_s) * 1000),
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            cost_usd=reply.cost_usd,
            error=reply.error,
        )

    async def _reply(self, prompt: str) -> _Reply:
        """Ask, and once more in a plainer form if the server does not take the strict one."""
        until_s = asyncio.get_running_loop().time() + self._asked.timeout_s
        most_usd = _price(self._asked.name, self._most_in(prompt), self._asked.max_tokens) or 0.0
        refused = None
        while True:
            try:
                taken = await self._take(most_usd, until_s)
                async with asyncio.timeout_at(until_s):
                    body = await self._body(prompt)
            except NoBudget as error:
                return _Reply(error=refused or str(error))
            except TimeoutError:
                return _Reply(error="timeout")  # it may have cost what was taken
            except ConnectionError:
                await self._budget.settle(taken, 0.0)
                return _Reply(error="connection")
            except _Refused as error:
                await self._budget.settle(taken, 0.0)
                refused = str(error)
                if not error.is_about_the_form or len(self._forms) == 1:
                    return _Reply(error=refused)
                del self._forms[0]
            else:
                reply = _read(body, self._asked.name)
                tokens = (reply.tokens_in or 0) + (reply.tokens_out or 0)
                await self._budget.settle(taken, reply.cost_usd, tokens)
                return reply

    async def _take(self, usd: float, until_s: float) -> Taken:
        try:
            async with asyncio.timeout_at(until_s):
                return await self._budget.take(usd)
        except TimeoutError as error:
            raise NoBudget(UNKNOWN) from error

    async def _body(self, prompt: str) -> bytes:
        """Return the body of a successful response, cut where it is too long.

        Raises:
            _Refused: an error status.
            ConnectionError: the server cannot be reached.
            TimeoutError: it took too long.
        """
        import httpx2  # noqa: PLC0415 - openai's own client; it lets through what breaks a body off
        import openai  # noqa: PLC0415 - loaded by open(), in a thread

        is_openrouter = _OPENROUTER in self._asked.base_url
        try:
            async with self._client.chat.completions.with_streaming_response.create(
                model=self._asked.name,
                messages=[
                    {"role": "system", "content": self._asked.system},
                    {"role": "user", "content": prompt},
                ],
                max_tokens=self._asked.max_tokens,
                temperature=0,
                extra_body={"usage": {"include": True}} if is_openrouter else None,
                **self._forms[0],
            ) as response:
                body = b""
                async for part in response.iter_bytes():
                    body += part
                    if len(body) > MOST_BODY:
                        break
                return body
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise TimeoutError from error
        except openai.APIStatusError as error:
            raise _Refused(error.status_code, str(error.body)) from error
        except (openai.APIError, httpx2.HTTPError) as error:
            raise ConnectionError from error

    def _connect(self) -> Any:
        import openai  # noqa: PLC0415 - one to three seconds

        return openai.AsyncOpenAI(
            base_url=self._asked.base_url,
            api_key=self._asked.key,
            timeout=self._asked.timeout_s,
            max_retries=0,  # the default turns one time-out into three paid questions
        )

    def _most_in(self, prompt: str) -> int:
        return (len(self._asked.system) + len(prompt)) // _CHARS_A_TOKEN


def _forms(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield forms of the question, strictest first: servers differ in what they take."""
    strict = {"name": "decision", "strict": True, "schema": dict(schema)}
    yield {"response_format": {"type": "json_schema", "json_schema": strict}}
    yield {"response_format": {"type": "json_object"}}
    yield {}


def _read(body: bytes, model: str) -> _Reply:
    """Return what a response says; it may be anything."""
    if len(body) > MOST_BODY:
        return _Reply(error="too_long")
    try:
        found = orjson.loads(body)
        text = found["choices"][0]["message"]["content"]
        usage = found.get("usage") or {}
        tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
    except (ValueError, LookupError, TypeError, AttributeError):
        return _Reply(error="bad_response")
    tokens_in = tokens_in if isinstance(tokens_in, int) else None
    tokens_out = tokens_out if isinstance(tokens_out, int) else None
    cost = usage.get("cost")
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        cost = _price(model, tokens_in, tokens_out)
    error = None
    if not isinstance(text, str) or not text.strip():
        text, error = "", "empty"
    elif len(text) > MOST_ANSWER:
        error = "too_long"
    return _Reply(text, error, tokens_in, tokens_out, cost)


def _price(model: str, tokens_in: int | None, tokens_out: int | None) -> float | None:
    """Return the list price in dollars; ``None`` where the model is not listed or the tokens are not known."""
    if tokens_in is None or tokens_out is None:
        return None
    usage = genai_prices.Usage(input_tokens=tokens_in, output_tokens=tokens_out)
    try:
        found = genai_prices.calc_price(usage, model_ref=model, provider_id="openrouter")
    except LookupError:
        return None
    return float(found.total_price)
