import pytest

from ingest.fakebroker import faults
from ingest.fakebroker.faults import Fault, FaultBox, arm
from oimon.errors import ConfigError


def test_a_shot_strikes_once_and_is_counted():
    box = FaultBox()
    arm(box, "close")

    assert [box.strikes(Fault.CLOSE) for _ in range(3)] == [True, False, False]
    assert box.facts() == {"rates": {}, "next": {}, "struck": {"close": 1}}


def test_a_rate_strikes_at_its_share_of_occasions():
    box = FaultBox()
    arm(box, "slow=0.25")
    count = sum(box.strikes(Fault.SLOW) for _ in range(2000))

    assert 400 < count < 600
    assert not box.strikes(Fault.CLOSE)


def test_a_rate_of_nothing_switches_off():
    box = FaultBox()
    for each in ("mute=1", "mute"):
        arm(box, each)
    arm(box, "mute=0")

    assert not box.any_armed
    assert not box.strikes(Fault.MUTE)


def test_the_first_that_strikes_is_found():
    box = FaultBox()
    box.next("ag8002")

    assert box.first(faults.GATEWAY) is Fault.AG8002
    assert box.first(faults.GATEWAY) is None


def test_clearing_keeps_what_struck():
    box = FaultBox()
    box.rate("text", 1.0)
    box.strikes(Fault.TEXT)
    box.clear()

    assert box.facts() == {"rates": {}, "next": {}, "struck": {"text": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "there is no fault 'nonsense'; choose of empty-body"),
        ("close=2", "rate must be 0 to 1, close was given 2"),
        ("close=x", "rate must be a number, close was given 'x'"),
        ("close=nan", "rate must be 0 to 1"),
    ],
)
def test_a_wrong_word_is_named(text, said):
    with pytest.raises(ConfigError, match=said):
        arm(FaultBox(), text)


def test_no_fault_strikes_less_than_once():
    with pytest.raises(ConfigError, match="at least once"):
        FaultBox().next("close", 0)


def test_each_fault_has_its_occasion():
    alone = {Fault.SLOW, Fault.MUTE_CONNECT}
    groups = [
        faults.LOGIN, faults.GATEWAY, faults.ANSWER, faults.MASTER, faults.HANDSHAKE, faults.SOCKET, faults.PACKET, alone,
    ]  # fmt: skip

    assert sorted(fault for group in groups for fault in group) == sorted(Fault)
