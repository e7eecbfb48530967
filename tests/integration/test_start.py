"""The second in which the command line loads."""

import os
import signal
import subprocess
import sys

import pytest

from oimon.checks import checkout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_while_it_loads_ends_it_without_a_word():
    loading = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-P", "-m", "oimon", "--help"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for line in loading.stderr:
            if "oimon.terms" in line:
                break
        loading.send_signal(signal.SIGINT)
        out, rest = loading.communicate(timeout=20)
    finally:
        loading.kill()

    assert loading.returncode == -signal.SIGINT
    assert out == ""
    assert "Traceback" not in rest


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFO")
def test_ctrl_c_ends_worked_cases_without_a_traceback(tmp_path):
    cases = tmp_path / "cases.json"
    os.mkfifo(cases)
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.spec", str(cases)],
        cwd=checkout(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with cases.open("w"):  # waits until they are about to be read
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=20)
    finally:
        running.kill()

    assert (running.returncode, said) == (-signal.SIGINT, "")
