"""Rows of the master, a few thousand at a time, to columns, without a Python object a field (pure)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import compress, count
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from ingest.master.columns import DTYPES, KINDS
from ingest.packets import EXCHANGE_TYPES
from ingest.tokens import MAX_TOKEN
from oimon.terms import Kind

Block = Mapping[str, npt.NDArray[Any]]
"""The columns of some rows, all as long."""

REASONS = 5
"""So many rows that cannot be read are told with their reason, the others counted."""
_WIDTHS = {"token": 24, "symbol": 40}  # a byte more than fits shows; the longest symbol seen has 26
_LONGEST = {"token": MAX_TOKEN, "symbol": _WIDTHS["symbol"] - 1}
_SIDES = {b"CE": KINDS.index(Kind.CE), b"PE": KINDS.index(Kind.PE)}
_FUT = KINDS.index(Kind.FUT)
_OPTION, _OTHER = (
    len(KINDS),
    len(KINDS) + 1,
)  # an option until its side is known; what is not watched
_LARGEST = 2**31 - 1
_UNREADABLE = -1


class _Exchange(Enum):
    """Exchanges that are watched; an enum, so that no text is made of each row's."""

    NSE = "NSE"
    NFO = "NFO"
    BSE = "BSE"
    BFO = "BFO"
    MCX = "MCX"
    OTHER = "\0"

    def __init__(self, spelled: str) -> None:
        self.code = 16 * EXCHANGE_TYPES.get(spelled, 0)

    @classmethod
    @override
    def _missing_(cls, value: object) -> "_Exchange":
        return cls.OTHER


class _Type(Enum):
    """Types of instrument that are watched."""

    INDEX_OPTION = "OPTIDX", _OPTION
    SHARE_OPTION = "OPTSTK", _OPTION
    COMMODITY_OPTION = "OPTFUT", _OPTION
    INDEX_FUTURE = "FUTIDX", KINDS.index(Kind.FUT)
    SHARE_FUTURE = "FUTSTK", KINDS.index(Kind.FUT)
    COMMODITY_FUTURE = "FUTCOM", KINDS.index(Kind.FUT)
    INDEX = "AMXIDX", KINDS.index(Kind.INDEX)
    SHARE = "", KINDS.index(Kind.EQ)
    OTHER = "\0", _OTHER

    code: int

    def __new__(cls, spelled: str, code: int) -> Self:
        """Make a member whose value is the broker's word alone."""
        made = object.__new__(cls)
        made._value_ = spelled
        made.code = code
        return made

    @classmethod
    @override
    def _missing_(cls, value: object) -> "_Type":
        return cls.OTHER


class Row(msgspec.Struct, gc=False):
    """One row, as the broker writes it: numbers in strings, paise with six decimals. Newer fields are passed over."""

    token: str
    symbol: str
    name: str
    expiry: str
    strike: float
    lotsize: float
    instrumenttype: _Type
    exch_seg: _Exchange
    tick_size: float


class _Days(dict[str, int]):
    """Expiries as written to ordinal days; there are a few hundred, so each is parsed once."""

    def __missing__(self, text: str) -> int:
        try:
            day = datetime.strptime(text, "%d%b%Y").toordinal()  # noqa: DTZ007 - a day, no instant
        except ValueError:
            day = _UNREADABLE if text else 0
        self[text] = day
        return day


@dataclass(kw_only=True, slots=True)
class Notes:
    """What is carried from block to block: names, days, and what was not read."""

    rows: int = 0
    not_watched: int = 0
    unread: int = 0
    reasons: list[str] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=lambda: defaultdict(count().__next__))
    days: _Days = field(default_factory=_Days)

    def bad(self, reason: str) -> None:
        """Count a row that cannot be read."""
        self.unread += 1
        if len(self.reasons) < REASONS:
            self.reasons.append(reason)


def block(rows: Sequence[Row], notes: Notes) -> Block | None:
    """Return the columns of the rows that are watched and whole; ``None`` where there are none.

    Args:
        rows: of the file, in its order.
        notes: told of the others.
    """
    codes = np.array([r.exch_seg.code + r.instrumenttype.code for r in rows], "u1")
    is_watched = (codes >= 16) & (codes & 15 != _OTHER)
    if not is_watched.all():
        notes.not_watched += int((~is_watched).sum())
        rows, codes = list(compress(rows, is_watched.tolist())), codes[is_watched]
    if not rows:
        return None
    names, days = notes.names, notes.days
    columns: dict[str, npt.NDArray[Any]] = {
        "exchange": codes >> 4,
        "kind": codes & 15,
        "name": np.array([names[r.name] for r in rows], "<u4"),
        "expiry": np.array([days[r.expiry] for r in rows], "<i4"),
        "token": _texts("token", [r.token for r in rows]),
        "symbol": _texts("symbol", [r.symbol for r in rows]),
    }
    _tell_sides(columns)
    numbers = {
        "lot": np.array([r.lotsize for r in rows]),
        "tick": np.array([r.tick_size for r in rows]),
        "strike": np.array([r.strike for r in rows]),
    }
    is_good = _good(columns, numbers, lambda at, what: notes.bad(f"{rows[at].symbol}: {what}"))
    columns |= {key: np.where(is_good, numbers[key], 0).astype(DTYPES[key]) for key in numbers}
    columns["strike"][columns["kind"] > _SIDES[b"PE"]] = 0  # -1 or 0 there: it has none
    columns["expiry"][columns["kind"] > _FUT] = 0
    if is_good.all():
        return columns
    return {key: column[is_good] for key, column in columns.items()}


def join(blocks: Sequence[Block], notes: Notes) -> tuple[Block, int]:
    """Return the columns of all blocks, and how many rows were left out: of one token of an exchange the first row counts.

    ``notes`` gives the reasons of the first ones; they are not counted in it.
    """
    if not blocks:
        return {key: np.empty(0, kind) for key, kind in DTYPES.items()}, 0
    columns: Block = {key: np.concatenate([part[key] for part in blocks]) for key in DTYPES}
    words = columns["token"].view("<u8").reshape(len(columns["token"]), -1)
    keys = columns["exchange"].astype("<u8")
    for word in words.T:  # an odd factor loses nothing; two keys that are equal are looked at below
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + word
    order = np.argsort(keys, kind="stable")
    is_like = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    left_out = 0
    if len(is_like):
        later, first = order[is_like + 1], order[is_like]
        columns, left_out = _without_repeats(columns, later, first, notes)
    return {key: _trimmed(column) for key, column in columns.items()}, left_out


def _without_repeats(
    columns: Block, later: npt.NDArray[np.intp], first: npt.NDArray[np.intp], notes: Notes
) -> tuple[Block, int]:
    is_same = (columns["token"][later] == columns["token"][first]) & (
        columns["exchange"][later] == columns["exchange"][first]
    )
    for at in later[is_same][: REASONS - len(notes.reasons)].tolist():
        symbol, token = columns["symbol"][at].decode(), columns["token"][at].decode()
        notes.reasons.append(f"{symbol}: token {token} of its exchange was there before")
    is_kept = np.ones(len(columns["token"]), np.bool_)
    is_kept[later[is_same]] = False
    return {key: column[is_kept] for key, column in columns.items()}, int(is_same.sum())


def _texts(key: str, texts: Sequence[str]) -> npt.NDArray[np.bytes_]:
    kind = f"S{_WIDTHS[key]}"
    if "".join(texts).isascii():
        return np.array(texts, kind)
    return np.array([text.encode() for text in texts], kind)


def _characters(texts: npt.NDArray[np.bytes_]) -> npt.NDArray[np.uint8]:
    """Return texts as single bytes, shape (n, width)."""
    return texts.view("u1").reshape(len(texts), texts.dtype.itemsize)


def _trimmed(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return texts no wider than their longest; numbers as they are."""
    if column.dtype.kind != "S":
        return column
    return column.astype(f"S{max(1, int(np.strings.str_len(column).max(initial=0)))}")


def _tell_sides(columns: Block) -> None:
    """Give each option the kind that the end of its symbol names."""
    options = np.flatnonzero(columns["kind"] == _OPTION)
    symbols = columns["symbol"][options]
    ends, characters, each = (
        np.strings.str_len(symbols),
        _characters(symbols),
        np.arange(len(symbols)),
    )
    last, before = characters[each, ends - 1], characters[each, ends - 2]
    for side, kind in _SIDES.items():
        columns["kind"][options[(before == side[0]) & (last == side[1])]] = kind


def _good(columns: Block, numbers: Block, bad: Callable[[int, str], None]) -> npt.NDArray[np.bool_]:
    """Say of each row whether it can be used; tell ``bad`` of the others, once a row."""
    kind, expiry = columns["kind"], columns["expiry"]
    is_option = (kind <= _SIDES[b"PE"]) | (kind == _OPTION)
    has_expiry = is_option | (kind == _FUT)
    lot, tick, strike = (numbers[name] for name in ("lot", "tick", "strike"))
    wrongs: list[tuple[npt.NDArray[np.bool_], Callable[[int], str]]] = [
        (_is_bad(columns, "token"), lambda _: f"its token must have 1 to {MAX_TOKEN} characters"),
        (_is_bad(columns, "symbol"), lambda _: f"its symbol must have 1 to {_LONGEST['symbol']}"),
        (kind == _OPTION, lambda _: "an option's symbol must end in CE or PE"),
        (has_expiry & (expiry <= 0), lambda _: "its expiry must read like 26DEC2024"),
        (~_whole(lot, has_expiry), lambda i: f"its lot must be a whole number, was {lot[i]:g}"),
        (~_whole(tick, np.False_), lambda i: f"its tick must be whole paise, was {tick[i]:g}"),
        (
            is_option & ~_whole(strike, np.True_),
            lambda i: f"its strike must be whole paise above 0, was {strike[i]:g}",
        ),
    ]
    is_good = np.ones(len(kind), np.bool_)
    for is_wrong, what in wrongs:
        for at in np.flatnonzero(is_wrong & is_good).tolist():
            bad(at, what(at))
        is_good &= ~is_wrong
    return is_good


def _is_bad(columns: Block, key: str) -> npt.NDArray[np.bool_]:
    """Say which texts are empty or longer than is kept."""
    characters = _characters(columns[key])
    is_bad: npt.NDArray[np.bool_] = (characters[:, 0] == 0) | (characters[:, _LONGEST[key]] != 0)
    return is_bad


def _whole(
    values: npt.NDArray[np.float64], must_be_positive: npt.NDArray[np.bool_] | np.bool_
) -> npt.NDArray[np.bool_]:
    """Say which are whole numbers within bounds, from 0 on or, where they must be, from 1."""
    in_bounds = (values >= np.where(must_be_positive, 1, 0)) & (values <= _LARGEST)
    is_whole: npt.NDArray[np.bool_] = in_bounds & (np.rint(values) == values)
    return is_whole
