"""A whole OI Monitor of the test's own, ended by the test."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.conftest import a_server

ROOT = Path(__file__).resolve().parents[2]
DAY = ROOT / "services/ingest/ingest/recordings/NIFTY-2026-08-18.oirec"


def clean_environment(folder: Path) -> dict[str, str]:
    """Return an environment without any setting of ours but the data folder."""
    settings = {
        "FEED",
        "FEED_SEGMENT",
        "MCX_NAME",
        "RECORDING",
        "SPEED",
        "REDIS_URL",
        "DATABASE_URL",
        "HTTP_PORT",
        "UNDERLYINGS",
    }
    kept = {
        k: v
        for k, v in os.environ.items()
        if k not in settings
        and not k.startswith(("SMARTAPI_", "TELEGRAM_", "MODEL_", "OPENROUTER_"))
    }
    return {**kept, "DATA_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def processes_of(folder: Path) -> list[int]:
    """Return the processes that carry this data folder in their environment or command, this one left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (
                    str(folder).encode()
                    in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                ):
                    found.append(int(entry.name))
    return found


class Monitor:
    """``oi up`` as a user starts it, without a terminal."""

    def __init__(self, folder: Path, cwd: Path, *arguments: str) -> None:
        self.folder = folder
        self.output = folder.parent / f"up-{time.monotonic_ns()}.out"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "oimon.cli", "up", *arguments],
                env=clean_environment(folder),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait(self, timeout_s: float = 60.0) -> int:
        return self.process.wait(timeout_s)

    def run_file(self) -> dict:
        path = self.folder / "run.json"
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(OSError, ValueError):
                found = json.loads(path.read_text(encoding="utf-8"))
                if "dashboard" in found:
                    return found
            time.sleep(0.05)
        raise AssertionError(self.said())

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def monitor(tmp_path):
    """Start ``oi up`` with these arguments: ``monitor("--for", "20")``."""
    started = []

    def start(*arguments: str) -> Monitor:
        folder = tmp_path / "data"
        (tmp_path / "oimon").mkdir(
            exist_ok=True
        )  # as where the checkout stands: not to be taken for our package
        started.append(Monitor(folder, tmp_path, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.end()


def log_of(folder: Path):
    """The server on a data folder that ``oi up`` has left: its address, in a ``with``."""
    return a_server(folder / "valkey")
