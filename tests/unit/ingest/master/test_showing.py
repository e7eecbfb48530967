import msgspec
import pytest

from ingest.master.plan import Wanted, plan
from ingest.master.showing import plain, shown
from oimon.terms import Segment
from tests.unit.ingest.master.masters import at, read_master


@pytest.fixture(scope="module")
def master():
    return read_master()


def test_the_lines_say_what_is_subscribed_strike_by_strike(master):
    lines, _ = shown(plan(master, Wanted(segment=Segment.NFO), at(10)), {"Nifty 50": 26_040.0})

    assert lines == [
        "NIFTY, NFO",
        "  always      Nifty 50 (LTP), India VIX (LTP), NIFTY01DEC26FUT (SNAP_QUOTE), NIFTY29DEC26FUT (SNAP_QUOTE)",
        "  2026-12-01  81 strikes listed, 24000 to 28000; at the money 26050: 82 contracts, 25050 to 27050",
        "  2026-12-08  41 strikes listed, 25000 to 27000; at the money 26050: 80 contracts, 25050 to 27000",
        "166 of 3000 token-modes, on 1 socket",
    ]


def test_without_a_price_no_strike_is_named(master):
    lines, moved = shown(plan(master, Wanted(segment=Segment.BFO), at(10)), {})

    assert lines[2].endswith(
        "20 on each side of the money, once the price of SENSEX is known (--spot)"
    )
    assert lines[-1] == "at least 2 of 3000 token-modes, on 1 socket"
    assert len(moved.held.asks) == 2


def test_what_is_off_is_among_the_lines(master):
    lines, _ = shown(plan(master, Wanted(segment=Segment.MCX), at(10)), {})

    assert [line for line in lines if line.startswith("  off         No open-interest analysis")]


def test_the_object_holds_every_contract_with_its_token_and_mode(master):
    found = plan(master, Wanted(segment=Segment.NFO, each_side=1, expiries=1), at(10))
    _, moved = shown(found, {"Nifty 50": 26_040.0})

    told = msgspec.json.decode(msgspec.json.encode(plain(found, moved)))

    (part,) = told["parts"]
    (chain,) = part["chains"]
    assert (chain["at_the_money"], chain["listed"], told["token_modes"]) == (26_050.0, 81, 10)
    assert [(leg["strike"], leg["kind"]) for leg in chain["contracts"]] == [
        (26_000.0, "CE"), (26_000.0, "PE"), (26_050.0, "CE"), (26_050.0, "PE"), (26_100.0, "CE"), (26_100.0, "PE"),
    ]  # fmt: skip
    assert part["always"][0] == {
        "exchange": "NSE", "exchange_type": 1, "token": "99926000", "symbol": "Nifty 50", "kind": "INDEX",
        "expiry": None, "strike": None, "lot": 1, "tick": 0.0, "mode": "LTP",
    }  # fmt: skip
