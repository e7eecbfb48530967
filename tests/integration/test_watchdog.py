"""A process whose loop hangs ends itself; one that was merely stopped does not."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from oimon.watchdog import EXIT_CODE, LIMIT_S
from tests.eventually import eventually

SCRIPT = """
import asyncio, sys, time
from oimon.watchdog import Watchdog

def count_strikes_for_ever():
    until = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < until:
        pass

async def main():
    watchdog = Watchdog()
    watchdog.start()
    print("turning", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    count_strikes_for_ever()
    await asyncio.sleep(0)
    watchdog.stop()

asyncio.run(main())
"""


class Process:
    """A process with a watchdog: it turns until told to hang."""

    def __init__(self, hang_s: float):
        self.child = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(hang_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.child.stdout.readline()

    def go_on(self) -> None:
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def end(self) -> None:
        self.child.kill()
        self.child.communicate()


@pytest.fixture
def started():
    processes = []

    def start(hang_s: float) -> Process:
        processes.append(Process(hang_s))
        return processes[-1]

    yield start
    for process in processes:
        process.end()


def test_a_process_whose_loop_hangs_exits_and_names_the_function(started):
    process = started(hang_s=60)
    hung_s = time.monotonic()

    process.go_on()
    _, words = process.child.communicate(timeout=20)

    assert process.child.returncode == EXIT_CODE
    assert LIMIT_S - 1 < time.monotonic() - hung_s < LIMIT_S + 3
    assert "count_strikes_for_ever" in words


def test_a_process_that_hangs_for_less_goes_on(started):
    process = started(hang_s=LIMIT_S - 2)

    process.go_on()
    process.child.communicate(timeout=20)

    assert process.child.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_a_process_that_was_stopped_goes_on(started):
    process = started(hang_s=0)
    stopped_s = time.monotonic()

    process.child.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, process.child.pid, os.WSTOPPED | os.WNOWAIT)
    await eventually(lambda: time.monotonic() - stopped_s > LIMIT_S + 2, within_s=20)
    process.child.send_signal(signal.SIGCONT)
    resumed_s = time.monotonic()
    await eventually(lambda: time.monotonic() - resumed_s > 2)
    process.go_on()
    process.child.communicate(timeout=20)

    assert process.child.returncode == 0
