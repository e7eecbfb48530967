"""The loops of analytics as machine code, where the core's are used too."""

from functools import cache
from types import ModuleType

from oimon.core import fast


def loops() -> ModuleType | None:
    """Return ``analytics.compiled`` where machine code is used."""
    return None if fast.loops is None else _compiled()


@cache
def _compiled() -> ModuleType:
    from analytics import compiled  # noqa: PLC0415 - only where numba is

    return compiled
