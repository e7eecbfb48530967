"""Where a coach's model is, and what it may cost."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from oimon.config import Settings

OPENROUTER = "https://openrouter.ai/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An OpenAI-compatible model server, and the key it asks for, if any."""

    base_url: str
    key: SecretStr | None


class CoachSettings(Settings):
    """What every coach can be told."""

    model_base_url: str | None = Field(
        None,
        pattern="^https?://",
        description="an OpenAI-compatible address; without one, OpenRouter when there is a key",
    )
    model_api_key: SecretStr | None = Field(None, description="key for that address")
    openrouter_api_key: SecretStr | None = Field(
        None, description="key for OpenRouter, where MODEL_API_KEY is not set"
    )
    model_budget_calls: int = Field(
        25_000, ge=0, description="most questions a day (IST) of this coach, of all its replicas"
    )
    model_budget_inr: float = Field(
        250.0,
        ge=0,
        description="most rupees a day (IST) that this coach's questions, of all its replicas, may cost",
    )
    usd_inr: float = Field(90.0, gt=0, description="rupees for a dollar, to count the cost in")

    @field_validator("model_base_url")
    @classmethod
    def _names_a_host(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)  # an address that is none raises, as its port does
            if not parts.hostname or parts.port == 0:
                raise ValueError(f"must name a host, as http://127.0.0.1:11434/v1 does: {value!r}")
        return value

    @property
    def address(self) -> Address | None:
        """Where the model is; ``None`` when no address and no key are set."""
        key = self.model_api_key or self.openrouter_api_key
        if self.model_base_url is None and key is None:
            return None
        return Address(base_url=self.model_base_url or OPENROUTER, key=key)
