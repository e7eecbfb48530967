"""Standard output that cannot be written, is not there, or is narrow: a full disk is one sentence, a reader that has gone is none."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

TABLE_COLUMNS = 80
"""That every table of numbers fits in."""


def open_what_is_closed() -> None:
    """Put the null device where the caller has closed standard input, output or error; else a socket would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the program


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
