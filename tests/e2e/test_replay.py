"""The bundled day offline: the same bytes, whoever hands the frames over and however often."""

import contextlib
import hashlib
import json
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from oimon import cli, offline
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS
from tests.builders import NINE_FIFTEEN_MS, make_frame, make_recording
from tests.e2e.conftest import DAY, ROOT, clean_environment

BEATS = 900


class Enough(Exception):  # noqa: N818 - not an error
    """As many beats as the test wants."""


def play(frames_at_a_time=None, beats=BEATS):
    """Return a hash of each stream's first messages, and how many there were."""
    hashes = {stream: hashlib.sha256() for stream in (ANALYSIS, ADVICE_MINIMAL, ADVICE_RICH)}
    counts = dict.fromkeys(hashes, 0)

    def take(entry):
        if entry.stream == ANALYSIS and counts[ANALYSIS] == beats:
            raise Enough
        hashes[entry.stream].update(entry.kind.encode() + entry.data)
        counts[entry.stream] += 1

    with contextlib.suppress(Enough):
        offline.run(
            offline.open_recording(DAY), speed=None, take=[take], frames_at_a_time=frames_at_a_time
        )
    return {stream: digest.hexdigest() for stream, digest in hashes.items()}, counts


@pytest.mark.timeout(180)
def test_two_replays_and_one_frame_at_a_time_give_the_same_bytes():
    first, counts = play()

    again, _ = play()
    one_at_a_time, _ = play(frames_at_a_time=1)

    assert counts[ANALYSIS] == BEATS
    assert counts[ADVICE_MINIMAL] >= BEATS - 1
    assert counts[ADVICE_RICH] >= 1
    assert first == again == one_at_a_time


def oi(*arguments, folder, **options):
    command = [sys.executable, "-m", "oimon.cli", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(folder / "data"),
        capture_output=True,
        timeout=120,
        **options,
        check=False,
    )


def test_replay_prints_one_analysis_a_line_and_stops_when_the_reader_does(tmp_path):
    command = [sys.executable, "-m", "oimon.cli", "replay", str(DAY), "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        lines = [json.loads(child.stdout.readline()) for _ in range(3)]
        child.stdout.close()
        code = child.wait(60)
        errors = child.stderr.read()

    assert [line["ts_us"] for line in lines] == [
        lines[0]["ts_us"] + k * 1_000_000 for k in range(3)
    ]
    assert {line["mode"] for line in lines} == {"REPLAY"}
    assert {line["quotes_assumed"] for line in lines} == {0.003}
    assert code in {0, 1}  # a pipe that nobody reads ends any command
    assert errors == b""


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:90], "beginning"),
        (lambda data: b"PK\x03\x04" + data[4:], "foreign"),
        (
            lambda data: (
                data[: len(data) // 2]
                + bytes([data[len(data) // 2] ^ 1])
                + data[len(data) // 2 + 1 :]
            ),
            "bit",
        ),
        (lambda data: b"", "empty"),
    ],
    ids=["truncated", "foreign", "bit-flipped", "empty"],
)
def test_a_recording_that_cannot_be_used_is_one_clear_message(tmp_path, damage, words):
    path = tmp_path / f"{words}.oirec"
    path.write_bytes(damage(DAY.read_bytes()))

    done = oi("replay", path, "--out", "out", folder=tmp_path)

    text = done.stderr.decode()
    assert done.returncode == 2
    assert f"{words}.oirec" in text.replace("\n", "")
    assert "Traceback" not in text
    assert list((tmp_path / "out").glob("*.ndjson")) == [] if (tmp_path / "out").exists() else True


def test_a_recording_without_an_end_is_played_and_one_note_says_so(tmp_path):
    came = [(NINE_FIFTEEN_MS * 1000 + 300_000 * n, make_frame(sequence=n)) for n in range(10)]
    path = make_recording(tmp_path / "short.oirec", came).path
    path.write_bytes(path.read_bytes()[:-10])

    done = oi("replay", path, "--json", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    assert done.stderr.decode().count("Note: ") == 1
    assert "short.oirec has no end" in done.stderr.decode()


def test_a_recording_that_is_not_there_is_one_clear_message(tmp_path):
    done = oi("replay", "nowhere.oirec", folder=tmp_path)

    assert done.returncode == 2
    assert b"nowhere.oirec" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_settings_file_with_three_mistakes_is_told_in_three_lines(tmp_path):
    (tmp_path / ".env").write_text(
        "SPEED=fast\nPAPER_CAPITAL=lots\nHTTP_PORT=99999\n", encoding="utf-8"
    )

    done = oi("up", "--no-table", "--for", "5", folder=tmp_path)

    lines = [line for line in done.stderr.decode().splitlines() if ".env line" in line]
    assert done.returncode == 2
    assert [any(f".env line {n}" in line for line in lines) for n in (1, 2, 3)] == [
        True,
        True,
        True,
    ]
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "data" / "valkey").exists()


COMMANDS = (
    "up",
    "run",
    "status",
    "health",
    "watch",
    "replay",
    "import",
    "analyse",
    "spec",
    "test",
    "doctor",
)


def test_every_command_teaches_itself_with_an_example():
    known = get_command(cli.app).commands

    assert set(COMMANDS) <= set(known)
    for name in known:
        done = CliRunner().invoke(cli.app, [name, "--help"])
        assert done.exit_code == 0, name
        assert "Example" in done.stdout, name


def test_every_worked_case_that_is_built_passes(tmp_path):
    done = oi("spec", ROOT / "tests" / "data" / "analytics-examples.json", folder=tmp_path)

    assert done.returncode == 0, done.stdout.decode()
    assert b" 0 failed" in done.stdout


def test_the_tree_has_no_way_to_place_an_order():
    names = (
        "placeOrder",
        "place_order",
        "modifyOrder",
        "cancelOrder",
        "gttCreateRule",
        "convertPosition",
    )
    for path in [*ROOT.glob("shared/**/*.py"), *ROOT.glob("services/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not [name for name in names if name in text], path
