"""A crash in the middle of writing a script's effects: nothing that was written after it is lost, at any later restart."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import redis as redis_py

from tests.documents import ROOT
from tests.eventually import eventually
from tests.integration.conftest import free_port

SCRIPT = ROOT / "deploy" / "redis" / "redis.sh"
ACL = SCRIPT.with_name("users.acl")
LIST = "file"
"""A word of manifests, and the name of a group of ours: Redis' tool must not take a file that has it for a manifest."""
HALF_A_SCRIPT = 40  # bytes: less than the last of its three commands and EXEC

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None or shutil.which("redis-check-aof") is None,
    reason="Redis' server and redis-check-aof are not on PATH",
)


class Server:
    """A Redis on a folder, to be killed and started again."""

    def __init__(self, folder: Path):
        self.folder, self._port = folder, free_port()
        self._client = redis_py.Redis(port=self._port, socket_timeout=5)
        self._child = None

    async def start(self) -> redis_py.Redis:
        self._spawn()
        await eventually(lambda: answers(self._client))
        return self._client

    def _spawn(self) -> None:
        self._child = subprocess.Popen(
            ["redis-server", "--port", str(self._port), "--dir", self.folder, "--logfile", self.folder / "log",
             "--appendonly", "yes", "--save", ""],
        )  # fmt: skip

    async def has_written(self, what: bytes, times: int = 1) -> None:
        """Wait until the file holds it: an answer comes earlier when a sync to the disk is under way."""
        await eventually(lambda: self.file.read_bytes().count(what) >= times)

    def kill(self) -> None:
        """End it at once; what it has written reaches the disk, since it is not the machine that dies."""
        self._client.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)

    @property
    def file(self) -> Path:
        """The file that is written to."""
        return max((self.folder / "appendonlydir").glob("*.incr.aof"))

    def cut(self) -> None:
        """Take the end off the file, as a loss of power does."""
        self.file.write_bytes(self.file.read_bytes()[:-HALF_A_SCRIPT])


def answers(client) -> bool:
    try:
        return client.ping()
    except redis_py.ConnectionError:
        return False


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.kill()


def mend(folder: Path) -> subprocess.CompletedProcess:
    return run_script("mend", folder / "appendonlydir")


def run_script(*words: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["sh", SCRIPT, *words], capture_output=True, text=True, check=False, **options
    )


async def test_mending_before_each_start_keeps_what_is_written_after_a_crash(server, tmp_path):
    client = await server.start()
    for value in ("old", "torn"):
        client.eval("for _ = 1, 3 do redis.call('RPUSH', KEYS[1], ARGV[1]) end", 1, LIST, value)
    await server.has_written(b"EXEC", times=2)
    server.kill()
    server.cut()
    mend(tmp_path)
    client = await server.start()
    client.rpush(LIST, "new")
    await server.has_written(b"new")
    server.kill()
    mend(tmp_path)
    client = await server.start()

    found = client.lrange(LIST, 0, -1)

    assert found == [b"old"] * 3 + [b"new"]


async def test_a_file_that_is_whole_or_not_there_is_left_as_it_is(server, tmp_path):
    nothing = mend(tmp_path)
    client = await server.start()
    client.set("a", "whole")
    await server.has_written(b"whole")
    server.kill()
    before = server.file.read_bytes()

    whole = mend(tmp_path)

    assert (nothing.returncode, whole.returncode) == (0, 0)
    assert server.file.read_bytes() == before
    assert list(tmp_path.glob("*.incr.aof.*")) == []


async def test_what_is_cut_off_is_kept_for_people(server, tmp_path):
    client = await server.start()
    client.rpush(LIST, "old")
    await server.has_written(b"old")
    server.kill()
    damaged = server.file.read_bytes() + b"*3\r\n$5\r\nRPUSH\r\n$4\r\nli\0\0garbage\r\n" * 2
    server.file.write_bytes(damaged)

    said = mend(tmp_path)
    client = await server.start()
    found = client.lrange(LIST, 0, -1)

    (kept,) = tmp_path.glob("*.incr.aof.*")
    assert said.returncode == 0
    assert str(kept) in said.stdout
    assert kept.read_bytes() == damaged
    assert found == [b"old"]


async def test_what_the_container_runs_mends_before_it_serves(server, tmp_path):
    client = await server.start()
    client.rpush(LIST, "old")
    await server.has_written(b"old")
    server.kill()
    whole = server.file.read_bytes()
    server.file.write_bytes(whole + b"*3\r\n$5\r\nRPUSH\r\n$4\r\nli\0\0garbage\r\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, does in (
        ("docker-entrypoint.sh", f'cp "{server.file}" found; echo "$@"'),
        ("chown", ""),
    ):
        program = programs / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o700)
    users = [
        words[1] for line in ACL.read_text().splitlines() if (words := line.split())[:1] == ["user"]
    ]
    passwords = {f"REDIS_{user.upper().replace('-', '_')}_PASSWORD": "secret" for user in users}
    paths = {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}

    served = run_script("serve", cwd=tmp_path, env=passwords | paths)

    assert served.returncode == 0, served.stderr
    assert (tmp_path / "found").read_bytes() == whole
    assert f"redis-server --aclfile {tmp_path / 'users.acl'} --appendonly yes" in served.stdout
    assert "secret" not in (tmp_path / "users.acl").read_text()
