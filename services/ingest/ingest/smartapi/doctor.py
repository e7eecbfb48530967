"""``oi doctor --live``: from the clock to the first tick, a line each with its remedy. Logs in once; secrets are never shown."""

import asyncio
import http.client
import logging
import ssl
from collections.abc import AsyncIterator, Iterator

from picows import WSError

from ingest.config import IngestSettings
from ingest.smartapi.account import Account
from ingest.smartapi.credentials import credentials
from ingest.smartapi.errors import BrokerError
from ingest.smartapi.limits import KEPT
from ingest.smartapi.line import NoTokens
from ingest.smartapi.probing import Reached, first_tick, reach
from ingest.smartapi.rest import Key, Rest
from ingest.smartapi.stream_tokens import StreamTokens
from oimon.calendar import day_of, market_state, warning
from oimon.clock import SystemClock
from oimon.config import load
from oimon.doctor import Finding
from oimon.errors import ConfigError
from oimon.terms import MarketState, Segment

NIFTY: Key = ("NSE", "99926000")
TICK_WITHIN_S = 10.0
CLOCK_NOTE_S, CLOCK_STOP_S = 2.0, 25.0
"""A TOTP lasts 30 s, and the broker may take its neighbours too; the Date header is whole seconds."""
_SET_CLOCK = "let this machine set its clock by the network (NTP), or no TOTP will be right"


async def live() -> AsyncIterator[Finding]:
    """Give each finding as it is made; what needs what failed is left out."""
    # Its lines say what the log would, and a command has no log: warnings would come in between.
    logging.getLogger("ingest.smartapi").addHandler(logging.NullHandler())
    try:
        settings = load(IngestSettings)
    except ConfigError:
        return  # told by the doctor already
    clock = SystemClock()
    for finding in _market(settings, clock.now_us()):
        yield finding
    rest = None
    for what, url in (
        ("broker's REST", settings.smartapi_url),
        ("broker's stream", settings.smartapi_stream_url),
    ):
        found, reached = await _address(what, url)
        yield found
        rest = rest or reached
    yield await _master(settings)
    if rest is None:
        return
    yield _clock(rest)
    try:
        keys = credentials(settings)
    except ConfigError as error:
        for line in str(error).splitlines():
            yield Finding("login", ok=False, words=line)
        return
    # NIFTY is asked for whatever is watched: every account may see it.
    is_open = _is_open(market_state(Segment.NSE, clock.now_us()))
    async for finding in _account(
        Account(keys, clock), settings.smartapi_stream_url, is_open=is_open
    ):
        yield finding


def _market(settings: IngestSettings, now_us: int) -> Iterator[Finding]:
    segment = settings.feed_segment
    state = market_state(segment, now_us)
    words = f"{segment} is {state}" + ("" if _is_open(state) else "; ticks come when it opens")
    yield Finding("market", ok=True, words=words)
    reach_of_table = warning(day_of(now_us))
    if reach_of_table:
        yield Finding("calendar", ok=False, words=reach_of_table, stops=False)


async def _address(what: str, url: str) -> tuple[Finding, Reached | None]:
    """Return what can be said of an address, and what it answered, if it did."""
    try:
        reached = await asyncio.to_thread(reach, url)
    except ssl.SSLCertVerificationError as error:
        words = f"its certificate is not trusted ({error.verify_message}); a proxy that opens TLS, or a clock that is wrong"
        return Finding(what, ok=False, words=f"{url}: {words}"), None
    except (OSError, http.client.HTTPException) as error:
        words = f"{url}: {str(error) or type(error).__name__}; look at the network, a firewall or proxy, and the address"
        return Finding(what, ok=False, words=words), None
    if reached.valid_until is None:
        words = f"{reached.host} answers in {reached.took_ms} ms, without encryption"
        is_here = reached.host in ("127.0.0.1", "::1", "localhost")
        return Finding(what, ok=is_here, words=words, stops=False), reached
    until = f"{reached.valid_until:%Y-%m-%d}"
    words = (
        f"{reached.host} answers in {reached.took_ms} ms, TLS verified, certificate until {until}"
    )
    return Finding(what, ok=True, words=words), reached


async def _master(settings: IngestSettings) -> Finding:
    """Say whether the instrument master is there and begins as one does; the whole of it is some 40 MB."""
    url = settings.smartapi_master_url
    found, reached = await _address("instrument master", url)
    if reached is None or (
        reached.start.lstrip().startswith(b"[") and b'"exch_seg"' in reached.start
    ):
        return found
    words = f"{url} is no list of instruments, it begins {reached.start[:40]!r}; yesterday's copy is used where there is one"
    return Finding("instrument master", ok=False, words=words)


def _clock(reached: Reached) -> Finding:
    if reached.theirs_s is None:
        return Finding(
            "clock", ok=False, words="the broker told no time to compare with", stops=False
        )
    ahead_s = reached.ours_s - reached.theirs_s - 0.5  # its time is cut to whole seconds
    words = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the broker's"
    if abs(ahead_s) <= CLOCK_NOTE_S:
        return Finding("clock", ok=True, words=f"within {CLOCK_NOTE_S:.0f} s of the broker's")
    stops = abs(ahead_s) >= CLOCK_STOP_S
    return Finding("clock", ok=False, words=f"{words}; {_SET_CLOCK}", stops=stops)


async def _account(account: Account, stream_url: str, *, is_open: bool) -> AsyncIterator[Finding]:
    """Give what needs a login: the login itself, a quote, a tick, and what is left of the limits."""
    try:
        headers = await StreamTokens(account).headers()
    except NoTokens as error:
        yield Finding("login", ok=False, words=str(error))
        return
    yield Finding(
        "login", ok=True, words=f"{account.client_code[:2]}… is logged in, until midnight"
    )
    yield await _quote(account)
    try:
        price = await first_tick(stream_url, headers, NIFTY[1], TICK_WITHIN_S)
    except (OSError, WSError) as error:
        words = f"{account.hide(str(error)) or type(error).__name__}; too many connections, or tokens that are not taken"
        yield Finding("ticks", ok=False, words=words)
    else:
        yield _tick(price, is_open=is_open)
    yield _limits(account)


async def _quote(account: Account) -> Finding:
    try:
        async for batch in Rest(account).quotes([NIFTY]):
            quote = batch.quotes.get(NIFTY)
            if quote is not None and quote.ltp is not None:
                return Finding("quote", ok=True, words=f"NIFTY {quote.ltp:.2f}")
            why = batch.unfetched[0].message if batch.unfetched else "the answer holds no price"
            return Finding("quote", ok=False, words=f"NIFTY: {account.hide(why)}; try again later")
    except BrokerError as error:
        return Finding("quote", ok=False, words=f"{error}; try again later")
    return Finding("quote", ok=False, words="the broker gave nothing; try again later")


def _tick(price: float | None, *, is_open: bool) -> Finding:
    if price is not None:
        return Finding("ticks", ok=True, words=f"the stream gives NIFTY at {price:.2f}")
    if is_open:
        words = f"connected, but no tick came within {TICK_WITHIN_S:.0f} s of an open market; log in again, or wait for the broker"
        return Finding("ticks", ok=False, words=words)
    return Finding("ticks", ok=True, words="connected; no tick comes while the market is closed")


def _limits(account: Account) -> Finding:
    left = account.facts()["requests_left"]
    of_hour = {endpoint.value: limit.hour for endpoint, limit in KEPT.items()}
    parts = [f"{name} {count} of {of_hour[name]}" for name, count in left.items()]
    words = f"left this hour, but for what other programs asked: {', '.join(parts)}"
    return Finding("limits", ok=True, words=words)


def _is_open(state: MarketState) -> bool:
    return state in (MarketState.OPEN, MarketState.OPEN_CAS)
