import dataclasses

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon import codec, plain
from oimon.errors import PoisonMessage
from oimon.messages import DAY, TICK, Beat, Gap, Session, TickBatch, TickFlag
from oimon.terms import FeedState, MarketState, Segment
from tests.unit.analytics.days import make_session, play
from tests.unit.notifier.samples import make_advice, make_analysis

BEAT = Beat(ts_us=1, market=MarketState.OPEN, feed=FeedState.OK, age_ms=None)


def make_batch(count: int, **columns) -> TickBatch:
    records = np.zeros(count, TICK)
    for name, values in columns.items():
        records[name] = values
    return TickBatch(received_us=7, table="0123456789abcdef", records=records)


def test_json_has_sorted_keys_and_null_for_what_is_absent():
    assert (
        codec.encode(BEAT) == b'{"age_ms":null,"conflated":0,"feed":"ok","market":"OPEN","ts_us":1}'
    )


@pytest.mark.parametrize(
    "message", [BEAT, Gap(from_us=1, to_us=2, why="silent", rows=[3]), make_advice()]
)
def test_a_message_comes_back_as_it_went(message):
    data = codec.encode(message)

    back = codec.decode(codec.kind_of(message), codec.SCHEMA, data)

    assert codec.encode(back) == data
    assert dataclasses.asdict(back) == dataclasses.asdict(message)


def is_same(one, other) -> bool:
    """Say whether two values are alike in every type and bit."""
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(is_same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, np.ndarray):
        return (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())
    if isinstance(one, dict):
        return is_same(list(one.items()), list(other.items()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other


@pytest.mark.parametrize(
    "message",
    [
        BEAT,
        Gap(from_us=1, to_us=2, why="silent", rows=[3]),
        make_batch(2, oi=[1, 2]),
        make_session(),
        make_advice(),
        make_analysis(),
        *play(make_session(strikes=5), range(0, 1000, 199)),
        *play(make_session(strikes=2, segment=Segment.MCX), range(2)),
    ],
    ids=codec.kind_of,
)
def test_what_is_given_along_is_what_reading_gives(message):
    data, along = codec.encode_and_decode(message)

    assert data == codec.encode(message)
    assert is_same(along, codec.decode(codec.kind_of(message), codec.SCHEMA, data))


def test_columns_given_along_are_those_of_other_messages_and_nobody_can_change_them():
    analysis = make_analysis()
    data, along = codec.encode_and_decode(analysis)

    assert along.chain.ce.oi is codec.decode("analysis", codec.SCHEMA, data).chain.ce.oi
    with pytest.raises(ValueError, match="read-only"):
        along.chain.ce.oi[0] = 1.0


def test_an_analysis_comes_back_with_the_same_bytes():
    data = codec.encode(make_analysis())

    back = codec.decode("analysis", codec.SCHEMA, data)

    assert codec.encode(back) == data


def test_columns_that_hold_the_same_are_one_array_that_nobody_can_change():
    analysis = make_analysis()
    first, second = (
        codec.decode(
            "analysis", codec.SCHEMA, codec.encode(dataclasses.replace(analysis, ts_us=ts_us))
        )
        for ts_us in (1, 2)
    )

    assert first.chain.ce.oi is second.chain.ce.oi
    assert not first.chain.ce.oi.flags.writeable


@pytest.mark.parametrize("column", ['{"a":1}', '"12"', "[1,true]", "null", '["x"]', "[[1]]"])
def test_a_column_of_anything_but_numbers_is_poison(column):
    read = orjson.loads(codec.encode(make_analysis()))
    read["chain"]["ce"]["oi"] = orjson.loads(column)

    with pytest.raises(PoisonMessage, match="not a message of kind analysis"):
        codec.decode("analysis", codec.SCHEMA, orjson.dumps(read))


def test_every_key_of_an_analysis_is_sorted_and_no_number_is_nan():
    text = codec.encode(make_analysis())
    read = orjson.loads(text)

    assert orjson.dumps(read, option=orjson.OPT_SORT_KEYS) == text
    assert b"NaN" not in text


def test_counts_are_whole_numbers_and_an_unknown_one_is_null():
    analysis = make_analysis()
    legs = dataclasses.replace(analysis.chain.ce, oi=np.full(len(analysis.chain.strike), 65.0))
    legs.oi[0] = np.nan
    chain = dataclasses.replace(analysis.chain, ce=legs)

    read = orjson.loads(codec.encode(dataclasses.replace(analysis, chain=chain)))

    assert read["chain"]["ce"]["oi"][:2] == [None, 65]
    assert isinstance(read["chain"]["ce"]["oi"][1], int)


@pytest.mark.parametrize("name", ["mark", "oi"])
def test_a_column_that_was_written_is_kept_as_reading_its_text_gives_it(name):
    analysis = make_analysis()
    column = np.resize([-np.nan, np.inf, -0.0, -0.4, 1 / 3, 2e17], len(analysis.chain.strike))
    legs = dataclasses.replace(analysis.chain.ce, **{name: column})
    chain = dataclasses.replace(analysis.chain, ce=legs)

    data, kept = codec.encode_and_decode(dataclasses.replace(analysis, chain=chain))

    read = codec.decode("analysis", codec.SCHEMA, data)
    assert getattr(kept.chain.ce, name).tobytes() == getattr(read.chain.ce, name).tobytes()
    assert not getattr(kept.chain.ce, name).flags.writeable


def test_an_array_that_takes_the_place_of_a_dead_one_is_written_as_it_is(monkeypatch):
    monkeypatch.setattr(plain, "ROWS_KEPT", 3)
    analysis = make_analysis()
    count = len(analysis.chain.strike)

    for value in range(40):
        legs = dataclasses.replace(analysis.chain.ce, mark=np.full(count, value + 0.5))
        chain = dataclasses.replace(analysis.chain, ce=legs)
        read = orjson.loads(codec.encode(dataclasses.replace(analysis, chain=chain)))
        assert read["chain"]["ce"]["mark"] == [value + 0.5] * count


def test_a_field_that_a_newer_writer_added_is_ignored():
    data = codec.encode(BEAT)[:-1] + b',"z_new":1}'

    assert codec.decode("beat", codec.SCHEMA + 1, data) == BEAT


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_floats_keep_nine_significant_digits_alone_or_in_a_column(value):
    expected = float(f"{value:.9g}")

    alone = plain.round9(value)
    column = plain.round9_array(np.array([value]))[0]

    assert alone == expected
    assert column == pytest.approx(expected, rel=1.1e-8, abs=1e-21)


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_a_column_rounds_to_the_double_nearest_to_the_decimal(value):
    column = plain.round9_array(np.array([value]))[0]

    assert column == float(f"{column:.9g}")


def test_what_is_not_finite_is_null():
    assert plain.round9(float("inf")) is None
    assert np.isnan(plain.round9_array(np.array([np.inf, -np.inf, np.nan]))).all()


def test_a_batch_of_ticks_comes_back_as_it_went():
    batch = make_batch(3, row=[0, 1, 2], ltp=[100, 200, 300], oi=[65, 130, 2**40])

    back = codec.decode("ticks", codec.SCHEMA, codec.encode(batch))

    assert back.records.tobytes() == batch.records.tobytes()
    assert (back.received_us, back.table, back.day) == (7, "0123456789abcdef", None)


def test_a_tick_is_64_bytes_behind_a_head_of_24():
    assert TICK.itemsize == 64
    assert len(codec.encode(make_batch(2))) == 24 + 2 * 64


def test_day_records_follow_the_ticks_that_have_the_flag():
    records = np.zeros(2, TICK)
    records["flags"] = [0, TickFlag.DAY]
    day = np.zeros(1, DAY)
    day["open"] = 4200
    batch = TickBatch(received_us=0, table="00" * 8, records=records, day=day)

    back = codec.decode("ticks", codec.SCHEMA, codec.encode(batch))

    assert back.day["open"].tolist() == [4200]


@pytest.mark.parametrize(
    ("kind", "version", "data", "words"),
    [
        ("beat", 1, b"{not json", "not a message"),
        ("beat", 1, b"{}", "missing required field"),
        (
            "beat",
            1,
            b'{"age_ms":null,"conflated":0,"feed":"??","market":"OPEN","ts_us":1}',
            "Invalid enum value",
        ),
        ("advice", 1, b"[]", "not a message"),
        ("beat", 1, b'{"x":' + b"[" * 100_000, "not a message of kind beat: maximum recursion"),
        ("analysis", 1, b'{"a":' * 40_000, "not a message of kind analysis: maximum recursion"),
        ("nonsense", 1, b"{}", "unknown kind"),
        ("beat", 0, b"{}", "schema must be at least 1"),
        ("beat", 1, b" " * (codec.MAX_BYTES + 1), "may have"),
        ("ticks", 1, b"short", "at least 24 bytes"),
        ("ticks", 1, codec.encode(make_batch(2))[:-1], "in 151 bytes"),
        ("ticks", 1, codec.encode(make_batch(2)) + b"x", "found 153"),
    ],
)
def test_what_cannot_be_read_is_poison_with_a_reason(kind, version, data, words):
    with pytest.raises(PoisonMessage, match=words):
        codec.decode(kind, version, data)


@given(st.binary(max_size=400))
def test_no_bytes_crash_the_reader_of_ticks(data):
    try:
        codec.decode("ticks", 1, data)
    except PoisonMessage as error:
        assert str(error)  # noqa: PT017 - any other exception fails the test


def test_a_full_batch_fits_an_entry():
    assert len(codec.encode(make_batch(codec.MAX_TICKS))) <= codec.MAX_BYTES


def test_a_batch_over_the_limit_is_refused():
    with pytest.raises(ValueError, match="4000 ticks"):
        codec.encode(make_batch(4001))


def test_every_message_has_a_kind_and_every_kind_a_message():
    assert codec.kind_of(BEAT) == "beat"
    assert {cls.__name__ for cls in codec.KINDS.values()} >= {
        Session.__name__,
        "ChainAnalysis",
        "Advice",
        "Trade",
    }
