import pyotp
import pytest

from ingest.fakebroker.account import Account, Credentials, Denial, Tokens, bearer
from oimon.clock import ManualClock

NOON_US = 1_795_588_200_000_000  # 2026-11-25 12:00:00 IST
OWN = Credentials()


def digits(at_us):
    return pyotp.TOTP(OWN.totp_secret).at(at_us // 1_000_000)


@pytest.fixture
def clock():
    return ManualClock(NOON_US)


@pytest.fixture
def account(clock):
    return Account(OWN, clock)


def login(account, at_us=NOON_US, **changed):
    told = {"client_code": OWN.client_code, "pin": OWN.pin, "totp": digits(at_us)} | changed
    return account.login(**told)


@pytest.mark.parametrize(
    ("off_s", "is_good"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_a_totp_is_good_one_step_early_or_late(account, off_s, is_good):
    found = login(account, NOON_US + off_s * 1_000_000)

    assert isinstance(found, Tokens) == is_good
    assert is_good or found is Denial.TOTP


def test_each_login_gives_three_tokens_of_its_own(account):
    one, other = login(account), login(account)

    assert len({one.jwt, one.refresh, one.feed, other.jwt, other.refresh, other.feed}) == 6
    assert account.is_jwt(one.jwt)
    assert account.is_feed_token(other.feed)


def test_a_renewal_replaces_all_three(account):
    old = login(account)
    new = account.renew(old.refresh)

    assert account.check(old.jwt, OWN.api_key) is Denial.TOKEN_INVALID
    assert account.check(new.jwt, OWN.api_key) is None
    assert account.renew(old.refresh) is Denial.REFRESH_INVALID
    assert not account.is_feed_token(old.feed)


def test_a_session_ends_at_midnight_in_india_whenever_it_began(account, clock):
    tokens = login(account)
    clock.advance(12 * 3600 - 1)
    before = account.check(tokens.jwt, OWN.api_key)
    clock.advance(1)

    assert before is None
    assert account.check(tokens.jwt, OWN.api_key) is Denial.TOKEN_EXPIRED
    assert account.renew(tokens.refresh) is Denial.REFRESH_EXPIRED
    assert not account.is_feed_token(tokens.feed)


def test_all_tokens_can_expire_at_once_and_a_login_helps(account):
    tokens = login(account)
    account.expire()

    assert account.check(tokens.jwt, OWN.api_key) is Denial.TOKEN_EXPIRED
    assert account.is_jwt(login(account).jwt)


def test_a_logout_ends_one_session(account):
    one, other = login(account), login(account)
    account.logout(one.jwt)

    assert account.check(one.jwt, OWN.api_key) is Denial.TOKEN_INVALID
    assert account.is_jwt(other.jwt)


def test_a_secure_route_wants_key_and_token(account):
    assert account.check("", OWN.api_key) is Denial.TOKEN_MISSING
    assert account.check(login(account).jwt, "no") is Denial.API_KEY


def test_a_token_is_read_with_or_without_bearer():
    assert bearer("Bearer x") == bearer("x") == "x"


def test_secrets_that_are_not_ascii_are_wrong_and_no_exception(account):
    assert login(account, pin="१२३४") is Denial.CREDENTIALS
    assert login(account, totp="१२३४५६") is Denial.TOTP
    assert account.check("é", OWN.api_key) is Denial.TOKEN_INVALID
