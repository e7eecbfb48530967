"""Secrets out of texts: what a person set, what the broker gave, and what looks like a token (pure)."""

import re
from collections import deque
from urllib.parse import quote

from typing_extensions import override

SHOWN = "***"
MIN_LENGTH = 4
"""Shorter than a PIN is no secret; hiding it would make texts unreadable and protect nothing."""
_KEPT = 24
_JWT = re.compile(r"\beyJ[\w-]+(?:\.[\w-]+){1,2}")
_NAMED = re.compile(
    r"""(?ix)
    (["']? (?: password | totp | jwtToken | refreshToken | feedToken | X-PrivateKey | x-api-key | x-feed-token | apiKey ) ["']?
    \s* [:=] \s* ["']?)
    [^"'&,\s}]+"""
)
_BEARER = re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+")


class Secrets:
    """What must never be shown. Tokens and codes that come later are added, and the oldest of those forgotten."""

    def __init__(self, *lasting: str) -> None:
        self._lasting = tuple(text for text in lasting if len(text) >= MIN_LENGTH)
        self._passing: deque[str] = deque(maxlen=_KEPT)  # of some days

    def add(self, *texts: str | None) -> None:
        """Hide these too, from now on."""
        for text in texts:
            if text and len(text) >= MIN_LENGTH and text not in self._passing:
                self._passing.append(text)

    def hide(self, text: str) -> str:
        """Return the text without secrets, however they are spelled in it: plain, in an address, or behind their name."""
        for secret in sorted({*self._lasting, *self._passing}, key=len, reverse=True):
            for spelled in {secret, quote(secret, safe="")}:
                text = re.sub(_whole(spelled), SHOWN, text)
        text = _BEARER.sub(rf"\g<1>{SHOWN}", _JWT.sub(SHOWN, text))
        return _NAMED.sub(rf"\g<1>{SHOWN}", text)

    @override
    def __repr__(self) -> str:
        return f"Secrets({len(self._lasting)} set, {len(self._passing)} given)"


def _whole(secret: str) -> str:
    """Return a pattern of the secret; digits alone are hidden only where they stand alone, or a PIN would tear numbers apart."""
    pattern = re.escape(secret)
    return rf"(?<!\d){pattern}(?!\d)" if secret.isdigit() else pattern
