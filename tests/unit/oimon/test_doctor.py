"""What ``oi doctor`` says of settings."""

import pytest

from oimon import doctor
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
