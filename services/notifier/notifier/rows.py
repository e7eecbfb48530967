"""What a row of the database says of a message (pure): columns that a person queries, and the whole message as its body.

The primary key is the message's id, so that a repeat changes nothing. Source: bus contract, section 3; ruling 4.
"""

import contextlib
import zlib
from dataclasses import dataclass
from typing import Any

from oimon import figures
from oimon.bus import Entry
from oimon.errors import PoisonMessage
from oimon.messages import Advice, ChainAnalysis, Gap, Level, QuoteBoard, Session, Trade

_NO_ROW = ("ticks", "beat")  # ticks are kept by recordings; a beat is in its analysis
_ZLIB_LEVEL = 1  # of the bundled day: 43 KB to 11.6 in 0.4 ms; the default level: to 10.1 in 1.1 ms


@dataclass(frozen=True)
class Row:
    """One row: the table's name and its columns."""

    table: str
    columns: dict[str, Any]


def row_of(entry: Entry) -> Row | None:
    """Return the row of an entry; ``None`` for what is kept elsewhere.

    Raises:
        PoisonMessage: the entry cannot be decoded.
    """
    if entry.kind in _NO_ROW:
        return None
    row: Row | None
    match entry.message:
        case ChainAnalysis() as analysis:
            row = Row("analyses", _about(entry, analysis) | _analysis(entry, analysis))
        case QuoteBoard() as board:
            row = Row("analyses", _about(entry, board) | _board(entry, board))
        case Advice() as advice:
            row = Row("advice", _about(entry, advice) | _advice(entry, advice))
        case Trade() as trade:
            row = Row("trades", _about(entry, trade) | _trade(entry, trade))
        case Session() as session:
            row = Row("sessions", _session(entry, session))
        case Gap() as gap:
            row = Row("gaps", _gap(entry, gap))
        case _:
            row = None  # a text has its row when it was sent
    return row


def row_name(entry: Entry) -> str | None:
    """Return what the entry's row is known by: its key, but of a session, which is said again and again, what makes it new."""
    if entry.kind in _NO_ROW:
        return None
    if entry.kind == "session":
        with contextlib.suppress(PoisonMessage):
            session = entry.message
            if isinstance(session, Session):
                return session_name(session.run, session.underlying, session.table)
    return entry.key  # also of what cannot be decoded: somebody has to have set it aside


def session_name(run: str, underlying: str, table: str) -> str:
    """Return what a session's row is known by."""
    return f"session {run} {underlying} {table}"


def packed(data: bytes) -> bytes:
    """Return a message's JSON, compressed."""
    return zlib.compress(data, _ZLIB_LEVEL)


def unpacked(body: bytes) -> bytes:
    """Return the JSON of a compressed body."""
    return zlib.decompress(body)


def _about(entry: Entry, message: ChainAnalysis | QuoteBoard | Advice | Trade) -> dict[str, Any]:
    return {
        "id": entry.key,
        "ts_us": message.ts_us,
        "ist": figures.date_time(message.ts_us),
        "underlying": message.underlying,
        "mode": message.mode,
        "run": message.run,
    }


def _board(entry: Entry, board: QuoteBoard) -> dict[str, Any]:
    return {"kind": "quotes", "segment": board.segment, "body": packed(entry.data)}


def _analysis(entry: Entry, analysis: ChainAnalysis) -> dict[str, Any]:
    return {
        "kind": "analysis",
        "body": packed(entry.data),
        "segment": analysis.segment,
        "market": analysis.market,
        "feed": analysis.feed,
        "expiry": analysis.expiry,
        "spot": analysis.spot,
        "pcr": analysis.pcr,
        "max_pain": analysis.max_pain,
        "support": _strike(analysis.support),
        "resistance": _strike(analysis.resistance),
        "direction": analysis.direction,
        "confidence_factor": analysis.confidence_factor,
        "score": analysis.score,
        "quality": analysis.quality,
        "is_stale": analysis.is_stale,
    }


def _strike(levels: list[Level]) -> float | None:
    return levels[0][0] if levels else None


def _advice(entry: Entry, advice: Advice) -> dict[str, Any]:
    return {
        "body": entry.data.decode(),
        "coach": advice.coach,
        "action": advice.action,
        "side": advice.side,
        "confidence": advice.confidence,
        "decided_by": advice.by,
        "by_why": advice.by_why,
        "forced": advice.forced,
        "rule_action": advice.rule_action,
        "reasons": "; ".join(advice.reasons),
        "x": advice.x,
        "day_net": None if advice.day is None else advice.day.net,
    }


def _trade(entry: Entry, trade: Trade) -> dict[str, Any]:
    return {
        "body": entry.data.decode(),
        "decided_by": trade.decider,
        "expiry": trade.contract.expiry,
        "side": trade.contract.side,
        "strikes": "/".join(figures.plain(strike) for strike in trade.contract.strikes),
        "is_buy": trade.buy,
        "qty": trade.qty,
        "price": trade.price,
        "reason": trade.reason,
        "position_id": trade.position_id,
        "day_net": trade.day_net,
        "equity": trade.equity,
    }


def _session(entry: Entry, session: Session) -> dict[str, Any]:
    return {
        "id": entry.key,
        "body": entry.data.decode(),
        "underlying": session.underlying,
        "mode": session.mode,
        "run": session.run,
        "segment": session.segment,
        "date": session.date,
        "source": session.source,
        "cadence_s": session.cadence_s,
        "quotes_assumed": session.quotes_assumed,
        "instruments": len(session.instruments.token),
        "table_hash": session.table,
    }


def _gap(entry: Entry, gap: Gap) -> dict[str, Any]:
    return {
        "id": entry.key,
        "underlying": entry.partition,
        "from_us": gap.from_us,
        "to_us": gap.to_us,
        "ist": figures.date_time(gap.from_us),
        "why": gap.why,
        "filled": gap.filled,
        "instruments": None if gap.rows is None else len(gap.rows),
    }
