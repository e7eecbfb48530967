import random

import pytest

from ingest.smartapi.watchdog import Patience, Watchdog
from oimon.terms import MarketState

OPEN, CLOSED = MarketState.OPEN, MarketState.CLOSED


@pytest.fixture
def dog():
    dog = Watchdog(Patience())
    dog.connected(100.0)
    return dog


def answered(dog, until_s, market=OPEN):
    """Let seconds pass with every heartbeat answered; return the first doubt."""
    at_s = 100.0
    while at_s <= until_s:
        dog.answered(at_s)
        doubt = dog.doubt(at_s, market)
        if doubt:
            return doubt, at_s
        at_s += 1
    return None


def test_a_connection_that_brings_nothing_while_the_market_trades_is_given_up_after_25_s(dog):
    assert answered(dog, 200) == ("no packet for 26 s while the market trades", 126.0)


def test_silence_outside_the_session_is_no_doubt(dog):
    assert answered(dog, 4000, CLOSED) is None


def test_silence_counts_from_the_opening(dog):
    assert answered(dog, 1000, CLOSED) is None

    dog.answered(1001.0)
    assert dog.doubt(1001.0, OPEN) is None
    dog.answered(1026.0)
    assert dog.doubt(1026.0, OPEN) is None
    assert dog.doubt(1027.0, OPEN) == "no packet for 26 s while the market trades"


def test_packets_keep_silence_away(dog):
    for at_s in range(100, 200, 5):
        dog.packet(at_s)
        assert dog.doubt(at_s, OPEN) is None
    assert dog.doubt(219.0, OPEN) is None


def test_heartbeats_without_an_answer_are_a_doubt_at_any_hour(dog):
    assert dog.doubt(125.0, CLOSED) is None
    assert dog.doubt(126.0, CLOSED) == "no answer to heartbeats for 26 s"


def test_two_silent_connections_in_a_row_ask_for_a_login(dog):
    answered(dog, 200)
    assert not dog.wants_login

    dog.connected(200.0)
    dog.answered(226.0)
    assert dog.doubt(226.0, OPEN)
    assert dog.wants_login
    dog.logged_in()
    assert not dog.wants_login


def test_a_silence_that_no_login_mends_asks_for_one_more_and_more_seldom(dog):
    def asks_after(silences):
        found = []
        for silence in range(1, silences + 1):
            dog.connected(100.0 * silence)
            dog.answered(100.0 * silence)
            assert dog.doubt(100.0 * silence, OPEN) is None
            dog.answered(100.0 * silence + 26)
            assert dog.doubt(100.0 * silence + 26, OPEN)
            if dog.wants_login:
                found.append(silence)
                dog.logged_in()
        return found

    assert asks_after(30) == [2, 6, 14, 22, 30]
    dog.packet(9000.0)
    assert asks_after(2) == [2], "it worked meanwhile"


def test_a_packet_between_two_silences_asks_for_no_login(dog):
    answered(dog, 200)
    dog.connected(200.0)
    dog.packet(201.0)
    dog.answered(227.0)

    assert dog.doubt(227.0, OPEN)
    assert not dog.wants_login


def test_waits_double_up_to_a_minute_and_spread():
    patience, dice = Patience(), random.Random(1)
    waits = [[patience.wait_s(attempt, dice) for _ in range(200)] for attempt in range(1, 30)]

    for attempt, some in enumerate(waits, start=1):
        longest = min(2.0 ** (attempt - 1), 60.0)
        assert longest / 2 <= min(some)
        assert max(some) <= longest
        assert max(some) - min(some) > longest / 4
