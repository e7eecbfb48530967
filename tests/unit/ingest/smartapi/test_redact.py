import pytest

from ingest.smartapi.redact import Secrets

JWT = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJOT0JPRFkifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key Kx+/9=ab in a text", "key *** in a text"),
        ("GET /x?%7B%22k%22%3A%22Kx%2B%2F9%3Dab%22%7D", "GET /x?%7B%22k%22%3A%22***%22%7D"),
        ("PIN 4711 refused at 14711.5", "PIN *** refused at 14711.5"),
        (f"token {JWT}!", "token ***!"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'password': '9999', 'totp': '123456'}", "{'password': '***', 'totp': '***'}"),
        ('{"feedToken":"0123","x":1}', '{"feedToken":"***","x":1}'),
        ("'X-PrivateKey': 'zzz'", "'X-PrivateKey': '***'"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_hidden_however_they_are_spelled(text, shown):
    assert Secrets("Kx+/9=ab", "4711").hide(text) == shown


def test_tokens_that_come_later_are_hidden_too():
    secrets = Secrets("key-of-nobody")
    secrets.add("feed-1-token", None, "")

    assert secrets.hide("x-feed-token feed-1-token, key-of-nobody") == "x-feed-token ***, ***"
    assert repr(secrets) == "Secrets(1 set, 1 given)"


def test_only_the_oldest_tokens_are_forgotten():
    secrets = Secrets("key-of-nobody")
    secrets.add(*(f"token-number-{n:03}" for n in range(100)))

    assert secrets.hide("token-number-099") == "***"
    assert secrets.hide("token-number-000") == "token-number-000"
    assert secrets.hide("key-of-nobody") == "***"
