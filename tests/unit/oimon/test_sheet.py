"""What is still columns is the record or the rows when somebody asks, and is made once."""

import numpy as np
import pytest

from oimon.messages import OiAnchor
from oimon.sheet import COUNT, FLOAT, NAME, Rows, Sheet, form

ANCHOR = OiAnchor(
    name="day", at_us=1, source=None, is_partial=False, legs=2, ce_change=1.0, pe_change=None
)


def test_a_sheet_has_the_attributes_of_its_record_which_is_made_once():
    made = []
    sheet = Sheet(form([FLOAT]), np.zeros((1, 2)), lambda: made.append(1) or ANCHOR)

    assert made == []
    assert (sheet.name, sheet.legs) == ("day", 2)
    assert made == [1]
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = sheet.nothing_such


def test_rows_are_a_list_of_rows():
    rows = Rows(form([FLOAT, NAME]), np.zeros((2, 2)), lambda: [(1.0, "a"), (2.0, None)])

    assert len(rows) == 2
    assert list(rows) == [(1.0, "a"), (2.0, None)]
    assert rows[1:] == [(2.0, None)]
    assert rows == [(1.0, "a"), (2.0, None)]
    assert rows != [(1.0, "a")]


def test_a_form_holds_texts_and_names_end_to_end():
    found = form([COUNT, NAME + 1], heads=['{"a":', ',"b":', "}"], names=(("x",), ("yes", None)))

    assert bytes(found.heads) == b'{"a":,"b":}'
    assert found.head_ends.tolist() == [5, 10, 11]
    assert [bytes(found.words[24 * k :][:size]) for k, size in enumerate(found.sizes)] == [
        b'"x"',
        b'"yes"',
        b"null",
    ]
    assert found.starts.tolist() == [0, 1, 3]
    assert not found.is_rows
