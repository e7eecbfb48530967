"""One JSON object a line: standard ``logging`` in the modules, rendered by structlog.

Facts go in ``extra``; a key that names a secret is replaced before anything is written.
"""

import logging
import logging.handlers
import re
import sys
from collections import deque
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import orjson
import structlog
from typing_extensions import override

from oimon.errors import ConfigError

_SECRET = re.compile(
    r"(?i)(password|passwd|secret|token|api_key|apikey|authorization|pin|totp|jwt)$"
)
_URL_PASSWORD = re.compile(r"(?P<head>[a-z+]+://[^:/@\s]*:)\S+@")  # the password may have an @ too
_BOT_TOKEN = re.compile(r"bot\d+:[\w-]+")
MAX_BYTES = 10_000_000
KEPT = 5
HIDDEN_LEAST = 8
"""Characters of the shortest text that ``hide`` takes: a PIN would tear holes into times and numbers, and tell itself so."""
_hidden: deque[str] = deque(maxlen=100)


def hide(*secrets: str) -> None:
    """Keep these out of everything that is logged from now on."""
    for secret in secrets:
        if len(secret) >= HIDDEN_LEAST and secret not in _hidden:
            _hidden.append(secret)


def redact(text: str) -> str:
    """Return ``text`` without passwords in addresses, Telegram's bot tokens and whatever was given to ``hide``."""
    for secret in tuple(_hidden):
        text = text.replace(secret, "***")
    return _BOT_TOKEN.sub("bot***", _URL_PASSWORD.sub(r"\g<head>***@", text))


def _redact_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _shown(key, value)
    return event


def _shown(key: object, value: Any) -> Any:
    """Return a value of a record without secrets, however deep they stand in it."""
    if isinstance(key, str) and _SECRET.search(key) and value is not None:
        return "***"
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _shown(name, held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(None, held) for held in value]
    return value


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=lambda value: redact(str(value))).decode()


class _TellsOnce(logging.Handler):
    """Says once, on standard error, that its log cannot be written: a full disk is no reason for a traceback a record."""

    _has_told = False

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._has_told:
            self._has_told = True
            sys.stderr.write(f"The log cannot be written: {error.strerror}\n")


class _ToStream(_TellsOnce, logging.StreamHandler[TextIO]):
    pass


class _ToFile(_TellsOnce, logging.handlers.RotatingFileHandler):
    pass


def _to_file(file: Path) -> logging.Handler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return _ToFile(file, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"LOG_FILE: cannot write {file}: {error.strerror}. Name a file that you may write to"
        ) from error


def configure(service: str, *, level: str = "INFO", file: Path | None = None) -> None:
    """Send this process's log records, as JSON lines, to ``file`` (rotated) or to standard output.

    Raises:
        ConfigError: the file cannot be written.
    """
    handler = _ToStream(sys.stdout) if file is None else _to_file(file)

    def name_service(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    before: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redact_event,
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # uvicorn.error is where the web server also tells that it starts: three lines that a search for errors finds first
    for loud in ("uvicorn", "httpx", "httpx2", "httpcore", "aiosqlite", "telegram"):
        logging.getLogger(loud).setLevel(logging.WARNING)
