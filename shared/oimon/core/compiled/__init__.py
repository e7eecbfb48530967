"""The hot loops of a chain as machine code, by numba: what the extra ``fast`` brings.

Each does what numpy functions of the core do, which say what it means and against which it is tested. Import it by way of
``oimon.core.fast`` only.
"""

from oimon.core.compiled.chain import net_build_up, parity, totals, verdicts
from oimon.core.compiled.gamma import gex
from oimon.core.compiled.one_pass import one_pass
from oimon.core.compiled.text import write_message, write_sheet
from oimon.core.compiled.volatility import black76, implied_vols, smile

__all__ = [
    "black76",
    "gex",
    "implied_vols",
    "net_build_up",
    "one_pass",
    "parity",
    "smile",
    "totals",
    "verdicts",
    "write_message",
    "write_sheet",
]
