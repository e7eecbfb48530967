import pytest

from notifier.config import NotifierSettings
from oimon.config import load
from oimon.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_IDS", "DATABASE_URL", "HTTP_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_has_to_be_set():
    settings = load(NotifierSettings)

    assert (settings.http_port, settings.telegram_chat_ids) == (8705, ())
    assert settings.database_url is None
    assert settings.telegram_bot_token is None


def test_chat_ids_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("TELEGRAM_CHAT_IDS", "42, -100123")

    assert load(NotifierSettings).telegram_chat_ids == (42, -100123)


def test_every_mistake_is_told_at_once_and_no_secret_with_it(monkeypatch):
    monkeypatch.setenv("TELEGRAM_CHAT_IDS", "@me")
    monkeypatch.setenv("DATABASE_URL", "mysql://u:s3cret@h/d")
    monkeypatch.setenv("HTTP_PORT", "99999")

    with pytest.raises(ConfigError) as caught:
        load(NotifierSettings)

    message = str(caught.value)
    assert "TELEGRAM_CHAT_IDS (environment): must be whole numbers separated by commas" in message
    assert "DATABASE_URL (environment): must be postgresql:// or sqlite:///, was mysql" in message
    assert "HTTP_PORT (environment)" in message
    assert "s3cret" not in message
