"""``python -m oimon``: the command line, which takes a second to load; Ctrl-C ends that second without a word."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)

from oimon.cli import main  # noqa: E402 - what takes the second

signal.signal(signal.SIGINT, signal.default_int_handler)

if __name__ == "__main__":
    main()
