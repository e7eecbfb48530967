"""`oi fake-broker`: the live path without an account."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ingest.config import BUNDLED_SPEED
from ingest.fakebroker.faults import Fault, FaultBox, arm
from ingest.recording import Day, open_recording
from ingest.recordings import BUNDLED
from ingest.simulator.day import EXPIRY_WEEK, Plan, SimulatedDay, markets
from ingest.simulator.universe import Universe
from oimon.config import times_real_time
from oimon.errors import ConfigError

PORT = 8790

Recording = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Broadcast this recorded day; else the bundled one."),
]
Sim = Annotated[int | None, typer.Option(metavar="SEED", help="Broadcast a simulated day instead.")]
SimUniverse = Annotated[Universe, typer.Option(help="What is simulated.")]
SimDate = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The simulated day.")]
SimPublish = Annotated[
    float,
    typer.Option(
        min=60, max=180, help="Seconds from one publication of open interest to the next."
    ),
]
Speed = Annotated[
    str | None,
    typer.Option(
        metavar="N|max",
        help="Times real time; 60 for the bundled day, else 1. Max: as it is taken.",
    ),
]
FaultNames = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NAME[=RATE]",
        help=f"Once, or at this share of its occasions; may be given again. Of: {', '.join(Fault)}.",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Or the next free ones; 0: any.")]
Filler = Annotated[
    int, typer.Option(min=0, help="So many more contracts in the instrument master.")
]


def fake_broker(  # noqa: PLR0913 - typer makes each parameter an option
    *,
    recording: Recording = None,
    sim: Sim = None,
    universe: SimUniverse = Universe.NIFTY,
    date: SimDate = datetime(EXPIRY_WEEK.year, EXPIRY_WEEK.month, EXPIRY_WEEK.day),  # noqa: DTZ001 - a day, no instant
    publish: SimPublish = 180.0,
    speed: Speed = None,
    fault: FaultNames = None,
    port: Port = PORT,
    master_rows: Filler = 0,
) -> None:
    """Be the broker, on this machine: REST, instrument master and stream, with the faults of the real one on demand.

    It prints the settings for a live feed; the day begins when somebody has subscribed. While it runs: GET /fake/facts says what
    happened, POST /fake/faults takes a list like ["close", "slow=0.1"], an empty one switches all off. Ctrl-C ends it.

    Example: oi fake-broker --fault truncated=0.01, and in a second terminal: oi up --feed live
    """
    if recording is not None and sim is not None:
        raise ConfigError("--recording and --sim were both given; give one of them")
    times = _speed(speed, is_bundled=recording is None and sim is None)
    for each in fault or ():
        arm(FaultBox(), each)  # a wrong name is told before a day is made
    plan = Plan(seed=sim or 0, universe=universe, day=date.date(), publish_s=publish)
    days = (
        [SimulatedDay(plan, market) for market in markets(plan)]
        if sim is not None
        else [open_recording(recording or BUNDLED)]
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(days, times, fault or (), port, master_rows, is_simulated=sim is not None))  # fmt: skip


async def _serve(
    days: Sequence[Day],
    speed: float | None,
    faults: Sequence[str],
    port: int,
    filler: int,
    *,
    is_simulated: bool,
) -> None:
    """Serve until told to stop."""
    from ingest.fakebroker.broker import FakeBroker  # noqa: PLC0415 - the web framework is slow to load, and no other command needs it
    from ingest.fakebroker.source import source_of  # noqa: PLC0415 - as above

    broker = FakeBroker(
        source_of(days, is_simulated=is_simulated), speed=speed, master_filler=filler
    )
    for each in faults:
        arm(broker.faults, each)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: there it is a KeyboardInterrupt
            loop.add_signal_handler(number, stop.set)
    try:
        await broker.start(port=port)
        typer.echo(_said(broker.source.title, broker.settings()))
        await stop.wait()
    finally:
        await broker.stop()


def _said(title: str, settings: Mapping[str, str]) -> str:
    lines = [
        f"# The local broker broadcasts {title}. Nothing here opens a real account. Ctrl-C ends it.",
        *(f"{name}={value}" for name, value in settings.items()),
        "FEED_CLOCK=exchange",
        "# In a second terminal, with these settings: oi up --feed live",
    ]
    return "\n".join(lines)


def _speed(text: str | None, *, is_bundled: bool) -> float | None:
    """Return times real time; ``None``: as fast as it is taken.

    Raises:
        ConfigError: it is no number above 0.
    """
    if text is None:
        return BUNDLED_SPEED if is_bundled else 1.0
    try:
        return times_real_time(text)
    except ValueError as error:
        raise ConfigError(f"--speed {error}") from None
