import json
import logging

import pytest

from oimon import log
from oimon.errors import ConfigError


@pytest.fixture(autouse=True)
def _root_logger_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level


def lines_of(tmp_path) -> list[dict]:
    return [
        json.loads(line) for line in (tmp_path / "a.log").read_text(encoding="utf-8").splitlines()
    ]


def test_a_record_is_one_json_object_a_line_with_its_facts(tmp_path):
    log.configure("ingest", file=tmp_path / "a.log")

    logging.getLogger("x").info("batch published", extra={"ticks": 3})

    (record,) = lines_of(tmp_path)
    assert (record["event"], record["ticks"], record["service"], record["level"]) == (
        "batch published",
        3,
        "ingest",
        "info",
    )
    assert record["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name", ["api_key", "TELEGRAM_BOT_TOKEN", "password", "Authorization", "pin", "jwt"]
)
def test_what_is_named_like_a_secret_is_not_written(tmp_path, name):
    log.configure("ingest", file=tmp_path / "a.log")

    logging.getLogger("x").warning("login", extra={name: "s3cret"})

    assert "s3cret" not in (tmp_path / "a.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:s3cret@host:6379/0 is away", "redis://:***@host:6379/0 is away"),
        ("postgresql://u:s3cret@db/oimon", "postgresql://u:***@db/oimon"),
        (
            "https://api.telegram.org/bot123:AA-s3cret/sendMessage",
            "https://api.telegram.org/bot***/sendMessage",
        ),
        ("redis://u:s3@cr@et@host:6379/0", "redis://u:***@host:6379/0"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_an_address_loses_its_password(text, shown):
    assert log.redact(text) == shown


def test_what_is_no_text_yet_loses_its_password_too(tmp_path):
    log.configure("ingest", file=tmp_path / "a.log")

    logging.getLogger("x").warning("away", extra={"error": OSError("redis://:s3cret@host is away")})

    (record,) = lines_of(tmp_path)
    assert record["error"] == "redis://:***@host is away"


def test_an_exception_keeps_its_line(tmp_path):
    log.configure("ingest", file=tmp_path / "a.log")

    try:
        raise ValueError("why")  # noqa: TRY301 - the point of the test
    except ValueError:
        logging.getLogger("x").exception("it failed")

    (record,) = lines_of(tmp_path)
    assert "ValueError: why" in record["exception"]


def test_what_was_hidden_is_written_nowhere_however_deep(tmp_path):
    log.configure("ingest", file=tmp_path / "a.log")
    log.hide("feed-token-of-nobody", "4711")

    logging.getLogger("x").warning(
        "said feed-token-of-nobody",
        extra={"headers": {"jwt": "abc", "list": ["a feed-token-of-nobody", 4711]}},
    )

    written = (tmp_path / "a.log").read_text(encoding="utf-8")
    assert "feed-token-of-nobody" not in written
    assert '"headers":{"jwt":"***","list":["a ***",4711]}' in written  # too short to be hidden


def test_a_log_that_finds_no_room_says_so_once(monkeypatch, capsys):
    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    log.configure("ingest")

    for _ in range(3):
        logging.getLogger("x").info("batch published")

    assert capsys.readouterr().err == "The log cannot be written: No space left on device\n"


def test_a_file_that_cannot_be_the_log_is_one_sentence(tmp_path):
    with pytest.raises(
        ConfigError, match=r"LOG_FILE: cannot write .*: Is a directory\. Name a file"
    ):
        log.configure("ingest", file=tmp_path)


def test_a_web_server_that_starts_is_no_line_and_its_errors_are(tmp_path):
    log.configure("ingest", file=tmp_path / "a.log")

    logging.getLogger("uvicorn.error").info("Started server process [1]")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")

    assert [line["event"] for line in lines_of(tmp_path)] == ["Exception in ASGI application"]


def test_a_pin_is_left_alone_and_what_is_hidden_often_drives_nothing_out():
    log.hide("0815", "an-old-password-of-nobody")
    for _ in range(200):
        log.hide("a-new-password-of-nobody")

    text = log.redact("0815: an-old-password-of-nobody, a-new-password-of-nobody")

    assert text == "0815: ***, ***"
