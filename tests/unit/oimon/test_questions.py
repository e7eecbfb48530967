import os
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")

CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name not in {"FEED", "FEED_SEGMENT", "MCX_NAME"}
}


def at_a_terminal(call, typed, **settings):
    """Return what is on the screen after ``questions.<call>`` was answered by ``typed``."""
    main, side = pty.openpty()
    code = f"from oimon import questions; print('=', questions.{call})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=side, stdout=side, stderr=side, env=CLEAN | settings
    )
    os.close(side)
    os.write(main, typed.encode())
    shown = b""
    try:
        while piece := os.read(main, 1024):
            shown += piece
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(main)
    assert process.wait(10) == 0, shown
    return shown.decode()


@pytest.mark.parametrize(
    ("typed", "chosen"), [("\n", "NFO"), ("4\n", "BFO"), ("mcx\n", "MCX"), ("7\n", "NFO")]
)
def test_the_segment_is_asked_and_enter_takes_the_default(typed, chosen):
    shown = at_a_terminal("segment(None, print)", typed)

    assert "1 NFO  2 MCX  3 NSE  4 BFO" in shown
    assert f"= {chosen}" in shown
    assert ("'7' is not one of 1, 2, 3, 4" in shown) == (typed == "7\n")


@pytest.mark.parametrize(
    ("typed", "chosen"), [("\n", "SILVERMIC"), ("2\n", "GOLDM"), ("zinc\n", "ZINC")]
)
def test_the_commodity_is_asked(typed, chosen):
    assert f"= {chosen}" in at_a_terminal("commodity(None)", typed)


@pytest.mark.parametrize(
    ("typed", "chosen"), [("\n", "replay"), ("1\n", "live"), ("2\n", "replay")]
)
def test_without_keys_enter_opens_a_recorded_day(typed, chosen):
    assert f"= {chosen}" in at_a_terminal("feed(None)", typed)


def test_a_flag_answers_before_the_environment_and_neither_is_asked():
    assert "Segment:" not in at_a_terminal("segment('bfo', print)", "", FEED_SEGMENT="MCX")
    assert "= BFO" in at_a_terminal("segment('bfo', print)", "", FEED_SEGMENT="MCX")
    assert "= MCX" in at_a_terminal("segment(None, print)", "", FEED_SEGMENT="MCX")
    assert "= live" in at_a_terminal("feed(None)", "", FEED="live")


def test_without_a_terminal_nothing_is_asked():
    code = "from oimon import questions as q; print(q.segment(None, print), q.commodity(None), q.feed(None))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=CLEAN,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )

    assert done.stdout.decode().split() == ["NFO", "None", "replay"]
