"""What is set of a variable, wherever settings may stand: in the environment, else in ``.env`` of the folder one is in."""

import os

from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict


class _DotEnv(BaseSettings):
    """Names the file; the services' settings have the same."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8")


def given(variable: str) -> str | None:
    """Return what a variable is set to; None where it is not, or to nothing."""
    return os.environ.get(variable) or _written().get(variable.lower()) or None


def _written() -> dict[str, str | None]:
    try:
        return dict(DotEnvSettingsSource(_DotEnv).env_vars)
    except (OSError, UnicodeDecodeError):  # who loads the settings says so
        return {}
