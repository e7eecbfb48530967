"""What a login to the broker needs, and whether it is set wherever settings may stand."""

from oimon.environment import given

BROKER_KEYS = ("SMARTAPI_API_KEY", "SMARTAPI_CLIENT_CODE", "SMARTAPI_PIN", "SMARTAPI_TOTP_SECRET")


def has_broker_keys() -> bool:
    """Return whether the environment or a ``.env`` file holds all that a broker login needs."""
    return all(given(key) or given(f"{key}_FILE") for key in BROKER_KEYS)
