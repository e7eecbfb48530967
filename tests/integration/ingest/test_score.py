"""`oi sim score`: what it starts ends with it, however that is."""

import asyncio
import os
import sys

import pytest

from tests.eventually import eventually
from tests.integration.test_supervisor import is_alive

SCORES = """
import os, time
from ingest.simulator import commands
pool = commands._pool(1)
print(pool.apply(os.getpid), flush=True)
pool.apply(time.sleep, (600,))
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


async def test_a_score_that_is_killed_leaves_no_day_playing():
    score = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCORES, stdout=asyncio.subprocess.PIPE
    )
    assert score.stdout is not None
    pid = int(await score.stdout.readline())
    try:
        score.kill()
        await score.wait()
        await eventually(lambda: not is_alive(pid))
    finally:
        if is_alive(pid):
            os.kill(pid, 9)
