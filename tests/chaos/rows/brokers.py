"""The broker as the one that fails: rows 22 to 29. Source: bus contract, 18; smartapi, 3.1, 4.1, 9 and 10."""

import asyncio
import math
from itertools import pairwise

from ingest.fakebroker.faults import Fault
from tests.chaos.broker import RECOVERS_S, Scene, begun, live
from tests.chaos.case import Case, Row
from tests.chaos.waiting import until

PACE_S = 60.0
"""Least time between two logins."""
STORM_S = 25.0
BURSTS = 30
GROWS_TO = 1.5
"""The memory of ingest while the bus is away, as a multiple of that before."""
QUIET_S = 45.0
"""A closed market is looked at for longer than the watchdog's patience in an open one."""
_SILENCES = (Fault.CLOSE, Fault.MUTE, Fault.CLOSE, Fault.HALF_OPEN, *[Fault.CLOSE] * 6)
_FRAMES = (Fault.TRUNCATED, Fault.OVERSIZED, Fault.RANDOM, Fault.WRONG_MODE, Fault.TEXT)
_ORDERS = (Fault.DUPLICATE, Fault.OUT_OF_ORDER, Fault.OLD_DAY, Fault.CLOCK_AHEAD)
_STORM = (Fault.HANDSHAKE_401,)
_TOKENS: tuple[tuple[Fault, ...], ...] = (
    _STORM,
    (Fault.HANDSHAKE_401, Fault.CLOSE),
    (Fault.TOKEN_EXPIRY, Fault.CLOSE),
    (Fault.HANDSHAKE_503, Fault.HANDSHAKE_503, Fault.CLOSE),
    (Fault.AB1050, Fault.MIDNIGHT),
    (Fault.THROTTLE, Fault.HANDSHAKE_503, Fault.CLOSE),
    (Fault.AG8001, Fault.HANDSHAKE_503, Fault.CLOSE),
    (Fault.HANDSHAKE_429, Fault.CLOSE),
    (Fault.MIDNIGHT,),
)
"""What goes wrong together; the last is the one that begins it."""
_WRONG = (
    {"ltp": -5},
    {"ltp": 2**40},
    {"oi": 0},
    {"oi": -65},
    {"oi": 65 * 1_000_000},
    {"ltp": 0},
)
"""What one packet says that cannot be."""


async def break_the_line(case: Case) -> None:
    """Row 22: the line is closed, falls silent, or is only half there: it is made anew; the state is said, old data is called stale."""
    async with live(case) as scene:
        await begun(scene)
        for number in case.each_fault():
            fault, before = _SILENCES[number % len(_SILENCES)], await scene.connects()
            await scene.strike(fault)
            if fault is not Fault.CLOSE:
                await _said(scene, "silent")
            await scene.recovered(fault, connects=before + 1)


async def refuse_tokens(case: Case) -> None:
    """Row 23: tokens expire, are refused, the line is crowded, requests are throttled: at most one login and one renewal a minute."""
    async with live(case) as scene:
        await begun(scene)
        for number in case.each_fault():
            connects = await scene.connects()
            faults = _TOKENS[number % len(_TOKENS)]
            if faults == _STORM:
                await _refuse_everything(scene)
            else:
                await scene.strike(*faults)
            await scene.recovered(" + ".join(faults), connects=connects + 1)
        case.expect(scene.logins, "nobody has logged in")
        soonest_s = min((b - a for a, b in pairwise(scene.logins)), default=math.inf)
        case.expect(soonest_s >= PACE_S, f"a login came {soonest_s:.0f} s after the one before")


async def _refuse_everything(scene: Scene) -> None:
    """Turn every connection away, and every renewal, for a while."""
    box = scene.broker.faults
    box.rate(Fault.HANDSHAKE_401, 1.0)
    await scene.strike(Fault.CLOSE)
    await asyncio.sleep(STORM_S)
    box.rate(Fault.HANDSHAKE_401, 0.0)
    scene.begins()


async def damage_frames(case: Case) -> None:
    """Row 24: frames cut short, too long, of chance or of another mode, and texts: dropped and counted, the line is kept."""
    async with live(case) as scene:
        await begun(scene)
        before = await scene.connects()
        for number in case.each_fault():
            fault = _FRAMES[number % len(_FRAMES)]
            await scene.strike(fault)
            await scene.recovered(fault)
        dropped = (await scene.ingest.look())["oi_frames_dropped_total"]
        wanted = sum(1 for n in range(case.faults) if _FRAMES[n % len(_FRAMES)] is not Fault.TEXT)
        case.expect(dropped >= wanted, f"{dropped:.0f} frames were dropped, {wanted} were bad")
        case.expect(await scene.connects() == before, "the line was given up for a bad frame")


async def mix_up_order(case: Case) -> None:
    """Row 25: packets come twice, late, from the day before or a day ahead: the newest stays the newest."""
    async with live(case) as scene:
        await begun(scene)
        for number in case.each_fault():
            fault = _ORDERS[number % len(_ORDERS)]
            await scene.strike(fault)
            await scene.recovered(fault)


async def say_nonsense(case: Case) -> None:
    """Row 26: prices and open interest that cannot be: never taken over, never a number that is none."""
    async with live(case) as scene:
        await begun(scene)
        legs = [*scene.market.symbols("CE"), *scene.market.symbols("PE")]
        kinds = len(_WRONG) + 1
        for number in case.each_fault():
            kind, leg = number % kinds, legs[number % len(legs)]
            if kind == len(_WRONG):
                await scene.strike(Fault.ABSURD)
                what = str(Fault.ABSURD)
            else:
                wrong, what = _WRONG[kind], f"{_WRONG[kind]} of {leg}"
                after = scene.market.second
                scene.market.extra[leg] = [wrong]
                await until(
                    lambda after=after: _later(scene, after + 1), f"send {what}", within_s=5
                )
                scene.begins()
            await scene.recovered(what)
            analysis = await scene.newest()
            case.expect(analysis.pcr is not None, f"no PCR after {what}")
            case.expect(analysis.max_pain is not None, f"no max pain after {what}")


async def leave_out_legs(case: Case) -> None:
    """Row 27: a side of the chain never came: no ratio, and nobody says what it means; then strikes vanish, and come back."""
    async with live(case) as scene:
        puts = scene.market.symbols("PE")
        scene.market.quiet.update(puts)
        await begun(scene)
        analysis = await scene.newest()
        unknown = [name for name in ("pcr", "max_pain") if getattr(analysis, name) is None]
        reasons = [name for name in unknown if not analysis.why_null.get(name)]
        case.expect(not reasons, f"null without a reason: {', '.join(reasons)}")
        says = {verdict for *_, verdict, _ in analysis.verdicts}
        case.expect(
            says <= {"Neutral", None, "NEUTRAL"}, f"verdicts of a chain without puts: {says}"
        )
        case.expect(analysis.quality != "good", "a chain without puts is said to be good")
        scene.market.quiet.clear()
        for number in case.each_fault():
            legs = puts if number % 2 else scene.market.symbols("4200CE")
            scene.market.quiet.update(legs)
            after = scene.market.second
            await until(lambda after=after: _later(scene, after + 3), "send on", within_s=10)
            scene.market.quiet.clear()
            scene.begins()
            await scene.recovered(f"{len(legs)} legs that were quiet")


async def close_the_market(case: Case) -> None:
    """Row 28: nothing comes, and nothing is to come: no alarm, nothing called stale, and the line is left alone."""
    async with live(case, market="closed") as scene:
        await begun(scene)
        before = await scene.connects()
        everything = {row.symbol for row in scene.market.rows[:-1]}
        for _ in case.each_fault():
            scene.market.quiet.update(everything)
            await asyncio.sleep(QUIET_S)
            shown, analysis = await scene.shows(), await scene.newest()
            case.expect(shown["state"] == "ok", f"a closed market's feed is {shown['state']}")
            case.expect(not analysis.is_stale, "a closed market's prices are called stale")
            scene.market.quiet.clear()
            scene.begins()
            await scene.recovered("a closed market")
        made = await scene.connects() - before
        case.expect(not made, f"{made} new connections while the market was closed")


async def burst(case: Case) -> None:
    """Row 29: bursts of ten thousand packets while the bus is away: memory is bounded, and the newest values are right when it is back."""
    async with live(case) as scene:
        await begun(scene)
        idle_mb = most_mb = scene.ingest.process.resident_mb()
        for _ in case.each_fault():
            case.world.server.freeze()
            await scene.strike(Fault.BURST, times=BURSTS)
            most_mb = max(most_mb, scene.ingest.process.resident_mb())
            case.world.server.thaw()
            scene.begins()
            await scene.recovered(f"{BURSTS} bursts")
        case.expect(
            most_mb <= GROWS_TO * idle_mb, f"ingest held {most_mb:.0f} MB, {idle_mb:.0f} before"
        )


async def _said(scene: Scene, state: str) -> None:
    """Wait until ingest, and an analysis, say that the feed is in a state, and that what they hold is stale."""

    async def is_said() -> bool:
        analysis = await scene.newest()
        return analysis is not None and analysis.feed == state and analysis.is_stale

    await until(is_said, f"say that the feed is {state}", within_s=RECOVERS_S)


async def _later(scene: Scene, second: int) -> bool:
    return scene.market.second >= second


ROWS = (
    Row(
        number=22, name="broker's line closed, mute, half-open", inject=break_the_line, faults=50, quick=1,
        protection="stream-watchdog", recovery_s=40.0,
    ),
    Row(
        number=23, name="tokens expire, 401, 429, throttled", inject=refuse_tokens, faults=16, quick=0,
        protection="login-pace", recovery_s=180.0,
    ),
    Row(
        number=24, name="frames cut, long, random, wrong mode", inject=damage_frames, faults=50, quick=4,
        protection="tolerance", recovery_s=5.0,
    ),
    Row(
        number=25, name="packets twice, late, of another day", inject=mix_up_order, faults=40, quick=0,
        protection="newest-only", recovery_s=5.0,
    ),
    Row(
        number=26, name="absurd prices and open interest", inject=say_nonsense, faults=42, quick=0,
        protection="limits", recovery_s=5.0,
    ),
    Row(
        number=27, name="a side missing, strikes vanish", inject=leave_out_legs, faults=12, quick=0,
        protection="unknown", recovery_s=5.0,
    ),
    Row(
        number=28, name="market closed, nothing comes", inject=close_the_market, faults=3, quick=0,
        protection="market-hours", recovery_s=5.0,
    ),
    Row(
        number=29, name="10,000 packets at once", inject=burst, faults=12, quick=0,
        protection="bounds", recovery_s=10.0,
    ),
)  # fmt: skip
