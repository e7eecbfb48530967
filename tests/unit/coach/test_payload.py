"""What models are told: compact, complete, and nothing made up."""

import dataclasses
import json
import re

import numpy as np
import pytest

from coach_minimal import prompt as minimal
from coach_minimal.paper import State
from coach_rich import prompt as rich
from oimon.coach import payload
from oimon.messages import FutureReading, Gex, Trigger
from oimon.terms import Action, OptionKind
from tests.unit.coach.market import STRIKES, make_analysis, make_legs, make_rich

TRIGGER = Trigger(reason="oi_change", fraction=0.14, moved=12, eligible=84, since_s=180.0)


def tokens(text):
    """A count no lower than common tokenizers give: three digits, a word, or a few signs a token."""
    return len(re.findall(r"\d{1,3}|[A-Za-z]{1,4}|[^\sA-Za-z\d]{1,3}", text))


def told(analysis, state=None):
    return json.loads(minimal.write(analysis, state or State()))


def test_the_fast_payload_says_what_the_specification_lists():
    found = told(make_analysis())

    assert " ".join(found) == (
        "v u t st x f ch atm ce pe pcr dpcr coi iv em mp s r dir conf left q rich pos"
    )
    assert (found["t"], found["x"], found["pcr"], found["iv"]) == ("11:00:00", 26052.4, 0.96, 11.8)
    assert (found["ce"], found["s"], found["left"]) == ([150.1, 0.1], [26000, 92], 15_000)
    assert (found["ch"], found["dpcr"]) == ([0, 0.02, 0.06], 0.005)


def test_the_fast_payload_is_at_most_250_tokens():
    analysis = make_analysis()
    rich_word = make_rich(analysis, Action.ENTER, side=OptionKind.CE)

    assert tokens(minimal.write(analysis, State(rich=rich_word))) <= 250


def test_what_is_unknown_stays_null():
    nobody = make_legs(bid=np.nan, ask=np.nan)
    analysis = make_analysis(pcr=None, atm_iv=None, max_pain=None, support=[], history=[], x=None)
    chain = dataclasses.replace(analysis.chain, ce=nobody)

    found = told(dataclasses.replace(analysis, chain=chain))

    assert [found[name] for name in ("x", "pcr", "dpcr", "iv", "mp", "s")] == [None] * 6
    assert (found["ch"], found["ce"]) == ([None] * 3, [None, None])


def test_changes_are_those_of_one_five_and_fifteen_minutes():
    analysis = make_analysis()
    now_s = analysis.ts_us // 1_000_000
    history = [
        (now_s - 60 * minutes, analysis.x / (1 + percent / 100), 0.9, 0, 0, "BULLISH", None)
        for minutes, percent in ((15, 3.0), (5, 2.0), (1, 1.0))
    ]

    found = told(dataclasses.replace(analysis, history=history))

    assert (found["ch"], found["dpcr"]) == ([1, 2, 3], 0.06)


def test_a_minute_that_is_missing_is_not_replaced_by_an_older_one():
    analysis = make_analysis()
    old = (analysis.ts_us // 1_000_000 - 120, analysis.x, 0.9, 0, 0, "BULLISH", None)

    assert told(dataclasses.replace(analysis, history=[old]))["ch"] == [None] * 3


def test_strengths_are_whole_numbers():
    assert told(make_analysis(support=[(26_000.0, 91.498)]))["s"] == [26_000, 91]


def test_the_deep_coachs_word_comes_with_its_age():
    analysis = make_analysis()
    word = make_rich(make_analysis(analysis.ts_us - 90_000_000), Action.ENTER, side=OptionKind.PE)

    assert told(analysis, State(rich=word))["rich"] == ["ENTER", "PE", 0.7, 90]


def deep(analysis, **given):
    given = {"position": None, "recent": [], **given}
    return json.loads(rich.write(analysis, TRIGGER, **given))


def test_the_deep_payload_holds_the_chain_around_the_money_in_lots():
    found = deep(make_analysis())

    assert len(found["chain"]) == 21
    assert found["chain"][0] == [
        *(25550, 10000, 100, 769, 150.1, 2, "SC", 11.8),
        *("SC", 2.2, 140.1, 769, 100, 10000, "Bull"),
    ]
    assert found["now"]["u"] == "NIFTY"
    assert found["trigger"]["reason"] == "oi_change"


def test_the_deep_payload_is_at_most_4000_tokens():
    analysis = make_analysis(
        gex=Gex(net=-607_960_375.0, abs=244_206_656_189.0, zero=26_053.96),
        future=FutureReading(
            symbol="NIFTY26NOVFUT", mark=26_078.5, oi=1, build_up="LONG_BUILDUP", basis=0.001
        ),
    )

    text = rich.write(
        analysis, TRIGGER, position=None, recent=[make_rich(analysis, Action.WAIT)] * 5
    )

    assert tokens(text) <= 4000
    assert json.loads(text)["analysis"]["gex"] == {
        "net_cr": -60.8,
        "abs_cr": 24420.7,
        "zero": 26054,
    }


def test_volatilities_are_in_per_cent_everywhere():
    found = deep(make_analysis(rr25=-0.010675))

    assert (found["now"]["iv"], found["chain"][0][7], found["analysis"]["rr25"]) == (
        11.8,
        11.8,
        -1.07,
    )


def test_past_decisions_come_with_what_followed():
    analysis = make_analysis()
    before = make_rich(analysis, Action.WAIT, x=26_000.0)

    assert deep(analysis, recent=[before])["recent"] == [["11:00", "WAIT", None, 0.7, 0.2]]


def test_an_empty_chain_gives_a_payload_all_the_same():
    found = deep(make_analysis(atm=None, components={}, contributions=[]))

    assert (found["chain"], found["now"]["ce"]) == ([], None)


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(None, 2, None), (float("nan"), 2, None), (26_050.0, 2, 26_050), (0.96036, 3, 0.96)],
)
def test_numbers_are_rounded_and_never_nan(value, digits, written):
    assert payload.number(value, digits) == written


def test_the_schema_names_every_field_that_the_answer_must_have():
    assert set(payload.SCHEMA["required"]) == set(payload.SCHEMA["properties"])
    assert all(name in payload.SYSTEM for name in payload.SCHEMA["required"])


def test_strikes_are_those_of_the_chain():
    rows = deep(make_analysis())["chain"]

    assert {row[0] for row in rows} <= set(STRIKES.tolist())
