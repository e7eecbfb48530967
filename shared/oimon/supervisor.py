"""Child processes kept alive: restarted with back-off, stopped in stages, none left behind.

Each child has a session of its own, so that Ctrl-C reaches the supervisor alone, and a standard input that ends with the
supervisor, so that even its violent death leaves no child.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BACKOFF_S = (0.5, 15.0)
STEADY_S = 30.0  # a child that lived this long starts with a fresh back-off
KILL_MARGIN_S = 1.0


@dataclass
class Child:
    """One process to keep alive.

    Args:
        name: for people.
        argv: what to run, after this interpreter.
        stage: children of stage 0 are stopped first.
        grace_s: how long it may take to stop before it is killed.
        environment: variables beside the supervisor's own.
        output: file that takes its standard output and error; ``None``: the terminal's.
        announces: waits for a line on its standard output before it counts as started.
    """

    name: str
    argv: Sequence[str]
    stage: int
    grace_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None
    announces: bool = False
    restarts: int = 0
    process: asyncio.subprocess.Process | None = None


class Supervisor:
    """Keeps children alive until told to stop.

    Args:
        say: told, in a sentence, what happens to a child.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, child: Child) -> str:
        """Start a child and keep it alive; return the line it announced itself with, if it does.

        Raises:
            RuntimeError: a child that announces itself ended without a word; the text is what it printed.
        """
        # before it runs: who is cancelled meanwhile leaves it to stop()
        self._children.append(child)
        try:
            line = await self._spawn(child)
        except RuntimeError:
            self._children.remove(child)
            raise
        self._keepers.append(asyncio.create_task(self._keep(child), name=child.name))
        return line

    async def _spawn(self, child: Child) -> str:
        output = None
        with contextlib.ExitStack() as stack:
            if child.output is not None:
                child.output.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(child.output.open("ab"))
            child.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *child.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if child.announces else output,
                stderr=subprocess.STDOUT if output is not None and not child.announces else output,
                env={**os.environ, **child.environment},
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        if not child.announces or child.process.stdout is None:
            return ""
        line = (await child.process.stdout.readline()).decode(errors="replace").strip()
        if not line:
            await child.process.wait()
            said = (
                child.output.read_text(encoding="utf-8", errors="replace").strip()
                if child.output
                else ""
            )
            raise RuntimeError(
                f"{child.name} did not start: {said.splitlines()[-1] if said else 'it said nothing'}"
            )
        return line

    async def _keep(self, child: Child) -> None:
        clock = asyncio.get_running_loop().time
        pause = BACKOFF_S[0]
        while child.process is not None:
            born = clock()
            code = await child.process.wait()
            if clock() - born > STEADY_S:
                pause = BACKOFF_S[0]
            child.restarts += 1
            where = f"; see {child.output}" if child.output else ""
            self._say(
                f"{child.name} ended with code {code}, starting it again in {pause:g} s{where}"
            )
            await asyncio.sleep(pause)
            pause = min(BACKOFF_S[1], 2 * pause)
            try:
                await self._spawn(child)
            except RuntimeError as error:
                self._say(str(error))
            except OSError as error:  # no memory, process or descriptor for it now
                self._say(f"{child.name} could not be started: {error}")

    async def stop(self) -> None:
        """Stop all children, stage by stage; return when none is left."""
        for keeper in self._keepers:  # first: whoever is just being started again would be missed
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for stage in sorted({child.stage for child in self._children}):
            await asyncio.gather(*(_end(child) for child in self._children if child.stage == stage))


async def _end(child: Child) -> None:
    process = child.process
    if process is None:
        return
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, OSError):
            if process.stdin is not None:
                process.stdin.close()
            if sys.platform != "win32":
                process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), child.grace_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            _kill(process)
        await asyncio.wait_for(process.wait(), KILL_MARGIN_S)


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a child with what it has started: the keeper of Valkey has the server."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
