from pathlib import Path

import pytest

from ingest.packets import PACKETS, SNAP_QUOTE, book, fields, packet
from tests.builders import make_frame

ANGEL = Path(__file__).parents[2] / "data" / "angel"


def worked(mode):
    return bytes.fromhex((ANGEL / f"worked_mode_{mode}.hex").read_text())


def test_the_four_layouts_have_the_lengths_that_the_broker_states():
    assert {mode: layout.itemsize for mode, layout in PACKETS.items()} == {
        1: 51,
        2: 123,
        3: 379,
        4: 443,
    }


def test_the_worked_ltp_packet_reads_as_stated():
    assert fields(worked(1)) == {
        "mode": 1,
        "exchange_type": 1,
        "token": "99926000",
        "sequence": 0,
        "exchange_ms": 1795578301000,
        "ltp": 2419635,
    }


def test_the_worked_quote_packet_reads_as_stated():
    assert fields(worked(2)) == {
        "mode": 2,
        "exchange_type": 2,
        "token": "40637",
        "sequence": 4512345,
        "exchange_ms": 1795578301000,
        "ltp": 12385,
        "last_qty": 65,
        "average": 12140,
        "volume": 9876555,
        "total_buy_qty": 512330.0,
        "total_sell_qty": 498875.0,
        "open": 11800,
        "high": 13500,
        "low": 10955,
        "prev_close": 11760,
    }


def test_the_worked_snap_quote_packet_reads_as_stated():
    found = fields(worked(3))

    levels = [(v["flag"], v["qty"], v["price"], v["orders"]) for v in found.pop("levels")]
    assert levels == [
        (1, 130, 12380, 2),
        (1, 650, 12375, 5),
        (1, 975, 12370, 7),
        (1, 1300, 12365, 9),
        (1, 195, 12360, 1),
        (0, 65, 12390, 1),
        (0, 325, 12395, 3),
        (0, 715, 12400, 4),
        (0, 2600, 12405, 12),
        (0, 390, 12410, 2),
    ]
    assert found == fields(worked(2)) | {
        "mode": 3,
        "sequence": 4512346,
        "exchange_ms": 1795578302000,
        "traded_s": 1795578301,
        "oi": 7284615,
        "oi_change_pct": 4.25,
        "upper_circuit": 51260,
        "lower_circuit": 5,
        "high_52w": 30000,
        "low_52w": 1005,
    }


def test_the_worked_depth_packet_reads_as_stated():
    found = fields(worked(4))

    assert (found["token"], found["exchange_ms"], found["packet_received_ms"]) == (
        "1594",
        1795578303562,
        0,
    )
    assert [(v["qty"], v["price"], v["orders"]) for v in found["buys"]] == [
        (500 - 10 * i, 195900 - 5 * i, 3) for i in range(20)
    ]
    assert [(v["qty"], v["price"], v["orders"]) for v in found["sells"]] == [
        (81 + i, 195955 + 5 * i, 2) for i in range(20)
    ]


def test_the_captured_packet_reads_as_published():
    found = fields((ANGEL / "snapquote_nse_cm_17758.bin").read_bytes())

    assert {name: value for name, value in found.items() if name != "levels"} == {
        "mode": 3,
        "exchange_type": 1,
        "token": "17758",
        "sequence": 19562,
        "exchange_ms": 1728696324621,
        "ltp": 49950,
        "last_qty": 10,
        "average": 49674,
        "volume": 527842,
        "total_buy_qty": 0.0,
        "total_sell_qty": 2863.0,
        "open": 49735,
        "high": 50500,
        "low": 48730,
        "prev_close": 49825,
        "traded_s": 1728642580,
        "oi": 0,
        "oi_change_pct": 0.0,
        "upper_circuit": found["upper_circuit"],
        "lower_circuit": found["lower_circuit"],
        "high_52w": found["high_52w"],
        "low_52w": found["low_52w"],
    }
    assert found["lower_circuit"] < found["ltp"] < found["upper_circuit"]


def test_what_is_packed_reads_back():
    levels = book([(130, 12_380, 2)], [(65, 12_390, 1), (325, 12_395, 3)])

    found = fields(packet(SNAP_QUOTE, "NFO", "40637", ltp=12_385, oi=650, levels=levels))

    assert (found["token"], found["exchange_type"], found["ltp"], found["oi"]) == (
        "40637",
        2,
        12_385,
        650,
    )
    assert found["levels"][0] == {"flag": 1, "qty": 130, "price": 12_380, "orders": 2}
    assert found["levels"][1] == {"flag": 1, "qty": 0, "price": 0, "orders": 0}
    assert found["levels"][6] == {"flag": 0, "qty": 325, "price": 12_395, "orders": 3}


@pytest.mark.parametrize("bad", [b"", b"\x09", make_frame()[:-1], make_frame() + b"\0"])
def test_a_packet_of_another_shape_is_refused(bad):
    with pytest.raises(ValueError, match="packet"):
        fields(bad)
