"""Where a view is shown: a table redrawn in a terminal, plain lines where there is none, or one picture in a file."""

import io
import os
import re
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.segment import Segment, SegmentLines

from notifier.screen import View, screen, summary
from oimon.errors import InputError
from oimon.messages import ChainAnalysis

_FONT_FROM_ELSEWHERE = re.compile(r"@font-face\s*{.*?}\s*", re.DOTALL)
"""rich asks a public server for its font; whoever looks at our picture shall ask nobody."""
_EACH_SIDE = 5  # strikes above and below the money, where there is room


class Surface(Protocol):
    """Where a view is shown."""

    period_s: float

    def show(self, view: View) -> bool:
        """Show a view; say whether that was all there is to do."""
        ...

    def close(self) -> None:
        """Give the terminal back."""
        ...


class Table:
    """The table, redrawn in place four times a second."""

    period_s = 0.25

    def __init__(
        self, console: Console, *, width: int | None, whole_chain: bool, contracts: bool
    ) -> None:
        self._console, self._width = console, width
        self._whole_chain, self._contracts = whole_chain, contracts
        self._each_side = 1
        self._live = Live(console=console, auto_refresh=False, screen=False)

    def show(self, view: View) -> bool:
        """Draw the view over the one before."""
        self._live.start()
        self._live.update(self._fitting(view), refresh=True)
        return False

    def _fitting(self, view: View) -> SegmentLines:
        """Return the screen with as many strikes as the window has lines for: what stands below them is never pushed out of it.

        It is drawn once, with as many as there were room for before, and once more where that has changed.
        """
        lines = self._drawn(view)
        spare = self._console.height - len(lines)
        fitting = max(1, min(self._each_side + spare // 2, self._most(view)))
        if fitting != self._each_side:
            self._each_side = fitting
            lines = self._drawn(view)
        return SegmentLines(lines, new_lines=True)

    def _most(self, view: View) -> int:
        """Return how many strikes above and below the money are wanted."""
        if self._whole_chain and isinstance(view.analysis, ChainAnalysis):
            return len(view.analysis.chain.strike)
        return _EACH_SIDE

    def _drawn(self, view: View) -> list[list[Segment]]:
        width = min(self._width or self._console.width, self._console.width)
        drawn = screen(view, width=width, each_side=self._each_side, contracts=self._contracts)
        return self._console.render_lines(drawn, pad=False)

    def close(self) -> None:
        """Leave the last table standing and show the cursor again."""
        self._live.stop()


class Lines:
    """One summary line every few seconds, when it says something new."""

    period_s = 3.0

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, ""

    def show(self, view: View) -> bool:
        """Print the view's line; a reader that has gone ends the watch."""
        line = summary(view)
        if line != self._last:
            self._last = line
            try:
                print(line, file=self._console.file, flush=True)
            except (
                BrokenPipeError
            ):  # and the interpreter's own flush at the end shall find an open file
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._console.file.fileno())
                return True
        return False

    def close(self) -> None:
        """Nothing to give back."""


class Picture:
    """The table once, as an SVG file."""

    period_s = 0.25

    def __init__(self, path: Path, *, width: int, whole_chain: bool, contracts: bool) -> None:
        self._path, self._width = path, width
        self._whole_chain, self._contracts = whole_chain, contracts
        self._waiting = Lines(Console(stderr=True))

    def show(self, view: View) -> bool:
        """Write the file once an analysis is there and, where coaches speak, the fast one's word on it; until then say what is awaited.

        Raises:
            InputError: the file cannot be written.
        """
        if view.analysis is None:
            self._waiting.show(view)
            return False
        if isinstance(view.analysis, ChainAnalysis) and not view.analysis.off and not view.minimal:
            return False
        console = Console(
            record=True, width=self._width, file=io.StringIO(), force_terminal=True, no_color=False
        )
        console.print(
            screen(
                view,
                width=self._width,
                each_side=None if self._whole_chain else _EACH_SIDE,
                contracts=self._contracts,
            )
        )
        title = f"OI Monitor · {view.underlying} · {view.analysis.mode}"
        drawing = _FONT_FROM_ELSEWHERE.sub("", console.export_svg(title=title))
        try:
            self._path.write_text(drawing, encoding="utf-8")
        except OSError as error:
            raise InputError(
                self._path, "the picture", str(error), "Name a file that can be written"
            ) from error
        return True

    def close(self) -> None:
        """Nothing to give back."""
