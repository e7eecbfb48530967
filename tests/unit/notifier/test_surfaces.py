import io

import pytest
from rich.console import Console

from notifier.screen import View
from notifier.surfaces import Lines, Picture, Table
from oimon.errors import InputError
from tests.unit.notifier.samples import make_advice, make_analysis, make_board


def test_lines_are_printed_only_when_they_say_something_new():
    out = io.StringIO()
    lines = Lines(Console(file=out))

    for pcr in (1.0, 1.0, 1.2):
        lines.show(View(underlying="NIFTY", analysis=make_analysis(pcr=pcr)))

    printed = out.getvalue().splitlines()
    assert [line.split(" | ")[1] for line in printed] == ["PCR 1.00", "PCR 1.20"]


def test_the_table_is_redrawn_in_place_and_shows_fewer_strikes_in_a_short_window():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, height=24, no_color=True)
    table = Table(console, width=None, whole_chain=False, contracts=False)

    for _ in range(2):
        table.show(View(underlying="NIFTY", analysis=make_analysis()))
    table.close()

    assert "\x1b[1A" in out.getvalue()  # the cursor goes up before the second drawing
    assert "24800" in out.getvalue()
    assert "24900" not in out.getvalue()
    assert "\x1b[3" not in out.getvalue()  # NO_COLOR: not one colour


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
