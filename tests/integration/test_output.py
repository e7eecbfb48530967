"""What a command says when nobody takes what it prints: the disk is full, or the reader has gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
OI = ("-P", "-m", "oimon", "--help")
LITTLE = "print('a line')"
MUCH = "import sys; sys.stdout.buffer.write(b'x' * 100_000)"
ELSEWHERE = f"open({str(FULL)!r}, 'wb', buffering=0).write(b'x')"

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")


def run(stdout, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )  # fmt: skip


def within(code: str) -> tuple[str, str]:
    return "-c", f"from oimon.output import written_out\nwith written_out():\n    {code}"


@pytest.mark.parametrize("words", [OI, within(LITTLE), within(MUCH)])
def test_a_full_disk_is_one_sentence(words):
    with FULL.open("wb") as full:
        done = run(full, *words)

    assert (done.returncode, done.stderr) == (
        1,
        "Standard output cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("words", [OI, within(LITTLE), within(MUCH)])
def test_a_reader_that_has_gone_is_none(words):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(writing, *words)
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")


def test_another_file_is_not_taken_for_standard_output():
    done = run(subprocess.PIPE, *within(ELSEWHERE))

    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "0<&- 1>&- 2>&-"])
def test_what_the_caller_has_closed_is_as_good_as_not_looked_at(closed):
    code = (
        "import sys; from oimon.output import prepare; prepare();"
        " sys.stdout.buffer.write(b''); sys.stdin.isatty(); sys.stderr.flush();"
        " sys.exit(40 + (open(sys.executable, 'rb').fileno() > 2))"
    )

    done = subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, code], check=False)

    assert done.returncode == 41


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_what_an_encoding_does_not_know_is_a_question_mark(encoding):
    code = "from oimon.output import prepare; prepare(); print('a Δ b')"
    environment = os.environ | {"PYTHONIOENCODING": encoding}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=False
    )

    assert done.stdout.split() == [b"a", b"?", b"b"]
