"""Whether the core's hot loops run as machine code (the extra ``fast``) or as numpy: the same results, but for the last bit of a float.

A service decides once, at its start; until then, and where numba is not installed, it is numpy.
"""

from importlib.util import find_spec
from types import ModuleType

loops: ModuleType | None = None
"""``oimon.core.compiled`` when it is used."""


def use(*, wanted: bool = True) -> bool:
    """Use machine code if it is wanted and numba is here; return whether it is used."""
    global loops  # noqa: PLW0603 - a choice of this process, made where it is wired
    loops = None
    if wanted and find_spec("numba") is not None:
        from oimon.core import compiled  # noqa: PLC0415 - numba alone takes longer to import than all else

        loops = compiled
    return loops is not None
