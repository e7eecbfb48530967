"""What the near future says: its own build-up and its basis."""

from oimon.core.build_up import CLASSES, FUTURE_SAYS
from oimon.core.compare import clamp
from oimon.terms import BuildUp

FULL_BASIS_CHANGE = 0.0005


def futures_score(
    build_up: BuildUp | None, basis: float | None, basis_then: float | None
) -> float | None:
    """Return the futures component in [−1, 1]; with one part known that part alone, with none None.

    Args:
        build_up: class of the near future over the window; None where it is unknown.
        basis: (future − spot)/spot now.
        basis_then: the same at the window's start.

    Source: analytics specification, 6.1.
    """
    said = None if build_up is None else FUTURE_SAYS[CLASSES.index(build_up)]
    drift = None
    if basis is not None and basis_then is not None:
        drift = clamp((basis - basis_then) / FULL_BASIS_CHANGE, -1.0, 1.0)
    if said is None or drift is None:
        return drift if said is None else said
    return 0.6 * said + 0.4 * drift
