"""The instrument master from the broker's address, read while it comes."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from ingest.master.columns import Master
from ingest.master.reading import MasterReader
from oimon.errors import InputError, TransientError

MOST_BYTES = 200_000_000
"""The file has some 42 MB; what is larger is no instrument master."""
WITHIN_S = 120.0
_TIMEOUT = httpx2.Timeout(10.0, read=20.0)
_PAUSES_S = (1.0, 4.0)
"""Before the second and the third try."""

Sleep = Callable[[float], Awaitable[None]]


async def download(url: str, *, most: int = MOST_BYTES, sleep: Sleep = asyncio.sleep) -> Master:
    """Fetch the master, in up to three tries.

    Args:
        url: where it is.
        most: bytes, unpacked, that it may have.
        sleep: waits between two tries.

    Raises:
        InputError: what is there is no instrument master.
        TransientError: it could not be fetched.
    """
    for pause_s in _PAUSES_S:
        try:
            return await _once(url, most)
        except TransientError:
            await sleep(pause_s)
    return await _once(url, most)


async def _once(url: str, most: int) -> Master:
    reader, size = MasterReader(url), 0
    try:
        async with (
            asyncio.timeout(WITHIN_S),
            httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise TransientError(
                    f"{url}: the instrument master cannot be fetched: the server answers {response.status_code}"
                )
            async for piece in response.aiter_bytes():
                size += len(piece)
                if size > most:
                    raise InputError(
                        url,
                        "instrument master",
                        f"it is larger than {most / 1e6:.0f} MB",
                        "SMARTAPI_MASTER_URL can name another source",
                    )
                reader.take(piece)
    except TimeoutError:
        raise TransientError(
            f"{url}: the instrument master did not come within {WITHIN_S:.0f} s"
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        what = str(error) or type(error).__name__
        raise TransientError(f"{url}: the instrument master cannot be fetched: {what}") from error
    return reader.close()
