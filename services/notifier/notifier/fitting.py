"""What becomes of a line that is wider than the terminal (pure): no number of it is ever shown in part."""

import re

from rich.cells import cell_len, set_cell_size
from rich.text import Text

_PART = re.compile(r"\S+(?: \S+)*")


def flow(line: Text, width: int) -> list[Text]:
    """Return a line of numbers on as many as it needs; it breaks where a gap is wider than one space."""
    found, begin, last = [], 0, 0
    for part in _PART.finditer(line.plain):
        if last and cell_len(line.plain[begin : part.end()]) > width:
            found.append(line[begin:last])
            begin = part.start()
        last = part.end()
    return [*found, line[begin:]]


def cut(line: Text, width: int) -> Text:
    """Return a line of words, at most so wide: where it goes on there is an ellipsis behind the last whole word."""
    if line.cell_len <= width:
        return line
    kept = len(set_cell_size(line.plain, max(width - 1, 0)))
    end = line.plain.rfind(" ", 0, kept + 1)
    words = line[: end if end > 0 else kept]
    words.rstrip()
    return words.append("…")
