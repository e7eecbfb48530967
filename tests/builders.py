"""What tests are made of: frames and what else a test would have to spell out."""

from typing import Any

from ingest.packets import SNAP_QUOTE, book, packet
from ingest.tokens import TokenTable
from oimon.terms import Kind

NINE_FIFTEEN_MS = 1_795_578_301_000
"""25 November 2026, 09:15:01 in India."""


def make_frame(
    token: str = "40637",  # noqa: S107 - the broker's word for an instrument's number
    *,
    exchange: str = "NFO",
    mode: int = SNAP_QUOTE,
    **fields: Any,
) -> bytes:
    """Return a frame as the broker sends it: an option at 123.85 with a tight book, unless told otherwise."""
    given: dict[str, Any] = {"sequence": 1, "exchange_ms": NINE_FIFTEEN_MS, "ltp": 12_385}
    if mode == SNAP_QUOTE:
        given |= {
            "volume": 9_876_555,
            "oi": 7_284_615,
            "traded_s": NINE_FIFTEEN_MS // 1000,
            "levels": book([(130, 12_380, 2), (650, 12_375, 5)], [(65, 12_390, 1)]),
        }
    return packet(mode, exchange, token, **given | fields)


def make_tokens(tokens: list[str], *, exchange: str = "NFO", kind: Kind = Kind.CE) -> TokenTable:
    """Return a table in which the tokens are rows 0, 1, 2…"""
    return TokenTable.of([exchange] * len(tokens), tokens, [kind] * len(tokens))
