"""Changes of open interest side by side, in lakh/crore and in contracts; unknown is ``--``."""

import io
from dataclasses import replace

from rich.console import Console

from analytics.sheet import sheet
from oimon.explain.anchors import anchor_sentences, both_units, change
from oimon.messages import Gex, OiAnchor
from tests.unit.notifier.samples import NOW_US, make_analysis
from tests.unit.notifier.test_screen import drawn, make_view

DAY = OiAnchor(
    name="day", at_us=1_786_961_400_000_000, source="previous close, as x.oirec tells it",
    is_partial=False, legs=22, ce_change=13_000_000.0, pe_change=-130_000.0,
)  # fmt: skip
PARTIAL = OiAnchor(
    name="15m", at_us=NOW_US - 400_000_000, source="oldest seen: the history is younger",
    is_partial=True, legs=20, ce_change=0.0, pe_change=None,
)  # fmt: skip
NONE = OiAnchor(
    name="30m", at_us=None, source=None, is_partial=False, legs=0, ce_change=None, pe_change=None
)
ANCHORS = [DAY, PARTIAL, NONE]


def test_a_change_is_in_lakh_and_crore_or_in_contracts():
    assert change(13_000_000.0, 65, contracts=False) == "+1.30cr"
    assert change(13_000_000.0, 65, contracts=True) == "+2,00,000"
    assert change(-130_000.0, 65, contracts=True) == "-2,000"
    assert change(None, 65, contracts=True) == "--"
    assert both_units(-130_000.0, 65) == "-1.3L = -2,000 contracts"
    assert both_units(-130_000.0, None) == "-1.3L"


def test_every_anchor_says_since_when_and_by_whose_word():
    assert anchor_sentences(make_analysis(oi_anchors=ANCHORS)) == [
        "Open interest changed:",
        (
            "  since previous close: calls +1.30cr = +2,00,000 contracts, puts -1.3L = -2,000 contracts "
            "(2026-08-17 15:40:00 IST, previous close, as x.oirec tells it)"
        ),
        (
            "  since 15 min: calls 0 = 0 contracts, puts -- (2026-08-18 12:34:27 IST, "
            "oldest seen: the history is younger, of 20 of 22 legs)"
        ),
        "  since 30 min: --, nothing to count from",
    ]
    assert anchor_sentences(make_analysis()) == []


def test_the_table_shows_them_in_one_line_or_two():
    view = make_view(analysis=make_analysis(oi_anchors=[*ANCHORS, NONE]))

    wide = [line for line in drawn(view) if line.startswith("ΔOI")]
    narrow = [line for line in drawn(view, width=56) if "m --/--" in line]
    contracts = [line for line in drawn(view, contracts=True) if line.startswith("ΔOI")]

    assert wide == ["ΔOI CE/PE day +1.30cr/-1.3L  15m 0/--~  30m --/--  30m --/--"]
    assert narrow == [
        "ΔOI CE/PE day +1.30cr/-1.3L  15m 0/--~  30m --/--",
        "          30m --/--",
    ]
    assert contracts[0].startswith("ΔOI CE/PE day +2,00,000/-2,000 ")


def test_the_table_says_since_when_and_by_whose_word():
    opened = replace(PARTIAL, name="open", source="first seen in this run", is_partial=False)
    gapped = replace(PARTIAL, name="5m", source="sample of 400 s ago", is_partial=False)
    usual = replace(gapped, at_us=NOW_US - 310_000_000)
    view = make_view(analysis=make_analysis(oi_anchors=[DAY, opened, PARTIAL, gapped, NONE]))
    quiet = make_view(analysis=make_analysis(oi_anchors=[usual, NONE]))

    (wide,) = [line for line in drawn(view, width=200) if line.startswith("since")]
    (narrow,) = [line for line in drawn(view, width=80) if line.startswith("since")]

    assert wide == (
        "since     day 17 Aug 15:40:00  open 15m~ 5m 12:34:27  "
        "(previous close, as x.oirec tells it; first seen in this run; oldest seen: the history is younger)"
    )
    assert narrow == "since     day 17 Aug 15:40:00  open 15m~ 5m 12:34:27  (previous close, as…"
    assert not any(line.startswith("since") for line in drawn(quiet))


def test_the_sheet_of_a_page_shows_them_too():
    console = Console(file=io.StringIO(), width=120, color_system=None)

    console.print(sheet(make_analysis(oi_anchors=ANCHORS)))

    told = " ".join(console.file.getvalue().split())
    assert (
        "Since the previous close calls +1.30cr = +2,00,000 contracts, puts -1.3L = -2,000 contracts "
        "(2026-08-17 15:40:00 IST, previous close, as x.oirec tells it)"
    ) in told
    assert "Since the open -- " in told


def test_the_sheet_says_that_gamma_turns_nowhere_near():
    console = Console(file=io.StringIO(), width=120, color_system=None)

    console.print(sheet(make_analysis(gex=Gex(net=1.2e9, abs=4.1e9, zero=None))))

    assert "Zero gamma: the net exposure does not change its sign" in console.file.getvalue()
