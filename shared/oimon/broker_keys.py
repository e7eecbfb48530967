"""What a login to the broker needs, and whether it is set wherever settings may stand."""

import contextlib
import os
from pathlib import Path

BROKER_KEYS = ("SMARTAPI_API_KEY", "SMARTAPI_CLIENT_CODE", "SMARTAPI_PIN", "SMARTAPI_TOTP_SECRET")


def has_broker_keys() -> bool:
    """Return whether the environment or a ``.env`` file holds all that a broker login needs."""
    named = {name.upper() for name, value in os.environ.items() if value}
    with contextlib.suppress(OSError):
        lines = Path(".env").read_text(encoding="utf-8", errors="replace").splitlines()
        for name, _, value in (line.partition("=") for line in lines):
            if value.strip().strip("'\""):
                named.add(name.strip().removeprefix("export ").strip().upper())
    return all(key in named or f"{key}_FILE" in named for key in BROKER_KEYS)
