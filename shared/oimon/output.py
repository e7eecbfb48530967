"""Standard output that cannot be written: a full disk is one sentence, a reader that has gone is none."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def written_out() -> Iterator[None]:
    """Write out, at the end, what was printed; where that fails, then or before, end the program with exit code 1."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
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
