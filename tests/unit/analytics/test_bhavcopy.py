"""NSE's end-of-day file of derivatives, in both its layouts."""

import csv
import gzip
import json
from collections import Counter

import pytest
import typer
from typer.testing import CliRunner

from analytics.bhavcopy import REMEDY, is_bhavcopy, read_bhavcopy
from analytics.commands import register
from oimon.errors import ConfigError, InputError

OLD = "INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,SETTLE_PR,CONTRACTS,VAL_INLAKH,OPEN_INT,CHG_IN_OI,TIMESTAMP,"
NEW = "TradDt,FinInstrmTp,TckrSymb,XpryDt,StrkPric,OptnTp,ClsPric,PrvsClsgPric,UndrlygPric,OpnIntrst,ChngInOpnIntrst,TtlTradgVol,NewBrdLotQty"
LOT = 75


def old(*, name="NIFTY", kind="OPTIDX", expiry="25-Mar-2021", strike=14_500, right="CE", close=180, oi=7_500, change=750, volume=20):  # fmt: skip
    return f"{kind},{name},{expiry},{strike},{right},1,1,1,{close},{close},{volume},1,{oi},{change},18-MAR-2021,"


def new(*, name="NIFTY", expiry="2025-09-09", strike=24_600, right="CE", oi=7_500):
    return f"2025-09-02,IDO,{name},{expiry},{strike}.00,{right},150.00,140.00,24579.60,{oi},750,20,{LOT}"


CHAIN = [old(), old(right="PE", oi=15_000), old(strike=14_600), old(kind="FUTIDX", strike=0, right="XX", close=14_577.05)]  # fmt: skip


def write(tmp_path, header, rows, name="fo.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def oi():
    app = typer.Typer()
    register(app)
    return lambda path, *words: CliRunner().invoke(
        app, ["analyse", str(path), *map(str, words)], env={"COLUMNS": "120"}
    )


def test_open_interest_of_the_old_layout_is_in_units_and_the_future_stands_for_spot(tmp_path, oi):
    path = write(tmp_path, OLD, CHAIN)

    told = json.loads(oi(path, "--json").output)

    assert told["chain"]["ce"]["oi"] == [7_500, 7_500]
    assert told["pcr"] == 1.0
    assert (told["spot"], told["x"], told["forward_source"]) == (None, 14_577.05, "future")
    assert told["lot"] is None
    assert told["why_null"]["lot"].endswith("open interest in units")
    assert "Volume is in contracts" in oi(path).output


def test_udiff_tells_its_own_lot_and_spot(tmp_path, oi):
    rows = [new(), new(right="PE", oi=15_000), new(expiry="2025-09-02")]

    told = json.loads(oi(write(tmp_path, NEW, rows), "--json").output)

    assert (told["lot"], told["spot"], told["expiry"]) == (LOT, 24_579.6, "2025-09-09")
    assert told["chain"]["ce"]["oi"] == [7_500]
    assert told["chain"]["ce"]["volume"] == [20 * LOT]


@pytest.mark.parametrize(("expiry", "source"), [("2025-09-09", "future"), ("2025-09-30", "carry")])
def test_the_future_of_the_same_expiry_is_the_forward(tmp_path, oi, expiry, source):
    future = new(expiry=expiry).replace(",IDO,", ",IDF,").replace(",150.00,", ",24599.00,")

    told = json.loads(oi(write(tmp_path, NEW, [new(), future]), "--json").output)

    assert told["forward_source"] == source
    assert (told["forward"] == 24_599.0, told["x"]) == (source == "future", 24_579.6)


def test_an_expiry_that_is_named_is_taken(tmp_path, oi):
    rows = [*CHAIN, old(expiry="18-Mar-2021", strike=14_000)]
    path = write(tmp_path, OLD, rows)

    assert json.loads(oi(path, "--json").output)["expiry"] == "2021-03-25"
    assert json.loads(oi(path, "--json", "--expiry", "2021-03-18").output)["expiry"] == "2021-03-18"


def test_of_several_underlyings_one_must_be_named(tmp_path):
    path = write(tmp_path, OLD, [old(), old(name="ACC", kind="OPTSTK")])

    assert read_bhavcopy(path, "ACC", None).underlying == "ACC"
    with pytest.raises(InputError, match=r"it holds NIFTY, ACC\. Choose one with --underlying"):
        read_bhavcopy(path, None, None)
    with pytest.raises(InputError, match="no option is of TCS, it holds NIFTY, ACC"):
        read_bhavcopy(path, "TCS", None)


def test_of_all_underlyings_each_has_its_page_or_what_was_wrong_with_it(tmp_path, oi):
    path = write(tmp_path, OLD, [*CHAIN, old(name="ACC", oi="much"), old(name="TCS", oi=10), old(name="TCS", right="PE")])  # fmt: skip

    done = oi(path)

    assert done.exit_code == 1
    assert done.stderr == f"ACC: {path}: line 6: OPEN_INT must be a number, was 'much'. {REMEDY}\n"
    assert [line.split()[:3] for line in done.stdout.splitlines()[3:5]] == [
        ["NIFTY", "--", "1.0000"],
        ["TCS", "--", "750.0000"],
    ]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([old(oi="much")], "line 2: OPEN_INT must be a number, was 'much'"),
        ([old(), old(right="XX")], "line 3: OPTION_TYP must be CE or PE, was 'XX'"),
        ([old(expiry="soon")], "line 2: a day must read like 25-Mar-2021"),
        ([old(kind="FUTIDX")], "the file: holds no options"),
    ],
)
def test_bad_input_names_line_and_what_was_found(tmp_path, rows, what):
    with pytest.raises(InputError, match=what):
        read_bhavcopy(write(tmp_path, OLD, rows), None, None)


def test_a_compressed_file_is_the_same_file_and_another_csv_is_none(tmp_path):
    path = write(tmp_path, OLD, CHAIN)
    packed = tmp_path / "fo.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))

    assert is_bhavcopy(packed)
    assert (read_bhavcopy(packed, None, None).cells == read_bhavcopy(path, None, None).cells).sum()
    assert not is_bhavcopy(write(tmp_path, "ts,underlying", [], "day.csv"))
    assert not is_bhavcopy(tmp_path / "nowhere")


def test_an_underlying_that_a_page_is_not_of_is_refused(tmp_path, oi):
    page = {
        "records": {
            "timestamp": "05-Aug-2025 13:59:23",
            "underlyingValue": 24_600.0,
            "data": [
                {
                    "strikePrice": 24_600,
                    "expiryDate": "07-Aug-2025",
                    "CE": {
                        "underlying": "NIFTY", "openInterest": 1, "changeinOpenInterest": 0, "totalTradedVolume": 1, "lastPrice": 1.0,
                        "change": 0.0, "bidQty": 1, "bidprice": 1.0, "askQty": 1, "askPrice": 1.1, "underlyingValue": 24_600.0,
                    },
                }
            ],
        }
    }  # fmt: skip
    path = tmp_path / "page.json"
    path.write_text(json.dumps(page), encoding="utf-8")

    assert isinstance(oi(path, "--underlying", "ACC").exception, ConfigError)
    assert isinstance(oi(path, "--expiry", "2025-08-14").exception, InputError)
    assert oi(path, "--underlying", "nifty").exit_code == 0


@pytest.mark.needs_shared
@pytest.mark.parametrize(("name", "expiry"), [("NIFTY", "25-Mar-2021"), ("RELIANCE", "25-Mar-2021")])  # fmt: skip
def test_ratios_of_a_real_day_are_those_of_its_own_sums(shared_dir, oi, name, expiry):
    path = shared_dir / "data" / "bhavcopy" / "fo18MAR2021bhav.csv.gz"
    sums: Counter[str] = Counter()
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            if (row["SYMBOL"], row["EXPIRY_DT"]) == (name, expiry):
                sums[row["OPTION_TYP"]] += int(row["OPEN_INT"])

    told = json.loads(oi(path, "--underlying", name, "--json").output)

    assert told["pcr"] == pytest.approx(sums["PE"] / sums["CE"], rel=1e-8)


@pytest.mark.needs_shared
def test_real_rows_of_udiff_are_read(shared_dir, oi):
    path = shared_dir / "data" / "bhavcopy" / "fo_udiff_2025-09-02_7rows.csv"

    told = json.loads(oi(path, "--underlying", "NIFTY", "--json").output)

    assert (told["lot"], told["spot"], told["chain"]["pe"]["oi"]) == (75, 24_579.6, [1_678_575])


def test_a_recording_is_no_page_and_says_what_plays_it(tmp_path, oi):
    path = tmp_path / "day.oirec"
    path.touch()

    assert "Play it with oi replay" in str(oi(path).exception)
