import gzip
from datetime import date
from pathlib import Path

import pytest

from ingest.frames import decode
from ingest.importing import Plan, import_csv
from oimon.errors import InputError
from oimon.messages import TickFlag
from oimon.terms import Kind, OiUnit, Segment

HEADER = "ts,underlying,expiry,strike,right,ltp,volume,oi,oi_chg_day,iv,spot"
FIRST = "2026-08-18T10:43:00+05:30"
SECOND = "2026-08-18T10:44:00+05:30"
THIRD = "2026-08-18T10:45:00+05:30"
FIRST_US = 1_787_029_980_000_000
ROW = f"{FIRST},NIFTY,2026-08-18,24200,CE,55.10,100,52,-8,12.5,24212.8"


def silent(_done, _of):
    pass


def write(tmp_path, *rows, header=HEADER):
    path = tmp_path / "day.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def imported(tmp_path, *rows, **plan):
    return import_csv(
        write(tmp_path, *rows), tmp_path / "day.oirec", Plan(**plan), silent
    ).recording


def ticks_of(recording):
    frames, times = [], []
    for block in recording.blocks():
        frames += block.frames
        times += block.received_us.tolist()
    ticks, drops = decode(frames, times, recording.tokens)
    assert not drops
    return ticks, times


def line(ts=FIRST, **changed):
    """Return a row at 24,200 CE of NIFTY, as the source writes it."""
    fields = {
        "underlying": "NIFTY",
        "expiry": "2026-08-18",
        "strike": "24200",
        "right": "CE",
        "ltp": "55.10",
        "volume": "100",
        "oi": "52",
        "change": "-8",
        "iv": "12.5",
        "spot": "24212.8",
    }
    return ",".join([ts, *(fields | changed).values()])


def test_a_row_becomes_what_the_socket_would_have_delivered(tmp_path):
    recording = imported(tmp_path, ROW, oi_unit=OiUnit.LOTS)

    ticks, times = ticks_of(recording)
    spot, option = ticks
    columns = recording.session("run").instruments
    assert times == [FIRST_US, FIRST_US + 100]
    assert (spot["row"], spot["ltp"], spot["flags"]) == (0, 2_421_280, TickFlag.PRICE)
    assert (option["ltp"], option["volume"], option["oi"]) == (5_510, 6_500, 52 * 65)
    assert option["exchange_us"] == FIRST_US
    assert (columns.kind, columns.strike, columns.expiry, columns.lot) == (
        [Kind.INDEX, Kind.CE],
        [None, 24_200.0],
        [None, "2026-08-18"],
        [1, 65],
    )
    assert columns.token[0] == "99926000"
    assert columns.symbol[1] == "NIFTY18AUG2624200CE"


def test_the_previous_close_comes_from_the_change_of_the_day(tmp_path):
    recording = imported(
        tmp_path, line(oi="52", change="-8"), line(right="PE", change=""), oi_unit=OiUnit.LOTS
    )

    assert recording.header.oi_prev == [None, 60 * 65, None]


def test_what_was_opened_today_had_nothing_open_the_day_before(tmp_path):
    columns = imported(tmp_path, line(oi="52", change="52")).session("run").instruments

    assert columns.oi_prev == [None, 0]


@pytest.mark.parametrize(
    ("times", "cadence_s"),
    [((FIRST,), 0.0), ((FIRST, SECOND), 60.0), ((FIRST, SECOND, THIRD), 60.0)],
)
def test_the_cadence_is_what_lies_between_snapshots(tmp_path, times, cadence_s):
    header = imported(tmp_path, *(line(ts) for ts in times)).header

    assert header.cadence_s == cadence_s
    assert not header.has_beats, "a source of snapshots says nothing of beats"


def test_frames_of_a_snapshot_do_not_overtake_those_of_the_one_before(tmp_path):
    soon = "2026-08-18T10:43:00.000150+05:30"
    legs = [{"right": right} for right in ("CE", "PE")]

    _, times = ticks_of(
        imported(tmp_path, *(line(ts, **leg) for ts in (FIRST, soon) for leg in legs))
    )

    assert times == [FIRST_US + 100 * place for place in range(6)]


def test_without_the_column_the_previous_close_is_unknown(tmp_path):
    path = write(
        tmp_path,
        f"{FIRST},NIFTY,2026-08-18,24200,CE,55.10,100,65,24212.8",
        header="ts,underlying,expiry,strike,right,ltp,volume,oi,spot",
    )

    recording = import_csv(path, tmp_path / "day.oirec", Plan(), silent).recording

    assert recording.header.oi_prev == [None, None]


def test_quantities_stay_as_they_are(tmp_path):
    ticks, _ = ticks_of(imported(tmp_path, line(oi="130", volume="650")))

    assert (ticks[1]["oi"], ticks[1]["volume"]) == (130, 650)


def test_an_unchanged_row_is_an_observation_of_its_own(tmp_path):
    recording = imported(tmp_path, line(FIRST), line(SECOND), line(THIRD))

    ticks, _ = ticks_of(recording)

    options = ticks[ticks["row"] == 1]
    assert (options["exchange_us"] - FIRST_US).tolist() == [0, 60_000_000, 120_000_000]
    assert options["seq"].tolist() == [1, 2, 3]
    assert recording.header.cadence_s == 60.0


def test_a_trade_is_a_new_price_or_more_volume(tmp_path):
    rows = [
        line(FIRST, volume="100", ltp="55"),
        line(SECOND, volume="100", ltp="55"),
        line(THIRD, volume="120", ltp="55"),
        line("2026-08-18T10:46:00+05:30", volume="110", ltp="55"),  # a late answer of the source
        line("2026-08-18T10:47:00+05:30", volume="110", ltp="56"),
    ]

    ticks, _ = ticks_of(imported(tmp_path, *rows))

    first_s = FIRST_US // 1_000_000
    options = ticks[ticks["row"] == 1]
    assert options["traded_s"].tolist() == [0, 0, first_s + 120, first_s + 120, first_s + 240]
    assert options["volume"].tolist() == [100, 100, 120, 110, 110]


def test_without_an_assumed_spread_the_book_is_empty(tmp_path):
    recording = imported(tmp_path, ROW)

    ticks, _ = ticks_of(recording)

    assert recording.header.quotes_assumed is None
    assert ticks[1]["flags"] & TickFlag.QUOTE
    assert (ticks[1]["bid"], ticks[1]["ask"], ticks[1]["bid_qty"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("ltp", "bid", "ask"),
    [
        ("55.10", 5_500, 5_520),  # 55.01735 and 55.18265, outward to 5 paise
        ("1000.00", 99_850, 100_150),  # exactly on the step
        ("0.10", 5, 15),
        ("0.05", 0, 10),  # no bid at 0
        ("0", 0, 0),
    ],
)
def test_an_assumed_spread_is_rounded_outward_to_the_tick(tmp_path, ltp, bid, ask):
    recording = imported(tmp_path, line(ltp=ltp), spread=0.003)

    ticks, _ = ticks_of(recording)

    assert recording.header.quotes_assumed == 0.003
    assert (ticks[1]["bid"], ticks[1]["ask"]) == (bid, ask)
    assert ticks[1]["bid_qty"] == (65 if bid else 0)


def test_expiries_and_strikes_can_be_chosen(tmp_path):
    rows = [
        line(ts, strike=str(strike), expiry=expiry, spot=spot)
        for ts, spot in ((FIRST, "24210"), (SECOND, "24260"))
        for expiry in ("2026-08-25", "2026-08-18", "2026-09-01")
        for strike in range(24_000, 24_500, 50)
    ]

    nearest = imported(tmp_path, *rows, expiries=2, strikes_each_side=1)
    named = imported(tmp_path, *rows, expiries=[date(2026, 9, 1)], replace=True)

    strikes = nearest.session("r").instruments.strike
    assert nearest.header.expiries == ["2026-08-18", "2026-08-25"]
    assert strikes == [None, *[24_150, 24_200, 24_250, 24_300] * 2]
    assert named.header.expiries == ["2026-09-01"]
    assert len(named.header.master) == 11


def test_a_contract_has_the_same_token_in_every_recording(tmp_path):
    alone = imported(tmp_path, line(strike="24300"))
    among = imported(tmp_path, line(strike="24200"), line(strike="24300"), replace=True)

    assert alone.header.master[1].token == among.header.master[2].token


def test_an_option_on_a_share_needs_its_lot(tmp_path):
    row = line(underlying="RELIANCE", strike="1402.5", spot="1401.2", oi="500", volume="1000")

    with pytest.raises(InputError, match="lot of RELIANCE"):
        imported(tmp_path, row)
    recording = imported(tmp_path, row, lot=500)

    columns = recording.session("r").instruments
    assert columns.kind == [Kind.EQ, Kind.CE]
    assert columns.symbol == ["RELIANCE-EQ", "RELIANCE18AUG261402.5CE"]
    assert columns.strike == [None, 1402.5]


def test_sensex_belongs_to_the_other_exchange(tmp_path):
    recording = imported(tmp_path, line(underlying="SENSEX", strike="80000", spot="80010"))

    assert recording.header.segment is Segment.BFO
    assert [row.exch_seg for row in recording.header.master] == ["BSE", "BFO"]
    assert len(ticks_of(recording)[0]) == 2


def test_a_compressed_csv_is_read_too(tmp_path):
    path = tmp_path / "day.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{ROW}\n".encode()))

    made = import_csv(path, tmp_path / "day.oirec", Plan(), silent)

    assert made.recording.last.frames == 2


@pytest.mark.parametrize(("unit", "warns"), [(OiUnit.QTY, True), (OiUnit.LOTS, False)])
def test_open_interest_that_looks_like_another_unit_is_pointed_out(tmp_path, unit, warns):
    lots = [line(strike=str(24_000 + 50 * n), oi=str(n)) for n in range(1, 41)]
    path = write(tmp_path, *(row.replace(",-8,", ",,") for row in lots))

    made = import_csv(path, tmp_path / "day.oirec", Plan(oi_unit=unit), silent)

    assert any("do it again with --oi-unit lots" in told for told in made.warnings) is warns


@pytest.mark.parametrize(("given", "says"), [(65, []), (75, ["--lot 75 is not used where the lot is known (2026-08-18: 65)"])])  # fmt: skip
def test_the_dated_table_wins_over_the_lot_given_and_says_so(tmp_path, given, says):
    path = write(tmp_path, line(oi="100"))

    made = import_csv(path, tmp_path / "day.oirec", Plan(lot=given, oi_unit=OiUnit.LOTS), silent)

    assert made.recording.header.master[1].lotsize == "65"
    assert made.warnings == says


def test_progress_is_told_by_the_snapshot(tmp_path):
    told = []

    import_csv(
        write(tmp_path, line(FIRST), line(SECOND)),
        tmp_path / "day.oirec",
        Plan(),
        lambda done, of: told.append((done, of)),
    )

    assert told == [(1, 2), (2, 2)]


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "place", "what"),
    [
        ([line(ts="10:43")], "line 2", "ts must be a time with its offset"),
        ([line(ts="2026-08-18T10:43:00")], "line 2", "ts must be a time with its offset"),
        ([line(expiry="18AUG2026")], "line 2", "expiry must be a day"),
        ([ROW, line(strike="many")], "line 3", "strike must be a number, was 'many'"),
        ([line(right="XX")], "line 2", "right must be CE or PE"),
        ([line(ltp="-1")], "line 2", "ltp must be 0 to"),
        ([line(ltp="nan")], "line 2", "ltp must be a number"),
        ([line(oi="")], "line 2", "oi must be a number"),
        ([line(oi="-5")], "line 2", "oi must be 0 to"),
        ([line(oi="52.5")], "line 2", "52.5 is no whole quantity"),
        ([line(oi="5", change="8")], "line 2", "oi 5 can't have grown by 8"),
        ([line(spot="0")], "line 2", "spot must be above 0"),
        ([ROW + ",1"], "line 2", "it has 12 fields, the first line has 11"),
        ([line(SECOND), line(FIRST)], "line 3", "comes after a later time"),
        ([ROW, line("2026-08-19T10:43:00+05:30")], "line 3", "a second day begins"),
        ([], "the file", "it holds no rows"),
        ([ROW, line(underlying="BANKNIFTY")], "the file", "it holds NIFTY, BANKNIFTY"),
        ([line(underlying="nifty fifty")], "the file", "can't name an underlying"),
    ],
)
def test_a_bad_csv_is_refused_with_its_place_and_leaves_nothing(tmp_path, rows, place, what):
    with pytest.raises(InputError) as caught:
        imported(tmp_path, *rows)

    assert str(tmp_path / "day.csv") in str(caught.value)
    assert caught.value.place == place
    assert what in caught.value.what
    assert caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["day.csv"]


def test_missing_columns_are_named_together(tmp_path):
    path = write(tmp_path, header="ts,underlying,expiry,strike,right,ltp,volume")

    with pytest.raises(InputError, match="line 1: no column is called oi, spot"):
        import_csv(path, tmp_path / "day.oirec", Plan(), silent)


def test_an_underlying_that_is_not_there_is_told_what_is(tmp_path):
    with pytest.raises(InputError, match="no row is of FINNIFTY, it holds NIFTY"):
        imported(tmp_path, ROW, underlying="FINNIFTY")


def test_an_expiry_that_is_not_there_is_told_what_is(tmp_path):
    with pytest.raises(InputError, match="no row expires on 2026-08-20, it holds 2026-08-18"):
        imported(tmp_path, ROW, expiries=[date(2026, 8, 20)])


@pytest.mark.parametrize("data", [b"\x1f\x8bnot gzip", b"\xff\xfe\x00", b"PAR1\x00\x15\x04"])
def test_what_is_no_csv_is_told_so(tmp_path, data):
    path = tmp_path / "day.csv"
    path.write_bytes(data)

    with pytest.raises(InputError, match=r"cannot be read as CSV|no column is called"):
        import_csv(path, tmp_path / "day.oirec", Plan(), silent)


def test_a_damaged_gzip_is_told_so(tmp_path):
    data = bytearray(gzip.compress("\n".join([HEADER, *[ROW] * 500]).encode()))
    data[40:60] = bytes(20)
    path = tmp_path / "day.csv.gz"
    path.write_bytes(data)

    with pytest.raises(InputError, match="cannot be read as CSV"):
        import_csv(path, tmp_path / "day.oirec", Plan(), silent)


def test_a_missing_csv_and_a_missing_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv"):
        import_csv(tmp_path / "none.csv", tmp_path / "day.oirec", Plan(), silent)
    with pytest.raises(InputError, match="cannot be written"):
        import_csv(write(tmp_path, ROW), tmp_path / "none" / "day.oirec", Plan(), silent)


def test_the_csv_itself_is_never_replaced(tmp_path):
    path = write(tmp_path, ROW)
    before = path.read_bytes()

    with pytest.raises(InputError, match="is the CSV itself"):
        import_csv(path, path, Plan(), silent)

    assert path.read_bytes() == before


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path):
    path, other = write(tmp_path, ROW), tmp_path / "day.oirec"
    other.write_bytes(b"another day, recorded with care")

    with pytest.raises(InputError, match=r"day\.oirec: .* --force"):
        import_csv(path, other, Plan(), silent)

    assert other.read_bytes() == b"another day, recorded with care"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["day.csv", "day.oirec"]
    assert import_csv(path, other, Plan(replace=True), silent).recording.last.frames == 2


def test_the_same_import_again_is_no_replacing(tmp_path):
    first = imported(tmp_path, ROW)

    again = imported(tmp_path, ROW)

    assert again.last == first.last
    assert sorted(each.name for each in tmp_path.iterdir()) == ["day.csv", "day.oirec"]


def test_a_folder_is_no_name_for_a_recording(tmp_path, monkeypatch):
    path = write(tmp_path, ROW)
    monkeypatch.chdir(tmp_path)

    for target in ("", tmp_path):
        with pytest.raises(InputError, match="is a folder"):
            import_csv(path, Path(target), Plan(), silent)


def test_an_empty_name_is_no_underlying(tmp_path):
    with pytest.raises(InputError, match="an underlying without a name, it holds NIFTY"):
        imported(tmp_path, ROW, underlying="")
