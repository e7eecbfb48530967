"""What explains a recording's frames: its first block, said again where more becomes known, and the summary in its last."""

from dataclasses import dataclass

from ingest.instruments import MasterRow
from oimon.terms import OiUnit, Segment


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What explains the frames; columns have one entry a row of ``master``."""

    segment: Segment
    underlying: str
    date: str  # ISO day in India
    source: str  # what the session calls it
    origin: str  # where the data is from, for people
    command: str | None  # that made the recording
    oi_unit: OiUnit  # of the frames
    cadence_s: float  # usual time between two prices of one instrument
    quotes_assumed: float | None  # 0.003: a spread of 0.3 % was put around prices
    expiries: list[str]  # ISO days
    has_beats: bool  # live: a replay uses the beats where they fell
    master: list[MasterRow]
    prev_close: list[float | None]  # rupees
    oi_prev: list[int | None]  # quantity
    oi_open: list[int | None]  # quantity
    mcx_oi: bool = False  # a commodity's open interest is analysed
    run: str = ""  # live: the run that was recorded


@dataclass(frozen=True, kw_only=True, slots=True)
class Last:
    """What the last block says of all before it."""

    frames: int
    first_us: int
    last_us: int
    digest: str  # sha256 of the file up to here
