import json

from ingest.smartapi.wire import Action, Refusal, Subscription, refusal, requests


def test_a_request_says_what_the_broker_s_papers_show():
    wanted = [Subscription(3, 2, "40637"), Subscription(3, 2, "40638"), Subscription(3, 1, "99926000")]  # fmt: skip

    (text,) = requests(Action.SUBSCRIBE, wanted, first=7)

    assert json.loads(text) == {
        "correlationID": "oimon00007",
        "action": 1,
        "params": {
            "mode": 3,
            "tokenList": [
                {"exchangeType": 2, "tokens": ["40637", "40638"]},
                {"exchangeType": 1, "tokens": ["99926000"]},
            ],
        },
    }


def test_modes_go_apart_and_fifty_tokens_together():
    wanted = [Subscription(3, 2, str(token)) for token in range(120)] + [Subscription(1, 1, "1")]

    told = [json.loads(text) for text in requests(Action.UNSUBSCRIBE, wanted)]

    assert [each["action"] for each in told] == [0] * 4
    assert [each["params"]["mode"] for each in told] == [1, 3, 3, 3]
    counts = [sum(len(part["tokens"]) for part in each["params"]["tokenList"]) for each in told]
    assert counts == [1, 50, 50, 20]
    assert len({each["correlationID"] for each in told}) == 4


def test_the_number_of_a_request_has_ten_characters_for_ever():
    (text,) = requests(Action.SUBSCRIBE, [Subscription(3, 2, "1")], first=1_234_567)

    assert len(json.loads(text)["correlationID"]) == 10


def test_a_refusal_is_read_with_and_without_the_number_of_its_request():
    told = (
        '{"correlationID":"abc","errorCode":"E1002","errorMessage":"Subscription Limit Exceeded"}'
    )

    assert refusal(told) == Refusal("E1002", "Subscription Limit Exceeded", "abc")
    assert refusal('{"errorCode":"E1001"}') == Refusal("E1001", "", "")


def test_what_is_no_refusal_is_none():
    for text in ("pong", "", "{}", "[1]", '{"errorCode": 7}', "\ufffd"):
        assert refusal(text) is None
