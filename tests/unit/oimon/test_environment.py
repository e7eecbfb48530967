"""Where a single variable may stand."""

import pytest

from oimon.environment import given


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOME_NAME", raising=False)
    return tmp_path


def test_the_environment_goes_before_the_file_and_nothing_is_none(elsewhere, monkeypatch):
    assert given("SOME_NAME") is None
    (elsewhere / ".env").write_text("SOME_NAME=written\n", encoding="utf-8")
    assert given("SOME_NAME") == "written"
    monkeypatch.setenv("SOME_NAME", "")
    assert given("SOME_NAME") == "written"
    monkeypatch.setenv("SOME_NAME", "set")
    assert given("SOME_NAME") == "set"


def test_a_file_that_cannot_be_read_says_nothing(elsewhere):
    (elsewhere / ".env").write_bytes(b"SOME_NAME=\xff\xfe\n")

    assert given("SOME_NAME") is None
