"""What ``oi replay`` makes of what it plays: files, a progress bar, a summary."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from oimon import figures
from oimon.bus import Entry
from oimon.errors import InputError
from oimon.messages import Advice, ChainAnalysis


class Lines:
    """Writes each stream to a file of its own, one message a line; whole files appear at the end, or none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self._folder is not None:
            with self._writing():
                self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def take(self, entry: Entry) -> None:
        """Write one entry to its stream's file.

        Raises:
            InputError: the folder takes no more.
        """
        if self._folder is None:
            return
        name = entry.stream.split(".")[1] + ".ndjson"
        with self._writing():
            if name not in self._files:
                self._files[name] = (self._folder / f".{name}.part").open("wb")
            self._files[name].write(entry.data + b"\n")

    def __exit__(self, kind: object, *_: object) -> None:
        parts = {name: Path(file.name) for name, file in self._files.items()}
        try:
            with self._writing():
                for file in self._files.values():
                    file.close()
                if kind is None:
                    for name, part in parts.items():
                        part.replace(part.with_name(name))
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                self._folder, "the folder", f"cannot be written ({error.strerror})", "Choose another with --out"
            ) from error  # fmt: skip


class Bar:
    """A bar on a terminal's standard error; nothing elsewhere."""

    def __init__(self, first_us: int, last_us: int, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("replay", total=max(1, last_us - first_us))
        self._first_us = first_us

    def __enter__(self) -> Any:
        self._bar.start()

        def advance(entry: Entry) -> None:
            if entry.kind == "analysis" and self._bar.live.is_started:
                message = entry.message
                if isinstance(message, ChainAnalysis):
                    self._bar.update(self._task, completed=message.ts_us - self._first_us)

        return advance

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


class Summary:
    """Counts what a replay gave, for the table at its end."""

    def __init__(self) -> None:
        self._analyses = 0
        self._advice: dict[str, int] = {}
        self._newest: ChainAnalysis | None = None

    def take(self, entry: Entry) -> None:
        """Count one entry."""
        match entry.message:
            case ChainAnalysis() as analysis:
                self._analyses += 1
                self._newest = analysis
            case Advice() as advice:
                key = f"{advice.coach} {advice.action} ({advice.by})"
                self._advice[key] = self._advice.get(key, 0) + 1

    def table(self, file: Path) -> Table:
        """Return the counts as a table for people."""
        table = Table(title=f"{file.name}", title_justify="left", show_header=False)
        table.add_row("analyses", f"{self._analyses:,}")
        for key, count in sorted(self._advice.items()):
            table.add_row(key, f"{count:,}")
        if self._newest is not None:
            last = self._newest
            table.add_row(
                "last",
                f"{last.underlying} {figures.grouped(last.spot)} {last.expiry}  PCR {figures.decimal(last.pcr)}  "
                f"max pain {figures.plain(last.max_pain)}  {last.direction}",
            )
        return table
