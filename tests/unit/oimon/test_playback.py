"""What ``oi replay`` tells at its end, and what ``--out`` writes: whole files, or none and one sentence."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from oimon.errors import InputError
from oimon.playback import Lines, Summary
from tests.unit.notifier.samples import make_analysis, make_unknown_analysis


@dataclass
class Said:
    """As much of an entry as is written."""

    data: bytes
    stream: str = "oi.analysis.v1"


@dataclass
class Made:
    """As much of an entry as is counted."""

    message: object


@pytest.mark.parametrize(
    ("analysis", "last"),
    [
        (make_analysis(), "NIFTY 24,512.35 2026-08-20  PCR 1.18  max pain 24450  BULLISH"),
        (make_unknown_analysis(), "NIFTY -- 2026-08-20  PCR --  max pain --  NEUTRAL"),
    ],
)
def test_the_last_analysis_is_told_as_on_every_screen(analysis, last):
    summary = Summary()
    summary.take(Made(analysis))
    console = Console(file=io.StringIO(), width=120)

    console.print(summary.table(Path("day.oirec")))

    assert last in console.file.getvalue()


def names(folder) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_whole_files_appear_at_the_end(tmp_path):
    with Lines(tmp_path) as lines:
        lines.take(Said(b"1"))
        lines.take(Said(b"2"))
        assert names(tmp_path) == [".analysis.ndjson.part"]

    assert names(tmp_path) == ["analysis.ndjson"]
    assert (tmp_path / "analysis.ndjson").read_bytes() == b"1\n2\n"


def test_what_was_interrupted_leaves_nothing(tmp_path):
    lines = Lines(tmp_path).__enter__()
    lines.take(Said(b"1"))
    lines.__exit__(KeyboardInterrupt)

    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    file = tmp_path / "file"
    file.touch()

    with (
        pytest.raises(InputError, match=r"the folder: cannot be written .* Choose another"),
        Lines(file),
    ):
        pass


def test_a_disk_that_is_full_is_one_sentence_and_leaves_nothing(tmp_path):
    lines = Lines(tmp_path).__enter__()
    lines.take(Said(b"1"))
    lines._files["analysis.ndjson"].close()
    lines._files["analysis.ndjson"] = full(tmp_path / ".analysis.ndjson.part")

    with pytest.raises(InputError, match="No space left on device"):
        lines.__exit__(None)

    assert names(tmp_path) == []


def full(path):
    """Return a file whose last bytes find no room."""

    class Full:
        name = str(path)

        def close(self):
            raise OSError(28, "No space left on device")

    return Full()
