import json

import pytest
from pydantic import Field, SecretStr

from oimon.config import Settings, bus_address, falls_back, load
from oimon.errors import ConfigError
from oimon.terms import Segment


class Example(Settings):
    http_port: int = Field(8799, ge=1, le=65535, description="port")
    feed_segment: Segment = falls_back(Segment.NFO, "segment")
    speed: float = Field(1.0, gt=0, description="times real time")
    api_key: SecretStr | None = Field(None, description="a secret")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "HTTP_PORT",
        "FEED_SEGMENT",
        "SPEED",
        "API_KEY",
        "API_KEY_FILE",
        "REDIS_URL",
        "DATA_DIR",
        "LOG_LEVEL",
    ):
        monkeypatch.delenv(name, raising=False)


def test_defaults_hold_where_nothing_is_set():
    settings = load(Example)

    assert (settings.http_port, settings.feed_segment, settings.notes) == (8799, Segment.NFO, ())


def test_a_field_s_name_in_capitals_is_its_variable(monkeypatch):
    monkeypatch.setenv("SPEED", "60")

    assert load(Example).speed == 60


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("SPEED", "")

    assert load(Example).speed == 1


def test_all_mistakes_are_told_at_once_each_with_its_place(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("# mine\nSPEED=fast\nHTTP_PORT=99999\n", encoding="utf-8")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(ConfigError) as caught:
        load(Example)

    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert any(
        line.startswith("SPEED (.env line 2): ") and "times real time" in line for line in lines
    )
    assert any(line.startswith("HTTP_PORT (.env line 3): ") for line in lines)
    assert any(line.startswith("LOG_LEVEL (environment): ") for line in lines)


def test_a_value_with_a_stated_default_falls_back_and_says_so(monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "NYSE")

    settings = load(Example)

    assert settings.feed_segment is Segment.NFO
    assert len(settings.notes) == 1
    assert settings.notes[0].startswith("FEED_SEGMENT: ")
    assert "using the default, NFO" in settings.notes[0]


def test_a_secret_may_come_from_a_file(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("s3cret\n", encoding="utf-8")
    monkeypatch.setenv("API_KEY_FILE", str(tmp_path / "key"))

    settings = load(Example)

    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_a_secret_s_file_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("API_KEY_FILE", "nowhere/key")

    with pytest.raises(ConfigError, match="API_KEY_FILE: cannot read 'nowhere/key'"):
        load(Example)


def test_a_wrong_value_is_never_shown(monkeypatch):
    monkeypatch.setenv("SPEED", "s3cret")

    with pytest.raises(ConfigError) as caught:
        load(Example)

    assert "s3cret" not in str(caught.value)


def test_the_bus_of_a_running_oi_up_is_found_by_its_file(tmp_path):
    settings = load(Example)
    settings.data_dir.mkdir()
    (settings.data_dir / "run.json").write_text(
        json.dumps({"redis_url": "redis://127.0.0.1:6391/0"}), encoding="utf-8"
    )

    assert bus_address(settings) == "redis://127.0.0.1:6391/0"


def test_redis_url_wins_over_the_file(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://10.0.0.5:6379/0")
    settings = load(Example)
    settings.data_dir.mkdir()
    (settings.data_dir / "run.json").write_text(
        json.dumps({"redis_url": "redis://127.0.0.1:6391/0"}), encoding="utf-8"
    )

    assert bus_address(settings) == "redis://10.0.0.5:6379/0"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_broken_run_file_is_as_good_as_none(text):
    settings = load(Example)
    settings.data_dir.mkdir()
    (settings.data_dir / "run.json").write_text(text, encoding="utf-8")

    assert bus_address(settings) == "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    "address",
    ["localhost", "", "http://127.0.0.1:6379", "redis://127.0.0.1:x", "redis://:se/cret@h"],
)
def test_what_is_no_address_of_redis_is_one_error_that_does_not_show_it(address):
    with pytest.raises(ConfigError, match="REDIS_URL: must be an address as redis://") as error:
        load(Settings, {"redis_url": address})

    assert "cret" not in str(error.value)


@pytest.mark.parametrize(
    "address",
    ["redis://127.0.0.1:6379/0", "rediss://:a@h", "unix:///tmp/r", "redis+cluster://h:7000"],
)
def test_an_address_of_redis_is_kept_as_it_is(address):
    assert load(Settings, {"redis_url": address}).redis_url.get_secret_value() == address


def test_an_env_file_that_is_no_text_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"\x84\xff")

    with pytest.raises(ConfigError, match=r"\.env: is no text"):
        load(Settings)


def test_a_file_that_an_env_file_names_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    (tmp_path / "address").write_text("redis://127.0.0.1:7000/1\n", encoding="utf-8")
    (tmp_path / ".env").write_text("REDIS_URL_FILE=address\n", encoding="utf-8")

    assert load(Settings).redis_url.get_secret_value() == "redis://127.0.0.1:7000/1"
