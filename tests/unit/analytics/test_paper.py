"""One analysis of a file on paper."""

import io

from rich.console import Console

from analytics.sheet import sheet
from tests.unit.notifier.samples import make_analysis


def test_the_money_is_marked_where_bold_type_is_lost():
    console = Console(file=io.StringIO(), width=80)

    console.print(sheet(make_analysis()))

    cells = [line.split()[3] for line in console.file.getvalue().splitlines() if "500" in line]
    assert "*24500*" in cells
    assert console.file.getvalue().count("*") == 2
