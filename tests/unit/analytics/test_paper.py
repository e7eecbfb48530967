"""One analysis of a file on paper."""

import io

from rich.console import Console

from analytics.sheet import price_text, sheet
from tests.unit.notifier.samples import make_analysis


def test_the_money_is_marked_where_bold_type_is_lost():
    console = Console(file=io.StringIO(), width=80)

    console.print(sheet(make_analysis()))

    cells = [line.split()[3] for line in console.file.getvalue().splitlines() if "500" in line]
    assert "*24500*" in cells
    assert console.file.getvalue().count("*") == 2


def test_a_price_has_indian_groups():
    assert price_text(1_45_250.5) == "1,45,250.50"
    assert price_text(None) == price_text(float("nan")) == "--"
