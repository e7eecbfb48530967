import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.fakebroker.subscriptions import Refusal, Subscriptions, name_of
from tests.fakes.smartapi import CALL, FUTURE, INDEX, request

CALL_NAME = name_of(2, CALL.token)


def apply(subscriptions, rows, mode=3, action=1):
    return subscriptions.apply(json.dumps(request(rows, mode, action)).encode())


def test_a_token_in_two_modes_is_two_subscriptions():
    found = Subscriptions()

    assert apply(found, [CALL, INDEX], 3) == [(CALL_NAME, 3), (name_of(1, INDEX.token), 3)]
    assert apply(found, [CALL], 1) == [(CALL_NAME, 1)]
    assert (found.count, found.modes(CALL_NAME)) == (3, (1, 3))
    assert sorted(found) == [(name_of(1, INDEX.token), 3), (CALL_NAME, 1), (CALL_NAME, 3)]


def test_duplicates_are_ignored_and_so_is_leaving_what_is_not_there():
    found = Subscriptions()
    apply(found, [CALL, CALL])

    assert apply(found, [CALL]) == []
    assert apply(found, [FUTURE], action=0) == []
    assert found.count == 1


def test_unsubscribing_leaves_the_other_mode():
    found = Subscriptions()
    apply(found, [CALL], 1)
    apply(found, [CALL], 3)
    apply(found, [CALL], 1, action=0)

    assert (found.modes(CALL_NAME), found.count) == ((3,), 1)
    apply(found, [CALL], 3, action=0)
    assert (found.modes(CALL_NAME), found.count) == ((), 0)


def test_past_the_limit_nothing_of_the_request_is_done():
    found = Subscriptions(most=2)
    apply(found, [CALL])
    refusal = apply(found, [FUTURE, INDEX])

    assert refusal == Refusal(
        correlation_id="abcde12345",
        code="E1002",
        message="Invalid Request. Subscription Limit Exceeded",
    )
    assert apply(found, [CALL, FUTURE]) == [(name_of(2, FUTURE.token), 3)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"action": 1}',
        b'{"action": 1, "params": {"mode": "3", "tokenList": []}}',
        b'{"action": 1, "params": {"mode": 3, "tokenList": [{"exchangeType": 2, "tokens": [""]}]}}',
        b'{"action": 1, "params": {"mode": 3, "tokenList": [{"exchangeType": 999, "tokens": ["1"]}]}}',
    ],
)
def test_what_cannot_be_read_is_refused(text):
    found = Subscriptions()

    assert found.apply(text).code == "E1001"
    assert found.count == 0


def test_the_correlation_id_comes_back_where_it_can_be_read():
    text = b'{"correlationID": "abc", "action": 1}'

    assert json.loads(Subscriptions().apply(text).text()) == {
        "correlationID": "abc",
        "errorCode": "E1001",
        "errorMessage": "Invalid Request Payload.",
    }
    assert Subscriptions().apply(b'{"correlationID": 7}').correlation_id == ""


@given(st.binary(max_size=200))
def test_no_bytes_raise(text):
    assert isinstance(Subscriptions().apply(text), Refusal | list)
