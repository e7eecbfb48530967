"""What a login needs, checked before the broker is asked: a wrong secret costs attempts, and they are few."""

import base64
import binascii
import re
from dataclasses import dataclass

from pydantic import SecretStr

from ingest.config import IngestSettings
from oimon.errors import ConfigError

_WHERE = (
    "docs/operations.md tells where to get them; each may also come from a file, by <NAME>_FILE"
)
_LEAST = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Four settings of a person's account, and where its broker answers."""

    api_key: SecretStr
    client_code: str
    pin: SecretStr
    totp_secret: SecretStr
    url: str


def credentials(settings: IngestSettings) -> Credentials:
    """Return what a login needs.

    Raises:
        ConfigError: something is missing or cannot be right; the message has a line for each and shows no secret.
    """
    named = {
        "SMARTAPI_API_KEY": settings.smartapi_api_key,
        "SMARTAPI_CLIENT_CODE": settings.smartapi_client_code,
        "SMARTAPI_PIN": settings.smartapi_pin,
        "SMARTAPI_TOTP_SECRET": settings.smartapi_totp_secret,
    }
    values = {name: _value(secret) for name, secret in named.items()}
    missing = [name for name, value in values.items() if not value]
    problems = (
        [f"{', '.join(missing)}: not set, the live feed needs them; {_WHERE}"] if missing else []
    )
    pin, totp = values["SMARTAPI_PIN"], _base32(values["SMARTAPI_TOTP_SECRET"])
    if pin and not re.fullmatch(r"\d{4}", pin):
        problems.append(
            f"SMARTAPI_PIN: must be the four digits of the MPIN, has {len(pin)} characters; the web password is not taken"
        )
    if totp and not _is_base32(totp):
        problems.append(
            "SMARTAPI_TOTP_SECRET: must be the base32 text shown when TOTP was enabled (16 or more of A to Z and 2 to 7), "
            f"the {len(totp)} characters found are not; a six-digit code is not it"
        )
    if problems:
        raise ConfigError("\n".join(problems))
    return Credentials(
        api_key=SecretStr(values["SMARTAPI_API_KEY"]),
        client_code=values["SMARTAPI_CLIENT_CODE"],
        pin=SecretStr(pin),
        totp_secret=SecretStr(totp),
        url=settings.smartapi_url,
    )


def _value(secret: SecretStr | None) -> str:
    return secret.get_secret_value().strip() if secret is not None else ""


def _is_base32(text: str) -> bool:
    try:
        base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        return False
    return len(text) >= _LEAST


def _base32(text: str) -> str:
    """Return the secret as it is read aloud: people paste it with spaces, hyphens and in lower case."""
    return re.sub(r"[\s-]", "", text).upper().rstrip("=")
