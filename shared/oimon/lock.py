"""A file that one process holds as long as it lives, however it ends."""

import sys
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl


def is_ours(file: BinaryIO) -> bool:
    """Take the file for this process, as far as the system has a way; return whether no other holds it."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system that knows no locks
        return True
    return True
