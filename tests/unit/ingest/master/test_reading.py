import orjson
import pytest

from ingest.master import reading
from ingest.master.reading import MasterReader
from ingest.packets import EXCHANGE_TYPES
from oimon.errors import InputError
from oimon.terms import Kind
from tests.masters import DAY, as_file, future, make_entry, numbered, option, small_market


def read(data, size=None):
    reader = MasterReader("the list")
    for at in range(0, len(data), size or max(1, len(data))):
        reader.take(data[at : at + (size or len(data))])
    return reader.close()


def read_rows(*rows):
    return read(as_file(numbered(rows)))


def refusal(data):
    with pytest.raises(InputError) as caught:
        read(data)
    return str(caught.value)


def only(master, **fields):
    (found,) = master.instruments(master.find(**fields))
    return found


def test_every_watched_row_becomes_an_instrument():
    master = read(as_file(small_market()))

    assert (len(master), master.tally.unread) == (master.tally.rows - 2, 0)
    assert master.tally.not_watched == 2  # a commodity's spot and a currency
    found = only(master, symbol="NIFTY01DEC2626050PE")
    assert (found.exchange, found.underlying, found.kind) == ("NFO", "NIFTY", Kind.PE)
    assert (found.expiry, found.strike, found.lot, found.tick) == ("2026-12-01", 26_050.0, 65, 0.05)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_pieces_of_any_size_give_the_same(monkeypatch, size):
    monkeypatch.setattr(reading, "BLOCK_BYTES", 5_000)
    rows = small_market()[:120]

    cut, whole = read(as_file(rows), size), read(as_file(rows))

    assert list(cut.names) == list(whole.names)
    assert cut.instruments(range(len(cut))) == whole.instruments(range(len(whole)))
    assert cut.tally == whole.tally


def test_spaces_between_rows_and_a_byte_order_mark_do_not_matter():
    text = b"\xef\xbb\xbf\r\n [" + b" ,\n ".join(map(orjson.dumps, small_market())) + b" ]\n"

    assert len(read(text, 1000)) == len(read(as_file(small_market())))


def test_a_cut_within_a_text_or_a_nested_object_waits_for_the_rest(monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_BYTES", 300)
    odd = make_entry(symbol="ODD},{-EQ", more={"a": {"b": 1}, "c": 2})

    master = read(as_file(numbered([odd] * 3 + [make_entry(symbol="INFY-EQ")])), 100)

    assert (len(master), master.tally.unread) == (4, 0)


def test_a_strike_is_hundredths_and_may_have_decimals():
    master = read_rows(option("IEX", DAY, 117.5, "CE", instrumenttype="OPTSTK"))

    assert only(master, strike=117.5).strike == 117.5


@pytest.mark.parametrize("spelled", ["-1.000000", "0.000000"])
def test_a_future_or_share_has_no_strike_whatever_stands_there(spelled):
    master = read_rows(
        future("NIFTY", DAY) | {"strike": spelled}, make_entry() | {"strike": spelled}
    )

    assert [each.strike for each in master.instruments([0, 1])] == [None, None]
    assert [each.expiry for each in master.instruments([0, 1])] == [DAY.isoformat(), None]


def test_the_month_may_be_written_either_way():
    master = read_rows(option("NIFTY", DAY, 24_000, "CE") | {"expiry": "26Nov2026"})

    assert only(master, kinds=[Kind.CE]).expiry == "2026-11-26"


def test_a_symbol_is_never_parsed_for_its_day():
    master = read_rows(
        option("SENSEX", DAY, 84_600, "PE", exch_seg="BFO", symbol="SENSEX26O0884600PE")
    )

    assert only(master, exchange="BFO").expiry == "2026-11-26"


def test_new_fields_may_be_there_or_not_and_of_any_type():
    old, new = (
        make_entry(),
        make_entry(symbol="NEW-EQ", freeze_qty="9", is_cas_enabled=True, x=[{}]),
    )

    assert len(read_rows(old, new)) == 2


def test_an_option_without_a_name_is_kept_under_its_symbol():
    master = read_rows(option("", DAY, 500, "CE", exch_seg="BFO", symbol="X26DEC500CE"))

    assert only(master, symbol="X26DEC500CE").underlying == ""
    assert master.names_of(master.find()) == []


def test_a_token_is_unique_within_its_exchange_only():
    same = [make_entry(token="500", symbol=f"{at}-EQ", exch_seg=at) for at in ("NSE", "BSE")]

    master = read_rows(*same)

    assert only(master, exchange="BSE", token="500").symbol == "BSE-EQ"
    assert len(master.find(token="500")) == 2


def test_a_second_row_of_one_token_is_counted_and_the_first_stays():
    rows = [make_entry(token="500", symbol="ONE-EQ"), make_entry(token="500", symbol="TWO-EQ")]

    master = read_rows(*rows, *(make_entry() for _ in range(8)))

    assert only(master, token="500").symbol == "ONE-EQ"
    assert master.tally.unread == 1
    assert master.tally.reasons == ("TWO-EQ: token 500 of its exchange was there before",)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"symbol": "NIFTY26NOV2624200XX"}, "NIFTY26NOV2624200XX: an option's symbol must end"),
        ({"symbol": "E"}, "E: an option's symbol must end in CE or PE"),
        ({"expiry": "2026-11-26"}, "its expiry must read like 26DEC2024"),
        ({"expiry": ""}, "its expiry must read like 26DEC2024"),
        ({"strike": "-1.000000"}, "its strike must be whole paise above 0, was -1"),
        ({"strike": "12.345000"}, "its strike must be whole paise above 0, was 12.345"),
        ({"strike": "1e300"}, "its strike must be whole paise above 0, was 1e+300"),
        ({"strike": "many"}, "$.strike"),
        ({"lotsize": "0"}, "its lot must be a whole number, was 0"),
        ({"lotsize": "1.5"}, "its lot must be a whole number, was 1.5"),
        ({"tick_size": "0.250000"}, "its tick must be whole paise, was 0.25"),
        ({"tick_size": ""}, "tick_size"),
        ({"token": 40637}, "token"),
        ({"token": ""}, "its token must have 1 to 21 characters"),
        ({"token": "1" * 22}, "its token must have 1 to 21 characters"),
        ({"token": "1" * 200}, "its token must have 1 to 21 characters"),
        ({"symbol": "N" * 10_000 + "CE"}, "its symbol must have 1 to 39"),
        ({"name": None}, "name"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_reason_and_loses_nothing_else(wrong, why):
    good = [option("NIFTY", DAY, 24_000 + 50 * n, "CE") for n in range(9)]
    rows = numbered([*good[:4], option("NIFTY", DAY, 24_500, "CE"), *good[4:]])
    rows[4] |= wrong

    master = read(as_file(rows))

    assert [each.strike for each in master.instruments(range(9))] == [
        24_000 + 50 * n for n in range(9)
    ]
    assert (len(master), master.tally.unread, master.tally.rows) == (9, 1, 10)
    (reason,) = master.tally.reasons
    assert why in reason


def test_rows_that_are_no_objects_or_lack_a_field_are_counted():
    lacking = make_entry()
    del lacking["exch_seg"]

    master = read(as_file([*small_market()[:40], 7, lacking, "row"]))

    assert (len(master), master.tally.unread) == (40, 3)
    assert "row 41" in master.tally.reasons[0]
    assert "exch_seg" in master.tally.reasons[1]


def test_only_the_first_bad_rows_are_told_and_all_are_counted():
    bad = [future("NIFTY", DAY) | {"lotsize": "x"} for _ in range(30)]

    tally = read(as_file([*small_market(), *bad])).tally

    assert (tally.unread, len(tally.reasons)) == (30, 5)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"<!DOCTYPE html><html>busy</html>", "it is a web page, not the list of instruments: '<!DOCTYPE"),
        (b'{"status":false,"message":"x"}', "it is one JSON object, not the list of instruments"),
        (b"Access denied", "it is no JSON list; it begins 'Access denied'"),
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b"[]", "it is an empty list"),
        (b"[1,2,3]", "3 of 3 rows cannot be read; the first: row 1: "),
        (b'[{"token":"1"}]', "1 of 1 rows cannot be read; the first: row 1: "),
        (as_file(small_market())[:20_000], "it ends in the middle, after 0 rows"),
        (as_file(small_market()) + b"x]", "it is no JSON after 0 rows"),
        (as_file([make_entry(exch_seg="CDS")]), "none of its 1 rows is of a watched exchange"),
    ],
)  # fmt: skip
def test_what_is_no_master_is_refused_in_one_sentence_with_the_remedy(data, what):
    said = refusal(data)

    assert said.startswith(f"the list: instrument master: {what}")
    assert said.endswith("Try again in a few minutes; SMARTAPI_MASTER_URL can name another source")
    assert len(said.splitlines()) == 1


def test_half_a_file_says_how_far_it_was_whole(monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    data = as_file(small_market())
    reader = MasterReader("the list")

    for at in range(0, 20_000, 500):
        reader.take(data[at : at + 500])

    with pytest.raises(InputError, match=r"it ends in the middle, after 104 rows"):
        reader.close()


def test_garbage_without_rows_is_not_read_again_and_again(monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    reader, tries, cut = MasterReader("the list"), [], MasterReader._cut
    monkeypatch.setattr(MasterReader, "_cut", lambda self: tries.append(1) or cut(self))

    reader.take(b"[")
    for _ in range(1000):
        reader.take(b"},x" * 300)

    assert 0 < len(tries) < 20


def test_a_cut_file_or_a_flipped_byte_is_refused_or_counted_never_raised_past():
    data = bytearray(as_file(small_market()[:30]))
    for at in range(0, len(data), 37):
        damaged = bytearray(data)
        damaged[at] ^= 0x15
        try:
            master = read(bytes(damaged))
        except InputError:
            continue
        assert len(master) + master.tally.unread + master.tally.not_watched == master.tally.rows
        assert set(master.columns["exchange"].tolist()) <= set(EXCHANGE_TYPES.values())


@pytest.mark.needs_shared
def test_real_rows_are_read_whole(shared_dir):
    text = (shared_dir / "data/angel/scrip_master_rows_index_equity_option.json").read_bytes()

    master = read(text)

    assert (len(master), master.tally.unread) == (25, 0)
    assert only(master, name="NIFTY", kinds=[Kind.INDEX]).token == "99926000"
    assert only(master, token="67127").expiry == "2024-03-22"
    assert only(master, symbol="94SFL28-YL").tick == 0.01
