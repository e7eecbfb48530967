"""Implied volatility and five Greeks of a chain's options: arrays, and compiled loops, against vollib's loop.

The goals stand for a vollib of 350 µs an option, which no release is; arrays miss theirs, and are held beside the broker SDK's parser
too: 300 times that vollib, where a packet takes 19.6 µs, is 200 options in the time of 12 packets (decision 0016).

Asserted first: volatilities are those that the prices were made with, within 1e-10, wherever the time value is above a tick; vollib
finds the same. Source: performance paper, 4c and 9.
"""

import sys

import numpy as np

from oimon.core import fast
from oimon.core.forward import RATE
from oimon.core.greeks import black76
from oimon.core.implied_vol import implied_vol
from tests.bench.bench_decode import make_frames
from tests.bench.harness import PAPERS_PACKET_US, Result, compare, interleave, main
from tests.sdk_parser import sdk_parser

FORWARD, YEARS, TICK = 26_052.4, 6.3 / 365, 0.05
OPTIONS = 200  # of which the goals are
GOAL, FAST_GOAL = 300.0, 800.0
PAPERS_OPTION_US = 350.0  # of vollib, where the goals were set
PACKETS = OPTIONS * PAPERS_OPTION_US / GOAL / PAPERS_PACKET_US
ERROR = 1e-10


class Chain:
    """Options of a smile from 10 % to 100 %, each by the price of its out-of-the-money leg."""

    def __init__(self, n: int) -> None:
        self.strike = FORWARD * np.exp(np.linspace(-0.12, 0.12, n))
        x = np.log(self.strike / FORWARD)
        self.sigma = 0.12 - 0.5 * x + 40 * x * x
        price = black76(FORWARD, self.strike, YEARS, self.sigma, RATE).price
        self.is_call = self.strike >= FORWARD
        self.price = np.where(self.is_call, price[0], price[1])


def ours(chain: Chain):
    found = implied_vol(
        chain.price,
        chain.is_call,
        chain.strike,
        forward=FORWARD,
        years=YEARS,
        rate=RATE,
        tick=TICK,
    )
    return found, black76(FORWARD, chain.strike, YEARS, found.sigma, RATE)


def theirs(chain: Chain) -> list[tuple[float, ...]]:
    from vollib.black.greeks.analytical import delta, gamma, rho, theta, vega  # noqa: PLC0415 - a test package
    from vollib.black.implied_volatility import implied_volatility  # noqa: PLC0415

    rows = []
    for price, is_call, strike in zip(chain.price.tolist(), chain.is_call.tolist(), chain.strike.tolist(), strict=True):  # fmt: skip
        flag = "c" if is_call else "p"
        sigma = implied_volatility(price, FORWARD, strike, RATE, YEARS, flag)
        greeks = (each(flag, FORWARD, strike, YEARS, RATE, sigma) for each in (delta, gamma, rho, theta, vega))  # fmt: skip
        rows.append((sigma, *greeks))
    return rows


def run(quick: bool) -> list[Result]:
    try:
        import vollib  # noqa: F401, PLC0415 - a test package
    except ImportError:
        print("bench_greeks was skipped: vollib is not installed", file=sys.stderr)
        return []
    results, rounds = [], 3 if quick else 9
    for n in (OPTIONS,) if quick else (OPTIONS, 480):
        chain = Chain(n)
        _assert_exact(chain)
        results.append(_beside("greeks", n, chain, GOAL, rounds))
        if n == OPTIONS:
            results.append(_in_packets(chain, rounds))
        if fast.use():
            _assert_exact(chain)
            results.append(_beside("greeks, fast", n, chain, FAST_GOAL, rounds))
            fast.use(wanted=False)
    return results


def _beside(name: str, n: int, chain: Chain, goal: float, rounds: int) -> Result:
    return compare(
        name,
        n,
        ours=lambda: ours(chain),
        theirs=lambda: theirs(chain),
        goal=goal if n == OPTIONS else 0.0,
        rounds=rounds,
    )


def _in_packets(chain: Chain, rounds: int) -> Result:
    """Return the comparison with so many packets of the SDK's parser as the goal comes to."""
    parse, frames = sdk_parser(), make_frames(100)
    ours_us, packets_us = interleave(
        lambda: ours(chain), lambda: [parse(frame) for frame in frames], rounds
    )
    theirs_us = [each * PACKETS / len(frames) for each in packets_us]
    return Result.of("greeks, in packets", OPTIONS, ours_us=ours_us, theirs_us=theirs_us, goal=1.0)


def _assert_exact(chain: Chain) -> None:
    found, _ = ours(chain)
    has_value = chain.price > 2 * TICK
    error = np.abs(found.sigma - chain.sigma)[has_value]
    assert error.max() < ERROR, f"a volatility is {error.max():.1e} off"
    others = np.array([row[0] for row in theirs(chain)])
    assert np.abs(others - chain.sigma)[has_value].max() < 1e-8


if __name__ == "__main__":
    sys.exit(main(run))
