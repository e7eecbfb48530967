import asyncio
import time

import pytest

from ingest.smartapi.threads import Threads


async def test_a_cancel_that_comes_with_the_answer_is_a_cancel():
    asked = asyncio.create_task(Threads().call(lambda: 1, 5.0))
    await asyncio.sleep(0)
    time.sleep(0.05)  # noqa: ASYNC251 - the loop has to find the answer and the cancel together
    asyncio.get_running_loop().call_soon(asked.cancel)

    with pytest.raises(asyncio.CancelledError):
        await asked
