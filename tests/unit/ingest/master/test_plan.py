from datetime import date, timedelta

import pytest

from ingest.master.plan import Wanted, plan
from ingest.packets import LTP, SNAP_QUOTE
from oimon.terms import Kind, Segment
from tests.masters import DAY, chain, future, index, make_entry, numbered, small_market
from tests.unit.ingest.master.masters import at, read_master


@pytest.fixture(scope="module")
def master():
    return read_master()


def planned(master, segment=Segment.NFO, *names, now_us=None, **fields):
    wanted = Wanted(segment=segment, names=names, **fields)
    return plan(master, wanted, at(10) if now_us is None else now_us)


def always(part):
    return [(ask.instrument.symbol, ask.mode) for ask in part.always]


def expiries(part):
    return [(chain.expiry, chain.spot.symbol) for chain in part.chains]


def test_by_default_nifty_is_subscribed_with_its_vix_futures_and_two_expiries(master):
    (part,) = planned(master).parts

    assert (part.underlying, part.segment, part.off) == ("NIFTY", Segment.NFO, ())
    assert always(part) == [
        ("Nifty 50", LTP),
        ("India VIX", LTP),
        ("NIFTY01DEC26FUT", SNAP_QUOTE),
        ("NIFTY29DEC26FUT", SNAP_QUOTE),
    ]
    assert expiries(part) == [("2026-12-01", "Nifty 50"), ("2026-12-08", "Nifty 50")]


def test_names_that_begin_alike_are_kept_apart(master):
    (part,) = planned(master).parts

    legs = [leg for chain in part.chains for pair in chain.legs.values() for leg in pair]
    assert {leg.underlying for leg in legs} == {"NIFTY"}
    assert all(strike % 50 == 0 and len(pair) == 2 for c in part.chains for strike, pair in c.legs.items())  # fmt: skip


def test_a_strike_s_call_stands_before_its_put(master):
    (part,) = planned(master).parts

    call, put = part.chains[0].legs[26_050.0]
    assert (call.kind, put.kind) == (Kind.CE, Kind.PE)
    assert list(part.chains[0].strikes) == sorted(part.chains[0].strikes)


def test_sensex_may_stand_beside_nifty(master):
    found = planned(master, Segment.NFO, "BANKNIFTY", "SENSEX", "NIFTY")

    assert [(part.underlying, part.segment) for part in found.parts] == [
        ("BANKNIFTY", Segment.NFO), ("SENSEX", Segment.BFO), ("NIFTY", Segment.NFO),
    ]  # fmt: skip
    assert [("India VIX", LTP) in always(part) for part in found.parts] == [False, False, True]


def test_sensex_expires_when_the_master_says_and_its_symbols_are_not_parsed(master):
    (part,) = planned(master, Segment.BFO).parts

    assert always(part) == [("SENSEX", LTP), ("SENSEX24DEC26FUT", SNAP_QUOTE)]
    assert [day for day, _ in expiries(part)] == ["2026-11-26", "2026-12-03"]


@pytest.mark.parametrize(
    ("now", "first"), [((15, 39), "2026-11-26"), ((15, 40), "2026-12-03"), ((23, 0), "2026-12-03")]
)
def test_what_expires_today_is_there_until_the_close(master, now, first):
    (part,) = planned(master, Segment.BFO, now_us=at(*now)).parts

    assert part.chains[0].expiry == first


def test_an_expired_future_gives_way_to_the_next(master):
    (part,) = planned(master, now_us=at(15, 41, DAY + timedelta(5))).parts

    assert always(part)[2:] == [("NIFTY29DEC26FUT", SNAP_QUOTE)]


def test_expiries_can_be_chosen_by_number_or_day(master):
    day = DAY + timedelta(12)

    (one,) = planned(master, expiries=1).parts
    (chosen,) = planned(master, days=[day]).parts

    assert [each for each, _ in expiries(one)] == ["2026-12-01"]
    assert [each for each, _ in expiries(chosen)] == ["2026-12-08"]


def test_a_day_on_which_nothing_expires_is_told_with_those_that_do(master):
    found = planned(master, days=[DAY + timedelta(6)])

    assert found.notes == [
        "NIFTY: no options expire on 2026-12-02; the nearest days are 2026-12-01, 2026-12-08"
    ]
    assert [day for day, _ in expiries(found.parts[0])] == ["2026-12-01", "2026-12-08"]


def test_a_share_s_options_hang_on_the_share(master):
    (part,) = planned(master, Segment.NFO, "IEX").parts

    assert always(part) == [("IEX-EQ", SNAP_QUOTE)]
    assert list(part.chains[0].strikes) == [115.0, 117.5, 120.0]


def test_a_commodity_has_its_near_future_and_the_next_and_no_options(master):
    (part,) = planned(master, Segment.MCX, "CRUDEOIL").parts

    assert always(part) == [
        ("CRUDEOIL19DEC26FUT", SNAP_QUOTE),
        ("CRUDEOIL19JAN27FUT", SNAP_QUOTE),
    ]
    assert part.chains == []
    assert "MCX_OI=1 switches it on" in part.off[0]


def test_commodities_whose_names_begin_alike_are_kept_apart(master):
    found = planned(master, Segment.MCX, "GOLD", "CRUDEOILM")

    assert [ask.instrument.symbol for part in found.parts for ask in part.always] == [
        "GOLD05DEC26FUT",
        "CRUDEOILM19DEC26FUT",
    ]


def test_goldmic_is_goldm_and_says_so(master):
    found = planned(master, Segment.MCX, "GOLDMIC")

    assert [part.underlying for part in found.parts] == ["GOLDM"]
    assert found.notes == ["MCX lists no GOLDMIC; using GOLDM"]


def test_a_commodity_s_future_that_closed_at_night_gives_way_to_the_next(master):
    last_day = DAY + timedelta(4)

    before, after = (
        planned(master, Segment.MCX, "SILVERMIC", now_us=at(23, minute, last_day)).parts[0]
        for minute in (54, 55)
    )

    assert always(before)[0] == ("SILVERMIC30NOV26FUT", SNAP_QUOTE)
    assert always(after) == [("SILVERMIC01MAR27FUT", SNAP_QUOTE)]


def test_options_of_a_commodity_hang_on_the_first_future_that_outlives_them(master):
    (part,) = planned(master, Segment.MCX, "CRUDEOIL", mcx_oi=True).parts

    assert expiries(part) == [("2026-12-15", "CRUDEOIL19DEC26FUT")]
    assert part.off == ("No direction, signals or coaches: they are not made for commodities.",)


def test_a_future_that_the_options_hang_on_is_subscribed_however_far_it_is():
    days = [DAY + timedelta(n) for n in (3, 33, 63)]
    commodity = {"exch_seg": "MCX", "instrumenttype": "FUTCOM"}
    options = {"exch_seg": "MCX", "instrumenttype": "OPTFUT"}
    rows = [future("ZINC", day, **commodity) for day in days]
    master = read_master(numbered([*rows, *chain("ZINC", DAY + timedelta(50), [300], **options)]))

    (part,) = planned(master, Segment.MCX, "ZINC", mcx_oi=True).parts

    assert part.chains[0].spot.expiry == days[2].isoformat()
    assert part.chains[0].spot in [ask.instrument for ask in part.always]


def test_a_commodity_without_options_says_so(master):
    (part,) = planned(master, Segment.MCX, "SILVERMIC", mcx_oi=True).parts

    assert "SILVERMIC has futures only" in part.off[0]


def test_options_with_neither_price_nor_future_are_left_out_and_told():
    master = read_master(numbered(chain("LONELY", DAY, [100], instrumenttype="OPTSTK")))

    found = plan(master, Wanted(segment=Segment.NFO, names=["LONELY"]), at(10), or_default=False)

    assert found.parts == []
    assert found.notes == [
        "LONELY: neither its own price nor a future is listed for the options of 2026-11-26; they are left out",
        "LONELY: neither its own price nor a future that has not expired is listed",
    ]


def test_an_index_without_a_price_of_its_own_is_followed_by_its_future():
    rows = [future("NIFTY", DAY + timedelta(3)), *chain("NIFTY", DAY, [24_000])]

    (part,) = planned(read_master(numbered(rows))).parts

    assert part.chains[0].spot.kind is Kind.FUT


def test_a_share_is_the_one_of_the_main_series(master):
    found = planned(master, Segment.NSE, "INFY", "RELIANCE-EQ", "ABCTEST-BE")

    assert [(part.underlying, always(part)) for part in found.parts] == [
        ("INFY", [("INFY-EQ", SNAP_QUOTE)]),
        ("RELIANCE", [("RELIANCE-EQ", SNAP_QUOTE)]),
        ("ABCTEST-BE", [("ABCTEST-BE", SNAP_QUOTE)]),
    ]
    assert "a share of the cash market has none" in found.parts[0].off[0]


def test_a_hyphen_in_a_share_s_name_is_no_series():
    row = make_entry(token="16669", symbol="BAJAJ-AUTO-EQ", name="BAJAJ-AUTO")

    found = planned(read_master([row]), Segment.NSE, "BAJAJ-AUTO", "BAJAJ-AUTO-EQ")

    assert [(part.underlying, always(part)) for part in found.parts] == [
        ("BAJAJ-AUTO", [("BAJAJ-AUTO-EQ", SNAP_QUOTE)])
    ]
    assert found.notes == []


@pytest.mark.parametrize(
    ("segment", "name", "note"),
    [
        (Segment.NFO, "NIFTI", "NFO and BFO list no underlying with options called 'NIFTI'; near to it: NIFTY"),
        (Segment.MCX, "SILVERMIK", "MCX lists no commodity called 'SILVERMIK'; near to it: SILVERMIC"),
        (Segment.NSE, "INFI", "NSE lists no share called 'INFI'; near to it: INFY"),
        (Segment.NSE, "ABCTEST", "NSE lists no share called 'ABCTEST'; near to it: ABCTEST-BE"),
        (Segment.MCX, "XX", "MCX lists no commodity called 'XX'"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_told_with_those_near_to_it(master, segment, name, note):
    known = {Segment.NFO: "NIFTY", Segment.MCX: "COPPER", Segment.NSE: "IEX"}[segment]

    found = planned(master, segment, name, known)

    assert found.notes == [note]
    assert [part.underlying for part in found.parts] == [known]


def test_a_list_whose_contracts_have_all_expired_says_so(master):
    later = at(10, day=DAY + timedelta(300))

    nifty = planned(master, Segment.NFO, "NIFTY", now_us=later)
    silver = planned(master, Segment.MCX, "SILVERMIC", now_us=later)

    assert nifty.notes[:-1] == [
        "NIFTY: every option of the list has expired, the last on 2026-12-08"
    ]
    assert "no options on it that could be followed" in nifty.parts[0].off[0]
    assert silver.notes[:-1] == [
        "SILVERMIC: every future of the list has expired, the last on 2027-03-01"
    ]


def test_a_day_beyond_the_calendar_is_told(master):
    (*_, note) = planned(master, now_us=at(10, day=date(2027, 1, 4))).notes

    assert note.startswith("the calendar has no list of holidays for 2027")
    assert planned(master).notes == []


def test_where_no_name_is_known_the_default_is_taken_and_told(master):
    found = planned(master, Segment.MCX, "TULIPS")

    assert [part.underlying for part in found.parts] == ["SILVERMIC"]
    assert found.notes == ["MCX lists no commodity called 'TULIPS'", "using the default, SILVERMIC"]


def test_where_the_default_is_not_listed_either_there_is_nothing_and_it_is_told_once():
    nifty = read_master(numbered([make_entry(name="NIFTY")]))

    found = planned(nifty, Segment.NFO, "NIFTY")

    assert found.parts == []
    assert found.notes == ["NFO and BFO list no underlying with options called 'NIFTY'"]


def test_a_name_given_twice_is_one_partition(master):
    assert len(planned(master, Segment.NFO, "NIFTY", "NIFTY").parts) == 1


@pytest.mark.parametrize(
    ("segment", "names"),
    [(Segment.NSE, ("RELIANCE", "RELIANCE-EQ")), (Segment.MCX, ("GOLDM", "GOLDMIC"))],
)
def test_a_name_in_two_spellings_is_one_partition(master, segment, names):
    assert [part.underlying for part in planned(master, segment, *names).parts] == [names[0]]


def test_the_order_of_the_rows_does_not_matter(master):
    backwards = planned(read_master(small_market()[::-1])).parts

    assert backwards == planned(master).parts


def test_only_one_side_of_a_strike_may_be_listed():
    rows = [index("NIFTY", "99926000", "Nifty 50"), *chain("NIFTY", DAY, [24_000, 24_050])[:3]]
    rows.append(make_entry(token="99926000", exch_seg="BSE"))

    (part,) = planned(read_master(numbered(rows))).parts

    assert [len(part.chains[0].legs[strike]) for strike in part.chains[0].strikes] == [2, 1]
