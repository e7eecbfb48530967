import pytest
from pydantic import SecretStr

from ingest.config import IngestSettings
from ingest.smartapi.credentials import credentials
from oimon.config import load
from oimon.errors import ConfigError

GOOD = {
    "SMARTAPI_API_KEY": "abcdEFGH",
    "SMARTAPI_CLIENT_CODE": "A123456",
    "SMARTAPI_PIN": "4711",
    "SMARTAPI_TOTP_SECRET": "jbsw y3dp-EHPK3PXP JBSWY3DPEH",
}


@pytest.fixture(autouse=True)
def good(monkeypatch, tmp_path):
    for name in IngestSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_four_settings_make_a_login_and_are_never_shown():
    found = credentials(load(IngestSettings))

    assert found.url == "https://apiconnect.angelone.in"
    assert found.totp_secret == SecretStr("JBSWY3DPEHPK3PXPJBSWY3DPEH")
    assert not [v for k, v in GOOD.items() if v in repr(found) and k != "SMARTAPI_CLIENT_CODE"]


def test_a_secret_may_come_from_a_file(monkeypatch, tmp_path):
    monkeypatch.delenv("SMARTAPI_PIN")
    (tmp_path / "pin").write_text("1234\n")
    monkeypatch.setenv("SMARTAPI_PIN_FILE", str(tmp_path / "pin"))

    assert credentials(load(IngestSettings)).pin == SecretStr("1234")


def test_all_that_is_missing_is_named_at_once(monkeypatch):
    monkeypatch.delenv("SMARTAPI_PIN")
    monkeypatch.delenv("SMARTAPI_API_KEY")

    with pytest.raises(
        ConfigError, match="SMARTAPI_API_KEY, SMARTAPI_PIN: not set, the live feed needs them"
    ):
        credentials(load(IngestSettings))


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        (
            "SMARTAPI_PIN",
            "hunter2!",
            "SMARTAPI_PIN: must be the four digits of the MPIN, has 8 characters",
        ),
        ("SMARTAPI_TOTP_SECRET", "123456", "a six-digit code is not it"),
        ("SMARTAPI_TOTP_SECRET", "JBSWY3DPEHPK3PX1", "16 or more of A to Z and 2 to 7"),
        ("SMARTAPI_TOTP_SECRET", "JBSWY3DPEHPK3PXPA", "the 17 characters found are not"),
    ],
)
def test_a_secret_that_cannot_be_right_is_told_without_showing_it(monkeypatch, name, value, what):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as raised:
        credentials(load(IngestSettings))

    assert what in str(raised.value)
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("SMARTAPI_URL", "apiconnect.angelone.in", "SMARTAPI_URL"),
        ("SMARTAPI_URL", "https://host/api", "takes scheme and host only"),
        ("SMARTAPI_URL", "https://host:99999", "is no address"),
        ("SMARTAPI_URL", "ftp://host", "takes an address like https://host"),
        ("SMARTAPI_STREAM_URL", "https://host/smart-stream", "takes an address like wss://host"),
    ],
)
def test_a_bad_address_is_told(monkeypatch, name, value, what):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match=what):
        load(IngestSettings)


def test_a_local_broker_may_be_without_encryption(monkeypatch):
    monkeypatch.setenv("SMARTAPI_URL", "http://127.0.0.1:8710/")
    monkeypatch.setenv("SMARTAPI_STREAM_URL", "ws://127.0.0.1:8710/smart-stream")

    settings = load(IngestSettings)

    assert settings.smartapi_url == "http://127.0.0.1:8710"
    assert settings.smartapi_stream_url == "ws://127.0.0.1:8710/smart-stream"
