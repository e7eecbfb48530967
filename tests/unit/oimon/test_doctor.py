"""What ``oi doctor`` says of settings."""

import pytest

from oimon import doctor
from oimon.broker_keys import BROKER_KEYS
from oimon.service import names


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Return what is found with these variables: ``told(LOG_LEVEL="loud")``."""
    monkeypatch.chdir(tmp_path)

    def found(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return [(each.what, each.words, each.stops) for each in doctor._settings()]

    return found


@pytest.mark.parametrize("variable", ["LOG_LEVEL", "HTTP_PORT"])
def test_a_wrong_setting_of_every_service_is_told_once(told, variable):
    [(what, words, stops)] = told(**{variable: "-1"})

    assert (what, stops) == ("settings of every service", True)
    assert words.startswith(f"{variable} (environment): ")


def test_each_wrong_setting_is_told_with_whose_it_is(told):
    found = told(MODEL_BUDGET_CALLS="x", FEED_SEGMENT="LSE")

    assert {(what, words.split()[0].strip(":"), stops) for what, words, stops in found} == {
        ("settings of coach-minimal, coach-rich", "MODEL_BUDGET_CALLS", True),
        ("settings of ingest", "FEED_SEGMENT", False),
    }


def test_of_right_settings_there_is_nothing_to_tell(told):
    assert len(names()) > 1
    assert told(LOG_LEVEL="INFO") == []


OF_THE_ENVIRONMENT = (
    "FEED", "DATABASE_URL", "OPENROUTER_API_KEY", "MODEL_API_KEY", "MODEL_BASE_URL", "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_IDS",
    *BROKER_KEYS,
)  # fmt: skip


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Return what is found of keys and database with these lines in ``.env``."""
    monkeypatch.chdir(tmp_path)
    for name in OF_THE_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)

    def found(*lines):
        (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
        findings = [doctor._database(), *doctor._keys()]
        return {each.what: (each.ok, each.stops, each.words) for each in findings}

    return found


def test_what_stands_in_an_env_file_is_found_as_services_find_it(written):
    found = written(
        "DATABASE_URL=postgresql://me:secret@127.0.0.1:1/oimon", "OPENROUTER_API_KEY='k'",
        "TELEGRAM_BOT_TOKEN=1:a", "TELEGRAM_CHAT_IDS=5", *(f"{name}_FILE=/run/{name}" for name in BROKER_KEYS),
    )  # fmt: skip

    assert not found["database"][0]
    assert "secret" not in found["database"][2]
    assert all(found[what][0] for what in ("broker keys", "OPENROUTER_API_KEY", "TELEGRAM_BOT_TOKEN"))  # fmt: skip


def test_a_live_feed_without_keys_would_stop_it(written):
    assert written("FEED=live")["broker keys"][:2] == (False, True)
    assert written("FEED=replay")["broker keys"][:2] == (False, False)


def test_a_model_of_one_s_own_needs_no_key_and_a_bot_needs_somebody_to_tell(written):
    found = written("MODEL_BASE_URL=http://127.0.0.1:1234/v1", "TELEGRAM_BOT_TOKEN=1:a")

    assert found["MODEL_BASE_URL"][0]
    assert "OPENROUTER_API_KEY" not in found
    assert found["TELEGRAM_CHAT_IDS"][0] is False
