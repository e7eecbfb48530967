"""The tables of the database and what their columns are; ``rows`` says what stands in them.

The ``schema`` table holds the number of their shape. The release that first changes a shape raises ``SCHEMA`` and brings the
statements that lead there; until then any other number is refused, and nothing is written.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, TICKS, TRADES

SCHEMA = 1

metadata = sa.MetaData()


def _strings(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String, nullable=nullable) for name in names]


def _floats(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Float, nullable=nullable) for name in names]


def _about() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("ts_us", sa.BigInteger, nullable=False),
        *_strings("ist", "underlying", "mode", "run"),
    ]


analyses = sa.Table(
    "analyses",
    metadata,
    *_about(),
    *_strings("kind", "segment"),  # kind: analysis, quotes (which has none of the next)
    *_strings("market", "feed", "expiry", "direction", "quality", nullable=True),
    *_floats("spot", "pcr", "max_pain", "support", "resistance", "confidence_factor", "score"),
    sa.Column("is_stale", sa.Boolean),
    sa.Column("body", sa.LargeBinary, nullable=False),  # zlib of the message's JSON
    sa.Index("analyses_by_time", "underlying", "ts_us"),
)
advice = sa.Table(
    "advice",
    metadata,
    *_about(),
    *_strings("coach", "action", "decided_by", "rule_action"),
    *_strings("side", "by_why", "day_net", nullable=True),  # day_net: decimal rupees
    *_floats("confidence", nullable=False),
    *_floats("x"),
    sa.Column("forced", sa.Boolean, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # the message's JSON
    sa.Index("advice_by_time", "underlying", "ts_us"),
)
trades = sa.Table(
    "trades",
    metadata,
    *_about(),
    *_strings("decided_by", "expiry", "side", "strikes", "reason", "position_id"),
    *_strings("price", "day_net", "equity"),  # decimal rupees
    sa.Column("is_buy", sa.Boolean, nullable=False),
    sa.Column("qty", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    *_strings("underlying", "mode", "run", "segment", "date", "source", "table_hash"),
    *_floats("cadence_s", nullable=False),
    *_floats("quotes_assumed"),
    sa.Column("instruments", sa.Integer, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    # A session is said again every 60 beats; one row until it changes.
    sa.UniqueConstraint("run", "underlying", "table_hash"),
)
gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    *_strings("underlying", "ist", "why"),
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("to_us", sa.BigInteger, nullable=False),
    sa.Column("filled", sa.Boolean, nullable=False),
    sa.Column("instruments", sa.Integer),  # how many; null: all
)
texts = sa.Table(
    "texts",
    metadata,
    *_about(),  # id: that of the message that was told, and the recipient
    *_strings("kind", "recipient", "outcome"),
    *_strings("why", nullable=True),  # of an outcome that is not "sent"
    sa.Column("text", sa.Text, nullable=False),
)
OF_STREAM = {
    ANALYSIS: [analyses],
    ADVICE_MINIMAL: [advice],
    ADVICE_RICH: [advice],
    TRADES: [trades],
    TICKS: [sessions, gaps],
}
"""Where the entries of each stream have their rows."""
TABLES = {t.name: t for t in (analyses, advice, trades, sessions, gaps, texts)}
schema = sa.Table("schema", metadata, sa.Column("version", sa.Integer, primary_key=True))


def naming_columns(table: sa.Table) -> Sequence[sa.Column[Any]]:
    """Return the columns that say what a row is known by, its id first."""
    return [
        table.c.id,
        *([table.c.run, table.c.underlying, table.c.table_hash] if table is sessions else ()),
    ]
