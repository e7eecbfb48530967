from datetime import date

import pytest

from ingest.config import FeedKind, IngestSettings
from ingest.main import segment_notes
from ingest.master.plan import Wanted
from ingest.master.wish import wanted
from ingest.recordings import BUNDLED
from oimon.config import load
from oimon.errors import ConfigError
from oimon.terms import Segment


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """Leave the machine's own settings out."""
    for name in (*IngestSettings.model_fields, "recording"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_settings_the_bundled_day_plays_at_sixty_times():
    settings = load(IngestSettings)

    assert (settings.feed, settings.recording, settings.http_port) == (
        FeedKind.REPLAY,
        BUNDLED,
        8701,
    )
    assert (settings.times_real_time, settings.flush_ms) == (60.0, 5.0)
    assert settings.feed_segment is Segment.NFO
    assert settings.notes == ()


def test_another_day_plays_in_real_time(monkeypatch, tmp_path):
    day = tmp_path / "day.oirec"
    day.touch()
    monkeypatch.setenv("RECORDING", str(day))

    assert load(IngestSettings).times_real_time == 1.0


@pytest.mark.parametrize(
    ("text", "speed"), [("max", None), ("MAX", None), ("0.5", 0.5), ("300", 300.0)]
)
def test_the_speed_can_be_set(monkeypatch, text, speed):
    monkeypatch.setenv("SPEED", text)

    assert load(IngestSettings).times_real_time == speed


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("SIM_SEED", "-1", "SIM_SEED"),
        ("SIM_UNIVERSE", "moon", "'moon' is not one of nifty, index, mcx, nse, default"),
        ("SIM_OI_PUBLISH_S", "601", "SIM_OI_PUBLISH_S"),
        ("SIM_DATE", "soon", "SIM_DATE"),
        ("SIM_FAULTS", "gremlins=1", "takes label=rate, separated by commas, found 'gremlins=1'"),
        ("SIM_FAULTS", "zero_oi=2", "the rate of zero_oi lies between 0 and 1, was 2"),
        ("FEED", "tape", "FEED"),
        ("RECORDING", "nowhere.oirec", "there is no file 'nowhere.oirec'"),
        ("SIM_TRUTH", "nowhere/truth", "cannot write 'nowhere/truth'; name a file"),
        ("SIM_TRUTH", ".", "cannot write '.'; name a file"),
        ("SPEED", "0", "takes a number above 0, or max, found '0'"),
        ("SPEED", "fast", "takes a number above 0, or max, found 'fast'"),
        ("SPEED", "nan", "takes a number above 0, or max, found 'nan'"),
        ("FLUSH_MS", "-1", "FLUSH_MS"),
        ("STRIKES_EACH_SIDE", "some", "takes a number of strikes, or all, found 'some'"),
        ("STRIKES_EACH_SIDE", "-1", "takes a number of strikes, or all, found '-1'"),
        ("EXPIRIES", "0", "EXPIRIES"),
        ("EXPIRY", "soon", "takes days as 2026-12-01, separated by commas, found 'soon'"),
        ("MCX_OI", "maybe", "MCX_OI"),
        ("SMARTAPI_MASTER_URL", "ftp://x", "SMARTAPI_MASTER_URL"),
    ],
)
def test_a_wrong_setting_is_one_sentence(monkeypatch, name, value, what):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        load(IngestSettings)

    assert what in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "field", "default"),
    [
        ("FEED_SEGMENT", "NASDAQ", "feed_segment", Segment.NFO),
        ("MCX_NAME", "TULIPS", "mcx_name", "SILVERMIC"),
    ],
)
def test_a_wrong_segment_or_commodity_falls_back_and_says_so(
    monkeypatch, name, value, field, default
):
    monkeypatch.setenv(name, value)

    settings = load(IngestSettings)

    assert getattr(settings, field) == default
    (note,) = settings.notes
    assert note.startswith(f"{name}: '{value}' is not one of ")
    assert note.endswith(f"using the default, {default}")


def test_case_does_not_matter(monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "mcx")
    monkeypatch.setenv("MCX_NAME", "copper")

    settings = load(IngestSettings)

    assert (settings.feed_segment, settings.commodities) == (Segment.MCX, ("COPPER",))
    assert settings.notes == ()


def test_goldmic_is_goldm_and_says_so(monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "NASDAQ")
    monkeypatch.setenv("MCX_NAME", "GoldMic")

    settings = load(IngestSettings)

    assert settings.commodities == ("GOLDM",)
    fallback, renamed = settings.notes
    assert fallback.startswith("FEED_SEGMENT: ")
    assert renamed == "MCX_NAME: MCX lists no GOLDMIC; using GOLDM"


def test_a_segment_without_a_recording_is_told_what_plays_instead(monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "MCX")

    notes = segment_notes(load(IngestSettings), Segment.NFO)

    assert notes == [
        "there is no recording of MCX (SILVERMIC): playing NIFTY-2026-08-18.oirec, a day of NFO"
    ]
    assert segment_notes(load(IngestSettings, {"feed_segment": "NFO"}), Segment.NFO) == []


def test_several_commodities_may_be_named_in_any_case(monkeypatch):
    monkeypatch.setenv("MCX_NAME", "goldmic, Copper,GOLDM,")

    settings = load(IngestSettings)

    assert settings.commodities == ("GOLDM", "COPPER")
    assert settings.notes == ("MCX_NAME: MCX lists no GOLDMIC; using GOLDM",)


def test_one_wrong_commodity_among_several_falls_back_and_is_named(monkeypatch):
    monkeypatch.setenv("MCX_NAME", "COPPER,TULIPS")

    settings = load(IngestSettings)

    assert settings.commodities == ("SILVERMIC",)
    assert settings.notes[0].startswith("MCX_NAME: 'TULIPS' is not one of SILVERMIC")


def test_what_is_subscribed_can_be_set(monkeypatch):
    for name, value in {
        "UNDERLYINGS": "nifty, sensex,NIFTY",
        "EXPIRIES": "1",
        "EXPIRY": "2026-12-01,2026-12-29",
        "STRIKES_EACH_SIDE": "ALL",
        "MCX_OI": "1",
    }.items():
        monkeypatch.setenv(name, value)

    wish = wanted(load(IngestSettings))

    assert wish == Wanted(
        segment=Segment.NFO,
        names=("NIFTY", "SENSEX"),
        expiries=1,
        days=(date(2026, 12, 1), date(2026, 12, 29)),
        each_side=None,
        mcx_oi=True,
    )


@pytest.mark.parametrize(
    ("segment", "names"),
    [
        ("NFO", ()),
        ("BFO", ()),
        ("MCX", ("SILVERMIC",)),
        ("NSE", ("INFY", "TCS")),
    ],
)
def test_each_segment_has_names_of_its_own(monkeypatch, segment, names):
    monkeypatch.setenv("FEED_SEGMENT", segment)
    monkeypatch.setenv("NSE_SYMBOLS", "infy,tcs")

    wish = wanted(load(IngestSettings))

    assert (wish.segment, wish.names, wish.each_side) == (Segment[segment], names, 20)
