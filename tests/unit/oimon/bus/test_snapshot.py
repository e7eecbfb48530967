import pytest

from oimon.bus.snapshot import Snapshot, pack, unpack

KEPT = Snapshot(cursor="1795578301000-2", n=17, state=b"\x00\xff\nstate")


def test_what_was_kept_is_what_comes_back():
    assert unpack(1, pack(1, KEPT), at_most="1795578301000-2") == KEPT


@pytest.mark.parametrize("place", range(0, 120, 3))
def test_a_changed_byte_anywhere_is_noticed(place):
    data = bytearray(pack(1, KEPT))
    data[place % len(data)] ^= 1

    with pytest.raises(ValueError, match="snapshot"):
        unpack(1, bytes(data), at_most="1795578301000-2")


def test_another_shape_is_told_by_its_number():
    with pytest.raises(ValueError, match="schema 2, this version reads 1"):
        unpack(1, pack(2, KEPT), at_most="1795578301000-2")


def test_a_state_of_later_than_the_log_is_not_used():
    with pytest.raises(ValueError, match="the log at 1795578301000-1"):
        unpack(1, pack(1, KEPT), at_most="1795578301000-1")


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\nx", b"no json\nx"])
def test_what_is_no_snapshot_is_refused(data):
    with pytest.raises(ValueError, match="snapshot"):
        unpack(1, data, at_most="1-0")
