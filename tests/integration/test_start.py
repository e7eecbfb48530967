"""The second in which the command line loads."""

import os
import signal
import subprocess
import sys

import pytest


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
