"""What tests are made of: frames and what else a test would have to spell out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.header import Header
from ingest.instruments import MasterRow, instruments, read_row, table_hash
from ingest.packets import SNAP_QUOTE, book, packet
from ingest.recorder import BlockWriter, RecordingWriter
from ingest.recording import Recording, open_recording
from ingest.tokens import TokenTable
from ingest.told import Told
from oimon.messages import TICK, Beat, Session, TickFlag
from oimon.terms import FeedState, Kind, MarketState, Mode, OiUnit, Segment

NINE_FIFTEEN_MS = 1_795_578_301_000
"""25 November 2026, 09:15:01 in India."""


def make_frame(
    token: str = "40637",  # noqa: S107 - the broker's word for an instrument's number
    *,
    exchange: str = "NFO",
    mode: int = SNAP_QUOTE,
    **fields: Any,
) -> bytes:
    """Return a frame as the broker sends it: an option at 123.85 with a tight book, unless told otherwise."""
    given: dict[str, Any] = {"sequence": 1, "exchange_ms": NINE_FIFTEEN_MS, "ltp": 12_385}
    if mode == SNAP_QUOTE:
        given |= {
            "volume": 9_876_555,
            "oi": 7_284_615,
            "traded_s": NINE_FIFTEEN_MS // 1000,
            "levels": book([(130, 12_380, 2), (650, 12_375, 5)], [(65, 12_390, 1)]),
        }
    return packet(mode, exchange, token, **given | fields)


def make_tokens(tokens: list[str], *, exchange: str = "NFO", kind: Kind = Kind.CE) -> TokenTable:
    """Return a table in which the tokens are rows 0, 1, 2…"""
    return TokenTable.of([exchange] * len(tokens), tokens, [kind] * len(tokens))


def make_tick(**fields: Any) -> np.ndarray:
    """Return one tick, shape (1,): an option at 123.85 with a tight book, unless told otherwise."""
    tick = np.zeros(1, TICK)
    given = {
        "flags": TickFlag.PRICE | TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI,
        "exchange_us": NINE_FIFTEEN_MS * 1000,
        "traded_s": NINE_FIFTEEN_MS // 1000,
        "seq": 1,
        "ltp": 12_385,
        "bid": 12_380,
        "ask": 12_390,
        "bid_qty": 130,
        "ask_qty": 65,
        "volume": 9_876_555,
        "oi": 7_284_615,
    }
    for name, value in (given | fields).items():
        tick[name] = value
    return tick


def make_row(
    token: str = "40637",  # noqa: S107 - the broker's word for an instrument's number
    *,
    kind: str = "CE",
    strike: int = 24_200,
    expiry: str = "25AUG2026",
    name: str = "NIFTY",
) -> MasterRow:
    """Return a row of the instrument master: an option, or the index when its kind is INDEX."""
    if kind == "INDEX":
        return MasterRow(
            token=token,
            symbol="Nifty 50",
            name=name,
            expiry="",
            strike="0.000000",
            lotsize="1",
            instrumenttype="AMXIDX",
            exch_seg="NSE",
            tick_size="0.000000",
        )
    return MasterRow(
        token=token,
        symbol=f"{name}{expiry[:5]}{expiry[7:]}{strike}{kind}",
        name=name,
        expiry=expiry,
        strike=f"{strike * 100}.000000",
        lotsize="65",
        instrumenttype="FUTIDX" if kind == "FUT" else "OPTIDX",
        exch_seg="NFO",
        tick_size="5.000000",
    )


def make_header(**fields: Any) -> Header:
    """Return the header of a recording of the index and one option, unless told otherwise."""
    master = fields.pop("master", [make_row("99926000", kind="INDEX"), make_row()])
    given: dict[str, Any] = {
        "segment": Segment.NFO,
        "underlying": "NIFTY",
        "date": "2026-11-25",
        "source": "test.oirec",
        "origin": "made by a test",
        "command": None,
        "oi_unit": OiUnit.QTY,
        "cadence_s": 1.0,
        "quotes_assumed": None,
        "expiries": ["2026-08-25"],
        "has_beats": False,
        "master": master,
        "prev_close": [None] * len(master),
        "oi_prev": [None] * len(master),
        "oi_open": [None] * len(master),
    }
    return Header(**given | fields)


def make_recording(
    path: Path,
    arrivals: Sequence[tuple[int, bytes]],
    *,
    told: Sequence[Told] = (),
    **header: Any,
) -> Recording:
    """Write a recording and open it.

    Args:
        path: where.
        arrivals: when each frame came, and the frame.
        told: of a live recording: number of frames before, and what was told then.
        **header: fields of the header.
    """
    if not told:
        with RecordingWriter(path, make_header(**header)) as writer:
            for at_us, frame in arrivals:
                writer.put([frame], [at_us])
        return open_recording(path)
    with path.open("wb") as file:
        blocks = BlockWriter(file)
        blocks.begin(make_header(has_beats=True, **header))
        blocks.put([frame for _, frame in arrivals], [at_us for at_us, _ in arrivals], told)
        blocks.end()
    return open_recording(path)


def make_beat(ts_us: int, **fields: Any) -> Beat:
    """Return a beat of an open market, unless told otherwise."""
    given: dict[str, Any] = {"market": MarketState.OPEN, "feed": FeedState.OK, "age_ms": 100}
    return Beat(ts_us=ts_us, **given | fields)


def make_session(**fields: Any) -> Session:
    """Return the session of the index and one option, unless told otherwise."""
    columns = fields.pop("instruments", None) or instruments(
        [read_row(make_row("99926000", kind="INDEX")), read_row(make_row())],
        prev_close=[None, None],
        oi_prev=[None, 6_500_000],
        oi_open=[None, None],
    )
    given: dict[str, Any] = {
        "run": "2026-11-25-test",
        "mode": Mode.REPLAY,
        "segment": Segment.NFO,
        "underlying": "NIFTY",
        "date": "2026-11-25",
        "source": "test.oirec",
        "oi_unit": OiUnit.QTY,
        "cadence_s": 0.0,
        "quotes_assumed": None,
        "instruments": columns,
        "table": table_hash(columns),
    }
    return Session(**given | fields)


def make_status(service: str, **fields: Any) -> dict[str, Any]:
    """Return what a replica that is ready says of itself."""
    return {
        "service": service, "replica": f"{service}-1", "state": "ready", "problems": [], "partitions": [],
        "last_error": None, "at_us": 0, **fields,
    }  # fmt: skip
