"""What machine code writes is what ``plain`` writes, to the byte; left out where numba is not installed."""

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oimon import machine_text, plain
from oimon import sheet as sheets
from oimon.core import fast
from oimon.messages import Beat, Column, CountColumn
from oimon.sheet import COUNT, FLOAT, NAME, Rows, form
from oimon.terms import FeedState, MarketState
from tests.unit.notifier.samples import make_analysis


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Inner:
    z: Column
    a: CountColumn


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    more: list[Inner]
    number: float | None
    text: str
    rows: list[tuple[float, str | None]]
    named: Mapping[str, float]
    column: Column
    count: CountColumn
    one: Inner


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Named:
    z: Column
    a: CountColumn
    m: list[str | None]
    n: list[str | None]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Both:
    one: Named
    rows: list[tuple[float, str | None, str | None]]


@pytest.fixture(scope="module", autouse=True)
def machine_code():
    """Have machine code used."""
    if not fast.use():
        pytest.skip("numba is not installed")
    yield
    fast.use(wanted=False)


def by_plain(message) -> bytes:
    return plain.dumps(plain.plain(message))


def make_sheet(**fields) -> Sheet:
    empty = np.empty(0)
    given = {
        "more": [],
        "number": None,
        "text": "",
        "rows": [],
        "named": {},
        "column": empty,
        "count": empty,
    }
    return Sheet(**given | {"one": Inner(z=empty, a=empty)} | fields)  # fmt: skip


EXTREMES = [0.0, -0.0, 5e-324, -5e-324, 1e-14, 9.9999999999e-14, 1e-13, 1e-6, 1e-5, 0.99999999996, 999_999_999.7, 1e15,
            9_999_999_999_999_998.0, math.inf, -math.inf, math.nan]  # fmt: skip
floats = st.one_of(
    st.sampled_from(EXTREMES),
    st.floats(-1e300, 1e300),
    st.floats(-1e16, 1e16),
    st.floats(-1e-3, 1e-3),
    st.integers(-(10**11), 10**11).map(lambda paise: paise / 100),
    st.builds(lambda digits, power: digits / 10**power, st.integers(-(10**17), 10**17), st.integers(0, 22)),
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(values=st.lists(st.one_of(floats, st.integers(-(2**54), 2**54).map(float)), max_size=40))
@example(values=EXTREMES)
@example(values=[1e16])
@example(values=[2.0**53])
def test_any_columns_are_as_plain_writes_them(values):
    column = np.array(values, np.float64)
    sheet = make_sheet(column=column, count=column[::-1], more=[Inner(z=column[:3], a=column[1:])])

    written = machine_text.json_of(sheet)

    if np.abs(column[np.isfinite(column)]).max(initial=0) < 9e15:
        assert written is not None
    assert written in (None, by_plain(sheet))


@settings(max_examples=500, deadline=None)
@given(numbers=st.lists(floats, min_size=1, max_size=20), text=st.text())
@example(numbers=EXTREMES, text='@ "12.3456789012" \\ \n \x1f \x7f é')
@example(numbers=[1e16], text="")
def test_any_numbers_and_words_are_as_plain_writes_them(numbers, text):
    for number in numbers:
        finite = [each for each in numbers if math.isfinite(each)]
        rows, named = [(each, text) for each in finite], {text: number}
        sheet = make_sheet(number=number, text=text, rows=rows, named=named)

        assert machine_text.json_of(sheet) in (None, by_plain(sheet))


@settings(max_examples=1000, deadline=None)
@given(nine=st.integers(10**8, 10**9 - 1), power=st.integers(1, 20), is_below=st.booleans())
@example(nine=100_000_000, power=1, is_below=True)
def test_a_number_in_the_middle_of_two_is_rounded_as_its_very_bits_say(nine, power, is_below):
    number = (10 * nine + 5) / 10**power
    sheet = make_sheet(number=-number if is_below else number)

    written = machine_text.json_of(sheet)

    assert written is not None or power == 1
    assert written in (None, by_plain(sheet))


def test_an_analysis_is_written_so_and_what_has_no_columns_is_not():
    analysis = make_analysis()

    assert machine_text.json_of(analysis) == by_plain(analysis)
    assert machine_text.json_of(Beat(ts_us=1, market=MarketState.OPEN, feed=FeedState.OK, age_ms=1)) is None  # fmt: skip


def test_what_looks_like_a_column_or_is_of_no_type_that_json_has_is_left_to_plain():
    for sheet in (
        make_sheet(text="<f8"),
        make_sheet(number=np.float64(1 / 3)),
        make_sheet(named=MappingProxyType({"a": 0.5})),
    ):
        assert machine_text.json_of(sheet) is None
    assert machine_text.json_of(make_sheet(text='"<f8"')) == by_plain(make_sheet(text='"<f8"'))


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(floats, st.integers(-(2**50), 2**50), st.integers(0, 2), st.integers(0, 1)), max_size=50)
)  # fmt: skip
def test_a_sheet_is_written_as_the_columns_and_rows_that_it_stands_for(rows):
    names = (("LONG", "a name of 22 letters..", None), ("x", None))
    columns = np.array(rows, np.float64).reshape(-1, 4).T.copy()
    told = [[names[kind][int(code)] for code in columns[2 + kind]] for kind in range(2)]
    heads = ['{"a":', ',"m":', ',"n":', ',"z":', "}"]
    record = form([COUNT, NAME, NAME + 1, FLOAT], heads=heads, names=names)
    order = columns[[1, 2, 3, 0]]
    plainly = Named(z=columns[0], a=columns[1], m=told[0], n=told[1])
    table = list(zip(columns[0].tolist(), told[0], told[1], strict=True))
    few = len(table) < plain.FEW_ROWS
    rows_form = form([FLOAT, NAME, NAME + 1], names=names)
    as_rows = table if few else Rows(rows_form, columns[[0, 2, 3]], lambda: table)
    sheet = Both(one=sheets.Sheet(record, order, lambda: plainly), rows=as_rows)

    written = machine_text.json_of(sheet)

    assert written in (None, by_plain(Both(one=plainly, rows=table)))
    assert by_plain(sheet) == by_plain(Both(one=plainly, rows=table))
    if np.abs(columns[0]).max(initial=0) < 9e15 and not few:
        assert written is not None
