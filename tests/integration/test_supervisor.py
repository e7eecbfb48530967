import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from oimon import supervisor as supervising
from oimon import up
from oimon.config import Settings, load
from oimon.supervisor import Child, Supervisor
from oimon.terms import Segment
from oimon.up import Choice
from tests.eventually import eventually

LIVES = "import sys; open(sys.argv[1], 'a').write('born\\n'); sys.stdin.read()"
STUBBORN = "import signal, time, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def births(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def make_child(name: str, code: str, *arguments: str, **fields) -> Child:
    return Child(
        **{"name": name, "argv": ["-c", code, *arguments], "stage": 0, "grace_s": 3.0, **fields}
    )


async def test_a_child_that_dies_is_started_again_and_the_user_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(supervising, "BACKOFF_S", (0.05, 1.0))
    said = []
    keeper = Supervisor(said.append)
    child = make_child("ingest", LIVES, str(tmp_path / "births"))
    await keeper.start(child)
    await eventually(lambda: births(tmp_path / "births") == 1)

    child.process.kill()
    await eventually(lambda: births(tmp_path / "births") == 2)
    await keeper.stop()

    assert said == ["ingest ended with code -9, starting it again in 0.05 s"]


async def test_stop_ends_every_child_a_stage_after_the_other(tmp_path):
    order = []
    keeper = Supervisor(order.append)
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(open(sys.argv[1], 'a').write(sys.argv[2] + '\\n') and 0))\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    children = [
        make_child(name, code, str(tmp_path / "order"), name, stage=stage, announces=True)
        for name, stage in (("redis", 2), ("notifier", 1), ("ingest", 0))
    ]
    for child in children:
        await keeper.start(child)

    await keeper.stop()

    assert (tmp_path / "order").read_text(encoding="utf-8").split() == [
        "ingest",
        "notifier",
        "redis",
    ]
    assert not any(is_alive(child.process.pid) for child in children)


async def test_a_child_that_ignores_the_signal_is_killed(tmp_path):
    keeper = Supervisor(lambda _: None)
    child = make_child("stubborn", STUBBORN, announces=True, grace_s=0.2)
    await keeper.start(child)

    await keeper.stop()

    assert child.process.returncode == -signal.SIGKILL


async def test_a_child_that_is_killed_takes_along_what_it_has_started(tmp_path):
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)\n"
        "time.sleep(600)"
    )
    keeper = Supervisor(lambda _: None)
    server = int(await keeper.start(make_child("keeper", code, announces=True, grace_s=0.2)))

    await keeper.stop()

    await eventually(lambda: not is_alive(server) or _is_zombie(server))


async def test_a_child_for_which_there_is_no_room_now_is_started_later(tmp_path, monkeypatch):
    monkeypatch.setattr(supervising, "BACKOFF_S", (0.05, 1.0))
    spawn, said, refused = asyncio.create_subprocess_exec, [], []

    async def once_refused(*argv, **options):
        if births(tmp_path / "births") and not refused:
            refused.append(argv)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return await spawn(*argv, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", once_refused)
    keeper = Supervisor(said.append)
    child = make_child("ingest", LIVES, str(tmp_path / "births"))
    await keeper.start(child)
    await eventually(lambda: births(tmp_path / "births") == 1)

    child.process.kill()
    await eventually(lambda: births(tmp_path / "births") == 2)
    await keeper.stop()

    assert said[1] == "ingest could not be started: [Errno 11] Resource temporarily unavailable"


async def test_a_child_that_is_just_being_started_again_is_not_missed_by_a_stop(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(supervising, "BACKOFF_S", (0.0, 1.0))
    spawn, may_start, begun = asyncio.create_subprocess_exec, asyncio.Event(), []

    async def slowly(*argv, **options):
        if births(tmp_path / "births"):
            begun.append(argv)
            await may_start.wait()
        return await spawn(*argv, **options)

    keeper = Supervisor(lambda _: None)
    await keeper.start(make_child("stubborn", STUBBORN, announces=True, grace_s=0.2, stage=1))
    child = make_child("ingest", LIVES, str(tmp_path / "births"))
    await keeper.start(child)
    await eventually(lambda: births(tmp_path / "births") == 1)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    child.process.kill()
    await eventually(lambda: begun)

    stopping = asyncio.ensure_future(keeper.stop())
    asyncio.get_running_loop().call_later(0.05, may_start.set)
    await stopping

    assert child.process.returncode is not None


async def test_ctrl_c_while_all_starts_ends_what_has_begun(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    child = make_child("valkey", LIVES, str(tmp_path / "births"), announces=True)
    monkeypatch.setattr(up, "_redis", lambda supervisor, *_: supervisor.start(child))
    choice = Choice(segment=Segment.NFO, commodity=None, feed="replay", replicas={})
    said = []

    running = asyncio.create_task(up._up(choice, load(Settings), said.append))
    await eventually(lambda: births(tmp_path / "births") == 1)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(running, 5)

    assert said == ["Stopped; nothing of it is left running"]
    assert child.process.returncode is not None


async def test_a_dashboard_that_starts_again_asks_for_the_port_that_people_were_told(tmp_path):
    started = []

    class Slow:
        async def start(self, child):
            started.append(child)
            return "http://127.0.0.1:8999"  # another program had the one it was to take

    replicas = {"analytics": 1, "dashboard": 1}
    choice = Choice(segment=Segment.NFO, commodity=None, feed="replay", replicas=replicas)

    address = await up._services(Slow(), choice, load(Settings, {"data_dir": tmp_path}), "redis://")

    assert address == "http://127.0.0.1:8999"
    assert [child.name for child in started] == ["analytics", "dashboard"]
    assert started[1].environment["HTTP_PORT"] == "8999"
    assert started[0].environment["HTTP_PORT"] != "8999"


async def test_a_child_that_does_not_start_is_an_error_with_what_it_said(tmp_path):
    keeper = Supervisor(lambda _: None)
    child = make_child(
        "valkey", "import sys; sys.exit('no port')", announces=True, output=tmp_path / "out"
    )

    with pytest.raises(RuntimeError, match="valkey did not start: no port"):
        await keeper.start(child)
    await keeper.stop()


async def test_children_end_when_their_supervisor_is_killed(tmp_path):
    code = (
        "import asyncio, sys\n"
        "from oimon.supervisor import Child, Supervisor\n"
        "async def main():\n"
        "    keeper = Supervisor(print)\n"
        "    child = Child(name='x', argv=['-c', 'import sys; sys.stdin.read()'], stage=0, grace_s=1)\n"
        "    await keeper.start(child)\n"
        "    print(child.process.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)

    parent.kill()
    await parent.wait()

    await eventually(lambda: not is_alive(pid) or _is_zombie(pid))


def _is_zombie(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
