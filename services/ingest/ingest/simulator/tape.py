"""One simulated market's day: open interest of all of it, and what each instrument shows from second to second.

Source: analytics specification, 13.3 and 13.4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from ingest.simulator import interest, pricing
from ingest.simulator.dice import dice
from ingest.simulator.interest import STEP_S, Lots
from ingest.simulator.listing import Listing
from ingest.simulator.packing import Numbers, Quotes
from ingest.simulator.path import Path
from ingest.simulator.regimes import SHOCK_CODE
from ingest.simulator.ticker import Part, Ticker
from ingest.simulator.universe import Market
from oimon import calendar
from oimon.core.chain import FloatArray
from oimon.core.forward import RATE
from oimon.core.greeks import YEAR_S
from oimon.terms import MarketState, Segment

BLOCK = 10
"""Times that are made at once."""
CLOSED_S = 63_300
"""From the close of the day before to the open: 15:40 to 09:15."""
_QUOTE_NOISE = 0.003
_SPOT_NOISE, _FUTURE_NOISE = 8e-6, 1.5e-5  # of the price; the specification names no size
_FUTURE_VOLUME = 1.0  # of that of a strike at the money
_INDEX_TICK = 5  # paise
_GAP = 0.004
_VOLUME_SHAPE = 2.0  # the first and the last second trade three times what the middle does


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Interest:
    """Open interest in lots at each step of five seconds: true, and published; first axis: steps."""

    true: Lots
    shown: Lots


class Tape:
    """A market's day."""

    def __init__(
        self,
        seed: int,
        market: Market,
        listed: Listing,
        path: Path,
        *,
        opens_us: int,
        publish_s: float,
    ) -> None:
        """Prepare a day.

        Args:
            seed: of the simulation.
            market: what is simulated.
            listed: its contracts.
            path: its way through the day.
            opens_us: when the session begins.
            publish_s: between two publications of one leg's open interest.
        """
        self.path, self.seconds = path, len(path.forward)
        self._seed, self._market, self._listed, self._opens_us = seed, market, listed, opens_us
        self._elapsed = np.arange(self.seconds)
        self.options = [self._option_interest(each, publish_s) for each in listed.options]
        """Of each expiry, calls then puts: shape (steps, 2, strikes)."""
        self.futures = [
            self._future_interest(place, each, publish_s)
            for place, each in enumerate(listed.futures)
        ]
        """Of each future: shape (steps,)."""
        self._single = self._single_prices()

    # --- open interest ---------------------------------------------------------------------------------------------

    def _option_interest(self, expiry: date, publish_s: float) -> Interest:
        market, strike = self._market, self._listed.strike
        chance = self._dice("oi", expiry)
        peak = market.peak_lots / (1 + self._listed.options.index(expiry))
        forward, codes = self.path.forward[::STEP_S], self.path.regime[::STEP_S]
        weight = interest.weights(chance, strike, float(forward[0]), market.step, peak)
        base = interest.base_lots(weight, strike, forward)
        true = interest.option_lots(chance, base, strike, forward, codes)
        return Interest(true=true, shown=interest.published(chance, true, publish_s))

    def _future_interest(self, place: int, expiry: date, publish_s: float) -> Interest:
        chance = self._dice("oi", expiry, "FUT")
        base = np.rint(self._market.future_lots / (1 + 2 * place) * chance.lognormal(0.0, 0.3))
        true = interest.future_lots(chance, float(base), self.path.regime[::STEP_S])
        return Interest(true=true, shown=interest.published(chance, true, publish_s))

    def oi_open(self) -> list[int | None]:
        """Return each instrument's open interest at the open in quantity, ``None`` of one that has none."""
        return self.true_oi(0)

    def true_oi(self, second: int) -> list[int | None]:
        """Return each instrument's true open interest in quantity, ``None`` of one that has none."""
        step = second // STEP_S
        lots = [each.true[step : step + 1] for each in self.futures]
        lots += [each.true[step].ravel() for each in self.options]
        none: list[int | None] = [None] * (self._listed.has_spot + self._listed.has_vix)
        return none + (np.concatenate(lots) * self._listed.lot).tolist() if lots else none

    # --- prices ----------------------------------------------------------------------------------------------------

    def _years(self, expiry: date, elapsed_s: float) -> float:
        closes_us = calendar.close_us(self._market.segment, expiry)
        return ((closes_us - self._opens_us) / 1e6 - elapsed_s) / YEAR_S

    def _carried(self, expiry: date) -> float:
        """Return what a forward to a day is worth in forwards to the nearest expiry of options, else of futures."""
        first = (self._listed.options or self._listed.futures)[0]
        return float(np.exp(RATE * (self._years(expiry, 0) - self._years(first, 0))))

    def _single_prices(self) -> FloatArray:
        """Return the prices of spot, VIX and futures in paise of all the day, shape (seconds, instruments)."""
        forward, columns = self.path.forward, []
        if self._listed.has_spot:
            spot = forward.copy()
            if self._listed.options:
                left = self._years(self._listed.options[0], 0) - self._elapsed / YEAR_S
                spot *= np.exp(-RATE * left)
                spot *= 1 + _SPOT_NOISE * self._dice("spot").standard_normal(self.seconds)
            columns.append(self._frozen(spot))
        if self._listed.has_vix:
            columns.append(100 * self.path.atm_iv)
        for expiry in self._listed.futures:
            noise = self._dice("future", expiry).standard_normal(self.seconds)
            columns.append(forward * self._carried(expiry) * (1 + _FUTURE_NOISE * noise))
        return 100 * np.stack(columns, axis=1)

    def _frozen(self, spot: FloatArray) -> FloatArray:
        """Return a spot that stands still from the closing auction on. Source: analytics specification, 12.2."""
        day = calendar.day_of(self._opens_us)
        for at_us, state in calendar.schedule(Segment.NSE, day):
            if state is MarketState.CAS:
                second = max((at_us - self._opens_us) // 1_000_000, 0)
                spot[second:] = spot[min(second, self.seconds - 1)]
        return spot

    def prev_close(self) -> list[float | None]:
        """Return each instrument's close of the day before in rupees: the forward was a little elsewhere."""
        gap = 1 + _GAP * self._dice("gap").standard_normal()
        forward = float(self.path.forward[0]) * gap
        found = [self._single[0] * gap]
        if self._listed.has_vix:
            place = int(self._listed.has_spot)  # as a bool it would index all of them
            found[0][place] = self._single[0, place]
        for expiry in self._listed.options:
            years = self._years(expiry, -CLOSED_S)
            price, _ = pricing.chain_prices(
                self._listed.strike, forward * self._carried(expiry), years, self.path.atm_iv[0], self.path.slope[0]
            )  # fmt: skip
            found.append(100 * price.ravel())
        tick = self._ticks()
        paise = np.maximum(np.rint(np.concatenate(found) / tick), 1) * tick
        return [float(each) for each in paise / 100]

    # --- quotes ----------------------------------------------------------------------------------------------------

    def blocks(self, every_s: int) -> Iterator[tuple[Numbers, Quotes]]:
        """Give times (seconds since the open, some at once) and what all instruments show at them; once more the same.

        Args:
            every_s: from tick to tick: each ends a stretch of so many seconds, so that it stands next before its end.
        """
        names = [self._dice("quotes", each) for each in self._listed.options]
        volumes = [
            self._dice("volume"),
            *(self._dice("volume", each) for each in self._listed.options),
        ]
        ticker = Ticker(
            self._ticks(), self._lots(), np.rint(100 * np.array(self.prev_close(), np.float64)).astype(np.int64),
            traded_s=self._opens_us // 1_000_000 - CLOSED_S, tells_day=self._market.segment in (Segment.MCX, Segment.NSE),
        )  # fmt: skip
        all_at = np.arange(every_s - 1, self.seconds, every_s)
        for first in range(0, len(all_at), BLOCK):
            at = all_at[first : first + BLOCK]
            parts = [self._single_part(at, every_s, volumes[0])]
            parts += [
                self._chain_part(place, at, every_s, noise, volumes[1 + place])
                for place, noise in enumerate(names)
            ]
            yield at, ticker.quotes(at + self._opens_us // 1_000_000, parts)

    def _single_part(self, at: Numbers, every_s: int, chance: np.random.Generator) -> Part:
        listed, market = self._listed, self._market
        price = self._single[at]
        own = listed.has_spot + listed.has_vix
        rate = np.zeros(price.shape[1])
        rate[own:] = _FUTURE_VOLUME * market.volume_lots
        if not market.strikes:
            rate[0] = market.volume_lots
        rates = rate * self._busy(at)[:, None] * every_s
        steps = at // STEP_S
        none = np.zeros((len(at), own), np.int64)
        true = [none, *(each.true[steps, None] for each in self.futures)]
        out = [none, *(each.shown[steps, None] for each in self.futures)]
        shock = np.where(self.path.regime[at] == SHOCK_CODE, 3.0, 1.0)[:, None]
        half = np.maximum(self._ticks()[: price.shape[1]], 2e-5 * price) * shock
        trades = chance.poisson(rates)
        return Part(
            price=price, half=half, trades=trades, true=np.concatenate(true, axis=1), shown=np.concatenate(out, axis=1)
        )  # fmt: skip

    def _chain_part(
        self,
        place: int,
        at: Numbers,
        every_s: int,
        noise: np.random.Generator,
        volume: np.random.Generator,
    ) -> Part:
        expiry, strike, path = self._listed.options[place], self._listed.strike, self.path
        forward = path.forward[at] * self._carried(expiry)
        value = [
            pricing.chain_prices(strike, f, self._years(expiry, t), iv, slope)
            for t, f, iv, slope in zip(
                at.tolist(), forward.tolist(), path.atm_iv[at].tolist(), path.slope[at].tolist(), strict=True
            )
        ]  # fmt: skip
        price = 100 * np.stack([each for each, _ in value])
        half = pricing.half_spreads(
            price, np.stack([delta for _, delta in value]), self._listed.tick, path.regime[at] == SHOCK_CODE
        )  # fmt: skip
        price *= 1 + _QUOTE_NOISE * noise.standard_normal(price.shape)
        busy = interest.activity(strike, forward) * self._busy(at)[:, None]
        rates = np.repeat(
            (self._market.volume_lots * every_s / (1 + place) * busy)[:, None, :], 2, axis=1
        )
        steps, count = at // STEP_S, len(at)
        found = self.options[place]
        return Part(
            price=price.reshape(count, -1),
            half=half.reshape(count, -1),
            trades=volume.poisson(rates).reshape(count, -1),
            true=found.true[steps].reshape(count, -1),
            shown=found.shown[steps].reshape(count, -1),
        )

    def _busy(self, at: Numbers) -> FloatArray:
        """Return how busy the market is, 1 in the middle of the day and more towards its ends, shape (times,)."""
        found: FloatArray = 1 + _VOLUME_SHAPE * (2 * at / self.seconds - 1) ** 2
        return found

    def _dice(self, *stream: object) -> np.random.Generator:
        return dice(self._seed, ":".join(map(str, (self._market.name, *stream))))

    def _ticks(self) -> FloatArray:
        """Return the step of each instrument's price in paise."""
        own = [_INDEX_TICK] * self._listed.has_spot + [1] * self._listed.has_vix
        rest = len(self._listed.rows) - len(own)
        return np.array(own + [self._listed.tick] * rest, np.float64)

    def _lots(self) -> Numbers:
        """Return the units of a contract of each instrument; 0 of an index, which is not traded."""
        found = [int(row.lotsize) * (row.instrumenttype != "AMXIDX") for row in self._listed.rows]
        return np.array(found)
