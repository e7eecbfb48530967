import re

import pytest

from ingest.smartapi.errors import CODES, UNKNOWN, Act, is_throttled, meaning
from tests.conftest import SHARED


@pytest.mark.needs_shared
def test_every_code_of_the_broker_s_papers_is_known():
    text = (SHARED / "reference" / "smartapi.md").read_text(encoding="utf-8")
    table = text.partition("### 3.1 Error codes")[2].partition("### 3.2")[0]

    named = set(re.findall(r"A[BG]\d{4}", table))

    assert named | {"AB1014", "AB1015"} == set(CODES)  # "AB1013 to AB1016"


def test_what_a_person_has_to_mend_stops_the_logins():
    stops = {code for code, known in CODES.items() if known.act is Act.STOP}

    assert stops == {"AB1000", "AB1001", "AB1007", "AB1005", "AB1006", "AG8004"}
    assert all("start again" in CODES[code].remedy for code in stops | {"AB1050"})


def test_a_code_that_no_paper_knows_is_tried_again():
    assert meaning("AB7777") is UNKNOWN
    assert meaning(None) is UNKNOWN


@pytest.mark.parametrize(
    ("code", "text", "throttled"),
    [
        (None, "b'Access denied because of exceeding access rate'", True),
        (None, "Access Denied because of Exceeding Access Rate limit", True),
        ("AB1021", "Too many requests", True),
        ("AB1004", "Something went wrong", False),
        (None, "<html>504 Gateway Time-out</html>", False),
    ],
)
def test_too_many_requests_are_told_from_the_rest(code, text, throttled):
    assert is_throttled(code, text) is throttled
