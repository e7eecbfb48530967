"""The notifier's settings."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from notifier.store import address
from oimon.config import Settings, service_port
from oimon.errors import ConfigError


class NotifierSettings(Settings):
    """What the notifier can be told."""

    http_port: int = service_port("notifier")
    database_url: SecretStr | None = Field(
        None,
        description="postgresql://user:password@host/name or sqlite:///file; "
        "left out, SQLite at DATA_DIR/oimon.db",
    )
    telegram_bot_token: SecretStr | None = Field(
        None, description="the bot's token from BotFather; left out, nothing is sent"
    )
    telegram_chat_ids: Annotated[tuple[int, ...], NoDecode] = Field(
        (), description="who is told: chat ids, separated by commas; nobody else gets anything"
    )
    telegram_base_url: str = Field(
        "https://api.telegram.org",
        pattern=r"^https?://\S+$",
        description="address of the Bot API, for a server of one's own",
    )

    @field_validator("telegram_chat_ids", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError:
            raise ValueError("must be whole numbers separated by commas") from None

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                address(value.get_secret_value(), cls.model_fields["data_dir"].default)
            except ConfigError as error:
                raise ValueError(str(error).removeprefix("DATABASE_URL: ")) from None
        return value
