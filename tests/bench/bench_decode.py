"""SNAP_QUOTE frames to ticks: ours against the parser of the broker's SDK, which adapters of others copy byte for byte.

Both sides read the same frames; that all fields a tick has are equal is asserted first. Source: performance paper, sections
1 and 10.
"""

import sys

import numpy as np

from ingest.frames import decode, tick
from oimon.messages import TICK
from tests.bench.harness import Result, compare, main
from tests.builders import make_frame, make_tokens
from tests.sdk_parser import Parser, sdk_parser

ONE_GOAL, BATCH_GOAL = 40.0, 120.0
TOKENS = [str(40_000 + n) for n in range(164)]


def make_frames(n: int) -> list[bytes]:
    """Return frames of as many instruments as a chain of ATM±20 in two expiries has."""
    return [
        make_frame(TOKENS[k % len(TOKENS)], sequence=k + 1, ltp=10_000 + 5 * k, oi=65 * (1000 + k))
        for k in range(n)
    ]


def assert_same(frames: list[bytes], ticks: np.ndarray, theirs: Parser) -> None:
    assert len(ticks) == len(frames)
    for ours, frame in zip(ticks, frames, strict=True):
        packet = theirs(frame)
        buy, sell = packet["best_5_buy_data"][0], packet["best_5_sell_data"][0]
        assert TOKENS[ours["row"]] == packet["token"]
        assert ours["exchange_us"] == packet["exchange_timestamp"] * 1000
        for name, value in {
            "seq": packet["sequence_number"],
            "ltp": packet["last_traded_price"],
            "volume": packet["volume_trade_for_the_day"],
            "oi": packet["open_interest"],
            "traded_s": packet["last_traded_timestamp"],
            "bid": buy["price"],
            "bid_qty": buy["quantity"],
            "ask": sell["price"],
            "ask_qty": sell["quantity"],
        }.items():
            assert ours[name] == value, name


def run(quick: bool) -> list[Result]:
    """Compare one frame at a time, and in batches of 100 and 1,000."""
    theirs, tokens = sdk_parser(), make_tokens(TOKENS)
    rounds = 7 if quick else 41
    frames = make_frames(1000)
    times = np.arange(1000, dtype=np.int64)
    assert_same(frames, np.frombuffer(b"".join(tick(f, 0, tokens) for f in frames), TICK), theirs)
    hundred = frames[:100]
    results = [
        compare(
            "decode_one",
            1,
            ours=lambda: [tick(frame, 0, tokens) for frame in hundred],
            theirs=lambda: [theirs(frame) for frame in hundred],
            goal=ONE_GOAL,
            rounds=rounds,
        )
    ]
    for n in (100, 1000):
        some, at = frames[:n], times[:n]
        assert_same(some, decode(some, at, tokens)[0], theirs)
        results.append(
            compare(
                "decode_batch",
                n,
                ours=lambda some=some, at=at: decode(some, at, tokens),
                theirs=lambda some=some: [theirs(frame) for frame in some],
                goal=BATCH_GOAL,
                rounds=rounds,
            )
        )
    return results


if __name__ == "__main__":
    sys.exit(main(run))
