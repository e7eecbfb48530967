import os
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")


def test_on_a_real_terminal_the_segment_is_asked():
    main, side = pty.openpty()
    asking = subprocess.Popen(
        [sys.executable, "-c", "from oimon import questions as q; print(q.segment(None, print))"],
        stdin=side,
        stdout=side,
        stderr=side,
        env={name: value for name, value in os.environ.items() if name != "FEED_SEGMENT"},
    )
    os.close(side)
    os.write(main, b"4\n")
    shown = b""
    try:
        while piece := os.read(main, 1024):
            shown += piece
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(main)

    assert asking.wait(10) == 0, shown
    assert b"Segment: 1 NFO" in shown
    assert shown.rstrip().endswith(b"BFO")
