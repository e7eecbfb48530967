"""Mistakes that a row plants into one replica: what a bug, or another version of the code, would do."""

import os
import signal
import time
from collections.abc import Callable, Mapping

import orjson

from oimon.messages import Gap
from oimon.terms import MarketState

KILL = "chaos: die of this"
HANG = "chaos: hang on this"
EAT = "chaos: eat all memory"
HANG_S = 60.0
EAT_BYTES = 1 << 36


def _on_gap(word: str, harm: Callable[[], object]) -> None:
    """Let analytics come to harm over a gap whose reason is ``word``."""
    import analytics.main as module  # noqa: PLC0415 - only in the replica that is harmed

    handle = module.handle

    def harmed(state, entry):
        message = entry.message
        if isinstance(message, Gap) and message.why == word:
            harm()
        return handle(state, entry)

    module.handle = harmed


def _lethal() -> None:
    _on_gap(KILL, lambda: os.kill(os.getpid(), signal.SIGKILL))


def _hangs() -> None:
    _on_gap(HANG, lambda: time.sleep(HANG_S))


def _hungry() -> None:
    _on_gap(EAT, lambda: bytearray(EAT_BYTES))


def _newer() -> None:
    """Write as a later version would: another schema number, and a field that this one does not know."""
    from oimon import codec  # noqa: PLC0415

    encode = codec.encode

    def encode_more(message) -> bytes:
        data = encode(message)
        return orjson.dumps({"novelty": 1, **orjson.loads(data)}) if data.startswith(b"{") else data

    codec.encode = encode_more
    codec.SCHEMA = 2


def _market_is(state: MarketState) -> Callable[[], None]:
    """Let ingest take the market for open, or closed, at whatever hour a row runs."""

    def plant() -> None:
        from oimon import calendar  # noqa: PLC0415

        calendar.market_state = lambda _segment, _ts_us: state

    return plant


MISTAKES: Mapping[str, Callable[[], None]] = {
    "lethal": _lethal,
    "hangs": _hangs,
    "hungry": _hungry,
    "market-closed": _market_is(MarketState.CLOSED),
    "market-open": _market_is(MarketState.OPEN),
    "newer": _newer,
}
