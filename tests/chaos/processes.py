"""Child processes that end with the runner, and are ended by their id."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

if sys.platform != "linux":
    raise ImportError("harm is done by way of /proc, prctl and prlimit: only Linux has them")

ROOT = Path(__file__).resolve().parents[2]
_KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Process:
    """One child with an output file; a violent end of the runner ends it too.

    Args:
        argv: what to run.
        output: file that takes its standard error, and its standard output unless ``piped``.
        environment: all its variables.
        folder: where it runs, so that no settings file of a checkout is read.
        executable: the program, where it is not ``argv[0]``.
        limits: ``RLIMIT_…`` to what it is set to.
        piped: its standard output is read by the runner.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        output: Path,
        environment: Mapping[str, str],
        folder: Path,
        executable: str | None = None,
        limits: Mapping[int, int] | None = None,
        piped: bool = False,
    ) -> None:
        with output.open("ab") as out:
            self._child = subprocess.Popen(
                argv,
                executable=executable,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if piped else out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_prepare(limits or {}),  # noqa: PLW1509 - the runner starts children from its only thread
            )
        self.output = output

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def code(self) -> int | None:
        """Exit code, once it has ended."""
        return self._child.poll()

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._child.poll() is None:
            self._child.send_signal(number)

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(line.encode() + b"\n")
            self._child.stdin.flush()

    def read_line(self) -> str:
        """Return the next line of a piped output; empty at its end."""
        return self._child.stdout.readline().decode().strip()

    def read_rest(self, timeout_s: float) -> str:
        """Return what else it says until its end; nothing when that does not come in time."""
        try:
            rest, _ = self._child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return ""
        return rest.decode().strip()

    def resident_mb(self) -> float:
        """Return how much memory it has in hand."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self) -> int:
        """Return the limit of descriptors at which it can keep all it has."""
        return 1 + max(int(each.name) for each in Path(f"/proc/{self.pid}/fd").iterdir())

    def kill(self) -> None:
        """End it at once and collect it."""
        self.send(signal.SIGKILL)
        self._child.wait(10)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def python(*arguments: str) -> list[str]:
    """Return the command that runs a module of the checkout."""
    return [sys.executable, "-m", *arguments]


def clean_environment(**variables: str) -> dict[str, str]:
    """Return an environment without any setting of ours but those given, and with numpy's loops."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "FAST": "0", **variables}


def _prepare(limits: Mapping[int, int]) -> Callable[[], None]:
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_KILL_WITH_PARENT, signal.SIGKILL)
        for which, value in limits.items():
            resource.setrlimit(which, (value, value))

    return prepare
