"""How a loop becomes machine code: compiled at its first call, read from a cache from then on.

A cached loop knows when its own file changes, not when another does: what it calls stands in the same file.
"""

from typing import Any

from numba import njit

machine: Any = njit(cache=True, error_model="numpy", nogil=True)
any_order: Any = njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
"""For sums of whole numbers, exact in any order: several at a time."""
