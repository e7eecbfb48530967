"""The truth of a simulated day in a file of its own: regime, label, true open interest, faults. Nothing of it is on the bus."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from oimon.errors import InputError


class TruthFile:
    """Writes one JSON object a line, while the day is played."""

    def __init__(self, path: Path) -> None:
        """Begin the file anew.

        Raises:
            InputError: it cannot be written.
        """
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise InputError(
                path,
                "the truth",
                f"cannot be written ({error.strerror})",
                "Choose another place with SIM_TRUTH",
            ) from error

    def tell(self, line: Mapping[str, object]) -> None:
        """Write a line; it is there at once for who reads along."""
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
