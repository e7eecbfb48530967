import random

import pytest

from ingest.fakebroker.disturbance import beside, bursts
from ingest.fakebroker.faults import PACKET, Fault
from ingest.fakebroker.packet import as_mode, is_whole, name_of_row
from ingest.packets import LTP, QUOTE, SNAP_QUOTE, fields, packet
from tests.fakes.smartapi import CALL
from tests.sdk_parser import sdk_parser

SNAP = packet(SNAP_QUOTE, "NFO", CALL.token, sequence=7, exchange_ms=1000, ltp=12_385, volume=650, oi=6500)  # fmt: skip


@pytest.mark.parametrize(("mode", "size"), [(LTP, 51), (QUOTE, 123), (SNAP_QUOTE, 379)])
def test_a_packet_in_another_mode_says_the_same_of_less(mode, size):
    found = as_mode(SNAP, mode)
    whole = fields(SNAP)

    assert len(found) == size
    assert {**whole, **fields(found), "mode": 3} == whole


@pytest.mark.parametrize("mode", [QUOTE, SNAP_QUOTE])
def test_what_a_price_does_not_say_is_said_as_of_an_index(mode):
    found = sdk_parser()(as_mode(as_mode(SNAP, LTP), mode))

    assert (found["last_traded_price"], found["volume_trade_for_the_day"]) == (12_385, 0)
    if mode == SNAP_QUOTE:
        assert found["best_5_buy_data"][0]["price"] == found["best_5_buy_data"][0]["quantity"] == -1
        assert all(each["price"] == 0 for each in found["best_5_sell_data"])


def test_a_packet_names_its_token_as_the_master_does():
    assert SNAP[1:27] == name_of_row(CALL)


def test_only_a_packet_of_its_mode_s_length_is_whole():
    assert is_whole(SNAP)
    assert not any(is_whole(each) for each in (b"", SNAP[:-1], SNAP + b"x", b"\x09" + SNAP[1:]))


@pytest.mark.parametrize("fault", [fault for fault in PACKET if fault is not Fault.TEXT])
@pytest.mark.parametrize("mode", [LTP, SNAP_QUOTE])
def test_each_fault_puts_one_packet_beside(fault, mode):
    whole = as_mode(SNAP, mode)
    found = beside(fault, whole, b"before", random.Random(1))

    assert len(found.before) + len(found.after) == 1
    assert fault is Fault.DUPLICATE or whole not in (*found.before, *found.after)


def test_a_first_packet_has_none_before_it():
    assert beside(Fault.OUT_OF_ORDER, SNAP, None, random.Random(1)).after == []


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_bursts_are_ten_thousand_and_end_with_the_truth(count):
    newest = [packet(LTP, "NFO", str(number), ltp=100 + number) for number in range(count)]
    found = list(bursts(newest))

    assert [len(each) for each in found] == [1000] * 10
    assert found[-1][-count:] == newest
    assert not set(found[0]) & set(newest)
