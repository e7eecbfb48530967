"""Settings from the environment, a ``.env`` file or files named by ``<NAME>_FILE``; all mistakes are told at once.

A field's name in capitals is its variable. A field marked ``falls_back()`` takes its default when its value is wrong, and
says so in ``notes``; any other wrong value is a ``ConfigError``.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from oimon.environment import given
from oimon.errors import ConfigError
from oimon.terms import SERVICES

T = TypeVar("T", bound="Settings")
_REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+cluster")


def falls_back(default: object, description: str) -> Any:
    """Return a field that takes its default when its value is wrong."""
    return Field(default, description=description, json_schema_extra={"falls_back": True})


def service_port(service: str) -> Any:
    """Return the field of a service's port, which is its own unless told otherwise."""
    return Field(
        SERVICES[service],
        ge=0,
        le=65535,
        description="port of its web addresses, /status among them; the next free one when taken; 0 takes any",
    )


class _FileSource(PydanticBaseSettingsSource):
    """Reads a setting from the file that ``<NAME>_FILE`` names (compose mounts secrets so), in the environment or in ``.env``."""

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{field_name}_file".upper()
        path = given(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{variable}: cannot read {path!r}: {error}. Name a readable file"
            ) from error

    @override
    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, info in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(info, name)
            if value is not None:
                found[key] = value
        return found


class Settings(BaseSettings):
    """What every service can be told."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis or Valkey, with its password if it has one",
    )
    data_dir: Path = Field(
        Path("data"), description="folder for the database, logs, recordings and Valkey's files"
    )
    http_host: str = Field(
        "127.0.0.1", description="address that /healthz, /readyz, /metrics and /status answer on"
    )
    http_port: int = Field(0, ge=0, le=65535, description="port of the same; 0 takes a free one")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least level that is logged"
    )
    log_file: Path | None = Field(
        None, description="log to this file (rotated at 10 MB, 5 kept) and not to standard output"
    )

    beat_ms: int = Field(
        1000,
        ge=0,
        le=60_000,
        description="milliseconds from beat to beat, live; 0 makes every batch a beat, once the beat before is answered",
    )
    ticks_keep_s: int = Field(2700, ge=90, description="seconds of ticks kept in the log")
    analysis_keep: int | None = Field(
        None,
        ge=5,
        description="analyses kept in the log, of each underlying; empty: 7200, of more than two underlyings 14400 together",
    )

    _notes: tuple[str, ...] = PrivateAttr(())

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        if not _names_a_server(value.get_secret_value()):  # what was found may hold a password
            raise ValueError(
                "must be an address as redis://127.0.0.1:6379/0 (or rediss://, unix://, redis+cluster://); "
                "characters of a password other than letters and digits are written as %40 is for @"
            )
        return value

    @property
    def notes(self) -> tuple[str, ...]:
        """What fell back to a default, in plain words."""
        return self._notes

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls), dotenv_settings


def load(cls: type[T], overrides: Mapping[str, Any] | None = None) -> T:
    """Return the settings of one service.

    Args:
        cls: the service's settings class.
        overrides: values that win over every source (command-line flags), by field name.

    Raises:
        ConfigError: one or more values are wrong; the message has a line for each.
    """
    given = dict(overrides or {})
    try:
        return cls(**given)
    except UnicodeDecodeError as error:
        raise ConfigError(f".env: is no text ({error}). Write it anew from .env.example") from error
    except ValidationError as error:
        notes, problems = [], []
        for item in error.errors(include_url=False):
            name = str(item["loc"][0]) if item["loc"] else "settings"
            info = cls.model_fields.get(name)
            variable, what = name.upper(), item["msg"].removeprefix("Value error, ")
            if info is not None and _is_fallback(info):
                given[name] = info.default
                notes.append(f"{variable}: {what}; using the default, {_shown(info.default)}")
            else:
                problems.append(f"{_place(variable)}: {what}{_meant(info)}")
        if problems:
            raise ConfigError("\n".join(problems)) from None
        settings = cls(**given)
        settings._notes = tuple(notes)
        return settings


def times_real_time(text: str) -> float | None:
    """Return a speed as a person writes it, ``None`` for ``max``.

    Raises:
        ValueError: it is no number above 0; says what was found.
    """
    text = text.strip().lower()
    if text == "max":
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"takes a number above 0, or max, found {text!r}")
    return number


def run_file(settings: Settings) -> Path:
    """Return where a running ``oi up`` says how to reach it."""
    return settings.data_dir / "run.json"


def bus_address(settings: Settings) -> str:
    """Return the address of the bus: ``REDIS_URL`` where it is set, else that of the ``oi up`` that runs in ``DATA_DIR``."""
    if "redis_url" not in settings.model_fields_set:
        try:
            return str(json.loads(run_file(settings).read_text(encoding="utf-8"))["redis_url"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none runs there
    return settings.redis_url.get_secret_value()


def _names_a_server(url: str) -> bool:
    """Say whether the client of Redis can read an address."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return False
    return parts.scheme in _REDIS_SCHEMES


def _is_fallback(info: FieldInfo) -> bool:
    return bool(
        isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("falls_back")
    )


def _shown(value: object) -> str:
    return str(cast(Any, value).value if hasattr(value, "value") else value)


def _meant(info: FieldInfo | None) -> str:
    return f" ({info.description})" if info is not None and info.description else ""


def _place(variable: str) -> str:
    """Name the variable, and where it was set: the environment, a named file, or a line of ``.env``."""
    if variable in os.environ:
        return f"{variable} (environment)"
    file = given(f"{variable}_FILE")
    if file is not None:
        return f"{variable} (file {file})"
    path = Path(".env")
    if path.is_file():
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        ):
            if line.split("=", 1)[0].strip().upper().removeprefix("EXPORT ").strip() == variable:
                return f"{variable} (.env line {number})"
    return variable
