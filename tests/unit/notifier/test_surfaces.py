import io

import pytest
from rich.console import Console
from rich.text import Text

from notifier import surfaces
from notifier.screen import View, screen
from notifier.surfaces import Lines, Picture, Table
from oimon.errors import InputError
from tests.unit.notifier.samples import (
    make_advice,
    make_analysis,
    make_board,
    make_position,
    make_rich_advice,
)


def test_lines_are_printed_only_when_they_say_something_new():
    out = io.StringIO()
    lines = Lines(Console(file=out))

    for pcr in (1.0, 1.0, 1.2):
        lines.show(View(underlying="NIFTY", analysis=make_analysis(pcr=pcr)))

    printed = out.getvalue().splitlines()
    assert [line.split(" | ")[1] for line in printed] == ["PCR 1.00", "PCR 1.20"]


def test_the_table_is_redrawn_in_place_and_shows_fewer_strikes_in_a_short_window():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, height=22, no_color=True)
    table = Table(console, width=None, whole_chain=False, contracts=False)

    for _ in range(2):
        table.show(View(underlying="NIFTY", analysis=make_analysis()))
    table.close()

    assert "\x1b[1A" in out.getvalue()  # the cursor goes up before the second drawing
    assert "24900" in out.getvalue()
    assert "25000" not in out.getvalue()
    assert "\x1b[3" not in out.getvalue()  # NO_COLOR: not one colour


@pytest.mark.parametrize("whole_chain", [False, True])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 30), (40, 32), (120, 80)])
def test_strikes_leave_room_for_what_has_to_be_known_beside_them(width, height, whole_chain):
    view = View(
        underlying="NIFTY",
        analysis=make_analysis(is_stale=True, is_gapped=True, quotes_assumed=0.003),
        minimal=make_advice(position=make_position()),
        rich=make_rich_advice(),
        others=["BANKNIFTY"],
        trouble="The bus is away",
    )
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=height, no_color=True)
    table = Table(console, width=None, whole_chain=whole_chain, contracts=False)

    table.show(view)
    lines = Text.from_ansi(out.getvalue()).plain.splitlines()
    table.close()

    told = ("STALE", "gap in the data", "quotes assumed 0.3 %", "The bus is away", "*24500*")
    assert [words for words in told if words not in "\n".join(lines)] == []
    assert len(lines) <= height


def test_the_table_is_drawn_once_and_again_only_where_its_room_has_changed(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        surfaces, "screen", lambda *args, **how: drawn.append(how) or screen(*args, **how)
    )
    console = Console(file=io.StringIO(), force_terminal=True, width=120, height=22, no_color=True)
    table, analysis = (
        Table(console, width=None, whole_chain=False, contracts=False),
        make_analysis(),
    )

    def drawings(**more):
        drawn.clear()
        table.show(View(underlying="NIFTY", analysis=analysis, **more))
        return [how["each_side"] for how in drawn]

    begun, same = drawings(), drawings()
    troubled, calm = drawings(trouble="away", others=["SENSEX"]), drawings()
    table.close()

    assert (begun, same) == ([1, 4], [4])
    assert troubled == [4, 3]
    assert calm == [3, 4]


def test_no_table_is_wider_than_its_window():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=40, no_color=True)
    table = Table(console, width=200, whole_chain=False, contracts=False)

    table.show(View(underlying="NIFTY", analysis=make_analysis()))
    table.close()

    assert "179.26  *24500*  - Neutral   166.91" in Text.from_ansi(out.getvalue()).plain


def test_the_picture_waits_for_the_fast_coach_and_asks_no_other_server(tmp_path):
    path = tmp_path / "table.svg"
    picture = Picture(path, width=120, whole_chain=False, contracts=False)

    assert not picture.show(View(underlying="NIFTY"))
    assert not picture.show(View(underlying="NIFTY", analysis=make_analysis()))
    assert not path.exists()
    assert picture.show(View(underlying="NIFTY", analysis=make_analysis(), minimal=make_advice()))

    drawing = path.read_text(encoding="utf-8")
    assert "BULLISH" in drawing
    assert "REPLAY" in drawing
    assert "url(http" not in drawing


def test_who_waits_for_a_picture_is_told_for_what(tmp_path, capsys):
    picture = Picture(tmp_path / "table.svg", width=120, whole_chain=False, contracts=False)

    for trouble in (None, "The bus is away", "The bus is away"):
        picture.show(View(underlying="NIFTY", trouble=trouble))

    waiting, away = capsys.readouterr().err.splitlines()
    assert "NIFTY" in waiting
    assert away == "The bus is away"


def test_a_picture_that_cannot_be_written_is_named_with_its_remedy(tmp_path):
    path = tmp_path / "no such folder" / "table.svg"
    picture = Picture(path, width=80, whole_chain=False, contracts=False)

    with pytest.raises(InputError, match=r"table\.svg: the picture.*Name a file"):
        picture.show(View(underlying="SILVERMIC", analysis=make_board()))


@pytest.mark.parametrize("shown", [make_board(), make_analysis(off=["coaches: not made for it"])])
def test_the_picture_of_a_mode_without_coaches_waits_for_none(tmp_path, shown):
    path = tmp_path / "board.svg"
    picture = Picture(path, width=80, whole_chain=False, contracts=False)

    assert picture.show(View(underlying="SILVERMIC", analysis=shown))
    assert path.exists()
