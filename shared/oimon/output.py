"""Standard output that cannot be written, is not there, or is narrow: a full disk is one sentence, a reader that has gone is none."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

TABLE_COLUMNS = 80
"""That every table of numbers fits in."""


def prepare() -> None:
    """Make standard input, output and error fit for everything that follows.

    Where the caller has closed one of them the null device is put, else a socket would get its number. What the encoding of standard
    output does not know (▲, Δ and ≥ in a pipe on Windows) is a question mark.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the program
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def for_tables() -> Console:
    """Return standard output for tables of numbers: a terminal that is too narrow wraps their lines, since a number cut short is none."""
    console = Console(emoji=False)
    console.width = max(console.width, TABLE_COLUMNS)
    return console


@contextlib.contextmanager
def written_out() -> Iterator[None]:
    """Write out, at the end, what was printed; where that fails, then or before, end the program with exit code 1."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # the interpreter's own flush at the end could only show a traceback
    except OSError as error:
        if error.filename is not None or not _is_refused():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for that flush
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"Standard output cannot be written: {error.strerror}\n")
        sys.exit(1)


def _is_refused() -> bool:
    """Say whether it is standard output, and not another file, that takes nothing."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return True
    return False
