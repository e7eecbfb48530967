"""The master's JSON to typed columns, piece by piece as it is downloaded (pure).

One block of rows at a time is turned into objects, then into columns: 42 MB of JSON need 15 MB, and no step blocks for long.
Source: smartapi, section 7; performance paper, section 7.
"""

import msgspec

from ingest.master.block import Block, Notes, Row, block, join
from ingest.master.columns import Master, Tally
from oimon.errors import InputError

BLOCK_BYTES = 1024 * 1024
"""About as much JSON, some 5,000 rows, is turned into columns at a time."""
_MOST_UNREAD = 0.2
"""Share of rows that may be unreadable before the whole file is taken for something else."""
_AGAIN = "Try again in a few minutes; SMARTAPI_MASTER_URL can name another source"
_SHOWN = 60
_COMMA, _OPENED, _CLOSED = b",[]"
_ANY_ROW = msgspec.json.Decoder(list[msgspec.Raw])
_ROW = msgspec.json.Decoder(Row, strict=False)
_ROWS = msgspec.json.Decoder(list[Row], strict=False)


class _Called(msgspec.Struct):
    symbol: str = ""


_CALLED = msgspec.json.Decoder(_Called)


class MasterReader:
    """Takes the file in pieces of any size, then gives the columns."""

    def __init__(self, source: str) -> None:
        """Prepare to read.

        Args:
            source: where the file is from, for messages.
        """
        self._source = source
        self._buffer = bytearray()
        self._next_try = BLOCK_BYTES
        self._has_begun = False
        self._blocks: list[Block] = []
        self._notes = Notes()

    def take(self, piece: bytes) -> None:
        """Take the next piece of the file.

        Raises:
            InputError: what came so far is no JSON list.
        """
        self._buffer += piece
        if not self._has_begun:
            self._begin()
        if self._has_begun and len(self._buffer) >= self._next_try:
            self._cut()

    def close(self) -> Master:
        """Return the columns of the whole file.

        Raises:
            InputError: it is empty, cut, no JSON list, or its rows cannot be read.
        """
        if not self._has_begun:
            raise self._unusable("it is empty")
        try:
            self._read(len(self._buffer))
        except msgspec.DecodeError as error:
            rows = f"after {self._notes.rows} rows"
            if not self._buffer.rstrip().endswith(b"]"):
                raise self._unusable(f"it ends in the middle, {rows}") from None
            raise self._unusable(f"it is no JSON {rows}: {error}") from None
        notes = self._notes
        if not notes.rows:
            raise self._unusable("it is an empty list")
        if notes.unread > _MOST_UNREAD * notes.rows:
            first = f"the first: {notes.reasons[0]}"
            raise self._unusable(f"{notes.unread} of {notes.rows} rows cannot be read; {first}")
        columns, repeated = join(self._blocks, notes)
        if not len(columns["token"]):
            raise self._unusable(f"none of its {notes.rows} rows is of a watched exchange")
        return Master(
            names=list(notes.names),
            columns=columns,
            tally=Tally(
                rows=notes.rows,
                not_watched=notes.not_watched,
                unread=notes.unread + repeated,
                reasons=tuple(notes.reasons),
            ),
        )

    def _begin(self) -> None:
        """Look at the first character that is no blank."""
        start = bytes(self._buffer[:4096]).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not start:
            return
        shown = start[:_SHOWN].decode("utf-8", "replace").split("\n")[0].rstrip()
        if start.startswith(b"<"):
            raise self._unusable(f"it is a web page, not the list of instruments: {shown!r}")
        if start.startswith(b"{"):
            raise self._unusable(f"it is one JSON object, not the list of instruments: {shown!r}")
        if not start.startswith(b"["):
            raise self._unusable(f"it is no JSON list; it begins {shown!r}")
        del self._buffer[: self._buffer.index(b"[")]
        self._has_begun = True

    def _cut(self) -> None:
        """Read the whole rows that have come.

        Where a cut is not between rows, inside a text or a nested object, the block is no JSON and waits for more.
        """
        end = self._buffer.rfind(b"},") + 1
        if end:
            self._buffer[end] = (
                _CLOSED  # the comma between two rows ends a list, then begins the next
            )
            try:
                self._read(end + 1)
            except msgspec.DecodeError:
                self._buffer[end] = _COMMA
            else:
                self._buffer[end] = _OPENED
                del self._buffer[:end]
                self._next_try = BLOCK_BYTES
                return
        self._next_try = 2 * len(self._buffer)

    def _read(self, size: int) -> None:
        """Read the first bytes of the buffer, a list of rows."""
        with memoryview(self._buffer) as whole, whole[:size] as text:
            try:
                rows = _ROWS.decode(text)
            except msgspec.ValidationError:
                rows = self._one_by_one(_ANY_ROW.decode(bytes(text)))
        self._notes.rows += len(rows)
        if found := block(rows, self._notes):
            self._blocks.append(found)

    def _one_by_one(self, raws: list[msgspec.Raw]) -> list[Row]:
        """Return the rows that can be read; count the others."""
        rows = []
        for number, raw in enumerate(raws, self._notes.rows + 1):
            try:
                rows.append(_ROW.decode(raw))
            except msgspec.ValidationError as error:
                self._notes.bad(f"{_called(raw) or f'row {number}'}: {error}")
        self._notes.rows += len(raws) - len(rows)
        return rows

    def _unusable(self, what: str) -> InputError:
        return InputError(self._source, "instrument master", what, _AGAIN)


def _called(raw: msgspec.Raw) -> str:
    try:
        return _CALLED.decode(raw).symbol
    except msgspec.DecodeError:
        return ""
